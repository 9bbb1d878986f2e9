"""Settings: defaults, presets, flags, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.config import RenderConfig, load_preset, make_config, output_pixel_shape, output_size, shipped_presets
from vidstyle.errors import ConfigError

sides = st.integers(1, 4096)


@pytest.mark.parametrize(
    ("size", "source", "expected"),
    [
        (None, (641, 361), (641, 361)),
        ("1280x720", (640, 360), (1280, 720)),
        ("33x17", (640, 360), (33, 17)),
        ("720p", (640, 360), (1280, 720)),
        ("180p", (360, 640), (102, 180)),
        ("320w", (640, 360), (320, 180)),
        ("50%", (641, 361), (320, 180)),
        ("12.5%", (640, 360), (80, 44)),
    ],
)
def test_output_size(size: str | None, source: tuple[int, int], expected: tuple[int, int]) -> None:
    assert output_size(size, source) == expected


@given(width=sides, height=sides, wanted=st.integers(2, 2000))
def test_a_side_that_follows_is_even_and_keeps_the_aspect(width: int, height: int, wanted: int) -> None:
    try:
        result = output_size(f"{wanted}p", (width, height))
    except ConfigError:
        assert wanted * width / height > 16384
        return
    assert result[1] == wanted
    assert result[0] % 2 == 0
    assert result[0] == 2 or abs(result[0] - wanted * width / height) <= 1


@pytest.mark.parametrize("size", ["", "big", "0x0", "0p", "0%", "1280×720", "-5p", "99999x2", "640 x 360", "50.5p"])
def test_a_size_nobody_can_mean_is_refused(size: str) -> None:
    with pytest.raises(ConfigError, match="size"):
        make_config(size=size)


def test_a_size_that_is_absurd_for_one_clip_only_is_refused_there() -> None:
    assert output_size("2000%", (640, 360)) == (12800, 7200)
    with pytest.raises(ConfigError, match="2000%"):
        output_size("2000%", (1280, 720))


@pytest.mark.parametrize("name", shipped_presets())
def test_every_shipped_preset_is_complete_and_valid(name: str) -> None:
    assert isinstance(make_config(name), RenderConfig)


def test_presets_of_the_readme_exist() -> None:
    assert {"film", "preview", "web", "realtime"} <= set(shipped_presets())


def test_flags_win_over_the_preset_and_the_preset_over_defaults() -> None:
    config = make_config("film", consistency=0.25, crf=None)
    assert config.codec == "prores_ks"
    assert config.consistency == 0.25
    assert config.crf is None
    assert config.style == RenderConfig().style


def test_a_flag_of_zero_counts_as_given() -> None:
    assert make_config("film", consistency=0.0).consistency == 0.0


@pytest.mark.parametrize(
    ("size", "source", "shape", "expected"),
    [
        (None, (720, 576), "16/15", "16/15"),
        ("288p", (720, 576), "16/15", "16/15"),
        ("50%", (720, 576), "16/15", "16/15"),
        ("768x576", (720, 576), "16/15", "1"),  # 4:3
        ("1024x576", (720, 576), "64/45", "1"),  # 16:9
        ("720x576", (720, 576), "16/15", "16/15"),
        ("361x288", (720, 576), "16/15", "16/15"),  # as near as whole pixels get
        ("360x576", (720, 576), "16/15", "32/15"),
        ("100x100", (640, 360), "1", "1"),
    ],
)
def test_pixels_that_are_not_square_change_their_shape_with_both_sides(
    size: str | None, source: tuple[int, int], shape: str, expected: str
) -> None:
    assert output_pixel_shape(size, source, Fraction(shape)) == Fraction(expected)


def test_a_preset_can_be_a_file(tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text('style = "identity"\nconsistency = 0.5\n[encoder_options]\ntune = "grain"\n')
    config = make_config(preset)
    assert (config.style, config.consistency, config.encoder_options) == ("identity", 0.5, {"tune": "grain"})
    assert load_preset(str(preset)) == load_preset(preset)


def test_a_byte_order_mark_is_no_setting(tmp_path: Path) -> None:
    preset = tmp_path / "notepad.toml"
    preset.write_bytes(b"\xef\xbb\xbfstrength = 0.5\r\n")
    assert make_config(preset).strength == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("consistancy = 0.5", "did you mean 'consistency'"),
        ("consistency = 2", "consistency.*less than or equal to 1"),
        ('consistency = "much"', "consistency.*number"),
        ("consistency = [", "not valid TOML"),
        ('codec = "a"\ncodec = "b"', "not valid TOML"),
        ("[audio]\nkeep = true", "audio"),
    ],
)
def test_a_broken_preset_is_named(tmp_path: Path, text: str, message: str) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        make_config(preset)
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no preset 'filmm'.*film"):
        make_config("filmm")
    with pytest.raises(ConfigError, match="no preset"):
        make_config("nowhere.toml")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "gpu"}, "device.*auto, cpu, cuda"),
        ({"consistency": -0.1}, "consistency"),
        ({"consistency": float("nan")}, "consistency"),
        ({"crf": 99}, "crf"),
        ({"batch_size": 0}, "batch_size"),
        ({"start_seconds": 2.0, "end_seconds": 2.0}, "end .*after the start"),
        ({"start_seconds": float("inf")}, "start_seconds"),
        ({"flow": "farneback"}, "flow"),
        ({"colour": "red"}, "no setting 'colour'"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make_config(**settings)
    assert "\n" not in str(caught.value)


def test_settings_do_not_change_once_made() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_config().style = "other"
