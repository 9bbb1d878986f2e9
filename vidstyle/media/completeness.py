"""Whether a file is as long as its own header says: demuxers take one that was cut off for one that ended."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from av.video.stream import VideoStream

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def lacks_bytes(path: Path, format_name: str, video: VideoStream) -> bool:
    """Whether bytes are missing at the end of a file, as far as its format tells.

    Args:
        path: the file.
        format_name: FFmpeg's demuxer.
        video: its picture, whose index says where an MP4 keeps each frame.
    """
    size = path.stat().st_size
    if format_name.startswith("mov"):
        return any(entry.pos + entry.size > size for entry in video.index_entries)
    if format_name.startswith("matroska"):
        with path.open("rb") as file:
            end = _segment_end(file)
        return end is not None and end > size
    return False


def _segment_end(file: BinaryIO) -> int | None:
    """Where a Matroska file's segment ends; None where it does not say, as in a recording that was never finished."""
    if file.read(4) != _EBML:
        return None
    header_size = _element_size(file)
    if header_size is None or header_size > 4096:
        return None
    file.seek(header_size, 1)
    if file.read(4) != _SEGMENT:
        return None
    size = _element_size(file)
    return None if size is None else file.tell() + size


def _element_size(file: BinaryIO) -> int | None:
    """EBML's number of variable length (RFC 8794, section 4); None where all its bits are set, which means unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    num_more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> num_more)]) + file.read(num_more), "big")
    return None if value == (1 << 7 * (num_more + 1)) - 1 else value
