"""One frame as the full render would paint it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from vidstyle.errors import OpenError
from vidstyle.frames import VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.protocols import MediaSource

#: Opens the clip from a moment (in seconds, on the clip's own clock) on, timestamps unchanged.
OpenFrom = Callable[[float], AbstractContextManager[MediaSource]]


@dataclass(frozen=True, slots=True, eq=False)
class PreviewFrame:
    """One previewed moment.

    Attributes:
        painted: the frame shown at the moment asked for, painted and steadied.
        num_warmup_frames: frames of the same shot before it that the filter saw.
        saw_cut: those are all there are, back to the cut.
    """

    painted: PaintedFrame
    num_warmup_frames: int
    saw_cut: bool


def preview_frame(
    open_from: OpenFrom,
    make_painter: Callable[[], Painter],
    at_seconds: float,
    num_warmup_frames: int,
    *,
    begin_seconds: float = 0.0,
) -> PreviewFrame | None:
    """Paint the frame shown at ``at_seconds``, after running the filter over the frames before it.

    The warm-up never crosses a cut, because the painter restarts there, as it does in a full render.

    Args:
        open_from: opens the clip.
        make_painter: gives a fresh painter.
        at_seconds: moment on the clip's own clock.
        num_warmup_frames: frames the filter must have seen.
        begin_seconds: where the full render starts; it has nothing before that to be steady with.

    Returns:
        The frame; None where the clip ends before ``at_seconds``.
    """
    with open_from(begin_seconds) as source:
        rate = source.info.average_rate
    window = Fraction(num_warmup_frames + 2) / rate
    while True:
        start_seconds = max(float(Fraction(at_seconds) - window), begin_seconds)
        try:
            found = _paint_until(open_from, make_painter(), start_seconds, at_seconds)
        except OpenError:  # no frame starts within the window; one before it may still be showing
            if start_seconds == begin_seconds:
                raise
            found = None
        # In a clip of variable rate the window may have held too few frames, or none.
        enough = found is not None and (found.num_warmup_frames >= num_warmup_frames or found.saw_cut)
        if enough or start_seconds == begin_seconds:
            return found
        window *= 2


def _paint_until(open_from: OpenFrom, painter: Painter, start_seconds: float, at_seconds: float) -> PreviewFrame | None:
    with open_from(start_seconds) as source:
        frames = (item for item in source if isinstance(item, VideoFrame))
        last: PaintedFrame | None = None
        num_before = 0
        saw_cut = passed = False
        while not passed and (batch := list(islice(frames, painter.batch_size))):
            wanted = [frame for frame in batch if frame.seconds <= at_seconds]
            passed = len(wanted) < len(batch)
            for painted in painter.paint(wanted) if wanted else ():
                saw_cut = saw_cut or painted.starts_shot
                num_before = 0 if painted.starts_shot or last is None else num_before + 1
                last = painted
        if last is None or not (passed or at_seconds < _end_of(last.source, source)):
            return None
        return PreviewFrame(last, num_before, saw_cut)


def _end_of(frame: VideoFrame, source: MediaSource) -> Fraction:
    shown = frame.duration * frame.time_base if frame.duration else 1 / source.info.average_rate
    return frame.pts * frame.time_base + shown
