"""A stream painted in batches, and the warm-up: frames that are painted for the filter's sake and shown to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vidstyle.frames import Packet, VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter


def paint_stream(
    items: Iterable[VideoFrame | Packet], painter: Painter, first_seconds: float | None = None
) -> Iterator[PaintedFrame | Packet]:
    """Paint the frames of a stream, a batch at a time; packets pass at once.

    The temporal filter remembers, so that a frame painted first of all differs from the same frame in the middle of a
    render. A source which is opened a few frames early (``vidstyle.temporal.filter.warmup_frames``), with
    ``first_seconds`` where the wanted part begins, gives frames equal to those of the whole render. The warm-up
    crosses no cut, because the painter restarts there anyway.

    Args:
        items: frames and packets of an open clip.
        painter: keeps the temporal state.
        first_seconds: frames before this time are painted and not given out; None gives all.
    """
    waiting: list[VideoFrame] = []
    for item in items:
        if isinstance(item, Packet):
            yield item
            continue
        waiting.append(item)
        if len(waiting) >= painter.batch_size:
            yield from _wanted(painter.paint(waiting), first_seconds)
            waiting.clear()
    if waiting:
        yield from _wanted(painter.paint(waiting), first_seconds)


def _wanted(painted: Iterable[PaintedFrame], first_seconds: float | None) -> Iterator[PaintedFrame]:
    # A list would keep a batch of finished frames alive while the next is painted.
    return (frame for frame in painted if first_seconds is None or frame.source.seconds >= first_seconds)
