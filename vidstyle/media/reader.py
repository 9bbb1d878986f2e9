"""Streaming decode: one pass over a file gives its frames, upright and in RGB, and every other packet untouched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import torch
from av import Packet as AVPacket
from av import VideoFrame as AVFrame
from av.container import InputContainer
from av.stream import Discard, Stream

from vidstyle.errors import ConfigError, DecodeError, OpenError
from vidstyle.frames import Packet, VideoFrame, VideoInfo
from vidstyle.media.color import RgbDecoder
from vidstyle.media.containers import declares_duration, has_no_timestamps
from vidstyle.media.failures import reason
from vidstyle.media.probe import StreamInfo, describe_streams, look_at, main_video, open_container
from vidstyle.media.timestamps import FrameClock, to_ticks
from vidstyle.media.window import DecodedFrame, Window

# A header may promise a little more than there is (a last subtitle, a rounded duration) in an undamaged file.
_DURATION_SLACK_SECONDS = Fraction(1, 2)
_CARRIED = ("audio", "subtitle")
# How far before the start to look for a keyframe, in turn; the last means the beginning of the file.
_SEEK_MARGINS_SECONDS: tuple[int | None, ...] = (0, 2, 10, None)


def open_video(
    path: str | Path,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    shift_to_zero: bool = True,
    on_warning: Callable[[str], None] | None = None,
) -> VideoReader:
    """Open a clip for one pass over it.

    Args:
        path: a local video file.
        start_seconds: first moment wanted, on the clip's own clock (what ``VideoFrame.seconds`` says without it).
            The first frame given is the first whose time is not before it.
        end_seconds: no frame or sound from this moment on.
        shift_to_zero: with ``start_seconds``, move all timestamps so that the first frame is at 0 and the sound stays
            in sync; False keeps the clip's own times.
        on_warning: called with a sentence for what cannot be kept or had to be repaired.

    Raises:
        OpenError: missing, a directory, empty, not a media file, or ``start_seconds`` past its end.
        UnsupportedMediaError: no video stream, or no decoder for it.
        DecodeError: no frame can be decoded. Iterating raises it too, where the file is damaged or breaks off.
        ConfigError: ``start_seconds`` or ``end_seconds`` cannot be used.
    """
    for name, value in (("start", start_seconds), ("end", end_seconds)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"The {name} must be a number of seconds from 0 up, got {value}.")
    if end_seconds is not None and end_seconds <= (start_seconds or 0):
        raise ConfigError(f"The end ({end_seconds:g} s) must be later than the start ({start_seconds or 0:g} s).")
    return VideoReader(Path(path), start_seconds, end_seconds, shift_to_zero, on_warning)


class VideoReader:
    """An open clip; ``open_video`` makes it. Iterate once, from one thread.

    Attributes:
        path: the file.
        info: what is known about the picture.
        streams: every stream of the file.
        start: first moment wanted, in seconds, exact; None for the beginning.
        end: first moment not wanted any more; None for the end of the clip.
        shifts_to_zero: timestamps are moved so that the first frame is at 0.
        container: PyAV's open file, for ``vidstyle.media`` only.
        video_stream: PyAV's stream that frames come from, for ``vidstyle.media`` only.
        warnings: sentences about what could not be kept or had to be repaired, so far.
    """

    path: Path
    info: VideoInfo
    streams: tuple[StreamInfo, ...]
    warnings: list[str]

    def __init__(
        self,
        path: Path,
        start_seconds: float | None,
        end_seconds: float | None,
        shift_to_zero: bool,
        on_warning: Callable[[str], None] | None,
    ) -> None:
        self.path = path
        self.warnings = []
        self._on_warning = on_warning
        self.info, self._orientation = look_at(path, self._warn)
        self.start = _exact(start_seconds) if start_seconds else None
        self.end = None if end_seconds is None else _exact(end_seconds)
        self.shifts_to_zero = shift_to_zero and self.start is not None
        self._iterated = False
        self._past_end = False  # a frame at or after ``end`` was decoded
        self._last_pts: int | None = None
        self.container: InputContainer = open_container(path)
        try:
            self.video_stream = main_video(self.container, path)
            self.video_stream.thread_type = "AUTO"
            self._by_index = has_no_timestamps(self.container.format.name)
            self.streams = describe_streams(self.container, self.video_stream)
            self._check_start()
        except BaseException:
            self.container.close()
            raise

    @property
    def other_streams(self) -> tuple[StreamInfo, ...]:
        """Every stream but the picture frames come from."""
        return tuple(stream for stream in self.streams if not stream.is_main_video)

    def close(self) -> None:
        """Release the file."""
        self.container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[VideoFrame | Packet]:
        """Frames in display order and packets in file order.

        Raises:
            DecodeError: the file is damaged or breaks off.
            OpenError: no frame lies within the wanted time.
        """
        if self._iterated:
            raise RuntimeError("a clip can be iterated once; open it again")
        self._iterated = True
        items = self._decoded()
        window = None
        if self.start is not None or self.end is not None:
            has_packets = any(s.type in _CARRIED for s in self.streams)
            window = Window(self.start, self.end, self.shifts_to_zero, has_packets)
            items = window.select(items)
        to_rgb = RgbDecoder(self.info.color, self.info.width, self.info.height)
        for item in items:
            yield self._picture(item, to_rgb) if isinstance(item, DecodedFrame) else item
        if window is not None and window.num_frames == 0:
            raise self._no_frame()

    def _decoded(self) -> Iterator[DecodedFrame | Packet]:
        """Everything from the seek point on, with the clip's own timestamps."""
        carried = [s for s in self.container.streams if s.type in _CARRIED]
        for stream in self.container.streams:
            if stream is not self.video_stream and stream not in carried:
                stream.discard = Discard.all
        clock = FrameClock(
            self.info.time_base,
            self.info.average_rate,
            self._by_index,
            lambda: self._warn(f"{self.path} has missing or repeated timestamps; they were repaired from its rate."),
        )
        last_end: Fraction | None = None
        for packet in self._demux((self.video_stream, *carried)):
            if packet.size and packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                last_end = end if last_end is None else max(last_end, end)
            if packet.stream is self.video_stream:
                for frame in () if self._past_end else self._decode(packet):
                    self._last_pts = clock.stamp(frame.pts)
                    self._past_end = self.end is not None and self._last_pts * self.info.time_base >= self.end
                    yield DecodedFrame(frame, self._last_pts, self.info.time_base)
            elif packet.size:
                yield Packet(packet.stream_index, packet)
        if not self._past_end:
            self._check_complete(last_end)

    def _demux(self, streams: tuple[Stream, ...]) -> Iterator[AVPacket[Stream]]:
        try:
            self._seek()
            for packet in self.container.demux(streams):
                if packet.is_corrupt and packet.stream is self.video_stream and declares_duration(self._format_name):
                    if self._past_end:  # what is damaged is not asked for
                        return
                    raise self._broken_off()
                yield packet
        except av.FFmpegError as error:
            if self._past_end:
                return
            raise DecodeError(
                f"{self.path} cannot be read on after {self._position()} ({reason(error)}); the file is damaged, "
                "copy it again or end before that with --end.",
                self.path,
                self._last_pts,
            ) from error

    def _decode(self, packet: AVPacket[Stream]) -> list[AVFrame]:
        try:
            return self.video_stream.decode(packet if packet.size else None)
        except av.FFmpegError as error:
            raise DecodeError(
                f"{self.path} is damaged after {self._position()} ({reason(error)}); copy it again or end before that "
                "with --end.",
                self.path,
                self._last_pts,
            ) from error

    def _picture(self, decoded: DecodedFrame, to_rgb: RgbDecoder) -> VideoFrame:
        frame = decoded.frame
        if frame.is_corrupt:
            self._warn_once(f"{self.path} has damaged frames, first at {self._position()}; they are kept.")
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            self._warn_once(
                f"{self.path} changes its size, first at {self._position()} to {frame.width}x{frame.height}; "
                f"its frames are scaled to {self.info.width}x{self.info.height}."
            )
        try:
            rgb = self._orientation.apply(to_rgb(frame))
        except av.FFmpegError as error:
            raise DecodeError(
                f"A frame of {self.path} at {self._position()} ({frame.format.name}) cannot be converted to RGB "
                f"({reason(error)}); convert the clip to H.264 first.",
                self.path,
                decoded.pts,
            ) from error
        duration = 1 if self._by_index else frame.duration or None
        return VideoFrame(torch.from_numpy(rgb).permute(2, 0, 1), decoded.pts, decoded.time_base, duration)

    def _seek(self) -> None:
        """Place the demuxer so that the first frame decoded is not after the start."""
        if self.start is None or self._by_index:
            return
        for margin in _SEEK_MARGINS_SECONDS:
            target = None if margin is None else self.start - margin
            if target is None or target <= 0:
                self._seek_to(None)
                return
            self._seek_to(target)
            # A keyframe's decode time can lie before the start and its display time behind it.
            frame = next((f for p in self.container.demux(self.video_stream) for f in p.decode()), None)
            self._seek_to(target)
            if frame is not None and frame.pts is not None and frame.pts * self.info.time_base <= self.start:
                return

    def _seek_to(self, seconds: Fraction | None) -> None:
        first = min(self.video_stream.start_time or 0, 0)
        ticks = first if seconds is None else to_ticks(seconds, self.info.time_base)
        self.container.seek(ticks, stream=self.video_stream)

    def _check_start(self) -> None:
        duration = self.info.duration_seconds
        if self.start is None or duration is None or not declares_duration(self._format_name):
            return
        first = float((self.video_stream.start_time or 0) * self.info.time_base)
        if self.start >= _exact(first + duration):
            where = "" if not first else f" (it runs from {first:.3f} s to {first + duration:.3f} s)"
            raise OpenError(
                f"{self.path} is {duration:.3f} s long{where}, it has no frame at {float(self.start):g} s; "
                "use an earlier time.",
                self.path,
            )

    def _no_frame(self) -> OpenError:
        start = float(self.start or 0)
        last = float((self._last_pts or 0) * self.info.time_base)
        if last < start:
            msg = f"The last frame of {self.path} is at {last:.3f} s, it has none at {start:g} s; use an earlier time."
        else:
            first = float((self.video_stream.start_time or 0) * self.info.time_base)
            msg = (
                f"{self.path} has no frame between {start:g} s and {float(self.end or 0):g} s; "
                f"widen the range, its first frame is at {first:.3f} s."
            )
        return OpenError(msg, self.path)

    def _check_complete(self, last_end: Fraction | None) -> None:
        """Demuxers take a file that was cut off for one that ended; its header knows better."""
        duration = self.container.duration
        if self._last_pts is None:
            raise DecodeError(
                f"{self.path} has a video stream without a single frame; export it again.", self.path, None
            )
        if duration is None or last_end is None or not declares_duration(self._format_name):
            return
        # Matroska writes the time of the end, MP4 the length.
        start = 0 if self._format_name.startswith("matroska") else self.container.start_time or 0
        promised = Fraction(start + duration, av.time_base)
        if last_end < promised - _DURATION_SLACK_SECONDS:
            raise self._broken_off()

    def _broken_off(self) -> DecodeError:
        duration = (self.container.duration or 0) / av.time_base
        return DecodeError(
            f"{self.path} breaks off after {self._position()} of {duration:.3f} s: the file is truncated; "
            "copy it again or end before that with --end.",
            self.path,
            self._last_pts,
        )

    @property
    def _format_name(self) -> str:
        return self.container.format.name

    def _position(self) -> str:
        return f"{float((self._last_pts or 0) * self.info.time_base):.3f} s"

    def _warn_once(self, sentence: str) -> None:
        kind = sentence[: sentence.find(", first at ")]
        if not any(known.startswith(kind) for known in self.warnings):
            self._warn(sentence)

    def _warn(self, sentence: str) -> None:
        self.warnings.append(sentence)
        if self._on_warning is not None:
            self._on_warning(sentence)


def _exact(seconds: float) -> Fraction:
    # 0.1 typed by a person means a tenth, not the float nearest to it.
    return Fraction(str(seconds))
