"""Colour tags of frames and codecs, and what a pixel format holds.

Code points are those of ITU-T H.273, which FFmpeg's enumerations share; names are FFmpeg's.
"""

from __future__ import annotations

from typing import Any

from av import VideoFormat
from av import VideoFrame as AVFrame

from vidstyle.frames import ColorInfo

UNSPECIFIED = 2

MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
RANGES = {1: "tv", 2: "pc"}
HDR_TRANSFERS = ("smpte2084", "arib-std-b67")

# What swscale can turn into RGB; a clip tagged with another matrix is read as if it had no tag.
_CONVERTIBLE = ("bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc")
_MATRIX_OF_PRIMARIES = {"bt709": "bt709", "smpte170m": "smpte170m", "bt470bg": "bt470bg", "bt2020": "bt2020nc"}
_PRIMARIES_OF_MATRIX = {"bt709": "bt709", "bt470bg": "bt470bg", "bt2020nc": "bt2020", "smpte240m": "smpte240m"}
_TRANSFER_OF_PRIMARIES = {"bt709": "bt709", "bt2020": "bt2020-10", "smpte240m": "smpte240m"}


def _code_of(names: dict[int, str], name: str) -> int:
    return next((code for code, known in names.items() if known == name), UNSPECIFIED)


def resolve_color(frame: AVFrame) -> ColorInfo:
    """Colour tags of a decoded frame with every 'unspecified' replaced by what its size and other tags imply.

    An untagged clip is bt709 from 720 lines up and smpte170m (BT.601) below, limited range; HDR is bt2020. RGB sources
    get the tags their YCbCr output will carry.
    """
    full_range_format = frame.format.name.startswith("yuvj")
    value_range = "pc" if full_range_format else RANGES.get(frame.color_range, "tv")
    if frame.format.is_rgb or frame.format.name == "pal8":
        value_range = "tv"
    primaries = PRIMARIES.get(frame.color_primaries)
    matrix = MATRICES.get(frame.colorspace)
    if primaries is None and matrix is None and TRANSFERS.get(frame.color_trc) in HDR_TRANSFERS:
        primaries = "bt2020"  # ITU-R BT.2100 knows no other
    if matrix not in _CONVERTIBLE:
        matrix = _MATRIX_OF_PRIMARIES.get(primaries or "", "bt709" if frame.height >= 720 else "smpte170m")
    if primaries is None:
        primaries = _PRIMARIES_OF_MATRIX.get(matrix, "smpte170m")
    transfer = TRANSFERS.get(frame.color_trc) or _TRANSFER_OF_PRIMARIES.get(primaries, "smpte170m")
    return ColorInfo(matrix=matrix, primaries=primaries, transfer=transfer, range=value_range)


def unconvertible_matrix(frame: AVFrame) -> str | None:
    """The frame's matrix where it is tagged with one that cannot be converted to RGB, else None."""
    if frame.format.is_rgb:
        return None
    matrix = MATRICES.get(frame.colorspace)
    return None if matrix is None or matrix in _CONVERTIBLE else matrix


def bit_depth(format_name: str) -> int:
    """Bits of the deepest component of a pixel format."""
    return max((component.bits for component in VideoFormat(format_name, 16, 16).components), default=8)


def is_rgb(format_name: str) -> bool:
    """Whether a pixel format stores RGB."""
    return VideoFormat(format_name, 16, 16).is_rgb or format_name == "pal8"


def has_alpha(format_name: str) -> bool:
    """Whether a pixel format stores opacity."""
    return any(component.is_alpha for component in VideoFormat(format_name, 16, 16).components)


def chroma_step(format_name: str) -> tuple[int, int]:
    """Width and height in pixels that one chroma sample covers; (1, 1) for 4:4:4, RGB and grey."""
    described = VideoFormat(format_name, 16, 16)
    return 16 // (described.chroma_width(16) or 16), 16 // (described.chroma_height(16) or 16)


def range_code(value_range: str) -> int:
    """FFmpeg's code of ``tv`` or ``pc``."""
    return _code_of(RANGES, value_range)


def tag(target: Any, color: ColorInfo, *, rgb: bool = False) -> None:
    """Set a frame's or a codec context's four colour tags; ``rgb`` where its pixels are RGB."""
    target.colorspace = 0 if rgb else _code_of(MATRICES, color.matrix)
    target.color_primaries = _code_of(PRIMARIES, color.primaries)
    target.color_trc = _code_of(TRANSFERS, color.transfer)
    target.color_range = 2 if rgb else _code_of(RANGES, color.range)
