"""Damage before the start of a range: it ends nothing, as long as a whole picture comes in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from av import Packet as AVPacket
from av.stream import Stream
from av.video.stream import VideoStream

from vidstyle.errors import DecodeError
from vidstyle.media.decoded import DecodedFrame
from vidstyle.media.probe import FirstLook
from vidstyle.media.ranges import Range


class EarlyDamage:
    """Tells damage before the start from damage that is part of what is asked for.

    Frames before the start are decoded because others refer to them, and to warm the temporal filter up. Behind damage
    none of them is given out before a keyframe, which refers to nothing.

    Decoders that work on several frames at once speak of damage some packets late. Where frames come out in the order
    they go in, it is known which one is meant; elsewhere it may be any of those read so far.

    Args:
        path: the file, for messages.
        look: what is known about it.
        video: the stream.
        wanted: where the range starts; without a start there is nothing before it.
        warn: told where frames for warming up begin, if damage leaves fewer of them.
    """

    def __init__(
        self,
        path: Path,
        look: FirstLook,
        video: VideoStream,
        wanted: Range,
        warn: Callable[[str], None],
    ) -> None:
        self._path = path
        self._look = look
        self._video = video
        self._in_decoder: deque[Fraction] | None = deque() if video.codec_context.codec.intra_only else None
        self._start, self._begin = wanted.start, wanted.begin
        self._warn = warn
        self._newest: Fraction | None = None
        self._met: tuple[DecodeError, Fraction] | None = None

    def note(self, packet: AVPacket[Stream]) -> None:
        """A packet was read."""
        timing, tick = self._look.timing, self._look.info.time_base
        position = packet.dts if timing == "dts" else packet.pts
        if packet.stream is not self._video or position is None or timing == "count":
            return
        moment = (position - self._look.first_dts if timing == "dts" else position) * tick
        self._newest = moment if self._newest is None else max(moment, self._newest)
        if self._in_decoder is not None and self._start is not None:
            self._in_decoder.append(moment)

    def meet(self, error: DecodeError, cause: Exception | None = None) -> None:
        """Something is damaged in the packets read so far.

        Raises:
            DecodeError: ``error``, unless all of them lie before the start.
        """
        latest = self._in_decoder.popleft() if self._in_decoder else self._newest
        if self._start is None or latest is None or latest >= self._start:
            raise error from cause
        self._met = (error, latest)

    def reaches(self, item: DecodedFrame) -> bool:
        """Whether a frame that came out of the decoder may refer to what is damaged, and is not to be used.

        Raises:
            DecodeError: it is asked for.
        """
        while self._in_decoder and self._in_decoder[0] <= item.time:
            self._in_decoder.popleft()
        if self._met is None or self._start is None:
            return False
        error, newest = self._met
        if item.frame.key_frame and newest < item.time < self._start + 1 / self._look.info.average_rate:
            self._met = None
            if self._begin is not None and item.time > self._begin:
                at = f"{float(item.time - self._look.origin):.3f} s"
                self._warn(f"{self._path} is damaged before the range; frames that warm the filter up begin at {at}.")
            return False
        if item.time >= self._start:
            raise error
        return True

    def check(self) -> None:
        """At the end of the file.

        Raises:
            DecodeError: nothing whole came behind the damage.
        """
        if self._met is not None:
            raise self._met[0]
