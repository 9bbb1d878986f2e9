"""Interlaced frames into progressive ones, by FFmpeg's bwdif."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from av import VideoFrame as AVFrame
from av.error import BlockingIOError as WouldBlock
from av.error import EOFError as EndOfGraph
from av.filter import Graph
from av.video.stream import VideoStream

from vidstyle.frames import Packet
from vidstyle.media.decoded import DecodedFrame

#: Which field of a picture is the earlier: the top one, or the bottom one.
FieldOrder = Literal["tff", "bff"]
#: FFmpeg's AV_FIELD_BB and AV_FIELD_TB, which are shown bottom first.
_BOTTOM_FIRST = (3, 4)


def field_order(video: VideoStream) -> FieldOrder:
    """Of a stream whose header says that it is interlaced."""
    return "bff" if video.codec_context.field_order in _BOTTOM_FIRST else "tff"


def deinterlaced(
    items: Iterable[DecodedFrame | Packet], *, header_order: FieldOrder | None
) -> Iterator[DecodedFrame | Packet]:
    """Deinterlace frames with the Bob Weaver filter, one frame a frame, so that times and number stay; packets pass.

    Args:
        items: frames in display order.
        header_order: the header's word, for all frames; None leaves frames alone that do not say they are interlaced,
            and takes their own word for which field comes first.
    """
    graph: _Bwdif | None = None
    waiting: deque[DecodedFrame] = deque()  # in the filter, which looks one frame ahead
    for item in items:
        if isinstance(item, Packet):
            yield item
            continue
        if graph is None or not graph.takes(item.frame):
            if graph is not None:
                yield from _named(graph.push(None), waiting)
            graph = _Bwdif(item, header_order)
        waiting.append(item)
        yield from _named(graph.push(item), waiting)
    if graph is not None:
        yield from _named(graph.push(None), waiting)


def _named(pictures: Iterable[AVFrame], waiting: deque[DecodedFrame]) -> Iterator[DecodedFrame]:
    return (replace(waiting.popleft(), frame=picture) for picture in pictures)


class _Bwdif:
    """A filter graph for frames of one size and format."""

    def __init__(self, first: DecodedFrame, header_order: FieldOrder | None) -> None:
        frame = first.frame
        self._key = _key(frame)
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=first.time_base
        )
        which = f"parity={header_order}:deint=all" if header_order else "parity=auto:deint=interlaced"
        filters = self._graph.add("bwdif", f"mode=send_frame:{which}")
        source.link_to(filters)
        filters.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def takes(self, frame: AVFrame) -> bool:
        return _key(frame) == self._key

    def push(self, item: DecodedFrame | None) -> Iterator[AVFrame]:
        """Feed one frame, or None at the end; gives the frames that are done."""
        if item is not None:
            item.frame.pts, item.frame.time_base = item.pts, item.time_base
        self._graph.vpush(item.frame if item is not None else None)
        while True:
            try:
                yield self._graph.vpull()
            except (WouldBlock, EndOfGraph):
                return


def _key(frame: AVFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name
