"""The part of a clip between a start and an end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from vidstyle.frames import Packet
from vidstyle.media.decoded import DecodedFrame
from vidstyle.media.ranges import Range
from vidstyle.media.timestamps import to_ticks


class Window:
    """Picks the frames and packets with start <= time < end, and shifts them all by the first frame's time.

    Without a start nothing before the end is left out, nor shifted. Frames between the range's begin and its start warm
    the temporal filter up: they are given too, at times before the first frame's.

    Attributes:
        num_frames: frames picked so far, without those for warming up.
        first: time of the first of them, by which all are shifted; None before it comes.
    """

    def __init__(self, wanted: Range, shift_to_zero: bool) -> None:
        self._start, self._end, self._begin = wanted.start, wanted.end, wanted.begin
        self._shift_to_zero = shift_to_zero
        self.num_frames = 0
        self.first: Fraction | None = None

    def select(self, items: Iterator[DecodedFrame | Packet]) -> Iterator[DecodedFrame | Packet]:
        """The items inside, in their order. Packets before the first picked frame are dropped."""
        waiting: list[Packet] = []
        first: Fraction | None = None
        for item in items:
            time = item.time if isinstance(item, DecodedFrame) else _time(item)
            if self._end is not None and time >= self._end:
                continue
            if self._start is not None and time < self._start:
                if isinstance(item, DecodedFrame) and self._begin is not None and time >= self._begin:
                    # The first frame's time is not known yet, only that it is not before the start.
                    offset = math.ceil(self._start / item.time_base) if self._shift_to_zero else 0
                    yield replace(item, pts=item.pts - offset)
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
                first = self.first = time
                yield from (self._shifted_packet(packet, first) for packet in waiting if _time(packet) >= first)
                waiting.clear()
            self.num_frames += 1
            offset = to_ticks(first, item.time_base) if self._shift_to_zero else 0
            yield replace(item, pts=item.pts - offset)
            del item  # or its picture stays in memory while the next is decoded

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
