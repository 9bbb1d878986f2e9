"""One frame as the full render would paint it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

from torch import Tensor

from vidstyle.frames import VideoFrame
from vidstyle.pipeline.meter import Meter
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.pipeline.prefetch import Prefetcher
from vidstyle.pipeline.render import QUEUE_DEPTH
from vidstyle.pipeline.stream import paint_stream
from vidstyle.protocols import MediaSource


@dataclass(frozen=True, slots=True, eq=False)
class PreviewFrame:
    """One previewed moment.

    Attributes:
        painted: the frame shown at the moment asked for, painted and steadied.
        num_warmup_frames: frames of the same shot before it that the filter saw.
        variants: (3, H, W) the same at each of the strengths asked for.
    """

    painted: PaintedFrame
    num_warmup_frames: int
    variants: tuple[Tensor, ...] = ()


def preview_frame(
    source: MediaSource,
    painter: Painter,
    at_seconds: float,
    *,
    strengths: Sequence[float] = (),
    meter: Meter | None = None,
) -> PreviewFrame | None:
    """Paint the frame shown at ``at_seconds``, after running the filter over the frames before it.

    Args:
        source: an open clip that begins as many frames before the moment as the filter remembers.
        painter: a fresh one.
        at_seconds: moment on the clock of the source's frames (``VideoFrame.seconds``).
        strengths: mix it with its source at each of these, too; it is painted once.
        meter: clocks and encodes what is painted, and has some of the frames behind painted where that is too little.

    Returns:
        The frame; None where the source begins after the moment, or ends before it.
    """
    painter.keeps_last = bool(strengths)
    pictures = (item for item in source if isinstance(item, VideoFrame))
    with Prefetcher(pictures, QUEUE_DEPTH + painter.batch_size) as prefetched:
        coming, behind = iter(prefetched), list[VideoFrame]()
        last: PaintedFrame | None = None
        num_before = 0
        for painted in paint_stream(_until(coming, at_seconds, behind), painter):
            if isinstance(painted, PaintedFrame):
                num_before = 0 if painted.starts_shot or last is None else num_before + 1
                last = painted
                if meter is not None:
                    meter.take(painted)
        if last is None or not (behind or at_seconds < _end_of(last.source, source)):
            return None
        found = PreviewFrame(last, num_before, tuple(painter.at_strength(strength) for strength in strengths))
        if meter is not None:
            meter.go_on(chain(behind, coming), painter)
    return found


def _until(frames: Iterator[VideoFrame], at_seconds: float, behind: list[VideoFrame]) -> Iterator[VideoFrame]:
    """Frames up to a moment; the first after it goes to ``behind``."""
    for frame in frames:
        if frame.seconds > at_seconds:
            behind.append(frame)
            return
        yield frame


def _end_of(frame: VideoFrame, source: MediaSource) -> Fraction:
    shown = frame.duration * frame.time_base if frame.duration else 1 / source.info.average_rate
    return frame.pts * frame.time_base + shown
