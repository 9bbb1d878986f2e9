"""A stream painted in batches, and the warm-up: frames that are painted for the filter's sake and shown to nobody."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import NamedTuple, Self, TypeVar

import torch
from threadpoolctl import threadpool_limits

from vidstyle.errors import VidstyleError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.pipeline.painter import Movement, PaintedFrame, Painter, StylizedBatch

_T = TypeVar("_T")

#: Packets held back at most where no frame comes.
_MAX_PACKETS = 64
#: Batches painted at once on a CPU, and the largest picture for which there is room to.
_NUM_AT_ONCE, _MAX_PIXELS = 2, 2560 * 1440


def paint_stream(
    items: Iterable[VideoFrame | Packet], painter: Painter, first_seconds: float | None = None
) -> Iterator[PaintedFrame | Packet]:
    """Paint the frames of a stream, a batch at a time.

    The temporal filter remembers, so that a frame painted first of all differs from the same frame in the middle of a
    render. A source which is opened a few frames early (``vidstyle.temporal.filter.warmup_frames``), with
    ``first_seconds`` where the wanted part begins, gives frames equal to those of the whole render. The warm-up
    crosses no cut, because the painter restarts there anyway.

    On a CPU of several cores the next frames are stylized, and motion is measured, on threads of their own while these
    are made steady. Cores share whole frames better than they share one: a layer of the network, and still more a step
    of the filter, is over before a second core is of much use.

    Args:
        items: frames and packets of an open clip.
        painter: keeps the temporal state.
        first_seconds: frames before this time are painted and not given out; None gives all.
    """
    num_threads = torch.get_num_threads()
    if painter.device.type != "cpu" or painter.temporal is None or num_threads == 1:
        for packets, frames in _stretches(items, painter.batch_size):
            yield from packets
            if frames:
                yield from _wanted(painter.paint(frames), first_seconds)
        return
    ahead: deque[tuple[list[Packet], _Begun | None]] = deque()
    crew, num_at_once, failure = None, 1, list[VidstyleError]()
    # Limits of OpenMP hold for the thread that sets them; torch's own number of threads would hold for all.
    with threadpool_limits(1, "openmp"), ExitStack() as stack:
        for packets, frames in _until_it_fails(_stretches(items, painter.batch_size), failure):
            if crew is None and frames:
                num_at_once = _num_at_once(painter, frames[0])
                crew = stack.enter_context(_Crew(painter, num_at_once, num_threads))
            ahead.append((packets, crew.begin(frames) if crew is not None and frames else None))
            # One more where there is room, so that motion is known by the time its frame is wanted.
            if len(ahead) > 2 * num_at_once - 1:
                yield from _finished(*ahead.popleft(), painter, first_seconds)
        while ahead:
            yield from _finished(*ahead.popleft(), painter, first_seconds)
    for error in failure:
        raise error


class _Begun(NamedTuple):
    """A batch on its way."""

    painting: Future[StylizedBatch]
    movements: Future[list[Movement]]


class _Crew:
    """Threads that stylize, and one that measures what they have stylized."""

    def __init__(self, painter: Painter, num_at_once: int, num_threads: int) -> None:
        self._painter = painter
        limit = (num_threads // num_at_once,)
        self._stylizing = ThreadPoolExecutor(num_at_once, "vidstyle-stylize", _limit_to, limit)
        self._measuring = ThreadPoolExecutor(1, "vidstyle-measure", _limit_to, (1,))

    def begin(self, frames: list[VideoFrame]) -> _Begun:
        painting = self._stylizing.submit(self._painter.stylize, frames)
        return _Begun(painting, self._measuring.submit(lambda: self._painter.measure(painting.result())))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        threads = self._measuring, self._stylizing  # in this order, for the first waits for the others
        for each in threads:  # all told before one is waited for, during which an interrupt may come
            each.shutdown(wait=False, cancel_futures=True)
        for each in threads:
            each.shutdown()


def _until_it_fails(items: Iterator[_T], failure: list[VidstyleError]) -> Iterator[_T]:
    """The items up to an error, which goes to ``failure``: what is before it can still be finished."""
    try:
        yield from items
    except VidstyleError as error:
        failure.append(error)


def _stretches(
    items: Iterable[VideoFrame | Packet], batch_size: int
) -> Iterator[tuple[list[Packet], list[VideoFrame]]]:
    """Packets, and the batch of frames that comes after them; packets do not wait for a batch to be full."""
    packets: list[Packet] = []
    frames: list[VideoFrame] = []
    try:
        for item in items:
            if isinstance(item, Packet):
                packets.append(item)
            else:
                frames.append(item)
            if len(frames) >= batch_size:
                yield packets, frames
                packets, frames = [], []
            elif len(packets) >= _MAX_PACKETS:
                yield packets, []
                packets = []
    except VidstyleError:
        yield packets, frames  # what came before the error is whole
        raise
    yield packets, frames


def _num_at_once(painter: Painter, frame: VideoFrame) -> int:
    width, height = painter.size or (frame.data.shape[-1], frame.data.shape[-2])
    return _NUM_AT_ONCE if painter.stylizes_in_any_order and width * height <= _MAX_PIXELS else 1


def _limit_to(num_threads: int) -> None:
    torch.get_num_threads()  # or torch would set its own number when it is first used on this thread
    threadpool_limits(num_threads, "openmp")  # for good: the thread ends with the stream


def _finished(
    packets: list[Packet], begun: _Begun | None, painter: Painter, first_seconds: float | None
) -> Iterator[PaintedFrame | Packet]:
    yield from packets
    if begun is not None:
        yield from _wanted(painter.steady(begun.painting.result(), begun.movements.result()), first_seconds)


def _wanted(painted: Iterable[PaintedFrame], first_seconds: float | None) -> Iterator[PaintedFrame]:
    # A list would keep a batch of finished frames alive while the next is painted.
    return (frame for frame in painted if first_seconds is None or frame.source.seconds >= first_seconds)
