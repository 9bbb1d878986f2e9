"""The part of a clip between a start and an end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from av import VideoFrame as AVFrame

from vidstyle.frames import Packet
from vidstyle.media.timestamps import to_ticks

# Sound of a moment may lie this much later in the file than its picture.
_INTERLEAVING_SECONDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A decoder's frame that has its final pts, and is not yet converted to RGB."""

    frame: AVFrame
    pts: int
    time_base: Fraction

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds."""
        return self.pts * self.time_base


class Window:
    """Picks the frames and packets with start <= time < end, and shifts them all by the first frame's time.

    Without a start nothing before the end is left out, nor shifted.

    Attributes:
        num_frames: frames picked so far.
    """

    def __init__(self, start: Fraction | None, end: Fraction | None, shift_to_zero: bool, has_packets: bool) -> None:
        self._start = start
        self._end = end
        self._shift_to_zero = shift_to_zero
        self._has_packets = has_packets
        self.num_frames = 0

    def select(self, items: Iterator[DecodedFrame | Packet]) -> Iterator[DecodedFrame | Packet]:
        """The items inside, in their order. Packets before the first picked frame are dropped."""
        waiting: list[Packet] = []
        first: Fraction | None = None
        ended = False
        for item in items:
            time = item.time if isinstance(item, DecodedFrame) else _time(item)
            if self._end is not None and time >= self._end:
                ended = ended or isinstance(item, DecodedFrame)
                if ended and (not self._has_packets or time >= self._end + _INTERLEAVING_SECONDS):
                    break
                continue
            if self._start is not None and time < self._start:
                continue
            if isinstance(item, Packet):
                if self._start is None:
                    yield item
                elif first is None:
                    waiting.append(item)
                elif time >= first:
                    yield self._shifted_packet(item, first)
                continue
            if first is None:
                first = time
                yield from (self._shifted_packet(packet, first) for packet in waiting if _time(packet) >= first)
                waiting.clear()
            self.num_frames += 1
            offset = to_ticks(first, item.time_base) if self._shift_to_zero else 0
            yield replace(item, pts=item.pts - offset)

    def _shifted_packet(self, packet: Packet, first: Fraction) -> Packet:
        payload = packet.payload
        offset = to_ticks(first, payload.time_base) if self._shift_to_zero else 0
        if payload.pts is not None:
            payload.pts -= offset
        if payload.dts is not None:
            payload.dts -= offset
        return packet


def _time(packet: Packet) -> Fraction:
    payload = packet.payload
    ticks = payload.pts if payload.pts is not None else payload.dts
    return Fraction((ticks or 0) * payload.time_base)
