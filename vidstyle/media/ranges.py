"""Which part of a clip is meant: from what a user says to moments on the clip's own clock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vidstyle.errors import ConfigError, OpenError
from vidstyle.media.index import frame_times, times_before
from vidstyle.media.probe import FirstLook
from vidstyle.moments import on_clock, parse_frame_range, parse_moment, seconds_into


@dataclass(frozen=True, slots=True)
class Range:
    """A part of a clip, in seconds on the clip's own clock.

    Attributes:
        start: no frame before this moment; None is the beginning.
        end: no frame or sound from this moment on; None is the end of the clip.
        begin: where decoding begins: before the start, where frames are wanted for warming up.
    """

    start: Fraction | None = None
    end: Fraction | None = None
    begin: Fraction | None = None


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """A part of a clip as a user says it; see ``vidstyle.media.reader.open_video``."""

    start: float | str | Fraction | None = None
    end: float | str | Fraction | None = None
    frames: str | None = None
    handles: int = 0
    warmup_frames: int = 0
    from_shown: bool = False


def moment_of(value: float | str | Fraction, look: FirstLook, name: str, fps: Fraction | None) -> Fraction:
    """Seconds from the clip's first frame, of seconds or of a timecode; ``fps`` is a constant rate it is given.

    Raises:
        ConfigError: it cannot be read, or is none of this clip's.
    """
    try:
        info, moment = look.info, parse_moment(value)
        seconds = seconds_into(moment, info.average_rate, look.start_timecode, info.duration_seconds)
    except ValueError as error:
        raise ConfigError(f"The {name} cannot be used: {error}.") from error
    # At a constant rate frames are where their numbers say.
    if fps is not None or isinstance(moment, Fraction):
        return seconds
    return on_clock(seconds, info.time_base, info.average_rate, look.origin)


def resolve_range(
    path: Path, look: FirstLook, request: RangeRequest, *, fps: Fraction | None, warn: Callable[[str], None]
) -> Range:
    """Find the part of the clip that is meant.

    Raises:
        ConfigError: it contradicts itself, or cannot be read.
        OpenError: the clip has no such frames.
    """
    start = None if request.start is None else moment_of(request.start, look, "start", fps)
    end = None if request.end is None else moment_of(request.end, look, "end", fps)
    if request.frames is not None and (start is not None or end is not None):
        raise ConfigError("Give a range of frames, or a start and an end, not both.")
    if end is not None and end <= (start or 0):
        raise ConfigError(f"The end ({float(end):g} s) must be later than the start ({float(start or 0):g} s).")
    _check_start(path, look, start)
    chosen = Range(look.origin + start if start else None, None if end is None else look.origin + end)
    if request.frames is not None:
        chosen = _numbered(path, look, request.frames)
    if request.from_shown and chosen.start is not None and fps is None:
        shown = times_before(path, look, chosen.start + look.info.time_base / 1000, 1)
        chosen = replace(chosen, start=shown[0] if shown else None)
    elif request.from_shown and chosen.start is not None and fps is not None:
        chosen = replace(chosen, start=int(chosen.start * fps) / fps)
    if request.handles and chosen != Range():
        chosen = _widened(path, look, chosen, request.handles, warn)
    if chosen.start is None:
        return chosen
    if fps is not None:
        return replace(chosen, begin=chosen.start - request.warmup_frames / fps)
    before = times_before(path, look, chosen.start, request.warmup_frames)
    return replace(chosen, begin=before[0] if before else chosen.start)


def _check_start(path: Path, look: FirstLook, start: Fraction | None) -> None:
    duration = look.info.duration_seconds
    if start is None or duration is None or not look.declares_duration:
        return
    first = look.first_pts * look.info.time_base - look.origin
    if start >= first + Fraction(str(duration)):
        raise OpenError(
            f"{path} is {duration:.3f} s long, it has no frame at {float(start):g} s; use an earlier time.", path
        )


def _numbered(path: Path, look: FirstLook, text: str) -> Range:
    if "x" in text or "," in text:
        raise ConfigError(
            f"The frames {text} leave some out, which is for sequences; of {path} take one range, as 0-99."
        )
    try:
        first, last = parse_frame_range(text)
    except ValueError as error:
        raise ConfigError(f"The frames cannot be used: {error}.") from error
    times = frame_times(path, look)
    if last >= len(times):
        raise OpenError(
            f"{path} has {len(times)} frames, 0 to {len(times) - 1}; the range {text} reaches past them.", path
        )
    return Range(times[first] if first else None, times[last + 1] if last + 1 < len(times) else None)


def _widened(path: Path, look: FirstLook, chosen: Range, num: int, warn: Callable[[str], None]) -> Range:
    times = frame_times(path, look)
    start, end = chosen.start, chosen.end
    if start is not None:
        first = bisect_left(times, start) - num
        if first < 0:
            warn(f"{path} begins {_frames(num + first)} before the range; the handle there is that long, not {num}.")
        start = times[first] if first > 0 else None
    elif num:
        warn(f"{path} has no frames before the range; there is no handle there.")
    if end is not None:
        last = bisect_left(times, end) + num
        if last > len(times):
            there = _frames(num - last + len(times))
            warn(f"{path} ends {there} after the range; the handle there is that long, not {num}.")
        end = times[last] if last < len(times) else None
    return Range(start, end)


def _frames(num: int) -> str:
    return f"{num} frame{'s' * (num != 1)}"
