"""Stand-ins that keep the package's protocols without files, weights or a GPU, and remember what happened to them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidstyle.frames import ColorInfo, Packet, VideoFrame, VideoInfo
from vidstyle.protocols import Motion

RATE = Fraction(24)


def video_info(size: tuple[int, int] = (16, 12), rate: Fraction = RATE) -> VideoInfo:
    """Of an ordinary clip of (width, height)."""
    color = ColorInfo("bt709", "bt709", "bt709", "tv")
    return VideoInfo(size[0], size[1], average_rate=rate, time_base=1 / rate, color=color)


def flat_frame(index: int, size: tuple[int, int] = (16, 12)) -> VideoFrame:
    """Frame number ``index`` of a clip: one grey that says which frame it is."""
    return VideoFrame(torch.full((3, size[1], size[0]), index % 256, dtype=torch.uint8), index, 1 / RATE, 1)


def flat_frames(num: int) -> list[VideoFrame]:
    return [flat_frame(index) for index in range(num)]


class FakeSource:
    """A clip of given items, or of ``make(0) .. make(num - 1)``; raises ``error`` after them.

    Attributes:
        num_given: items handed out so far.
        peak_live: most pictures alive at one moment, of those handed out.
    """

    def __init__(
        self,
        items: Sequence[VideoFrame | Packet] = (),
        *,
        make: Callable[[int], VideoFrame] = flat_frame,
        num: int = 0,
        error: BaseException | None = None,
    ) -> None:
        self.info = video_info()
        self.num_given = 0
        self.peak_live = 0
        self._items, self._make, self._num, self._error = items, make, num, error
        self._alive: list[weakref.ref[Tensor]] = []

    def __iter__(self) -> Iterator[VideoFrame | Packet]:
        for item in self._items:
            self.num_given += 1
            yield item
        for index in range(self._num):
            frame = self._make(index)
            self._alive = [ref for ref in self._alive if ref() is not None] + [weakref.ref(frame.data)]
            self.peak_live = max(self.peak_live, len(self._alive))
            self.num_given += 1
            yield frame
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Nothing to release."""


class CollectingSink:
    """Keeps what it is given (or only counts it); raises ``error`` at item number ``fail_at``, or on commit."""

    def __init__(
        self,
        *,
        keep: bool = True,
        fail_at: int | None = None,
        fail_on_commit: bool = False,
        error: BaseException | None = None,
    ) -> None:
        self.items: list[VideoFrame | Packet] = []
        self.num_written = 0
        self.committed = False
        self.aborted = False
        self._keep, self._fail_at, self._fail_on_commit, self._error = keep, fail_at, fail_on_commit, error

    @property
    def frames(self) -> list[VideoFrame]:
        return [item for item in self.items if isinstance(item, VideoFrame)]

    def write(self, item: VideoFrame | Packet) -> None:
        if self.num_written == self._fail_at and self._error is not None:
            raise self._error
        self.num_written += 1
        if self._keep:
            self.items.append(item)

    def commit(self) -> None:
        if self._fail_on_commit and self._error is not None:
            raise self._error
        self.committed = True

    def abort(self) -> None:
        self.aborted = self.aborted or not self.committed


class FakeStylizer:
    """Gives back the negative, and remembers the size of every batch; out of memory above ``max_batch`` frames."""

    name = "negative"

    def __init__(self, max_batch: int | None = None, error: Exception | None = None) -> None:
        self.batches: list[int] = []
        self._max_batch, self._error = max_batch, error

    def __call__(self, content: Tensor) -> Tensor:
        if self._error is not None:
            raise self._error
        if self._max_batch is not None and len(content) > self._max_batch:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.batches.append(len(content))
        return 1.0 - content.float()

    def to(self, device: str, dtype: Any) -> FakeStylizer:
        return self


class StillFlow:
    """A flow estimator to which nothing ever moves; counts its resets."""

    name = "still"

    def __init__(self) -> None:
        self.num_resets = 0
        self._started = False

    def push(self, frame: Tensor) -> Motion | None:
        started, self._started = self._started, True
        zero = torch.zeros(1, 2, frame.shape[-2], frame.shape[-1])
        return Motion(zero, zero) if started else None

    def reset(self) -> None:
        self.num_resets += 1
        self._started = False


class FakeCuts:
    """Finds cuts before the frames it was told about."""

    def __init__(self, *at: int) -> None:
        self._at, self._index = at, -1

    def push(self, frame: Tensor) -> bool:
        self._index += 1
        return self._index in self._at


class Hostile:
    """Creates the file ``marker`` when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))
