"""A first look at a clip, and at what this FFmpeg can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
from av import VideoFrame as AVFrame
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidstyle.errors import ConfigError, DecodeError, OpenError, UnsupportedMediaError
from vidstyle.frames import VideoInfo
from vidstyle.media.color import HDR_TRANSFERS, bit_depth, has_alpha, resolve_color, unconvertible_matrix
from vidstyle.media.containers import Timing, declares_duration, is_playlist, is_text, timing_of
from vidstyle.media.failures import reason
from vidstyle.media.hdr import HdrMetadata, hdr_metadata
from vidstyle.media.hidden_alpha import hides_alpha
from vidstyle.media.orientation import Orientation, orientation_of
from vidstyle.media.tags import stream_title
from vidstyle.moments import MAX_RATE, Timecode, parse_moment, standard_rate

Warn = Callable[[str], None]

#: Largest picture that is read, in pixels; 8K film is 8192x4320. A file of a few bytes can announce one that fills the
#: memory.
MAX_PIXELS = 8192 * 4608
# Decoding several frames at once keeps as many in memory.
_MAX_PARALLEL_PIXELS = 4096 * 4096

_FALLBACK_RATE = Fraction(25)
# Sound that starts so little before the picture is the run-in of its encoder; a clip starts with its picture then.
_RUN_IN_SECONDS = Fraction(15, 100)
_INTERLACED_ORDERS = (2, 3, 4, 5)  # AV_FIELD_TT, BB, TB, BT


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a source, for reports and for planning an output.

    Attributes:
        index: position in the file.
        type: ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``.
        codec: such as ``aac``; empty where it is unknown.
        language: as tagged, such as ``eng``; None where untagged.
        title: as tagged.
        is_main_video: this is the picture that frames come from.
    """

    index: int
    type: str
    codec: str
    language: str | None
    title: str | None
    is_main_video: bool

    def describe(self) -> str:
        """Such as ``audio #1 [eng] (aac)``."""
        language = f" [{self.language}]" if self.language else ""
        return f"{self.type} #{self.index}{language} ({self.codec or 'unknown'})"


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What the header and the first frame of a clip say.

    Attributes:
        info: about the picture.
        orientation: how a player turns it.
        stream_number: the picture's number among the video streams.
        timing: where its frame times come from.
        first_pts: of the first frame in the clip's ticks; 0 unless ``timing`` is ``pts``.
        first_dts: position at which the first frame came out of the decoder, for ``dts``.
        origin: moment a player counts from, in seconds on the clip's own clock: that of the first frame, or of sound
            that starts before it.
        start_timecode: what the first frame is labelled with; None where it has no label.
        frame_is_flagged: the first frame itself, not only the header, says that it is interlaced.
        hdr: what it says about its light; None for SDR, and where it says nothing.
        declares_duration: the length is written in the header, not guessed from the file's size.
    """

    info: VideoInfo
    orientation: Orientation
    stream_number: int
    timing: Timing
    first_pts: int
    first_dts: int
    origin: Fraction
    start_timecode: Timecode | None
    frame_is_flagged: bool
    hdr: HdrMetadata | None
    declares_duration: bool


def open_container(path: Path) -> InputContainer:
    """Open a local file for reading.

    Raises:
        OpenError: missing, a directory, empty, unreadable, or not a media file.
    """
    if path.is_dir():
        raise OpenError(f"{path} is a folder, not a video; name a file inside it.", path)
    if not path.exists():
        raise OpenError(f"There is no file {path}; check the name.", path)
    if not path.is_file():
        raise OpenError(f"{path} is not a regular file; copy the clip to a file first.", path)
    try:
        if path.stat().st_size == 0:
            raise OpenError(f"{path} is empty (0 bytes); copy or download it again.", path)
        # An absolute name is never taken for a protocol such as 'concat:', nor '12:30.mp4' for a network address.
        # What a file refers to may be anything, also a pipe that never ends: only the file itself is read.
        container = av.open(
            str(path.absolute()), "r", container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (PermissionError, av.error.PermissionError) as error:
        raise OpenError(f"{path} may not be read; check its permissions.", path) from error
    except av.FFmpegError as error:
        if _starts_like_video(path):
            msg = (
                f"{path} is truncated or was never finished: its index is missing, without which no frame is found, "
                "not even with --on-error skip; copy it again."
            )
        else:
            msg = f"{path} is not a video that can be read ({reason(error)}); name a video file."
        raise OpenError(msg, path) from error
    if is_text(container.format.name) or is_playlist(container.format.name):
        kind = "a playlist" if is_playlist(container.format.name) else "a text file"
        container.close()
        raise OpenError(f"{path} is {kind}, not a video; name a video file.", path)
    return container


def _starts_like_video(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" or head.startswith((b"\x1aE\xdf\xa3", b"RIFF"))


def main_video(container: InputContainer, path: Path, number: int | None = None) -> VideoStream:
    """The stream whose picture is meant: the one asked for, else the default one, or the first; cover art comes last.

    Args:
        container: an open file.
        path: its name, for messages.
        number: which video stream, counted from 0 as FFmpeg's ``v:N`` does; None chooses.

    Raises:
        UnsupportedMediaError: there is none, no decoder for it, or its picture is too large.
        ConfigError: there is no such stream.
    """
    streams = list(container.streams.video)
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UnsupportedMediaError(f"{path} has no video stream (it holds {kinds}); name a file with a picture.", path)
    if number is not None and number >= len(streams):
        has = "one video stream, number 0" if len(streams) == 1 else f"video streams 0 to {len(streams) - 1}"
        raise ConfigError(f"{path} has {has}, and no {number}; see 'vidstyle probe'.")
    wanted = streams if number is None else [streams[number]]
    decodable = [s for s in wanted if s.codec_context is not None]
    if not decodable:
        raise UnsupportedMediaError(
            f"The picture of {path} is in a codec this FFmpeg cannot decode; convert it to H.264 first.", path
        )
    pictures = [s for s in decodable if not s.disposition & Disposition.attached_pic] or decodable
    video = next((s for s in pictures if s.disposition & Disposition.default), pictures[0])
    width, height = video.codec_context.width, video.codec_context.height
    if width * height > MAX_PIXELS:
        raise UnsupportedMediaError(
            f"{path} announces a picture of {width}x{height}; more pixels than 8192x4608 has are not read, scale it "
            "down first.",
            path,
        )
    if not video.codec_context.is_open:
        video.codec_context.options["max_pixels"] = str(MAX_PIXELS)  # the size may still change on the way
    return video


def threads_for(info: VideoInfo) -> Literal["AUTO", "SLICE"]:
    """How a decoder may share its work among threads."""
    return "AUTO" if info.width * info.height <= _MAX_PARALLEL_PIXELS else "SLICE"


def describe_streams(container: InputContainer, video: VideoStream) -> tuple[StreamInfo, ...]:
    """What every stream of an open file is."""
    return tuple(
        StreamInfo(
            index=stream.index,
            type=stream.type,
            codec=_codec_name(stream),
            language=stream.language,
            title=stream_title(stream.metadata),
            is_main_video=stream.index == video.index,
        )
        for stream in container.streams
    )


def _codec_name(stream: Stream) -> str:
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or ""


def look_at(
    path: Path, warn: Warn, *, stream_number: int | None = None, on_error: Literal["stop", "skip"] = "stop"
) -> FirstLook:
    """Decode a clip's first frame, which knows more than the header: colour tags, orientation, pixel format.

    Args:
        path: the file.
        warn: told about what cannot be kept.
        stream_number: which video stream; None chooses.
        on_error: ``skip`` looks on behind damage.

    Raises:
        OpenError, UnsupportedMediaError, ConfigError: as ``open_container`` and ``main_video``.
        DecodeError: there is no frame that can be decoded.
    """
    with open_container(path) as container:
        video = main_video(container, path, stream_number)
        try:
            frame, first_lost = _first_frame(container, video, on_error == "skip")
        except av.FFmpegError as error:
            raise DecodeError(
                f"The first frame of {path} cannot be decoded ({reason(error)}); the file is damaged, or its picture "
                "larger than 8192x4608.",
                path,
            ) from error
        if frame is None:
            raise DecodeError(f"{path} has a video stream without a single frame; export it again.", path)

        # PyAV frees the side data of PNG frames twice, which ends the process sooner or later: it is left alone.
        has_side_data = video.codec_context.name not in ("png", "apng")
        orientation = orientation_of(frame) if has_side_data else Orientation()
        if orientation is None:
            warn(f"{path} asks to be shown turned by an angle that is no quarter turn; it is read as stored.")
            orientation = Orientation()
        matrix = unconvertible_matrix(frame)
        color = resolve_color(frame)
        if matrix is not None:
            warn(f"{path} is tagged with the colour matrix {matrix}, which is not supported; read as {color.matrix}.")
        depth = bit_depth(frame.format.name)
        hdr = hdr_metadata(frame) if color.transfer in HDR_TRANSFERS and has_side_data else None
        rate = _rate(video)
        timing = timing_of(container.format.name)
        time_base = 1 / rate if timing == "count" else Fraction(video.time_base or 1 / rate)
        duration = _duration_seconds(container, video)
        num_frames = video.frames or (None if duration is None else round(duration * rate))
        info = VideoInfo(
            width=frame.width,
            height=frame.height,
            average_rate=rate,
            time_base=time_base,
            color=color,
            rotation_degrees=orientation.rotation_degrees,
            flipped=orientation.flipped,
            sample_aspect_ratio=Fraction(video.sample_aspect_ratio or 1),
            bit_depth=depth,
            codec=_codec_name(video),
            pixel_format=frame.format.name,
            has_alpha=has_alpha(frame.format.name) or hides_alpha(video),
            is_interlaced=frame.interlaced_frame or video.codec_context.field_order in _INTERLACED_ORDERS,
            num_frames_from_header=num_frames,
            duration_seconds=duration,
        )
        stamps = [stamp for stamp in (frame.pts, first_lost) if stamp is not None]
        first_pts = min(stamps, default=0) if timing == "pts" else 0
        return FirstLook(
            info=info,
            orientation=orientation,
            stream_number=container.streams.video.index(video),
            timing=timing,
            first_pts=first_pts,
            first_dts=frame.dts or 0,
            origin=_origin(container, first_pts * time_base) if timing == "pts" else Fraction(0),
            start_timecode=_start_timecode(container, video),
            frame_is_flagged=bool(frame.interlaced_frame),
            hdr=hdr,
            declares_duration=declares_duration(container.format.name),
        )


def _first_frame(container: InputContainer, video: VideoStream, skip: bool) -> tuple[AVFrame | None, int | None]:
    """The first frame that can be decoded, and when the first was to be shown of those that cannot."""
    lost: list[int] = []
    for packet in container.demux(video):
        try:
            frame = next(iter(packet.decode()), None)
        except av.FFmpegError:
            if not skip:
                raise
            lost += [] if packet.pts is None else [packet.pts]
            continue
        if frame is not None:
            return frame, min(lost, default=None)
    return None, None


def _origin(container: InputContainer, first: Fraction) -> Fraction:
    starts = [
        Fraction(stream.start_time * stream.time_base)
        for stream in container.streams.audio
        if stream.start_time is not None and stream.time_base
    ]
    earliest = min(starts, default=first)
    return earliest if earliest < first - _RUN_IN_SECONDS else first


def _start_timecode(container: InputContainer, video: VideoStream) -> Timecode | None:
    places = (video.metadata, container.metadata, *(stream.metadata for stream in container.streams))
    text = next((value for place in places for key, value in place.items() if key.lower() == "timecode"), None)
    if text is None:
        return None
    try:
        moment = parse_moment(text)
    except ValueError:  # a label nobody can read labels nothing
        return None
    return moment if isinstance(moment, Timecode) else None


def _rate(video: VideoStream) -> Fraction:
    # Raw streams have an invented average (25); what the codec itself says comes through guessed_rate.
    raw = timing_of(video.container.format.name) != "pts"
    candidates = (
        (video.guessed_rate, video.average_rate) if raw else (video.average_rate, video.guessed_rate, video.base_rate)
    )
    found = next((Fraction(rate) for rate in candidates if rate and 0 < rate <= MAX_RATE), _FALLBACK_RATE)
    # A Matroska of 60000/1001 frames a second says 19001/317.
    return standard_rate(found, tolerance=Fraction(1, 100_000))


def _duration_seconds(container: InputContainer, video: VideoStream) -> float | None:
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    return container.duration / av.time_base if container.duration else None


def probe_video(path: str | Path) -> VideoInfo:
    """What a clip is, without reading more than its first frame.

    Raises:
        OpenError: missing, a directory, empty, or not a media file.
        UnsupportedMediaError: no video stream, or no decoder for it.
        DecodeError: no frame can be decoded.
    """
    return look_at(Path(path), lambda _: None).info


def media_versions() -> dict[str, str]:
    """Versions of PyAV and of the FFmpeg inside it."""
    return {"av": av.__version__, "ffmpeg": av.ffmpeg_version_info}
