"""What each container is called, what it carries by default, and how far its own header can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
    """

    format_name: str
    video_codec: str
    audio_codec: str
    subtitle_codec: str
    takes_attachments: bool = False


_MP4 = Container("mp4", "libx264", "aac", "mov_text")
_CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", "libx264", "pcm_s24le", "mov_text"),
    ".mkv": Container("matroska", "libx264", "flac", "subrip", takes_attachments=True),
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
        known = ", ".join(_CONTAINERS)
        raise UnsupportedMediaError(
            f"Cannot write {path}: {path.suffix or 'a name without a suffix'} is not a container vidstyle writes; "
            f"use one of {known}.",
            path,
        )
    return container


def has_no_timestamps(format_name: str) -> bool:
    """Whether frames of this input format are timed by counting (AVI, raw streams)."""
    return format_name in ("avi", "h264", "hevc", "m4v", "mpegvideo", "vvc", "obu", "mjpeg")


def declares_duration(format_name: str) -> bool:
    """Whether this input format's duration is written in its header, not guessed from the file's size."""
    return format_name.split(",", maxsplit=1)[0] in ("mov", "matroska")


def is_text(format_name: str) -> bool:
    """Whether FFmpeg took a text file for terminal art."""
    return format_name in ("tty", "bin", "xbin", "adf", "idf")
