"""Linear light to display-referred pixels and back."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequence_factory import OCIO

from vidstyle.errors import ConfigError
from vidstyle.media.linear_light import BUILT_IN_CURVES, WHITE, Highlights, display_transform, limit_highlights


def picture(values: list[float], dtype: type = np.float32) -> np.ndarray:
    return np.array(values, dtype).reshape(1, 1, -1).repeat(3, axis=0)


@pytest.mark.parametrize("name", BUILT_IN_CURVES)
@given(light=st.floats(0, 64))
def test_light_comes_back(name: str, light: float) -> None:
    transform = display_transform(display_space=name)
    codes = transform.to_display(picture([light]))
    assert codes.dtype == np.uint16
    assert transform.from_display(codes)[0, 0, 0] == pytest.approx(light, rel=7e-4, abs=2e-6)


def test_halves_and_floats_agree() -> None:
    halves = np.random.default_rng(1).uniform(0, 70, (3, 40, 40)).astype(np.float16)
    transform = display_transform()
    assert np.array_equal(transform.to_display(halves), transform.to_display(halves.astype(np.float32)))


def test_what_has_no_place_is_clipped() -> None:
    transform = display_transform()
    codes = transform.to_display(picture([math.nan, -math.inf, -1.0, 0.0, 1.0, 1e9, math.inf]))[0, 0]
    assert codes.tolist() == [0, 0, 0, 0, round(WHITE * 65535), 65535, 65535]


def test_without_room_for_highlights_white_is_white() -> None:
    transform = display_transform(keeps_highlights=False)
    # IEC 61966-2-1: half the light is code 188 of 255.
    assert transform.to_display(picture([0.5, 1.0, 7.0]))[0, 0].tolist() == pytest.approx(
        [188 * 257, 65535, 65535], abs=200
    )


def test_the_curve_is_monotone() -> None:
    light = np.geomspace(1e-4, 130, 5000, dtype=np.float32)
    codes = display_transform().to_display(np.stack([light[None]] * 3)).astype(np.int64)[0, 0]
    assert (np.diff(codes) >= 0).all()
    assert len(np.unique(codes)) > 4500


def test_paint_is_no_brighter_than_the_source_or_white() -> None:
    source = np.full((3, 64, 64), 0.5, np.float32)
    source[:, 32, 32] = 40.0
    highlights = Highlights()
    highlights.remember(Fraction(0), source)
    limits = highlights.take(Fraction(0))
    paint = limit_highlights(np.full((3, 64, 64), 100.0, np.float32), limits)
    half_size = limit_highlights(np.full((3, 32, 32), 100.0, np.float32), limits)
    assert half_size[0, 16, 16] == 40.0
    assert paint[:, 2, 2].tolist() == [1.0] * 3
    assert paint[:, 32, 32].tolist() == [40.0] * 3
    assert np.array_equal(np.minimum(paint, source), source)


def test_highlights_of_frames_that_are_done_are_forgotten() -> None:
    highlights = Highlights()
    for index in range(5):
        highlights.remember(Fraction(index), np.full((3, 8, 8), 2.0, np.float32))
    assert highlights.take(Fraction(3)) is not None
    assert list(highlights._limits) == [Fraction(4)]


def test_opencolorio_goes_both_ways(tmp_path: Path) -> None:
    pytest.importorskip("PyOpenColorIO", reason="the extra 'ocio' is not installed")
    path = tmp_path / "show.ocio"
    path.write_text(OCIO)
    transform = display_transform(path)
    light = np.random.default_rng(2).uniform(0, 8, (3, 20, 30)).astype(np.float32)
    back = transform.from_display(transform.to_display(light))
    assert np.abs(back - light).max() < 0.02
    assert np.median(np.abs(back - light) / light) < 1e-3
    # The matrix mixes channels, so this is not what the built-in curve does.
    assert not np.allclose(transform.to_display(light), display_transform().to_display(light), atol=300)
    assert "'lin' to 'shown'" in transform.name
    with pytest.raises(ConfigError, match="no colour space 'nowhere'; it has lin, shown"):
        display_transform(path, "nowhere")


def test_spaces_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--color-config"):
        display_transform(linear_space="ACEScg")
    with pytest.raises(ConfigError, match="srgb and rec709"):
        display_transform(display_space="P3")
    pytest.importorskip("PyOpenColorIO", reason="the extra 'ocio' is not installed")
    with pytest.raises(ConfigError, match="no OpenColorIO file"):
        display_transform(tmp_path / "none.ocio")
    (tmp_path / "bad.ocio").write_text("hello")
    with pytest.raises(ConfigError, match="not a usable"):
        display_transform(tmp_path / "bad.ocio")


def test_opencolorio_that_is_missing_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PyOpenColorIO", None)
    with pytest.raises(ConfigError, match="extra 'ocio'"):
        display_transform(tmp_path / "show.ocio")
