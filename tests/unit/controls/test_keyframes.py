"""Settings over time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from vidstyle.config import make_config
from vidstyle.controls.keyframes import tracks
from vidstyle.errors import ConfigError


def track(name: str, *keys: dict[str, Any]) -> Any:
    return tracks(make_config(keyframes=list(keys)).keyframes, lambda at: Fraction(str(at)))[name]


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
    found = tracks(keys, lambda at: Fraction(str(at)))
    assert found.keys() == {"strength", "detail"}
    assert found["strength"](Fraction(1)) == 0.5
    assert found["detail"](Fraction(0)) == 0.5


def test_two_keys_at_one_moment() -> None:
    with pytest.raises(ConfigError, match="at 1 s set strength"):
        track("strength", {"at": 1, "strength": 0}, {"at": 1.0, "strength": 1})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"at": 1}, "at least one of strength, consistency, detail, style_weight"),
        ({"strength": 1}, "keyframes.0.at.*missing"),
        ({"at": -1, "strength": 1}, "from 0 up"),
        ({"at": 1, "strength": 1.5}, "0 to 1"),
        ({"at": 1, "flow": "dis"}, "no setting 'keyframes.0.flow'.*known are at, strength"),
        ({"at": 1, "strength": 1, "ease": "bounce"}, "'linear', 'smooth' or 'hold'"),
    ],
)
def test_a_key_that_cannot_be_used(key: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(keyframes=[key])


def test_highest_and_lowest() -> None:
    config = make_config(consistency=0.5, keyframes=[{"at": 0, "strength": 0.2}, {"at": 1, "strength": 0.7}])
    assert (config.lowest("strength"), config.highest("strength")) == (0.2, 0.7)
    assert config.highest("consistency") == config.lowest("consistency") == 0.5
