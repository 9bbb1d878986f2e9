"""From a file's packets to frames with final times: seeking, demuxing, decoding, and what to do about damage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av import Packet as AVPacket
from av import VideoFrame as AVFrame
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidstyle.errors import DecodeError
from vidstyle.frames import Packet
from vidstyle.media.completeness import lacks_bytes
from vidstyle.media.damage import Concealer, Shown
from vidstyle.media.decoded import DecodedFrame
from vidstyle.media.early_damage import EarlyDamage
from vidstyle.media.failures import reason
from vidstyle.media.gaps import Gaps
from vidstyle.media.hidden_alpha import alpha_decoder
from vidstyle.media.holes import Holes
from vidstyle.media.probe import FirstLook
from vidstyle.media.ranges import Range
from vidstyle.media.timestamps import FrameClock, to_ticks

# A header may promise a little more than there is (a last subtitle, a rounded duration) in an undamaged file.
_DURATION_SLACK_SECONDS = Fraction(1, 2)
# How far before the start to look for a keyframe, in turn; the last means the beginning of the file.
_SEEK_MARGINS_SECONDS: tuple[int | None, ...] = (0, 2, 10, None)
# Sound of a moment may lie this much later in the file than its picture.
_INTERLEAVING_SECONDS = 3
# A demuxer that fails so often in a row finds nothing more.
_MAX_FAILURES = 100
# Behind a pause of the picture so many packets wait for the sound to say whether something was lost.
_MAX_WAITING = 100


class Decoding:
    """One pass over an open file.

    Attributes:
        last_pts: of the last frame that was decoded, in the clip's ticks; None before the first.
    """

    def __init__(
        self,
        path: Path,
        container: InputContainer,
        video: VideoStream,
        look: FirstLook,
        *,
        wanted: Range,
        on_error: Literal["stop", "skip"],
        warn: Callable[[str], None],
        alpha: bool = False,
    ) -> None:
        self.last_pts: int | None = None
        self._path = path
        self._container = container
        self._video = video
        self._decoder = (alpha_decoder(video) if alpha else None) or video
        self._look = look
        self._wanted = wanted
        self._skips = on_error == "skip"
        self._warn = warn
        self._past_end = False  # a frame at or after the end of the range was decoded
        self._breaks_off = False
        self._concealer = Concealer()
        # Transport streams have no index that says how many frames there were.
        is_constant = container.format.name == "mpegts" and video.guessed_rate == look.info.average_rate
        sure_rate = look.info.average_rate if is_constant else None
        self._gaps = Gaps(look.info.time_base, sure_rate)
        self._holes = Holes(sure_rate)
        self._early_damage = EarlyDamage(path, look, video, wanted, warn)
        self._last_shown: AVFrame | None = None
        self._num_video_packets = 0
        self._is_suspect = False  # the packet of the picture before was incomplete
        self._has_whole_frame = False
        self._clock = FrameClock(
            look.info.time_base,
            look.info.average_rate,
            look.timing == "count",
            lambda: warn(f"{path} has missing or repeated timestamps; they were repaired from its rate."),
        )

    def items(self, carried: Sequence[Stream]) -> Iterator[DecodedFrame | Packet]:
        """Frames in display order from the seek point on, and packets of other streams in file order.

        Raises:
            DecodeError: the file is damaged or breaks off, unless damage is skipped.
        """
        last_end: Fraction | None = None
        for packet in self._settled(self._demux((self._video, *carried))):
            if packet.size and packet.pts is not None and packet.time_base:
                end = Fraction((packet.pts + (packet.duration or 0)) * packet.time_base)
                last_end = end if last_end is None else max(last_end, end)
            if packet.stream is self._video:
                if not self._past_end:
                    frames = self._decode(packet)
                    while frames:  # none is held on to while the next is decoded: pictures may be huge
                        yield from self._timed(frames.pop(0))
            elif packet.size:
                yield Packet(packet.stream_index, packet)
            if self._past_end and (not carried or self._is_far_behind(packet)):
                break
        if self._skips:
            yield from self._rest()
        self._early_damage.check()
        self._note_pause()
        if not self._past_end:
            self._check_complete(last_end)
            if not self._skips and (lost := self._concealer.never_came()):
                raise self._damaged(f"its last {len(lost)} frames do not decode")

    def position(self) -> str:
        """Where the last frame is, on the clock people read."""
        return f"{float((self.last_pts or 0) * self._look.info.time_base - self._look.origin):.3f} s"

    def _is_far_behind(self, packet: AVPacket[Stream]) -> bool:
        stamp = packet.dts if packet.dts is not None else packet.pts
        end = self._wanted.end
        return None not in (stamp, end) and stamp * packet.time_base >= end + _INTERLEAVING_SECONDS  # type: ignore[operator]

    def _demux(self, streams: tuple[Stream, ...]) -> Iterator[AVPacket[Stream]]:
        failures = 0
        begun = False
        while True:
            try:
                if not begun:
                    self._seek()
                    begun = True
                for packet in self._container.demux(streams):
                    failures = 0
                    self._early_damage.note(packet)
                    if packet.is_corrupt and packet.stream is self._video and self._look.declares_duration:
                        if self._past_end:  # what is damaged is not asked for
                            return
                        if not self._skips:
                            raise self._broken_off()
                        self._breaks_off = True
                        self._concealer.damage(self._key(packet))
                        continue
                    if packet.stream is self._video and packet.size and not self._look.declares_duration:
                        self._inspect(packet)
                    yield packet
            except av.FFmpegError as error:
                if self._past_end:
                    return
                if not self._skips:
                    self._early_damage.meet(self._unreadable(reason(error)), error)
                failures += 1
                begun = begun or failures > 1
                if failures > _MAX_FAILURES:
                    self._breaks_off = True
                    return
            else:
                return

    def _inspect(self, packet: AVPacket[Stream]) -> None:
        """Look for losses in a stream without an index, where demuxers flag the packet that they met them in.

        A recording may begin and end within a packet: the first and the last are not held against it.
        """
        if self._is_suspect and not self._skips and not self._past_end:
            self._early_damage.meet(self._damaged("packets are lost"))
        self._is_suspect = packet.is_corrupt and self._num_video_packets > 0
        if self._is_suspect and self._skips:
            self._gaps.expected = True
            self._concealer.distrust(self._key(packet))
        self._num_video_packets += 1

    def _settled(self, packets: Iterable[AVPacket[Stream]]) -> Iterator[AVPacket[Stream]]:
        """Packets as they come; where the picture pauses they wait for the sound to say whether something was lost."""
        waiting: list[AVPacket[Stream]] = []
        for packet in packets:
            waiting.append(packet)
            if self._holes.push(packet):
                if self._skips:
                    self._gaps.expected = True
                elif not self._past_end:
                    self._early_damage.meet(self._damaged("packets are lost"))
            if not self._holes.is_pending or len(waiting) > _MAX_WAITING:
                yield from waiting
                waiting.clear()
        yield from waiting

    def _decode(self, packet: AVPacket[Stream]) -> list[AVFrame]:
        key = self._key(packet) if packet.size else None
        try:
            frames = self._decoder.decode(packet if packet.size else None)
        except av.FFmpegError as error:
            if self._skips:
                self._breaks_off = False
                self._concealer.damage(key)
                return []
            self._early_damage.meet(self._damaged(reason(error)), error)
            return []
        if packet.size and not packet.is_discard:
            self._breaks_off = False
            self._concealer.expect(key)
        return frames

    def _key(self, item: AVPacket[Stream] | AVFrame) -> int | None:
        match self._look.timing:
            case "pts":
                return item.pts
            case "dts":
                return item.dts
            case _:
                return None

    def _timed(self, frame: AVFrame) -> Iterator[DecodedFrame]:
        key = self._key(frame)
        if self._skips:
            return self._shown(self._concealer.push(key, frame))
        if frame.is_corrupt and self._has_whole_frame:  # a recording may begin with frames that refer to earlier ones
            self._early_damage.meet(self._damaged("a frame is incomplete"))
        self._has_whole_frame = self._has_whole_frame or not frame.is_corrupt
        self._concealer.arrive(key)
        self._gaps.before(key)
        item = self._stamped(frame, key)
        return iter(() if self._early_damage.reaches(item) else (item,))

    def _shown(self, pictures: Iterable[Shown]) -> Iterator[DecodedFrame]:
        for shown in self._without_gaps(pictures):
            item = self._stamped(shown.picture, shown.key)
            self._concealer.note(shown, item.time)
            yield item

    def _without_gaps(self, pictures: Iterable[Shown]) -> Iterator[Shown]:
        for shown in pictures:
            for key in self._gaps.before(shown.key):
                yield Shown(key, self._last_shown or shown.picture, stands_in=True)
            self._last_shown = shown.picture
            yield shown

    def _stamped(self, frame: AVFrame, key: int | None) -> DecodedFrame:
        if self._look.timing == "dts":
            key = (self.last_pts + 1 if self.last_pts is not None else 0) if key is None else key - self._look.first_dts
        self.last_pts = self._clock.stamp(key)
        tick, end = self._look.info.time_base, self._wanted.end
        self._past_end = self._past_end or (end is not None and self.last_pts * tick >= end)
        return DecodedFrame(frame, self.last_pts, tick, 1 if self._look.timing == "count" else frame.duration or None)

    def _rest(self) -> Iterator[DecodedFrame]:
        """What is left behind the last packet, and a word on every place that was damaged."""
        if not self._past_end:
            yield from self._shown(self._concealer.flush(is_whole=not self._breaks_off))
        for sentence in self._concealer.sentences(self._look.origin):
            self._warn(f"{self._path} {sentence}.")

    def _seek(self) -> None:
        """Place the demuxer so that the first frame decoded is not after the range's begin."""
        begin = self._wanted.begin
        if begin is None or self._look.timing != "pts":
            return
        if self._look.info.is_interlaced:
            begin -= 2 / self._look.info.average_rate  # the deinterlacer looks at the frame before
        for margin in _SEEK_MARGINS_SECONDS:
            target = None if margin is None else begin - margin
            if target is None or target <= 0:
                self._seek_to(None)
                return
            self._seek_to(target)
            # A keyframe's decode time can lie before the start and its display time behind it.
            frame = self._peek()
            self._seek_to(target)
            if frame is not None and frame.pts is not None and frame.pts * self._look.info.time_base <= begin:
                return

    def _peek(self) -> AVFrame | None:
        try:
            return next((f for p in self._container.demux(self._video) for f in p.decode()), None)
        except av.FFmpegError:
            return None

    def _seek_to(self, seconds: Fraction | None) -> None:
        first = min(self._video.start_time or 0, 0)
        ticks = first if seconds is None else to_ticks(seconds, self._look.info.time_base)
        self._container.seek(ticks, stream=self._video)

    def _note_pause(self) -> None:
        if self._gaps.unexplained is None:
            return
        last, following = (float(pts * self._look.info.time_base - self._look.origin) for pts in self._gaps.unexplained)
        self._warn(
            f"{self._path} has no frame between {last:.3f} s and {following:.3f} s: packets may be lost there, or the "
            "clip pauses; it is kept as it is."
        )

    def _check_complete(self, last_end: Fraction | None) -> None:
        """Demuxers take a file that was cut off for one that ended; its header knows better."""
        duration = self._container.duration
        if self.last_pts is None:
            raise DecodeError(
                f"{self._path} has a video stream without a single frame; export it again.", self._path, None
            )
        if duration is None or last_end is None or not self._look.declares_duration:
            return
        # Matroska writes the time of the end, MP4 the length.
        start = 0 if self._container.format.name.startswith("matroska") else self._container.start_time or 0
        missing = Fraction(start + duration, av.time_base) - last_end
        is_short = lacks_bytes(self._path, self._container.format.name, self._video)
        # Another picture, which is not read, may go on for longer.
        is_alone = all(
            stream is self._video or stream.disposition & Disposition.attached_pic
            for stream in self._container.streams.video
        )
        if (
            self._breaks_off
            or (missing > _DURATION_SLACK_SECONDS and is_alone)
            or (is_short and missing > 1 / self._look.info.average_rate)
        ):
            error = self._broken_off()
            if not self._skips:
                raise error
            self._warn(f"{self._path} breaks off: it ends at {self.position()}, its last good frame.")

    def _unreadable(self, why: str) -> DecodeError:
        return DecodeError(
            f"{self._path} cannot be read on after {self.position()} ({why}); the file is damaged, copy it again, end "
            "before that with --end, or pass --on-error skip.",
            self._path,
            self.last_pts,
        )

    def _damaged(self, why: str) -> DecodeError:
        return DecodeError(
            f"{self._path} is damaged after {self.position()} ({why}); copy it again, end before that with --end, or "
            "pass --on-error skip.",
            self._path,
            self.last_pts,
        )

    def _broken_off(self) -> DecodeError:
        duration = (self._container.duration or 0) / av.time_base
        return DecodeError(
            f"{self._path} breaks off after {self.position()} of {duration:.3f} s: the file is truncated; copy it "
            "again, end before that with --end, or pass --on-error skip.",
            self._path,
            self.last_pts,
        )
