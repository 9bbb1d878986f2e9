"""Packets of a transport stream that were lost without a trace, found by what picture and sound lack.

Packets are numbered from 0 to 15: where 16 are lost, or 32, the numbers fit and demuxers flag nothing. What is left are
timestamps. A picture that pauses alone may be meant so, as may sound; that both do at one place of the file is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av import Packet as AVPacket
from av.stream import Stream

# So many steps of one frame each show that the rate is constant.
_NUM_STEADY = 12
# A longer step is a jump of the clock, as where recordings are joined.
_MAX_STEP_SECONDS = 10
_MAX_REMEMBERED = 8


@dataclass
class _Track:
    """Timestamps of one stream in the order of the file.

    Attributes:
        position: in the file, of the last packet that has one.
        expected: timestamp of the next packet; None where nothing is sure.
        num_steady: packets in a row that came as expected.
        broke_at: position before a break that is not closed by a position yet.
    """

    position: int | None = None
    expected: Fraction | None = None
    num_steady: int = 0
    broke_at: int | None = None

    def push(
        self, packet: AVPacket[Stream], stamp: int | None, step: Fraction, most: Fraction
    ) -> tuple[int, int] | None:
        """The positions between which something lacks, as soon as both are known.

        Args:
            packet: of this stream.
            stamp: its timestamp.
            step: ticks to the next packet, 0 where unknown.
            most: ticks of the longest step that is none of the clock's jumps.
        """
        if self.expected is not None:
            off = None if stamp is None else abs(stamp - self.expected)
            if off is not None and off <= step / 2:
                self.num_steady += 1
            else:
                is_break = self.num_steady >= _NUM_STEADY and (off is None or off < most)
                self.broke_at = self.position if is_break else self.broke_at
                self.num_steady = 0
        if stamp is not None and step:
            self.expected = stamp + step
        elif self.expected is not None:
            self.expected += step
        found = None
        if packet.pos is not None:
            if self.broke_at is not None:
                found = (self.broke_at, packet.pos)
            self.broke_at, self.position = None, packet.pos
        return found


class Holes:
    """Watches the packets of a transport stream.

    Args:
        rate: frames per second of the picture; None where it is not sure, then there are never holes.
    """

    def __init__(self, rate: Fraction | None) -> None:
        self._rate = rate
        self._picture = _Track()
        self._sound: dict[int, _Track] = {}
        self._in_picture: list[tuple[int, int]] = []
        self._in_sound: list[tuple[int, int]] = []

    @property
    def is_pending(self) -> bool:
        """The picture lacks something, and the sound of that place has not come yet."""
        if self._picture.broke_at is not None:
            return bool(self._sound)
        last = self._in_picture[-1][1] if self._in_picture else -1
        return any((track.position or last) < last for track in self._sound.values())

    def push(self, packet: AVPacket[Stream]) -> bool:
        """Look at the next packet in the file; whether it shows a place at which packets are lost."""
        if self._rate is None or not packet.size or not packet.time_base:
            return False
        most = _MAX_STEP_SECONDS / Fraction(packet.time_base)
        if packet.stream.type == "video":
            step = 1 / self._rate / Fraction(packet.time_base)
            found = self._picture.push(packet, packet.dts, step, most)
            mine, others = self._in_picture, self._in_sound
        elif packet.stream.type == "audio":
            track = self._sound.setdefault(packet.stream_index, _Track())
            found = track.push(packet, packet.pts, Fraction(packet.duration or 0), most)
            mine, others = self._in_sound, self._in_picture
        else:
            return False
        if found is None:
            return False
        mine.append(found)
        del mine[:-_MAX_REMEMBERED]
        return any(found[0] < end and start < found[1] for start, end in others)
