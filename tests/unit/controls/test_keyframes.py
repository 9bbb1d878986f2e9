"""Settings over time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vidstyle.config import make_config
from vidstyle.control_settings import CHANGING
from vidstyle.controls.keyframes import check_keyframes, tracks
from vidstyle.controls.over_time import controls_over_time, painting_jumps
from vidstyle.controls.shots import ShotList
from vidstyle.errors import ConfigError
from vidstyle.moments import Timecode, parse_moment


def track(name: str, *keys: dict[str, Any]) -> Any:
    return tracks(make_config(keyframes=list(keys)).keyframes, CHANGING, lambda at: Fraction(str(at)))[name]


@pytest.mark.parametrize(
    ("ease", "values"), [("linear", (0.2, 0.4, 0.6)), ("smooth", (0.125, 0.4, 0.675)), ("hold", (0.0, 0.0, 0.0))]
)
def test_what_lies_between_two_keys(ease: str, values: tuple[float, ...]) -> None:
    strength = track("strength", {"at": 1, "strength": 0.0, "ease": ease}, {"at": 3, "strength": 0.8})
    assert [strength(Fraction(moment, 2)) for moment in (3, 4, 5)] == pytest.approx(values)
    assert strength(Fraction(3)) == 0.8


def test_before_the_first_key_and_after_the_last_the_nearest_holds() -> None:
    strength = track("strength", {"at": 3, "strength": 0.8}, {"at": 1, "strength": 0.3})
    assert [strength(Fraction(moment)) for moment in (0, 1, 3, 9)] == [0.3, 0.3, 0.8, 0.8]


def test_every_setting_has_keys_of_its_own() -> None:
    keys = make_config(
        keyframes=[{"at": 0, "strength": 0}, {"at": 1, "detail": 0.5}, {"at": 2, "strength": 1}]
    ).keyframes
    found = tracks(keys, CHANGING, lambda at: Fraction(str(at)))
    assert found.keys() == {"strength", "detail"}
    assert found["strength"](Fraction(1)) == 0.5
    assert found["detail"](Fraction(0)) == 0.5


def seconds_of(at: float | str) -> Fraction:
    moment = parse_moment(at)
    if isinstance(moment, Timecode):
        raise ConfigError(f"The moment cannot be used: the clip has no timecode {moment}.")
    return moment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[keyframes]]\nat=1\nstrength=0\n[[keyframes]]\nat=1.0\nstrength=1\n",
            "'keyframes.1.strength'.*line 6, cannot be",
        ),
        (
            "[[keyframes]]\nat=1\nmask='a'\n[[keyframes]]\nat=1\nmask='none'\n",
            "'keyframes.1.mask'.*line 6, cannot be 'none'",
        ),
        (
            "[[regions]]\nmask='a'\nstyle='b'\n[[regions]]\nmask='c'\nstyle='d'\n"
            "[[regions.keyframes]]\nat=2\nfeather=1\n[[regions.keyframes]]\nat=2\nfeather=3\n",
            "'regions.1.keyframes.1.feather'.*line 12, cannot be 3.0: another keyframe sets it at 2 s",
        ),
        ("[[keyframes]]\nat='01:00:00:00'\nstrength=0\n", "'keyframes.0.at'.*line 2, .*the clip has no timecode"),
    ],
)
def test_two_keys_at_one_moment_and_moments_that_are_not_there(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "look.toml").write_text(text)
    config = make_config(tmp_path / "look.toml")
    with pytest.raises(ConfigError, match=message):
        check_keyframes(config, seconds_of)


def test_keys_past_the_end_are_noted() -> None:
    config = make_config(
        keyframes=[{"at": 1, "strength": 0, "detail": 1}, {"at": 4, "strength": 1}, {"at": 4, "detail": 0}]
    )
    assert check_keyframes(config, seconds_of) == check_keyframes(config, seconds_of, Fraction(4)) == []
    notes = check_keyframes(config, seconds_of, Fraction(3))
    assert notes == [f"Keyframe 'keyframes.{index}' is at 4 s, past the end of the clip (3 s)." for index in (1, 2)]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"at": 1}, "at least one of style, strength, consistency, detail, style_weight, style_scale, preserve_color"),
        ({"strength": 1}, "keyframes.0.at.*missing"),
        ({"at": -1, "strength": 1}, "from 0 up"),
        ({"at": 1, "strength": 1.5}, "0 to 1"),
        ({"at": 1, "flow": "dis"}, "no setting 'keyframes.0.flow'.*known are at, ease, style, strength"),
        ({"at": 1, "style_scale": 5}, r"allowed are 0\.25 to 4"),
        ({"at": 1, "feather": -1}, "allowed are 0 to 1000"),
        ({"at": 1, "grain": "some"}, "'off', 'keep' or 'remove'"),
        ({"at": 1, "preserve_color": "all"}, "'none', 'luma' or 'transfer'"),
        ({"at": 1, "strength": 1, "ease": "bounce"}, "'linear', 'smooth' or 'hold'"),
    ],
)
def test_a_key_that_cannot_be_used(key: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(keyframes=[key])


def test_words_switches_and_files_hold_until_the_next_key() -> None:
    keys = {"preserve_color": ("none", "luma"), "invert_mask": (False, True), "lut": (Path("a.cube"), Path("none"))}
    for name, (first, second) in keys.items():
        found = track(name, {"at": 1, name: first, "ease": "smooth"}, {"at": 3, name: second})
        assert [found(Fraction(moment)) for moment in (0, 1, 2, 3, 4)] == [first, first, first, second, second]
        assert found.jumps == (3,)


def test_styles_go_over_into_each_other() -> None:
    found = track("style", {"at": 0, "style": "a"}, {"at": 4, "style": "b"}, {"at": 6, "style": "b"})
    assert found(Fraction(0)) == (("a", 1.0),)
    assert found(Fraction(1)) == (("a", 0.75), ("b", 0.25))
    assert found(Fraction(5)) == (("b", 1.0),)
    assert found.jumps == ()
    held = track("style", {"at": 0, "style": "a", "ease": "hold"}, {"at": 4, "style": "b"})
    assert held(Fraction(3)) == (("a", 1.0),)
    assert held.jumps == (4,)


def test_a_frame_whose_time_the_container_rounded_down_is_at_the_key() -> None:
    """Frame 61 of 24000/1001 a second is at 2.54421 s, and at 2.544 s in Matroska."""
    held = track("grain", {"at": 0, "grain": "off"}, {"at": 2.54421, "grain": "keep"})
    assert [held(Fraction(moment)) for moment in ("2.502", "2.544")] == ["off", "keep"]
    going = track("detail", {"at": 2.54421, "detail": 0.5}, {"at": 3, "detail": 1.0})
    assert going(Fraction("2.544")) == 0.5


def test_the_file_none_takes_a_file_away() -> None:
    config = make_config(lut="a.cube", keyframes=[{"at": 0, "mask": "m.png"}, {"at": 1, "mask": "none"}])
    assert config.values("mask") == [Path("m.png"), None]
    assert make_config(lut="none", mask="none").lut is None
    controls = controls_over_time(config, None, lambda at: Fraction(str(at)))
    assert callable(controls)
    assert [controls(Fraction(moment)).mask for moment in (0, 1)] == [Path("m.png"), None]
    assert controls(Fraction(1)).lut == Path("a.cube")


def test_values_at_some_time_or_other() -> None:
    config = make_config(consistency=0.5, keyframes=[{"at": 0, "strength": 0.2}, {"at": 1, "strength": 0.7}])
    assert config.values("strength") == [0.2, 0.7]
    assert config.values("consistency") == [0.5]
    assert config.changes("strength")
    assert not config.changes("consistency", "style")


@pytest.mark.parametrize(
    ("keys", "jumps"),
    [
        ([{"at": 0, "style_scale": 1, "ease": "hold"}, {"at": 1, "style_scale": 2}], (1,)),
        ([{"at": 0, "style_scale": 1}, {"at": 1, "style_scale": 2}], ()),
        ([{"at": 0, "style_weight": 1, "ease": "hold"}, {"at": 1, "style_weight": 0}], (1,)),
        ([{"at": 0, "style": "a", "ease": "hold"}, {"at": 1, "style": "b"}], ()),
        ([{"at": 0, "preserve_color": "luma"}, {"at": 1, "preserve_color": "none"}], ()),
        ([{"at": 0, "preserve_color": "luma"}, {"at": 1, "preserve_color": "transfer"}], (1,)),
        ([{"at": 0, "lut": "a.cube"}, {"at": 1, "lut": "b.cube"}], ()),
        ([{"at": 0, "lut": "a.cube", "lut_at": "before"}, {"at": 1, "lut": "b.cube"}], (1,)),
        ([{"at": 0, "grain": "keep"}, {"at": 1, "grain": "remove"}, {"at": 2, "grain": "off"}], (2,)),
        ([{"at": 0, "strength": 0, "ease": "hold"}, {"at": 1, "strength": 1}], ()),
    ],
)
def test_where_a_painting_jumps(keys: list[dict[str, Any]], jumps: tuple[int, ...]) -> None:
    config = make_config(keyframes=keys)
    controls = controls_over_time(config, None, seconds_of)
    assert painting_jumps(config, controls, seconds_of, has_weight=True) == jumps
    if "style_weight" in keys[0]:
        assert painting_jumps(config, controls, seconds_of, has_weight=False) == ()


def test_nothing_jumps_in_a_shot_that_has_a_value_of_its_own() -> None:
    keys = [{"at": 0, "style_scale": 1, "ease": "hold"}, {"at": 1, "style_scale": 2}]
    config = make_config(keyframes=keys, shots=[{"start": 0.5, "style_scale": 3}])
    shots = ShotList((Fraction(1, 2),), ({"style_scale": 3.0},))
    controls = controls_over_time(config, shots, seconds_of)
    assert painting_jumps(config, controls, seconds_of, has_weight=True) == ()
