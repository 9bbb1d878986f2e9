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
from vidstyle.media.pcm import packet_from, packet_until, reaches
from vidstyle.media.ranges import Range
from vidstyle.media.timestamps import packet_time, to_ticks

#: A frame may go on behind the end for so long: rates vary by a little.
_LITTLE_SECONDS = Fraction(1, 10)


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
        # Where sound begins and ends is not known before the first frame, and the one behind the last.
        self._early: list[Packet] = []
        self._late: list[Packet] = []
        self._last_end: Fraction | None = None
        self._sound_end: Fraction | None = None

    def select(self, items: Iterator[DecodedFrame | Packet]) -> Iterator[DecodedFrame | Packet]:
        """The items inside, in their order; of packets, what lies before the first picked frame is dropped."""
        for item in items:
            if isinstance(item, Packet):
                yield from self._select_packet(item)
                continue
            if self._end is not None and item.time >= self._end:
                yield from self._end_sound(item.time)
                continue
            if self._start is not None and item.time < self._start:
                if self._begin is not None and item.time >= self._begin:
                    # The first frame's time is not known yet, only that it is not before the start.
                    offset = math.ceil(self._start / item.time_base) if self._shift_to_zero else 0
                    yield replace(item, pts=item.pts - offset)
                continue
            if self.first is None:
                self.first = item.time
                early, self._early = self._early, []
                for packet in early:
                    yield from self._given(packet)
            self.num_frames += 1
            self._last_end = item.time + self._ordinary
            offset = to_ticks(self.first, item.time_base) if self._shift_to_zero else 0
            yield replace(item, pts=item.pts - offset, duration=self._duration(item))
            del item  # or its picture stays in memory while the next is decoded
        yield from self._end_sound(None)

    def _select_packet(self, packet: Packet) -> Iterator[Packet]:
        payload, time = packet.payload, packet_time(packet.payload)
        if self._end is not None:
            _end_subtitle(payload, self._end)
            if reaches(payload, self._end):
                # One frame goes on behind the end at most, by its own length or a little more.
                if self._sound_end is None and time < self._end + 2 * self._ordinary:
                    self._late.append(packet)
                return
            if time >= self._end:
                return
        if self._start is not None and self.first is None:
            self._early.extend(_from(packet, self._start))
        else:
            yield from self._given(packet)

    def _end_sound(self, next_time: Fraction | None) -> Iterator[Packet]:
        """Give what sounds with the last frame: until the next one, where the part after this one begins."""
        if self._end is None or self._last_end is None or self._sound_end is not None:
            return
        follows = next_time is not None and next_time <= self._last_end + self._ordinary / 2
        self._sound_end = next_time if next_time is not None and follows else max(self._end, self._last_end)
        late, self._late = self._late, []
        for packet in late:
            if packet_time(packet.payload) < self._sound_end:
                part = Packet(packet.stream_index, packet_until(packet.payload, self._sound_end))
                yield from self._given(part)

    def _given(self, packet: Packet) -> Iterator[Packet]:
        """What of a packet is not before the first frame, shifted by its time."""
        first = self.first
        if self._start is None or first is None:
            yield packet
        else:
            yield from (self._shifted_packet(part, first) for part in _from(packet, first))

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
