"""What frames cost that are painted anyway: seconds each, and bytes once they are encoded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Self

from vidstyle.errors import EncodeError, MediaError
from vidstyle.frames import VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.pipeline.prefetch import Feeder
from vidstyle.pipeline.stream import paint_stream
from vidstyle.protocols import MediaSink

_QUEUE_DEPTH = 8
#: Frames a measurement should have, and how long it may go on for them.
_ENOUGH_FRAMES = 12
_MOST_SECONDS = 2.0


class Meter:
    """Clocks frames as they are painted, and encodes them on a thread of its own as a render does.

    As a context manager it waits for the encoder on leaving, and commits.

    Args:
        sink: takes the frames; None encodes nothing.
        batch_size: frames that are painted at once.
        on_first: called when the first frame is done, and what it needed for itself is free again.
    """

    def __init__(self, sink: MediaSink | None, batch_size: int, on_first: Callable[[], None] | None = None) -> None:
        self._sink = sink
        self._batch_size = batch_size
        self._on_first = on_first
        self._moments: list[float] = []
        self._num_fed = 0
        self._feeder = Feeder(self._encode, _QUEUE_DEPTH)

    @property
    def num_frames(self) -> int:
        """Frames clocked so far."""
        return len(self._moments)

    def tick(self) -> None:
        """Clock a frame."""
        if self._on_first is not None and not self._moments:
            self._on_first()
        self._moments.append(perf_counter())

    def take(self, painted: PaintedFrame) -> None:
        """Clock a frame, and encode it."""
        self.tick()
        if self._sink is not None:
            source = painted.source
            self._feeder.put(VideoFrame(painted.data, source.pts, source.time_base, source.duration))

    def go_on(self, frames: Iterable[VideoFrame], painter: Painter) -> None:
        """Paint frames for the measurement's sake, until it has enough or has taken too long.

        Args:
            frames: those that follow.
            painter: what painted the others.
        """
        with contextlib.suppress(MediaError):  # what is wrong behind the frame asked for is no affair of a preview's
            for painted in paint_stream(self._wanted(frames), painter):
                if isinstance(painted, PaintedFrame):
                    self.take(painted)

    def _wanted(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        needed, enough = 2 * self._batch_size + 1, max(_ENOUGH_FRAMES, 3 * self._batch_size)
        until = perf_counter() + _MOST_SECONDS
        for number, frame in enumerate(frames, self.num_frames):
            if number >= enough or (number >= needed and perf_counter() > until):
                return
            yield frame

    def steady(self) -> tuple[int, float]:
        """Frames, and the seconds they took, without those whose first calls set things up.

        These are the first two batches: the first has no motion yet. Where there is no more, only the first is left
        out; (0, 0.0) where there is nothing to go by.
        """
        for first in (2 * self._batch_size, self._batch_size):
            if self.num_frames > first:
                return self.num_frames - first, self._moments[-1] - self._moments[first - 1]
        return 0, 0.0

    def _encode(self, frame: VideoFrame) -> None:
        if self._sink is None:
            return
        try:
            self._sink.write(frame)
        except EncodeError:
            self._sink = None  # such as a full disk: the render will say so, a preview need not
        else:
            self._num_fed += 1

    def __enter__(self) -> Self:
        self._feeder.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feeder.__exit__(kind, error, trace)
        if error is None and self._sink is not None and self._num_fed:
            try:
                self._sink.commit()
            except EncodeError:
                self._sink = None
