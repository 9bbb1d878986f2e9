"""Packets on their way to the muxer: how long each lasts, and decode times that make sense."""

from __future__ import annotations

from av.packet import Packet as AVPacket
from av.stream import Stream

from vidstyle.media.timestamps import PacketClock


class VideoPackets:
    """Gives the packets of an encoder their durations and passes them on, in decoding order.

    A picture is shown until the next one in display order, whatever the encoder says of it; some say nothing.
    MP4 adds up durations in decoding order instead: the last packet's makes the sum come out, so that the last picture
    of a clip with uneven times is not cut short.

    Args:
        max_delay: ticks by which decoding may run ahead of display.
    """

    def __init__(self, max_delay: int) -> None:
        self._max_delay = max_delay
        self._until: dict[int, int] = {}  # by pts: when its picture ends
        self._pending: list[AVPacket[Stream]] = []
        self._first_pts: int | None = None
        self._last_pts = 0
        self._end = 0
        self._first_dts: int | None = None

    def show(self, pts: int, duration: int) -> None:
        """Announce the next picture in display order; ``duration`` counts if no other follows."""
        if self._first_pts is None:
            self._first_pts = pts
        else:
            self._until[self._last_pts] = pts
        self._last_pts = pts
        self._end = pts + max(1, duration)

    def push(self, packets: list[AVPacket[Stream]]) -> list[AVPacket[Stream]]:
        """Take packets from the encoder; returns those that can be muxed."""
        self._pending += packets
        # One is held back, for it may be the last; and the end of the latest picture is not known yet.
        num_ready = 0
        while num_ready < len(self._pending) - 1 and self._pending[num_ready].pts != self._last_pts:
            num_ready += 1
        ready, self._pending = self._pending[:num_ready], self._pending[num_ready:]
        return [self._finish(packet) for packet in ready]

    def flush(self) -> list[AVPacket[Stream]]:
        """The rest, once the encoder has been flushed."""
        if self._first_pts is None:
            return []
        self._until[self._last_pts] = self._end
        rest, self._pending = [self._finish(packet) for packet in self._pending], []
        if rest:
            last = rest[-1]
            if last.pts is not None and last.dts is not None and self._first_dts is not None:
                missing = self._end - self._first_pts - (last.dts - self._first_dts)
                last.duration = max(last.duration or 0, min(missing, self._end - last.pts))
        return rest

    def _finish(self, packet: AVPacket[Stream]) -> AVPacket[Stream]:
        if packet.pts is None:
            return packet
        # x265 gives uninitialised decode times to a clip shorter than its reordering delay.
        if packet.dts is not None and abs(packet.pts - packet.dts) > self._max_delay:
            packet.dts = packet.pts
        if self._first_dts is None:
            self._first_dts = packet.dts
        until = self._until.pop(packet.pts, None)
        if until is not None:
            packet.duration = until - packet.pts
        return packet


class CopiedPackets:
    """Makes the packets of one copied stream fit for the muxer.

    Args:
        stream: where they come from.
        target: the output's stream.
    """

    def __init__(self, stream: Stream, target: Stream) -> None:
        self._target = target
        self._is_sound = stream.type == "audio"
        self._clock = PacketClock()
        self._last_dts: int | None = None

    def pass_on(self, packet: AVPacket[Stream]) -> AVPacket[Stream]:
        """The same packet, bound for the output."""
        self._clock.stamp(packet)
        # Matroska may say no durations; MP4 would cut off the sound of a last packet that lasts no time.
        if self._is_sound and not packet.duration and packet.dts is not None and self._last_dts is not None:
            packet.duration = packet.dts - self._last_dts
        self._last_dts = packet.dts
        packet.stream = self._target
        return packet
