"""What each container is called, what it carries by default, and how far its own header can be trusted."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av

from vidstyle.errors import UnsupportedMediaError


@dataclass(frozen=True, slots=True)
class Container:
    """A container vidstyle writes.

    Attributes:
        format_name: FFmpeg's muxer.
        video_codec: encoder used unless told otherwise.
        audio_codec: encoder for sound the container cannot carry as it is.
        subtitle_codec: encoder for text subtitles it cannot carry as they are.
        takes_attachments: fonts and the like are carried along.
        cover: how it carries a cover picture: as a stream of its own, as an attachment, or not at all.
        refused: codecs (the beginnings of FFmpeg's names) which the muxer takes at first, but then cannot write, or
            which hardly any player understands in this container.
    """

    format_name: str
    video_codec: str
    audio_codec: str
    subtitle_codec: str
    takes_attachments: bool = False
    cover: Literal["stream", "attachment"] | None = None
    refused: tuple[str, ...] = ()

    def takes_video(self, codec: str) -> bool:
        """Whether it carries what this video encoder makes."""
        try:
            av.open(io.BytesIO(), "w", format=self.format_name).add_stream(codec, rate=25)
        except ValueError:
            return False
        return not av.Codec(codec, "w").canonical_name.startswith(self.refused)


_MP4 = Container("mp4", "libx264", "aac", "mov_text", cover="stream", refused=("vorbis", "pcm_", "ffv1", "png"))
_CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", "libx264", "pcm_s24le", "mov_text", refused=("vp8", "vp9", "av1")),
    ".mkv": Container("matroska", "libx264", "flac", "subrip", takes_attachments=True, cover="attachment"),
    ".webm": Container("webm", "libvpx-vp9", "libopus", "webvtt"),
}
WRITABLE_SUFFIXES = tuple(_CONTAINERS)


def container_for(path: Path) -> Container:
    """The container a file name asks for.

    Raises:
        UnsupportedMediaError: vidstyle does not write files with this suffix.
    """
    container = _CONTAINERS.get(path.suffix.lower())
    if container is None:
        known = ", ".join((*_CONTAINERS, ".gif"))
        raise UnsupportedMediaError(
            f"Cannot write {path}: {path.suffix or 'a name without a suffix'} is not a container vidstyle writes; "
            f"use one of {known}, or a sequence such as {path.stem or 'out'}.%04d.png.",
            path,
        )
    return container


def suffixes_for(codec: str) -> list[str]:
    """Suffixes of the containers that carry what this video encoder makes."""
    return [suffix for suffix, container in _CONTAINERS.items() if suffix != ".m4v" and container.takes_video(codec)]


#: Uncompressed pixel formats that come back from a container as they went in; of others FFmpeg writes files that nobody
#: reads, or reads as something else.
RAW_FORMATS: Mapping[str, tuple[str, ...]] = {
    "mov": ("bgr24", "uyvy422", "yuyv422", "bgra", "argb", "rgba", "abgr"),
    "matroska": ("yuv420p", "yuv422p", "yuv411p", "yuv410p", "nv12", "nv21", "uyvy422", "yuyv422", "yvyu422", "rgba"),
}


#: Where the times of an input's frames come from: its own timestamps, the positions in decoding order, or counting.
Timing = Literal["pts", "dts", "count"]


def timing_of(format_name: str) -> Timing:
    """Where frame times of this input format come from: AVI knows positions only, raw streams know nothing."""
    if format_name == "avi":
        return "dts"
    return "count" if format_name in ("h264", "hevc", "m4v", "mpegvideo", "vvc", "obu", "mjpeg") else "pts"


def declares_duration(format_name: str) -> bool:
    """Whether this input format's duration is written in its header, not guessed from the file's size."""
    return format_name.split(",", maxsplit=1)[0] in ("mov", "matroska")


def is_playlist(format_name: str) -> bool:
    """Whether this input format names other files instead of holding a picture."""
    return format_name in ("hls", "concat", "concatf", "dash", "imf", "sdp", "rtsp")


def is_text(format_name: str) -> bool:
    """Whether FFmpeg took a text file for terminal art."""
    return format_name in ("tty", "bin", "xbin", "adf", "idf")
