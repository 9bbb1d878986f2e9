"""Frames of several versions of one clip, matched by their times and brought to one size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.config import output_size
from vidstyle.errors import UnsupportedMediaError
from vidstyle.evaluation.meters import as_float
from vidstyle.frames import VideoFrame
from vidstyle.media.reader import VideoReader, open_video

#: Pictures whose width over height differs by more than this share are not of the same frame.
_ASPECT_TOLERANCE = 0.02
_MIN_SIDE_PX = 8
#: Frames match where their times differ by less than this share of the source's frame interval.
_TIME_TOLERANCE = Fraction(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class MatchedFrames:
    """The frames of one moment, all of one size: (3, H, W) uint8, uint16 over its whole range, or float in [0, 1].

    Attributes:
        index: counted from 0.
        seconds: since the first frame compared.
        source: the unpainted frame.
        others: the same frame of every other clip, in the order they were given.
        raw: the source as decoded, (3, h, w) uint8 or uint16, for finding cuts.
    """

    index: int
    seconds: float
    source: Tensor
    others: tuple[Tensor, ...]
    raw: Tensor


class MatchedClips:
    """Versions of one clip, read side by side; iterate once. Use as a context manager.

    A clip's time counts from its own first frame, because containers and tools disagree on where zero is. Frame by
    frame the times must agree to half a frame, and the clips must end together. Every picture is brought to one size,
    antialiased and bicubic.

    Args:
        source: the unpainted clip.
        others: at least one other version; the first decides the size where ``size`` is None.
        size: as of ``vidstyle.config.output_size``, of the first of ``others``.
        start_seconds: moment of the source, on its own clock, that the others begin at.
        end_seconds: moment of the source to stop before.

    Raises:
        MediaError: a clip cannot be read.
        UnsupportedMediaError: the pictures' proportions differ.
        ConfigError: ``size``, ``start_seconds`` or ``end_seconds`` cannot be used.
    """

    def __init__(
        self,
        source: Path,
        *others: Path,
        size: str | None = None,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
    ) -> None:
        if not others:
            raise ValueError("there must be a clip to compare the source with")
        self._paths = (source, *others)
        self._stops_early = end_seconds is not None
        self._longer: list[Path] = []
        self._stack = ExitStack()
        with ExitStack() as opened:
            readers = [opened.enter_context(open_video(source, start_seconds=start_seconds, end_seconds=end_seconds))]
            readers += [opened.enter_context(open_video(path)) for path in others]
            self.size = output_size(size, readers[1].info.upright_size)
            self._check_proportions(readers)
            if min(self.size) < _MIN_SIDE_PX:
                raise UnsupportedMediaError(
                    f"{others[0]} would be compared at {self.size[0]}x{self.size[1]} pixels, and {_MIN_SIDE_PX} a side "
                    "are the least that textures can be told on; name a larger --size.",
                    others[0],
                )
            self._stack = opened.pop_all()
        self.info = readers[0].info
        self._readers = readers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def notes(self) -> list[str]:
        """What was resampled or left out, a sentence each; known when all has been read."""
        longer = [
            f"{path.name} goes on after the last frame compared; it should begin at --start and end with the range."
            for path in self._longer
        ]
        sizes = [reader.info.upright_size for reader in self._readers]
        return longer + [
            f"{path.name} is {width}x{height} and was brought to {self.size[0]}x{self.size[1]} for comparison."
            for path, (width, height) in zip(self._paths, sizes, strict=True)
            if (width, height) != self.size
        ]

    def __iter__(self) -> Iterator[MatchedFrames]:
        """Moments in order.

        Raises:
            UnsupportedMediaError: times do not match, or one clip ends before the others.
            MediaError: a clip is damaged.
        """
        streams = [self._frames(reader) for reader in self._readers]
        interval = 1 / self.info.average_rate
        starts: list[Fraction] = []
        before = Fraction(0)
        index = 0
        while True:
            frames = [next(stream, None) for stream in streams]
            if frames[0] is None and (self._stops_early or all(frame is None for frame in frames)):
                self._longer = [path for path, frame in zip(self._paths, frames, strict=True) if frame is not None]
                return
            self._check_ends(frames, index, before)
            present = [frame for frame in frames if frame is not None]
            seconds = [frame.pts * frame.time_base for frame in present]
            starts = starts or seconds
            since = [time - start for time, start in zip(seconds, starts, strict=True)]
            self._check_times(index, since, min(interval, since[0] - before) if index else interval)
            before = since[0]
            pictures = [self._picture(frame.data) for frame in present]
            yield MatchedFrames(index, float(since[0]), pictures[0], tuple(pictures[1:]), present[0].data)
            index += 1

    @staticmethod
    def _frames(reader: VideoReader) -> Iterator[VideoFrame]:
        return (item for item in reader if isinstance(item, VideoFrame))

    def _picture(self, data: Tensor) -> Tensor:
        size = (self.size[1], self.size[0])
        if tuple(data.shape[-2:]) == size:
            return data.contiguous()
        picture = F.interpolate(as_float(data).contiguous()[None], size=size, mode="bicubic", antialias=True)[0]
        # What is remembered of 8-bit clips takes 8 bits.
        return (
            picture.mul(255).round().clamp(0, 255).to(torch.uint8) if data.dtype == torch.uint8 else picture.clamp(0, 1)
        )

    def _check_proportions(self, readers: list[VideoReader]) -> None:
        aspects = []
        for reader in readers:
            pixel = float(reader.info.sample_aspect_ratio)
            width, height = reader.info.upright_size
            aspects.append(width / height * (pixel if reader.info.rotation_degrees % 180 == 0 else 1 / pixel))
        for path, reader, aspect in zip(self._paths[1:], readers[1:], aspects[1:], strict=True):
            if abs(math.log(aspect / aspects[0])) > _ASPECT_TOLERANCE:
                first, other = (f"{w}x{h}" for w, h in (readers[0].info.upright_size, reader.info.upright_size))
                raise UnsupportedMediaError(
                    f"{path} ({other}) has other proportions than {self._paths[0]} ({first}), so that its pixels do "
                    "not lie on the source's; render it without cropping or padding.",
                    path,
                )

    def _check_ends(self, frames: list[VideoFrame | None], index: int, before: Fraction) -> None:
        for path, frame in zip(self._paths, frames, strict=True):
            if frame is None:
                longer = next(other for other, there in zip(self._paths, frames, strict=True) if there is not None)
                raise UnsupportedMediaError(
                    f"{path} ends after {index} frames ({float(before):.3f} s) and {longer} goes on; compare clips of "
                    "the same frames, or stop before that moment of the source with --end.",
                    path,
                )

    def _check_times(self, index: int, since: list[Fraction], interval: Fraction) -> None:
        for path, seconds in zip(self._paths[1:], since[1:], strict=True):
            if abs(seconds - since[0]) > interval * _TIME_TOLERANCE:
                raise UnsupportedMediaError(
                    f"Frame {index} of {path} is at {float(seconds):.3f} s and that of {self._paths[0]} at "
                    f"{float(since[0]):.3f} s, so that they do not show the same moment; compare clips of the same "
                    "frame rate without dropped or doubled frames.",
                    path,
                )
