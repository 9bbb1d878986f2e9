"""Settings that differ from shot to shot, and where the shots of a clip begin."""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from vidstyle.control_settings import ControlSettings, Shot
from vidstyle.controls.keyframes import ROUNDING, SecondsOf, Setting, moment_in, shares_of, tracks, unusable, value_at
from vidstyle.errors import ConfigError
from vidstyle.media.cut_lists import CutList, Event, read_cut_list
from vidstyle.moments import Timecode

_Values = Mapping[str, Any]


class TimedClip(Protocol):
    """What shots have to know of an open clip, whatever part of it is read, at whatever rate."""

    @property
    def own_rate(self) -> Fraction:
        """Frames a second of the file."""
        ...

    @property
    def own_seconds(self) -> Fraction | None:
        """How long the file is; None where that is unknown."""
        ...

    @property
    def start_timecode(self) -> Timecode | None:
        """What the clip's first frame is labelled with; None where it has no label."""
        ...

    def moment(self, value: float | str) -> Fraction:
        """Seconds from the clip's first frame, of seconds or of a timecode."""
        ...


@dataclass(frozen=True, slots=True)
class ShotList:
    """A clip's shots.

    Attributes:
        starts: where each begins, in seconds from the clip's first frame, increasing; also where one ends and no other
            begins.
        settings: of each, by name; empty where it has none of its own.
        notes: what of the settings has no effect, a sentence each.
    """

    starts: tuple[Fraction, ...]
    settings: tuple[_Values, ...]
    notes: tuple[str, ...] = ()

    def index(self, moment: Fraction) -> int:
        """Which shot a frame that starts at a moment is in; -1 before the first."""
        return bisect_right(self.starts, moment + ROUNDING) - 1


@dataclass(frozen=True, slots=True)
class _Span:
    """A shot by its times; ``table`` is its index among the settings' tables, or in the cut list."""

    start: Fraction
    end: Fraction | None
    values: _Values
    table: int


def resolve_shots(config: ControlSettings, clip: TimedClip) -> ShotList | None:
    """Find the shots that settings mean in a clip.

    Returns:
        The shots; None where settings name none.

    Raises:
        ConfigError: shots overlap, have no such number or name, or cannot be placed.
        OpenError: the cut list cannot be read.
    """
    if config.shots_from is None:
        spans, notes = _spans_by_time(config, clip)
    else:
        spans, notes = _spans_by_cut_list(config, config.shots_from, clip)
    if not spans:
        return None
    segments: list[tuple[Fraction, _Values]] = []
    for number, span in enumerate(spans):
        segments.append((span.start, span.values))
        if span.end is not None and (number + 1 == len(spans) or span.end < spans[number + 1].start):
            segments.append((span.end, {}))
    return ShotList(tuple(start for start, _ in segments), tuple(values for _, values in segments), tuple(notes))


def over_time(name: str, config: ControlSettings, shots: ShotList | None, seconds_of: SecondsOf) -> Setting:
    """A setting as keyframes and shots change it; a style, as one of its own share.

    In a shot that has a value of its own, that value holds, or else what keyframes within the shot say. Everywhere else
    keyframes count as though there were no shots.

    Args:
        name: of the setting.
        config: settings.
        shots: of the clip.
        seconds_of: reads a moment, which may be a timecode of the clip.
    """

    def one(value: Any) -> Any:
        return shares_of(value) if name == "style" else value

    everywhere: Setting = tracks(config.keyframes, [name], seconds_of).get(name, one(getattr(config, name)))
    if shots is None or not any(name in values for values in shots.settings):
        return everywhere
    own: list[Setting] = []
    for index, values in enumerate(shots.settings):
        inside = [key for key in config.keyframes if shots.index(seconds_of(key.at)) == index]
        value = one(values[name]) if name in values else everywhere
        own.append(tracks(inside, [name], seconds_of).get(name, value) if name in values else value)
    return lambda moment: value_at(own[index] if (index := shots.index(moment)) >= 0 else everywhere, moment)


def _spans_by_time(config: ControlSettings, clip: TimedClip) -> tuple[list[_Span], list[str]]:
    spans = []
    for index, shot in enumerate(config.shots):
        if shot.start is None:
            key = "number" if shot.number is not None else "name"
            raise _unusable(
                config, index, key, "there is no cut list; name it with shots_from, or give the shot a start"
            )
        start = moment_in(config, ("shots", index, "start"), shot.start, clip.moment)
        end = None if shot.end is None else moment_in(config, ("shots", index, "end"), shot.end, clip.moment)
        if end is not None and end <= start:
            raise _unusable(config, index, "end", f"the shot begins at {float(start):g} s, and must end after it")
        spans.append(_Span(start, end, shot.settings(), index))
    spans.sort(key=lambda span: span.start)
    for before, after in pairwise(spans):
        if before.start == after.start:
            raise _unusable(config, after.table, "start", "another shot begins there; shots cannot overlap")
        if before.end is not None and before.end > after.start:
            reason = f"the next shot begins at {float(after.start):g} s; shots cannot overlap"
            raise _unusable(config, before.table, "end", reason)
    return spans, _past_the_end(spans, clip)


def _past_the_end(spans: Sequence[_Span], clip: TimedClip) -> list[str]:
    length = clip.own_seconds
    return [
        f"Shot {span.table + 1} begins at {float(span.start):g} s, past the end of the clip "
        f"({float(length):g} s): it has no effect."
        for span in spans
        if length is not None and span.start >= length
    ]


def _spans_by_cut_list(config: ControlSettings, path: Path, clip: TimedClip) -> tuple[list[_Span], list[str]]:
    cut = read_cut_list(path, clip.own_rate)
    values: list[dict[str, Any]] = [{} for _ in cut.events]
    for index, shot in enumerate(config.shots):
        for number in _meant(config, index, shot, cut.events, path):
            values[number].update(shot.settings())
    lead = _lead(cut, clip)
    spans = [
        _Span(lead + each.start, lead + each.end, values[number], number) for number, each in enumerate(cut.events)
    ]
    return spans, _notes_of(path, cut, clip, lead)


def _lead(cut: CutList, clip: TimedClip) -> Fraction:
    """Seconds of the clip before the cut begins: a leader, where by the timecode of both the cut begins in the clip."""
    if cut.label is None or clip.start_timecode is None or clip.own_seconds is None:
        return Fraction(0)
    if round(cut.rate) != round(clip.own_rate):
        return Fraction(0)
    try:
        lead = (cut.label - clip.start_timecode.frame_number(clip.own_rate)) / clip.own_rate
    except ValueError:  # a label this rate does not have
        return Fraction(0)
    return lead if 0 <= lead < clip.own_seconds else Fraction(0)


def _meant(config: ControlSettings, index: int, shot: Shot, events: Sequence[Event], path: Path) -> list[int]:
    """Indices of the events a shot's settings are for."""
    if shot.number is not None:
        if shot.number > len(events):
            raise _unusable(config, index, "number", f"{path.name} has {len(events)} shots")
        return [shot.number - 1]
    if shot.name is None:
        raise _unusable(config, index, "start", f"shots are those of {path.name}; give their number or name")
    wanted = shot.name.casefold()
    found = [number for number, event in enumerate(events) if wanted in map(str.casefold, event.names)]
    if found:
        return found
    names = {name.casefold(): name for event in events for name in event.names}
    near = difflib.get_close_matches(wanted, names, n=1)
    first = list(dict.fromkeys(event.names[0] for event in events if event.names))
    listed = ", ".join(first[:8]) + (" ..." if len(first) > 8 else "") if first else "none; use numbers"
    hint = f"did you mean '{names[near[0]]}'?" if near else f"its names are {listed}"
    raise _unusable(config, index, "name", f"{path.name} has no shot of that name; {hint}")


def _notes_of(path: Path, cut: CutList, clip: TimedClip, lead: Fraction) -> list[str]:
    notes, length, rate = [], clip.own_seconds, clip.own_rate
    if round(cut.rate) != round(rate):
        notes.append(
            f"{path.name} counts {float(cut.rate):.5g} frames a second, the clip has {float(rate):.5g}: its shots are "
            "placed by their seconds."
        )
    if lead:
        notes.append(f"{path.name} begins {float(lead):g} s into the clip, by the timecode of both.")
    num_past = sum(length is not None and lead + event.start >= length for event in cut.events)
    if num_past and length is not None:
        notes.append(
            f"{num_past} of the {len(cut.events)} shots of {path.name} lie past the end of the clip "
            f"({float(length):g} s): they have no effect."
        )
    return notes


def _unusable(config: ControlSettings, index: int, key: str, reason: str) -> ConfigError:
    return unusable(config, ("shots", index, key), getattr(config.shots[index], key), reason)
