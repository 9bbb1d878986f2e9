"""A sequence of pictures as a source: frames one file at a time, and the sound that lies beside them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vidstyle.errors import ConfigError, DecodeError, OpenError
from vidstyle.frames import Packet, VideoFrame, VideoInfo
from vidstyle.media.closing import Closing
from vidstyle.media.linear_light import DisplayTransform
from vidstyle.media.picture_files import PICTURE_COLOR, Array, Picture, has_opacity, is_float, read_picture
from vidstyle.media.probe import StreamInfo
from vidstyle.media.sequence_frames import DEFAULT_RATE, FrameChoice, choose_frames
from vidstyle.media.sequence_names import FramePattern, parse_pattern
from vidstyle.media.sequence_sound import SequenceSound, find_sound
from vidstyle.moments import Timecode, parse_moment, parse_rate, seconds_into


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """A sequence that has been looked at; ``open_sequence`` makes it, and its readers read it.

    Attributes:
        pattern: names of its files.
        choice: the frames meant.
        info: what is known about the picture.
        sound: file with its sound; None where there is none.
        keeps_alpha: frames carry opacity.
        display: what makes linear pictures display-referred; None where they are already.
        skips_damage: a damaged frame is replaced by the one before.
        warn: told what cannot be kept.
    """

    pattern: FramePattern
    choice: FrameChoice
    info: VideoInfo
    sound: Path | None
    keeps_alpha: bool
    display: DisplayTransform | None
    skips_damage: bool
    warn: Callable[[str], None]

    def read(self, first: int = 0, last: int | None = None, warmup_frames: int = 0) -> SequenceReader:
        """Open it for one pass.

        Args:
            first: index of the first frame wanted, among the frames meant.
            last: index of the last, exclusive; None is the end.
            warmup_frames: so many frames more before the first, as far as there are any without a gap.
        """
        num = len(self.choice.numbers)
        last = num if last is None else last
        if not 0 <= first < last <= num:
            raise ValueError(f"there are {num} frames, no range {first} to {last}")
        begin = max(first - warmup_frames, -len(self.choice.before))
        return SequenceReader(self, begin, first, last)

    def index_at(self, moment: float | str | Fraction) -> int:
        """Index of the frame shown at a moment, counted from the first frame meant.

        Raises:
            ConfigError: the moment cannot be read.
            OpenError: it lies outside.
        """
        rate = self.info.average_rate
        try:
            seconds = seconds_into(parse_moment(moment), rate)
        except ValueError as error:
            raise ConfigError(f"The moment cannot be used: {error}.") from error
        index = int(seconds * rate)
        if index >= len(self.choice.numbers):
            length = float(len(self.choice.numbers) / rate)
            raise OpenError(
                f"{float(seconds):g} s is outside {self.pattern.path}, which is {length:.2f} s long at "
                f"{float(rate):g} frames a second; choose a moment within it.",
                self.pattern.path,
            )
        return index


def open_sequence(
    path: str | Path,
    *,
    frames: str | None = None,
    start_seconds: float | str | None = None,
    end_seconds: float | str | None = None,
    handles: int = 0,
    fps: str | Fraction | None = None,
    sound: Path | None = None,
    alpha: Literal["drop", "keep"] = "drop",
    display: DisplayTransform | None = None,
    on_error: Literal["stop", "skip"] = "stop",
    on_warning: Callable[[str], None] | None = None,
) -> FrameSequence:
    """Find the files of a sequence and look at the first.

    Args:
        path: pattern, such as ``shot.%04d.exr``, ``shot.####.png`` or ``shot.1001-1100#.dpx``.
        frames: frame numbers wanted, such as ``1001-1100``; all there are by default.
        start_seconds: first moment wanted, in seconds from the first frame, or as a timecode.
        end_seconds: moment to stop before, likewise.
        handles: so many frames more on both sides of a range.
        fps: frames a second, 24 by default.
        sound: file with the sound, which begins with the first file of the sequence; by default a WAV beside it that
            has its name.
        alpha: ``keep`` gives the opacity of pictures that have it.
        display: what makes linear light (floating-point pictures) display-referred.
        on_error: ``skip`` repeats the last good frame in place of a damaged one.
        on_warning: called with a sentence for what cannot be kept.

    Raises:
        OpenError: no such files, or some are missing; the message names them.
        DecodeError, UnsupportedMediaError: the first frame cannot be read.
        ConfigError: the range or the rate cannot be used.
    """
    warn = on_warning if on_warning is not None else lambda _: None
    try:
        rate = DEFAULT_RATE if fps is None else parse_rate(str(fps))
    except ValueError as error:
        raise ConfigError(f"The rate cannot be used: {error}.") from error
    pattern = parse_pattern(path)
    choice = choose_frames(
        pattern, frames=frames, start=start_seconds, end=end_seconds, handles=handles, rate=rate, warn=warn
    )
    first = read_picture(pattern.file(choice.numbers[0]))
    for note in first.notes:
        warn(f"{pattern.path}: {note}.")
    has_alpha = has_opacity(first.pixel_format)
    if has_alpha and alpha == "drop":
        warn(f"{pattern.path} has opacity, which is left out; --alpha keep carries it to formats that have it.")
    sound = sound if sound is not None else find_sound(pattern)
    if sound is not None and choice.leaps:
        warn(f"The frames of {pattern.path} leap, and its sound {sound.name} runs on; --audio drop leaves it out.")
    return FrameSequence(
        pattern=pattern,
        choice=choice,
        info=_info(pattern, choice, first, rate),
        sound=sound,
        keeps_alpha=has_alpha and alpha == "keep",
        display=display if first.is_float else None,
        skips_damage=on_error == "skip",
        warn=warn,
    )


def _info(pattern: FramePattern, choice: FrameChoice, first: Picture, rate: Fraction) -> VideoInfo:
    num = len(choice.numbers)
    return VideoInfo(
        width=first.size[0],
        height=first.size[1],
        average_rate=rate,
        time_base=1 / rate,
        color=PICTURE_COLOR,
        sample_aspect_ratio=first.sample_aspect_ratio,
        bit_depth=first.bit_depth,
        codec=pattern.codec,
        pixel_format=first.pixel_format,
        has_alpha=has_opacity(first.pixel_format),
        num_frames_from_header=num,
        duration_seconds=float(num / rate),
    )


class SequenceReader(Closing):
    """A pass over a sequence; ``FrameSequence.read`` makes it. Iterate once, from one thread.

    A frame's pts is its index among the frames meant; those before the first, which warm the temporal filter up, have
    negative ones. Everything else is as in ``VideoReader``: a writer takes either.

    Attributes:
        sequence: what is read.
        path: the file with the sound, or the pattern where there is none.
        info: what is known about the picture.
        streams: those of the sound.
        origin: 0, the time of the first frame meant.
        start: where the sound starts, in seconds on its own clock.
        end: where it ends.
        shifts_to_zero: times are counted from the first frame meant.
        container: PyAV's open file, for ``vidstyle.media`` only.
        video_stream: a stream without tags, for ``vidstyle.media`` only.
        keeps_alpha: frames carry opacity.
        hdr: None.
        curve: None.
        start_timecode: None.
        skips_damage: damaged frames and sound are left out instead of being an error.
    """

    def __init__(self, sequence: FrameSequence, begin: int, first: int, last: int) -> None:
        self.sequence = sequence
        self.info = sequence.info
        self.keeps_alpha = sequence.keeps_alpha
        self.origin = Fraction(0)
        self.shifts_to_zero = True
        self.hdr = None
        self.curve = None
        self.start_timecode: Timecode | None = None
        self.skips_damage = sequence.skips_damage
        self._begin, self._first, self._last = begin, first, last
        self._iterated = False
        rate = sequence.info.average_rate
        self.start: Fraction | None = sequence.choice.num_skipped / rate
        self.end: Fraction | None = self.start + len(sequence.choice.numbers) / rate
        self._sound = SequenceSound(sequence.sound, self.start, self.end - self.start)
        self.path = sequence.sound or sequence.pattern.path
        self.container = self._sound.container
        self.video_stream = self._sound.video_stream
        self.streams = self._sound.streams

    @property
    def first_seconds(self) -> float:
        """Frames before this time (``VideoFrame.seconds``) are for warming up."""
        return float(self._first * self.info.time_base)

    @property
    def num_frames_expected(self) -> int:
        """How many frames will come, without those for warming up."""
        return self._last - self._first

    @property
    def other_streams(self) -> tuple[StreamInfo, ...]:
        """The sound's."""
        return self.streams

    @property
    def own_rate(self) -> Fraction:
        """Frames a second."""
        return self.info.average_rate

    @property
    def own_seconds(self) -> Fraction:
        """How long all the files are that are there."""
        return len(self._numbers_on_disk) / self.own_rate

    def moment(self, value: float | str | Fraction) -> Fraction:
        """Seconds from the sequence's first file, of seconds or of a timecode, which counts from zero.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            return seconds_into(parse_moment(value), self.own_rate)
        except ValueError as error:
            raise ConfigError(f"The moment cannot be used: {error}.") from error

    def frame_seconds(self) -> list[Fraction]:
        """When each frame of the sequence starts, counted from its first file."""
        return [number / self.info.average_rate for number in range(len(self._numbers_on_disk))]

    def clip_seconds(self, frame: VideoFrame) -> Fraction:
        """When a frame of this reader starts, counted from the sequence's first file."""
        return bisect_left(self._numbers_on_disk, self._number(frame.pts)) / self.info.average_rate

    @cached_property
    def _numbers_on_disk(self) -> tuple[int, ...]:
        return self.sequence.pattern.numbers_on_disk()

    def close(self) -> None:
        """Release the sound; no other file stays open."""
        self._sound.close()

    def __iter__(self) -> Iterator[VideoFrame | Packet]:
        """Frames in order, the sound of each before it.

        Raises:
            OpenError: a file has gone, or cannot be read.
            DecodeError: a file is damaged, or of another size than the first.
        """
        if self._iterated:
            raise RuntimeError("a sequence can be iterated once; open it again")
        self._iterated = True
        packets = self._sound.packets()
        waiting = next(packets, None)
        last_good: VideoFrame | None = None
        for index in range(self._begin, self._last):
            while waiting is not None and waiting[0] <= index * self.info.time_base:
                yield waiting[1]
                waiting = next(packets, None)
            frame = self._frame(index, last_good)
            last_good = frame if self.sequence.skips_damage else None
            yield frame
        while waiting is not None:
            yield waiting[1]
            waiting = next(packets, None)

    def _number(self, index: int) -> int:
        choice = self.sequence.choice
        return choice.numbers[index] if index >= 0 else choice.before[index]

    def _frame(self, index: int, last_good: VideoFrame | None) -> VideoFrame:
        path = self.sequence.pattern.file(self._number(index))
        try:
            data, alpha = self._pixels(path, index)
        except (DecodeError, OpenError) as error:
            if last_good is None:
                raise
            self.sequence.warn(f"{path.name} was skipped, the frame before is repeated: {error}")
            data, alpha = last_good.data, last_good.alpha
        return VideoFrame(data, index, self.info.time_base, 1, alpha)

    def _pixels(self, path: Path, index: int) -> tuple[Tensor, Tensor | None]:
        picture = read_picture(path, alpha=self.keeps_alpha)
        if picture.size != (self.info.width, self.info.height):
            raise DecodeError(
                f"{path} is {picture.size[0]}x{picture.size[1]}, but the sequence starts with "
                f"{self.info.width}x{self.info.height}; make all frames of one size.",
                path,
            )
        if picture.is_float != is_float(self.info.pixel_format):
            raise DecodeError(
                f"{path} holds {picture.pixel_format}, but the sequence starts with {self.info.pixel_format}; "
                "render it in one format.",
                path,
            )
        rgb, display = picture.rgb, self.sequence.display
        if display is not None:
            if display.keeps_highlights:
                display.highlights.remember(index * self.info.time_base, rgb)
            rgb = display.to_display(rgb)
        deep = display is not None or self.info.bit_depth > 8
        alpha = picture.alpha
        if self.keeps_alpha and alpha is None:
            alpha = np.full((1, *rgb.shape[1:]), np.iinfo(rgb.dtype).max, rgb.dtype)
        return _tensor(rgb, deep), None if alpha is None else _tensor(alpha, deep)


def _tensor(channels: Array, deep: bool) -> Tensor:
    """Integers or floats in [0, 1] as uint8, or as uint16 over its whole range."""
    wanted = np.uint16 if deep else np.uint8
    if channels.dtype != wanted:
        top = 1 if channels.dtype.kind == "f" else np.iinfo(channels.dtype).max
        floats = channels.astype(np.float32) * np.float32(np.iinfo(wanted).max / top)
        channels = (floats + np.float32(0.5)).astype(wanted)
    return torch.from_numpy(np.ascontiguousarray(channels))
