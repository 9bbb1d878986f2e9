"""A whole clip from source to sink: decode thread, painter, encode thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from vidstyle.frames import Packet, VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.pipeline.prefetch import Feeder, Prefetcher
from vidstyle.pipeline.stream import paint_stream
from vidstyle.protocols import MediaSink, MediaSource

#: Frames and packets in flight at either end; memory is bounded by this, never by the clip's length.
QUEUE_DEPTH = 8


@dataclass(slots=True)
class RenderStats:
    """What a render did.

    Attributes:
        num_frames: painted and written.
        num_packets: audio and subtitle packets passed through.
        cut_seconds: times at which a new shot starts.
        wall_seconds: from first read to last byte.
        stage_seconds: busy time by stage; stages overlap, so they add up to more than ``wall_seconds``.
    """

    num_frames: int = 0
    num_packets: int = 0
    cut_seconds: list[float] = field(default_factory=list)
    wall_seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)


def render(
    source: MediaSource,
    sink: MediaSink,
    painter: Painter,
    on_frame: Callable[[int], None] | None = None,
    *,
    first_seconds: float | None = None,
    show: Callable[[PaintedFrame], Tensor] | None = None,
) -> RenderStats:
    """Paint every frame of ``source`` into ``sink`` and commit it.

    Whatever goes wrong, both threads are joined and the sink is aborted, so nothing is left under the output's name.

    Args:
        source: an open clip.
        sink: an open output.
        painter: carries stylizer, flow and filter.
        on_frame: called with the number of frames done, on the calling thread.
        first_seconds: frames before this time (``VideoFrame.seconds``) warm the temporal filter up and are not
            written; see ``vidstyle.pipeline.stream.paint_stream``.
        show: what to write of a painted frame, such as a comparison with its source; None is the painting.

    Returns:
        What was done.

    Raises:
        VidstyleError: from the source, the painter or the sink, unchanged.
    """
    stats = RenderStats()
    started = time.perf_counter()
    try:
        with (
            Prefetcher(source, QUEUE_DEPTH + painter.batch_size) as items,
            Feeder(sink.write, QUEUE_DEPTH + painter.batch_size) as feeder,
        ):
            for item in paint_stream(items, painter, first_seconds):
                if isinstance(item, Packet):
                    feeder.put(item)
                    stats.num_packets += 1
                else:
                    _finish(item, feeder, stats, on_frame, show)
        committing = time.perf_counter()
        sink.commit()
        feeder.busy_seconds += time.perf_counter() - committing
    except BaseException:
        sink.abort()
        raise
    stats.wall_seconds = time.perf_counter() - started
    stats.stage_seconds = {"decode": items.busy_seconds, **painter.clock.seconds, "encode": feeder.busy_seconds}
    return stats


def _finish(
    painted: PaintedFrame,
    feeder: Feeder[VideoFrame | Packet],
    stats: RenderStats,
    on_frame: Callable[[int], None] | None,
    show: Callable[[PaintedFrame], Tensor] | None,
) -> None:
    source = painted.source
    if painted.starts_shot and stats.num_frames:  # a cut before the first frame is none of this output
        stats.cut_seconds.append(source.seconds)
    if show is None:
        data, alpha, stored = painted.data, painted.alpha, source.stored
    else:
        data, alpha, stored = show(painted), None, None
    feeder.put(VideoFrame(data, source.pts, source.time_base, source.duration, alpha, stored))
    stats.num_frames += 1
    if on_frame is not None:
        on_frame(stats.num_frames)
