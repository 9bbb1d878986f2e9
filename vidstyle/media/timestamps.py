"""Timestamps that only go forward."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from av import Packet as AVPacket
from av.stream import Stream


def to_ticks(seconds: Fraction, time_base: Fraction) -> int:
    """Nearest tick of ``time_base``."""
    return round(seconds / time_base)


def packet_time(packet: AVPacket[Stream]) -> Fraction:
    """When a packet is shown or heard, in seconds on its own clock; 0 where it does not say."""
    ticks = packet.pts if packet.pts is not None else packet.dts
    return Fraction((ticks or 0) * packet.time_base)


class FrameClock:
    """Gives every decoded frame a pts later than that of the frame before.

    Args:
        time_base: seconds per tick of the pts given out.
        rate: frames per second, used where the file does not say when a frame is shown.
        by_index: the file's timestamps are not to be trusted (AVI, raw streams): count frames instead.
        on_repair: called once, at the first repaired pts.
    """

    def __init__(self, time_base: Fraction, rate: Fraction, by_index: bool, on_repair: Callable[[], None]) -> None:
        self._frame_ticks = 1 / rate / time_base
        self._by_index = by_index
        self._on_repair: Callable[[], None] | None = on_repair
        self._num_frames = 0
        self._last: int | None = None

    def stamp(self, pts: int | None) -> int:
        """The pts to use for the next frame in display order."""
        if self._by_index:
            pts = round(self._num_frames * self._frame_ticks)
        elif pts is None or (self._last is not None and pts <= self._last):
            pts = 0 if self._last is None else self._last + max(1, round(self._frame_ticks))
            if self._on_repair is not None:
                self._on_repair()
                self._on_repair = None
        self._num_frames += 1
        self._last = pts
        return pts


class PacketClock:
    """Gives the packets of one copied stream decode times that strictly increase, which muxers insist on."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._next: int = 0

    def stamp(self, packet: AVPacket[Stream]) -> None:
        """Set the packet's missing or non-increasing dts, and its pts where that would come before."""
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = self._next
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        packet.dts = dts
        if packet.pts is None or packet.pts < dts:
            packet.pts = dts
        self._last = dts
        self._next = dts + max(1, packet.duration or 0)
