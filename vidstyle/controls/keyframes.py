"""Settings that change over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from vidstyle.control_settings import KEYFRAMABLE, Ease, Keyframe
from vidstyle.errors import ConfigError

_EASES: dict[Ease, Callable[[float], float]] = {
    "linear": lambda u: u,
    "smooth": lambda u: u * u * (3.0 - 2.0 * u),
    "hold": lambda _: 0.0,
}


@dataclass(frozen=True, slots=True)
class Track:
    """One setting over time; see ``vidstyle.control_settings.Keyframe`` for what lies between two keys.

    Attributes:
        seconds: of its keys, increasing.
        values: at them.
        eases: how the value goes on from each.
    """

    seconds: tuple[Fraction, ...]
    values: tuple[float, ...]
    eases: tuple[Ease, ...]

    def __call__(self, moment: Fraction) -> float:
        """The value at a moment, in seconds from the clip's first frame."""
        after = bisect_right(self.seconds, moment)
        if after in (0, len(self.seconds)):
            return self.values[min(after, len(self.seconds) - 1)]
        begin, end = self.seconds[after - 1 : after + 1]
        eased = _EASES[self.eases[after - 1]](float((moment - begin) / (end - begin)))
        return self.values[after - 1] + eased * (self.values[after] - self.values[after - 1])


#: A number, or what gives it at a moment, in seconds from the clip's first frame.
Setting = float | Callable[[Fraction], float]


def value_at(setting: Setting, moment: Fraction) -> float:
    """A setting at a moment."""
    return setting(moment) if callable(setting) else setting


def tracks(keyframes: Sequence[Keyframe], seconds_of: Callable[[float | str], Fraction]) -> dict[str, Track]:
    """A track for every setting that some keyframe names.

    Args:
        keyframes: in any order.
        seconds_of: reads a moment, which may be a timecode of the clip.

    Raises:
        ConfigError: two keyframes give a setting different values at one moment.
    """
    ordered = sorted(((seconds_of(key.at), key) for key in keyframes), key=lambda pair: pair[0])
    found = {}
    for name in KEYFRAMABLE:
        keys = [(moment, getattr(key, name), key.ease) for moment, key in ordered if getattr(key, name) is not None]
        if not keys:
            continue
        moments, values, eases = zip(*keys, strict=True)
        for first, second in pairwise(moments):
            if first == second:
                raise ConfigError(f"Two keyframes at {float(first):g} s set {name}; leave one out.")
        found[name] = Track(moments, values, eases)
    return found
