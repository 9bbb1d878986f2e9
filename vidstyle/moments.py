"""Moments of a clip as people write them: seconds, h:mm:ss, or a timecode that counts frames."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Real

#: Fastest rate a clip can be given, in frames per second.
MAX_RATE = 1000
#: Of a frame: a clock of longer ticks is no clock of seconds, but counts frames, and says exactly when they are.
_LONGEST_TICK = Fraction(1, 4)

_SECONDS = re.compile(r"(\d+:){0,2}\d+(\.\d*)?|\.\d+")
_TIMECODE = re.compile(r"(\d{1,2}):(\d\d):(\d\d)([:;])(\d{2,3})")


@dataclass(frozen=True, slots=True)
class Timecode:
    """SMPTE ST 12-1: a label of a frame; its frames count up to the nominal (rounded) rate.

    Attributes:
        hours: 0 to 23.
        minutes: 0 to 59.
        seconds: 0 to 59.
        frames: 0 up to the nominal rate.
        is_drop_frame: two labels (four at 60 frames a second) are left out every minute but each tenth, so that the
            timecode of 29.97 frames a second keeps up with the clock.
    """

    hours: int
    minutes: int
    seconds: int
    frames: int
    is_drop_frame: bool = False

    def frame_number(self, rate: Fraction) -> int:
        """How many frames after 00:00:00:00 this one is.

        Raises:
            ValueError: no frame has this label at this rate.
        """
        nominal = round(rate)
        if self.frames >= nominal:
            raise ValueError(f"timecode {self} has no frame {self.frames} at {float(rate):g} frames a second")
        total_minutes = self.hours * 60 + self.minutes
        number = (total_minutes * 60 + self.seconds) * nominal + self.frames
        if not self.is_drop_frame:
            return number
        if nominal % 30 or rate.denominator != 1001:
            raise ValueError(f"timecode {self} drops frames, which exists at 29.97 and 59.94 frames a second only")
        dropped = nominal // 15
        if self.seconds == 0 and self.frames < dropped and self.minutes % 10:
            raise ValueError(f"timecode {self} is one of those that drop-frame counting leaves out")
        return number - dropped * (total_minutes - total_minutes // 10)

    def __str__(self) -> str:
        separator = ";" if self.is_drop_frame else ":"
        return f"{self.hours:02}:{self.minutes:02}:{self.seconds:02}{separator}{self.frames:02}"


def parse_moment(value: float | str | Fraction) -> Fraction | Timecode:
    """Read a moment.

    Args:
        value: seconds as a number or in words (``2.5``, ``1:02.5``, ``0:01:02.5``), or a timecode ``hh:mm:ss:ff``,
            with ``;`` before the frames where it drops frames.

    Returns:
        Exact seconds (0.1 means a tenth), or the timecode.

    Raises:
        ValueError: it is neither, or negative.
    """
    if isinstance(value, Fraction):
        seconds = value
    elif isinstance(value, str):
        if match := _TIMECODE.fullmatch(value):
            hours, minutes, whole, separator, frames = match.groups()
            if int(hours) > 23 or int(minutes) > 59 or int(whole) > 59:
                raise ValueError(f"'{value}' is not a timecode; it runs from 00:00:00:00 to 23:59:59:ff")
            return Timecode(int(hours), int(minutes), int(whole), int(frames), separator == ";")
        if not _SECONDS.fullmatch(value):
            raise ValueError(
                f"'{value}' is not a time; write seconds (2.5), h:mm:ss (0:01:02.5) or a timecode (00:01:02:12)"
            )
        if any(float(part) >= 60 for part in value.split(":")[1:]):
            raise ValueError(f"'{value}' is not a time; minutes and seconds after a colon stay below 60")
        seconds = Fraction(0)
        for part in value.split(":"):
            seconds = seconds * 60 + Fraction(part.rstrip(".") or "0")
    else:
        if not isinstance(value, Real | Decimal) or not math.isfinite(value):
            raise ValueError(f"a time is a number of seconds from 0 up, not {value}")
        seconds = Fraction(str(value))
    if seconds < 0:
        raise ValueError(f"a time is a number of seconds from 0 up, not {value}")
    return seconds


def seconds_into(
    moment: Fraction | Timecode,
    rate: Fraction,
    start: Timecode | None = None,
    duration_seconds: float | None = None,
) -> Fraction:
    """Seconds from a clip's first frame to a moment.

    Args:
        moment: from ``parse_moment``; seconds count from the first frame and come back as they are.
        rate: frames per second of the clip.
        start: the timecode of its first frame; None is zero.
        duration_seconds: of the clip, which may run past midnight; None where it is not known, and does not.

    Raises:
        ValueError: the timecode does not exist at this rate, or comes before the clip.
    """
    if isinstance(moment, Fraction):
        return moment
    first = start.frame_number(rate) if start is not None else 0
    number = moment.frame_number(rate) - first
    if number < 0 and start is not None and duration_seconds is not None:
        after_midnight = number + Timecode(24, 0, 0, 0, start.is_drop_frame).frame_number(rate)
        if after_midnight <= duration_seconds * float(rate):
            number = after_midnight
    if number < 0:
        raise ValueError(f"timecode {moment} comes before the clip's first frame, which is {start}")
    return number / rate


def on_clock(seconds: Fraction, tick: Fraction, rate: Fraction, origin: Fraction = Fraction(0)) -> Fraction:
    """When a frame begins by a file's clock: frame 2 of 24 a second is at 0.083 s in a Matroska, before 2/24 s.

    Args:
        seconds: since the clip's first frame, a multiple of 1 / rate.
        tick: of the clock, in seconds.
        rate: frames per second; where a tick is no small part of a frame, the moment stays.
        origin: of the first frame by the clock, which rounded it as well where it is not 0.

    Returns:
        Seconds since ``origin``.
    """
    if tick * rate > _LONGEST_TICK:
        return seconds
    first = round(origin * rate) / rate
    if abs(first - origin) > tick / 2:  # a clip that begins between frames
        first = origin
    return round((first + seconds) / tick) * tick - origin


def moment_of_picture(value: float | str) -> Fraction:
    """Seconds, for a single picture, which has no rate: of a timecode only what it comes after counts.

    Raises:
        ConfigError: it cannot be read.
    """
    moment = parse_moment(value)
    if isinstance(moment, Fraction):
        return moment
    return Fraction(moment.hours * 3600 + moment.minutes * 60 + moment.seconds) + Fraction(moment.frames, 1000)


def parse_frame_range(text: str) -> tuple[int, int]:
    """First and last frame number of ``A-B``, inclusive; ``A`` alone is one frame.

    Raises:
        ValueError: it is none, or runs backwards.
    """
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    if match is None:
        raise ValueError(f"'{text}' is not a range of frames; write FIRST-LAST, such as 100-199")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ValueError(f"the range of frames {text} runs backwards; write the smaller number first")
    return first, last


def check_frames(text: str) -> None:
    """See that frames are written as a range, or as the list of ranges with steps that a sequence takes.

    Args:
        text: ``A-B``, ``A``, or in fileseq's syntax ``A-BxSTEP`` and several of these with commas between them.

    Raises:
        ValueError: it is none, or runs backwards.
    """
    for part in text.split(","):
        match = re.fullmatch(r"([\d-]+)x0*[1-9]\d{0,8}", part)
        parse_frame_range(match[1] if match else part)


def standard_rate(rate: Fraction, tolerance: Fraction = Fraction(1, 2000)) -> Fraction:
    """The rate meant: whole, or NTSC's, where one is so near, as ratios go."""
    choices = (Fraction(round(rate)), Fraction(round(rate) * 1000, 1001))
    return next((choice for choice in choices if choice and abs(rate / choice - 1) < tolerance), rate)


def parse_rate(text: str) -> Fraction:
    """Frames per second written as ``25``, ``23.976`` or, exactly, ``24000/1001``.

    Two or three digits of one of NTSC's rates (23.976, 29.97, 59.94 ...) mean that rate.

    Raises:
        ValueError: it is no number, or not above 0 and up to ``MAX_RATE``.
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"'{text}' is not a rate; write frames per second, such as 25 or 24000/1001") from error
    ntsc = Fraction(round(rate) * 1000, 1001)
    digits = re.fullmatch(r"\d+\.(\d{2,3})", text)
    if digits is not None and abs(rate - ntsc) < Fraction(5, 10 ** (len(digits[1]) + 1)):
        rate = ntsc
    if not 0 < rate <= MAX_RATE:
        raise ValueError(f"a rate lies between 0 and {MAX_RATE} frames per second, not {text}")
    return rate
