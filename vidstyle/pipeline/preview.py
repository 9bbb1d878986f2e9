"""One frame as the full render would paint it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from vidstyle.frames import VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.pipeline.stream import paint_stream
from vidstyle.protocols import MediaSource


@dataclass(frozen=True, slots=True, eq=False)
class PreviewFrame:
    """One previewed moment.

    Attributes:
        painted: the frame shown at the moment asked for, painted and steadied.
        num_warmup_frames: frames of the same shot before it that the filter saw.
    """

    painted: PaintedFrame
    num_warmup_frames: int


def preview_frame(source: MediaSource, painter: Painter, at_seconds: float) -> PreviewFrame | None:
    """Paint the frame shown at ``at_seconds``, after running the filter over the frames before it.

    Args:
        source: an open clip that begins as many frames before the moment as the filter remembers.
        painter: a fresh one.
        at_seconds: moment on the clock of the source's frames (``VideoFrame.seconds``).

    Returns:
        The frame; None where the source begins after the moment, or ends before it.
    """
    passed = False

    def frames() -> Iterator[VideoFrame]:
        nonlocal passed
        for item in source:
            if isinstance(item, VideoFrame):
                if item.seconds > at_seconds:
                    passed = True
                    return
                yield item

    last: PaintedFrame | None = None
    num_before = 0
    for painted in paint_stream(frames(), painter):
        if isinstance(painted, PaintedFrame):
            num_before = 0 if painted.starts_shot or last is None else num_before + 1
            last = painted
    if last is None or not (passed or at_seconds < _end_of(last.source, source)):
        return None
    return PreviewFrame(last, num_before)


def _end_of(frame: VideoFrame, source: MediaSource) -> Fraction:
    shown = frame.duration * frame.time_base if frame.duration else 1 / source.info.average_rate
    return frame.pts * frame.time_base + shown
