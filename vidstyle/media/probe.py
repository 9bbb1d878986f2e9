"""A first look at a clip, and at what this FFmpeg can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidstyle.errors import DecodeError, OpenError, UnsupportedMediaError
from vidstyle.frames import VideoInfo
from vidstyle.media.color import HDR_TRANSFERS, bit_depth, resolve_color, unconvertible_matrix
from vidstyle.media.containers import has_no_timestamps, is_text
from vidstyle.media.failures import reason
from vidstyle.media.orientation import Orientation, orientation_of

Warn = Callable[[str], None]

_FALLBACK_RATE = Fraction(25)
_MAX_RATE = 1000
_ENCODERS = (
    "libx264",
    "libx265",
    "libvpx-vp9",
    "libsvtav1",
    "prores_ks",
    "dnxhd",
    "ffv1",
    "h264_nvenc",
    "hevc_nvenc",
    "av1_nvenc",
    "aac",
    "libopus",
    "flac",
)


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
        container = av.open(str(path.absolute()), "r", metadata_errors="replace")
    except (PermissionError, av.error.PermissionError) as error:
        raise OpenError(f"{path} may not be read; check its permissions.", path) from error
    except av.FFmpegError as error:
        if _starts_like_video(path):
            msg = f"{path} is truncated or was never finished: its index is missing; copy it again."
        else:
            msg = f"{path} is not a video that can be read ({reason(error)}); name a video file."
        raise OpenError(msg, path) from error
    if is_text(container.format.name):
        container.close()
        raise OpenError(f"{path} is a text file, not a video; name a video file.", path)
    return container


def _starts_like_video(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" or head.startswith((b"\x1aE\xdf\xa3", b"RIFF"))


def main_video(container: InputContainer, path: Path) -> VideoStream:
    """The stream whose picture is meant: the default one, or the first; never cover art.

    Raises:
        UnsupportedMediaError: there is none, or no decoder for it.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UnsupportedMediaError(f"{path} has no video stream (it holds {kinds}); name a file with a picture.", path)
    decodable = [s for s in streams if s.codec_context is not None]
    if not decodable:
        raise UnsupportedMediaError(
            f"The picture of {path} is in a codec this FFmpeg cannot decode; convert it to H.264 first.", path
        )
    return next((s for s in decodable if s.disposition & Disposition.default), decodable[0])


def describe_streams(container: InputContainer, video: VideoStream) -> tuple[StreamInfo, ...]:
    """What every stream of an open file is."""
    return tuple(
        StreamInfo(
            index=stream.index,
            type=stream.type,
            codec=_codec_name(stream),
            language=stream.language,
            title=stream.metadata.get("title"),
            is_main_video=stream.index == video.index,
        )
        for stream in container.streams
    )


def _codec_name(stream: Stream) -> str:
    if stream.codec_context is not None:
        return stream.codec_context.codec.canonical_name
    return getattr(stream, "name", None) or ""


def look_at(path: Path, warn: Warn) -> tuple[VideoInfo, Orientation]:
    """Decode a clip's first frame, which knows more than the header: colour tags, orientation, pixel format.

    Raises:
        OpenError, UnsupportedMediaError: as ``open_container`` and ``main_video``.
        DecodeError: there is no frame that can be decoded.
    """
    with open_container(path) as container:
        video = main_video(container, path)
        video.thread_type = "AUTO"
        try:
            frame = next((frame for packet in container.demux(video) for frame in packet.decode()), None)
        except av.FFmpegError as error:
            raise DecodeError(
                f"The first frame of {path} cannot be decoded ({reason(error)}); the file is damaged, copy it again.",
                path,
            ) from error
        if frame is None:
            raise DecodeError(f"{path} has a video stream without a single frame; export it again.", path)

        orientation = orientation_of(frame)
        if orientation is None:
            warn(f"{path} asks to be shown turned by an angle that is no quarter turn; it is read as stored.")
            orientation = Orientation()
        matrix = unconvertible_matrix(frame)
        color = resolve_color(frame)
        if matrix is not None:
            warn(f"{path} is tagged with the colour matrix {matrix}, which is not supported; read as {color.matrix}.")
        depth = bit_depth(frame.format.name)
        if depth > 8:
            warn(f"{path} has {depth} bits a component; frames are read, and written, with 8.")
        if color.transfer in HDR_TRANSFERS:
            warn(f"{path} is HDR ({color.transfer}); its tags are kept but it is not tone-mapped.")
        if frame.interlaced_frame:
            warn(f"{path} is interlaced; its frames are taken as they are, deinterlace it first for a clean result.")

        rate = _rate(video)
        counted = has_no_timestamps(container.format.name)
        time_base = 1 / rate if counted else Fraction(video.time_base or 1 / rate)
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
            num_frames_from_header=num_frames,
            duration_seconds=duration,
        )
    return info, orientation


def _rate(video: VideoStream) -> Fraction:
    # Raw streams have an invented average (25); what the codec itself says comes through guessed_rate.
    raw = has_no_timestamps(video.container.format.name)
    candidates = (
        (video.guessed_rate, video.average_rate) if raw else (video.average_rate, video.guessed_rate, video.base_rate)
    )
    return next((Fraction(rate) for rate in candidates if rate and 0 < rate <= _MAX_RATE), _FALLBACK_RATE)


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
    return look_at(Path(path), lambda _: None)[0]


def list_encoders_available() -> dict[str, bool]:
    """Which of the encoders vidstyle knows of are in this FFmpeg; the nvenc ones still need the hardware."""
    return {name: name in av.codecs_available and _is_encoder(name) for name in _ENCODERS}


def _is_encoder(name: str) -> bool:
    try:
        return av.Codec(name, "w").is_encoder
    except av.codec.codec.UnknownCodecError:
        return False


def media_versions() -> dict[str, str]:
    """Versions of PyAV and of the FFmpeg inside it."""
    return {"av": av.__version__, "ffmpeg": av.ffmpeg_version_info}
