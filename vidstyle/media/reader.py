"""Streaming decode: one pass over a file gives its frames, upright and in RGB, and every other packet untouched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from av import VideoFrame as AVFrame
from av.container import InputContainer
from av.stream import Discard

from vidstyle.errors import ConfigError, DecodeError, OpenError, UnsupportedMediaError
from vidstyle.frames import Packet, VideoFrame, VideoInfo
from vidstyle.media.closing import Closing
from vidstyle.media.constant_rate import at_constant_rate
from vidstyle.media.decoded import DecodedFrame
from vidstyle.media.decoding import Decoding
from vidstyle.media.deinterlace import deinterlaced, field_order
from vidstyle.media.failures import reason
from vidstyle.media.index import frame_times
from vidstyle.media.orientation import Orientation
from vidstyle.media.probe import StreamInfo, describe_streams, look_at, main_video, open_container, threads_for
from vidstyle.media.ranges import RangeRequest, moment_of, resolve_range
from vidstyle.media.stored import StoredPicture
from vidstyle.media.transfer import display_curve
from vidstyle.media.window import Window
from vidstyle.moments import Timecode, parse_rate

if TYPE_CHECKING:
    from vidstyle.media.pixels import PictureDecoder

_CARRIED = ("audio", "subtitle")

_LEFT_OUT = "which is left out; --alpha keep carries it to formats that have it."


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader does on the way; see ``open_video``."""

    range: RangeRequest = field(default_factory=RangeRequest)
    shift_to_zero: bool = True
    fps: Fraction | None = None
    video_stream: int | None = None
    deinterlace: bool = False
    on_error: Literal["stop", "skip"] = "stop"
    alpha: bool = False


def open_video(
    path: str | Path,
    *,
    start_seconds: float | str | Fraction | None = None,
    end_seconds: float | str | Fraction | None = None,
    frames: str | None = None,
    handles: int = 0,
    warmup_frames: int = 0,
    from_shown: bool = False,
    shift_to_zero: bool = True,
    fps: str | Fraction | None = None,
    video_stream: int | None = None,
    deinterlace: bool = False,
    on_error: Literal["stop", "skip"] = "stop",
    alpha: Literal["drop", "keep"] = "drop",
    on_warning: Callable[[str], None] | None = None,
) -> VideoReader:
    """Open a clip for one pass over it.

    Args:
        path: a local video file.
        start_seconds: first moment wanted, counted from the clip's first frame as a player does: seconds, or a timecode
            (``hh:mm:ss:ff``, or ``hh:mm:ss;ff`` for drop-frame), which counts from the clip's own where it carries one.
            The first frame given is the first whose time is not before it.
        end_seconds: no frame or sound from this moment on; written alike.
        frames: ``A-B``, first and last frame wanted, counted from 0; instead of start and end.
        handles: so many frames more on both sides of the range, as far as the clip has them.
        warmup_frames: so many frames more before the start, without sound, for the temporal filter to see;
            ``VideoReader.first_seconds`` tells them from those that are wanted.
        from_shown: start with the frame that is shown at the start, which may have begun before it.
        shift_to_zero: where there is a start, move all timestamps so that the first frame is at 0 and the sound stays
            in sync; False keeps the clip's own times.
        fps: drop and repeat frames until the rate is this; None keeps every frame and its time.
        video_stream: which picture of several, counted from 0 as FFmpeg's ``v:N``; None takes the default one.
        deinterlace: turn interlaced frames into progressive ones.
        on_error: ``skip`` goes on behind damage; the last good frame stands in for lost ones, a file that breaks off
            ends with its last good frame, and a warning names each place.
        alpha: ``keep`` gives the opacity of clips that have it, as ``VideoFrame.alpha``.
        on_warning: called with a sentence for what cannot be kept or had to be repaired.

    Raises:
        OpenError: missing, a directory, empty, not a media file, or a range past its end.
        UnsupportedMediaError: no video stream, no decoder for it, too large a picture, or an interlaced one without
            ``deinterlace``.
        DecodeError: no frame can be decoded. Iterating raises it too, where the file is damaged or breaks off.
        ConfigError: the range, the rate or the stream cannot be used.
    """
    try:
        rate = parse_rate(str(fps)) if fps is not None else None
    except ValueError as error:
        raise ConfigError(f"The rate cannot be used: {error}.") from error
    wanted = RangeRequest(start_seconds, end_seconds, frames, handles, warmup_frames, from_shown)
    options = ReadOptions(wanted, shift_to_zero, rate, video_stream, deinterlace, on_error, alpha == "keep")
    return VideoReader(Path(path), options, on_warning)


class VideoReader(Closing):
    """An open clip; ``open_video`` makes it. Iterate once, from one thread.

    Attributes:
        path: the file.
        info: what is known about the picture.
        streams: every stream of the file.
        origin: moment that times people give count from, in seconds on the clip's own clock.
        start: first moment wanted, in seconds on the clip's own clock, exact; None for the beginning.
        end: first moment not wanted any more, likewise; None for the end of the clip.
        shifts_to_zero: timestamps are moved so that the first frame is at 0.
        container: PyAV's open file, for ``vidstyle.media`` only.
        video_stream: PyAV's stream that frames come from, for ``vidstyle.media`` only.
        keeps_alpha: the clip has opacity, and frames carry it.
        hdr: HDR metadata of the clip; None where it has none.
        curve: what makes the frames of an HDR clip display-referred, and has to be undone; None for SDR.
        keeps_stored: frames carry the decoder's samples too; to be set before iterating.
        warnings: sentences about what could not be kept or had to be repaired, so far.
    """

    path: Path
    info: VideoInfo
    streams: tuple[StreamInfo, ...]
    warnings: list[str]

    def __init__(self, path: Path, options: ReadOptions, on_warning: Callable[[str], None] | None) -> None:
        self.path = path
        self.warnings = []
        self._options = options
        self._on_warning = on_warning
        # What is damaged before the range is none of its business.
        on_error = "skip" if options.range.start is not None or options.range.frames is not None else options.on_error
        look = look_at(path, self._warn, stream_number=options.video_stream, on_error=on_error)
        self._look = look
        self._orientation = look.orientation
        self.origin = look.origin
        self.info = _as_given(look.info, options)
        if look.info.is_interlaced and not options.deinterlace:
            raise UnsupportedMediaError(
                f"{path} is interlaced: its pictures are two moments in one; pass --deinterlace to make them whole.",
                path,
            )
        self.keeps_alpha = options.alpha and self.info.has_alpha
        # Every GIF could be, few are.
        self._may_be_transparent = self.info.codec == "gif" and not options.alpha
        self.hdr = look.hdr
        self.curve = display_curve(self.info.color, look.hdr.peak if look.hdr is not None else None)
        self._note_picture()
        self._range = resolve_range(path, look, options.range, fps=options.fps, warn=self._warn)
        self.start, self.end = self._range.start, self._range.end
        self.shifts_to_zero = options.shift_to_zero and self.start is not None
        self._iterated = False
        self._window: Window | None = None
        self.keeps_stored = False
        self.container: InputContainer = open_container(path)
        try:
            self.video_stream = main_video(self.container, path, look.stream_number)
            self.video_stream.thread_type = threads_for(look.info)
            self.streams = describe_streams(self.container, self.video_stream)
        except BaseException:
            self.container.close()
            raise

    @property
    def skips_damage(self) -> bool:
        """What is damaged is left out instead of being an error."""
        return self._options.on_error == "skip"

    @property
    def first_seconds(self) -> float | None:
        """Frames before this time (``VideoFrame.seconds``) are for warming up; None where there are none."""
        if self.start is None:
            return None
        return 0.0 if self.shifts_to_zero else float(self.start)

    @property
    def num_frames_expected(self) -> int | None:
        """How many frames will come, for progress only, without those for warming up; None where nothing is known."""
        if self.start is None and self.end is None:
            return self.info.num_frames_from_header
        last = None if self.info.duration_seconds is None else self.origin + Fraction(str(self.info.duration_seconds))
        end = min((moment for moment in (self.end, last) if moment is not None), default=None)
        if end is None:
            return None
        # A frame that begins before the end counts; a header's length is rounded.
        return max(math.ceil((end - (self.start or self.origin)) * self.info.average_rate - Fraction(1, 100)), 1)

    @property
    def own_rate(self) -> Fraction:
        """Frames a second of the file, whatever rate it is given."""
        return self._look.info.average_rate

    @property
    def own_seconds(self) -> Fraction | None:
        """How long the file is; None where that is unknown."""
        duration = self._look.info.duration_seconds
        return None if duration is None else Fraction(str(duration))

    def moment(self, value: float | str | Fraction) -> Fraction:
        """Seconds from the clip's first frame, of seconds or of a timecode.

        Raises:
            ConfigError: it cannot be read, or is none of this clip's.
        """
        return moment_of(value, self._look, "moment", self._options.fps)

    def frame_seconds(self) -> list[Fraction]:
        """When each of the clip's frames starts, counted from its first frame; read from the packets alone."""
        return [time - self.origin for time in frame_times(self.path, self._look)]

    def clip_seconds(self, frame: VideoFrame) -> Fraction:
        """When a frame of this reader starts, counted from the clip's first frame, wherever the range begins.

        At a constant rate that is the own time of the picture when it is first shown, which may be a little earlier or
        later: mattes and shots go with their pictures.
        """
        if frame.own_time is not None:
            return frame.own_time - self.origin
        time = frame.pts * frame.time_base
        if not self.shifts_to_zero or self.start is None:
            return time - self.origin
        # What warms up was shifted by the start, for the first frame's time was not known then.
        first = self._window.first if self._window is not None and frame.pts >= 0 else None
        return time - self.origin + (self.start if first is None else first)

    @property
    def start_timecode(self) -> Timecode | None:
        """What the clip's first frame, not that of the range, is labelled with; None where it has no label."""
        return self._look.start_timecode

    @property
    def other_streams(self) -> tuple[StreamInfo, ...]:
        """Every stream but the picture frames come from."""
        return tuple(stream for stream in self.streams if not stream.is_main_video)

    def close(self) -> None:
        """Release the file."""
        self.container.close()

    def __iter__(self) -> Iterator[VideoFrame | Packet]:
        """Frames in display order and packets in file order.

        Raises:
            DecodeError: the file is damaged or breaks off.
            OpenError: no frame lies within the wanted time.
        """
        # Whoever only opens a clip, to see what it is, need not wait for torch.
        from vidstyle.media.pixels import PictureDecoder  # noqa: PLC0415

        if self._iterated:
            raise RuntimeError("a clip can be iterated once; open it again")
        self._iterated = True
        carried = [s for s in self.container.streams if s.type in _CARRIED]
        for stream in self.container.streams:
            if stream is not self.video_stream and stream not in carried:
                stream.discard = Discard.all
        decoding = Decoding(
            self.path,
            self.container,
            self.video_stream,
            self._look,
            wanted=self._range,
            on_error=self._options.on_error,
            warn=self._warn,
            alpha=self.keeps_alpha,
        )
        items = decoding.items(carried)
        if self._options.deinterlace:
            header_only = self._look.info.is_interlaced and not self._look.frame_is_flagged
            items = deinterlaced(items, header_order=field_order(self.video_stream) if header_only else None)
        if self._options.fps is not None:
            items = at_constant_rate(items, self._options.fps, self.end)
        window = None
        if self.start is not None or self.end is not None:
            window = self._window = Window(self._range, self.shifts_to_zero, self.info.average_rate)
            items = window.select(items)
        to_rgb = PictureDecoder(self.info, self._orientation, alpha=self.keeps_alpha, curve=self.curve)
        for item in items:
            yield self._picture(item, to_rgb, decoding) if isinstance(item, DecodedFrame) else item
            del item  # or its picture stays in memory while the next is decoded
        if window is not None and window.num_frames == 0:
            raise self._no_frame(decoding)

    def _picture(self, decoded: DecodedFrame, to_rgb: PictureDecoder, decoding: Decoding) -> VideoFrame:
        frame, position = decoded.frame, decoding.position()
        if frame.interlaced_frame and not self._options.deinterlace:
            self._warn_once(f"{self.path} has interlaced frames, first at {position}; pass --deinterlace.")
        if frame.is_corrupt:
            self._warn_once(f"{self.path} has damaged frames, first at {position}; they are kept.")
        if (frame.width, frame.height) != (self.info.width, self.info.height):
            self._warn_once(
                f"{self.path} changes its size, first at {position} to {frame.width}x{frame.height}; "
                f"its frames are scaled to {self.info.width}x{self.info.height}."
            )
        if self._may_be_transparent and _is_transparent(frame):
            self._warn_once(f"{self.path} has opacity, first at {position}, {_LEFT_OUT}")
        try:
            data, alpha = to_rgb(frame)
        except av.FFmpegError as error:
            raise DecodeError(
                f"A frame of {self.path} at {position} ({frame.format.name}) cannot be converted to RGB "
                f"({reason(error)}); convert the clip to H.264 first.",
                self.path,
                decoded.pts,
            ) from error
        as_it_is = self.keeps_stored and self._orientation == Orientation()
        stored = StoredPicture(frame, data) if as_it_is else None
        return VideoFrame(data, decoded.pts, decoded.time_base, decoded.duration, alpha, stored, decoded.own_time)

    def _note_picture(self) -> None:
        if self.info.has_alpha and not self._options.alpha and not self._may_be_transparent:
            self._warn(f"{self.path} has opacity, {_LEFT_OUT}")
        if self.curve is not None:
            name = "HLG" if self.curve.transfer == "arib-std-b67" else "PQ"
            self._warn(
                f"{self.path} is HDR ({name}): the style sees its light, up to {self.curve.peak:g} cd/m², fitted to "
                "the range of an ordinary display."
            )

    def _no_frame(self, decoding: Decoding) -> OpenError:
        start = float((self.start or self.origin) - self.origin)
        last = float((decoding.last_pts or 0) * self._look.info.time_base - self.origin)
        if last < start:
            msg = f"The last frame of {self.path} is at {last:.3f} s, it has none at {start:g} s; use an earlier time."
        else:
            first = float(self._look.first_pts * self._look.info.time_base - self.origin)
            msg = (
                f"{self.path} has no frame between {start:g} s and {float((self.end or 0) - self.origin):g} s; "
                f"widen the range, its first frame is at {first:.3f} s."
            )
        return OpenError(msg, self.path)

    def _warn_once(self, sentence: str) -> None:
        kind = sentence[: sentence.find(", first at ")]
        if not any(known.startswith(kind) for known in self.warnings):
            self._warn(sentence)

    def _warn(self, sentence: str) -> None:
        self.warnings.append(sentence)
        if self._on_warning is not None:
            self._on_warning(sentence)


def _as_given(info: VideoInfo, options: ReadOptions) -> VideoInfo:
    if options.deinterlace:
        info = replace(info, is_interlaced=False)
    if options.fps is None:
        return info
    num = None if info.duration_seconds is None else round(info.duration_seconds * options.fps)
    return replace(info, average_rate=options.fps, time_base=1 / options.fps, num_frames_from_header=num)


def _is_transparent(frame: AVFrame) -> bool:
    """Whether any pixel of a picture stored as BGRA is."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(frame.height, plane.line_size)
    return bool(rows[:, 3 : 4 * frame.width : 4].min() < 255)
