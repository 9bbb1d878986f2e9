"""Interlaced frames into progressive ones, by FFmpeg's bwdif."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from av import VideoFrame as AVFrame
from av.error import BlockingIOError as WouldBlock
from av.error import EOFError as EndOfGraph
from av.filter import Graph

from vidstyle.frames import Packet
from vidstyle.media.decoded import DecodedFrame


def deinterlaced(items: Iterable[DecodedFrame | Packet], *, flagged_only: bool) -> Iterator[DecodedFrame | Packet]:
    """Deinterlace frames with the Bob Weaver filter, one frame a frame, so that times and number stay; packets pass.

    Args:
        items: frames in display order.
        flagged_only: leave frames alone that do not say they are interlaced; False takes the header's word for all.
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
            graph = _Bwdif(item, flagged_only)
        waiting.append(item)
        yield from _named(graph.push(item), waiting)
    if graph is not None:
        yield from _named(graph.push(None), waiting)


def _named(pictures: Iterable[AVFrame], waiting: deque[DecodedFrame]) -> Iterator[DecodedFrame]:
    return (replace(waiting.popleft(), frame=picture) for picture in pictures)


class _Bwdif:
    """A filter graph for frames of one size and format."""

    def __init__(self, first: DecodedFrame, flagged_only: bool) -> None:
        frame = first.frame
        self._key = _key(frame)
        self._graph = Graph()
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=first.time_base
        )
        which = "interlaced" if flagged_only else "all"
        filters = self._graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}")
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
