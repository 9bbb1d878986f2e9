"""Settings that change over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from vidstyle.control_settings import ControlSettings, Ease, Keyframe, RegionKeyframe
from vidstyle.errors import ConfigError

#: Containers round times, Matroska to a thousandth of a second: a frame so little before a moment is at it.
ROUNDING = Fraction(1, 1000)

_EASES: dict[Ease, Callable[[float], float]] = {
    "linear": lambda u: u,
    "smooth": lambda u: u * u * (3.0 - 2.0 * u),
    "hold": lambda _: 0.0,
}

_Location = tuple[str | int, ...]
#: Styles with their shares, which add up to 1.
Shares = tuple[tuple[str, float], ...]
#: Reads a moment as people write it, into seconds from the clip's first frame.
SecondsOf = Callable[[float | str], Fraction]


@dataclass(frozen=True, slots=True)
class Track:
    """One setting over time; see ``vidstyle.control_settings.Keyframe`` for what lies between two keys.

    Attributes:
        seconds: of its keys, increasing.
        values: at them: numbers, or styles with their shares; anything else holds until the next key.
        eases: how the value goes on from each.
    """

    seconds: tuple[Fraction, ...]
    values: tuple[Any, ...]
    eases: tuple[Ease, ...]

    def __call__(self, moment: Fraction) -> Any:
        """The value at a moment, in seconds from the clip's first frame."""
        after = bisect_right(self.seconds, moment + ROUNDING)
        if after in (0, len(self.seconds)):
            return self.values[min(after, len(self.seconds) - 1)]
        begin, end = self.seconds[after - 1 : after + 1]
        part = min(max(float((moment - begin) / (end - begin)), 0.0), 1.0)
        return _between(self.values[after - 1], self.values[after], _EASES[self.eases[after - 1]](part))

    @property
    def jumps(self) -> tuple[Fraction, ...]:
        """Moments at which the value leaves off and goes on at another."""
        pairs = zip(pairwise(self.values), self.eases, self.seconds[1:], strict=False)
        return tuple(
            moment
            for (before, after), ease, moment in pairs
            if before != after and (ease == "hold" or not _goes_over(before))
        )


def _goes_over(value: Any) -> bool:
    return isinstance(value, float | tuple)


def _between(first: Any, second: Any, part: float) -> Any:
    if part == 0.0 or first == second or not _goes_over(first):
        return first
    if isinstance(first, float):
        return first + part * (second - first)
    shares = {style: (1.0 - part) * share for style, share in first}
    for style, share in second:
        shares[style] = shares.get(style, 0.0) + part * share
    return tuple((style, share) for style, share in shares.items() if share > 0.0)


#: A value, or what gives it at a moment, in seconds from the clip's first frame.
Setting = Any | Callable[[Fraction], Any]


def value_at(setting: Setting, moment: Fraction) -> Any:
    """A setting at a moment."""
    return setting(moment) if callable(setting) else setting


def shares_of(style: str) -> Shares:
    """One style by itself."""
    return ((style, 1.0),)


def tracks(
    keyframes: Sequence[Keyframe | RegionKeyframe], names: Iterable[str], seconds_of: SecondsOf
) -> dict[str, Track]:
    """A track for every setting that some keyframe names.

    Args:
        keyframes: in any order, as ``check_keyframes`` wants them.
        names: settings to look for.
        seconds_of: reads a moment, which may be a timecode of the clip.
    """
    ordered = sorted(((seconds_of(key.at), key) for key in keyframes), key=lambda pair: pair[0])
    found = {}
    for name in names:
        keys = [(moment, getattr(key, name), key.ease) for moment, key in ordered if getattr(key, name) is not None]
        if keys:
            moments, values, eases = zip(*keys, strict=True)
            found[name] = Track(moments, tuple(map(shares_of, values)) if name == "style" else values, eases)
    return found


def check_keyframes(
    config: ControlSettings, seconds_of: SecondsOf, length_seconds: Fraction | None = None
) -> list[str]:
    """See that no two keyframes of a setting are at one moment of a clip.

    Args:
        config: settings.
        seconds_of: reads a moment, which may be a timecode of the clip.
        length_seconds: of the clip; None where that is unknown.

    Returns:
        A sentence about every keyframe that lies past the end.

    Raises:
        ConfigError: two are, or the clip has no such moment.
    """
    of_regions = ((("regions", number, "keyframes"), each.keyframes) for number, each in enumerate(config.regions))
    tables: list[tuple[_Location, Sequence[Keyframe | RegionKeyframe]]] = [(("keyframes",), config.keyframes)]
    notes = []
    for where, keyframes in (*tables, *of_regions):
        taken: set[tuple[str, Fraction]] = set()
        for index, key in enumerate(keyframes):
            moment = moment_in(config, (*where, index, "at"), key.at, seconds_of)
            if length_seconds is not None and moment > length_seconds:
                notes.append(
                    f"Keyframe '{_dotted((*where, index))}' is at {float(moment):g} s, past the end of the clip "
                    f"({float(length_seconds):g} s)."
                )
            for name in type(key).model_fields.keys() - {"at", "ease"}:
                if (value := getattr(key, name)) is None:
                    continue
                if (name, moment) in taken:
                    reason = f"another keyframe sets it at {float(moment):g} s, too; leave one out"
                    raise unusable(config, (*where, index, name), value, reason)
                taken.add((name, moment))
    return notes


def unusable(config: ControlSettings, where: _Location, value: object, reason: str) -> ConfigError:
    """The error of a setting that only a clip shows to be wrong, with its place in the preset."""
    shown, ending = str(value) if isinstance(value, Path) else value, "" if reason.endswith("?") else "."
    return ConfigError(f"Setting '{_dotted(where)}'{config.place(*where)} cannot be {shown!r}: {reason}{ending}")


def moment_in(config: ControlSettings, where: _Location, value: float | str, seconds_of: SecondsOf) -> Fraction:
    """A setting's moment in the clip.

    Raises:
        ConfigError: the clip has none like it; says where the setting stands.
    """
    try:
        return seconds_of(value)
    except ConfigError as error:
        reason = str(error).partition(": ")[2].removesuffix(".")
        raise unusable(config, where, value, reason) from error


def _dotted(where: _Location) -> str:
    return ".".join(map(str, where))
