"""The part of a clip between a start and an end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from av import Packet as AVPacket
from av.stream import Stream

from vidstyle.frames import Packet
from vidstyle.media.decoded import DecodedFrame
from vidstyle.media.pcm import packet_from, packet_until
from vidstyle.media.ranges import Range
from vidstyle.media.timestamps import packet_time, to_ticks

#: A frame may go on behind the end for so long: rates vary by a little.
_LITTLE_SECONDS = Fraction(1, 10)
#: An end so little behind a frame is meant to be at it: clocks round, to milliseconds in Matroska.
_SLACK_FRAMES = Fraction(1, 10)


class Window:
    """Picks the frames and packets with start <= time < end, and shifts them all by the first frame's time.

    Sound that can be cut anywhere begins with the first frame and ends with the last; of all other sound, the first
    whole packet behind it. A subtitle that is shown when the part begins, or ends, is shown for as long as it lies in
    the part.

    Without a start nothing before the end is left out, nor shifted. Frames between the range's begin and its start warm
    the temporal filter up: they are given too, at times before the first frame's.

    A frame that goes on behind the end, as in a recording of a screen, ends with it. Ordinary ones keep their length,
    or a constant rate would end with an odd frame.

    Args:
        wanted: the range.
        shift_to_zero: the first frame is to be at 0.
        rate: average frames a second.

    Attributes:
        num_frames: frames picked so far, without those for warming up.
        first: time of the first of them, by which all are shifted; None before it comes.
    """

    def __init__(self, wanted: Range, shift_to_zero: bool, rate: Fraction) -> None:
        self._start, self._end, self._begin = wanted.start, wanted.end, wanted.begin
        self._ordinary = 1 / rate
        self._shift_to_zero = shift_to_zero
        self.num_frames = 0
        self.first: Fraction | None = None

    def select(self, items: Iterator[DecodedFrame | Packet]) -> Iterator[DecodedFrame | Packet]:
        """The items inside, in their order; of packets, what lies before the first picked frame is dropped."""
        waiting: list[Packet] = []
        first: Fraction | None = None
        for item in items:
            time = item.time if isinstance(item, DecodedFrame) else packet_time(item.payload)
            if self._end is not None and time >= self._end:
                continue
            if isinstance(item, Packet):
                packet = item if self._end is None else self._until(item, self._end)
                if self._start is None:
                    yield packet
                elif first is None:
                    waiting.extend(_from(packet, self._start))
                else:
                    yield from (self._shifted_packet(part, first) for part in _from(packet, first))
                continue
            if self._start is not None and time < self._start:
                if self._begin is not None and time >= self._begin:
                    # The first frame's time is not known yet, only that it is not before the start.
                    offset = math.ceil(self._start / item.time_base) if self._shift_to_zero else 0
                    yield replace(item, pts=item.pts - offset)
                continue
            if first is None:
                first = self.first = time
                parts = [part for packet in waiting for part in _from(packet, first)]
                waiting.clear()
                yield from (self._shifted_packet(part, first) for part in parts)
            self.num_frames += 1
            offset = to_ticks(first, item.time_base) if self._shift_to_zero else 0
            yield replace(item, pts=item.pts - offset, duration=self._duration(item))
            del item  # or its picture stays in memory while the next is decoded

    def _until(self, packet: Packet, end: Fraction) -> Packet:
        """What of a packet is before the end; of sound, before that of the last frame, where the next part goes on."""
        _end_subtitle(packet.payload, end)
        if self.first is not None:
            num_frames = math.ceil((end - self.first) / self._ordinary - _SLACK_FRAMES)
            end = max(end, self.first + num_frames * self._ordinary)
        return Packet(packet.stream_index, packet_until(packet.payload, end))

    def _duration(self, frame: DecodedFrame) -> int | None:
        if self._end is None or frame.duration is None:
            return frame.duration
        length = frame.duration * frame.time_base
        is_ordinary = abs(length - self._ordinary) <= frame.time_base
        if is_ordinary or frame.time + length <= self._end + _LITTLE_SECONDS:
            return frame.duration
        return max(to_ticks(self._end - frame.time, frame.time_base), 1)

    def _shifted_packet(self, packet: Packet, first: Fraction) -> Packet:
        payload = packet.payload
        offset = to_ticks(first, payload.time_base) if self._shift_to_zero else 0
        if payload.pts is not None:
            payload.pts -= offset
        if payload.dts is not None:
            payload.dts -= offset
        return packet


def _from(packet: Packet, moment: Fraction) -> Iterator[Packet]:
    """What of a packet is at or after a moment."""
    _begin_subtitle(packet.payload, moment)
    payload = packet_from(packet.payload, moment)
    if payload is not None:
        yield Packet(packet.stream_index, payload)


def _begin_subtitle(payload: AVPacket[Stream], moment: Fraction) -> None:
    """Where a subtitle is shown at a moment, begin it there. Pictures often do not say how long they are shown."""
    if payload.stream.type != "subtitle" or payload.pts is None or not payload.duration:
        return
    ticks, end = math.ceil(moment / payload.time_base), payload.pts + payload.duration
    if payload.pts < ticks < end:
        payload.pts = payload.dts = ticks
        payload.duration = end - ticks


def _end_subtitle(payload: AVPacket[Stream], moment: Fraction) -> None:
    """Where a subtitle is shown beyond a moment behind its beginning, end it there."""
    if payload.stream.type == "subtitle" and payload.pts is not None and payload.duration:
        payload.duration = min(payload.duration, max(math.ceil(moment / payload.time_base) - payload.pts, 1))
