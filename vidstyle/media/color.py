"""Colour tags, and the conversions between a decoder's pixels and upright RGB that honour them.

Code points are those of ITU-T H.273, which FFmpeg's enumerations share; names are FFmpeg's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av import VideoFormat
from av import VideoFrame as AVFrame
from av.video.reformatter import Interpolation, VideoReformatter

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

# Without full chroma and accurate rounding swscale darkens every pass by about one level of 255.
_INTERPOLATION = (
    Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
)
# Below this a second conversion thread costs more than it brings, and the networks want the core.
_SINGLE_THREAD_PIXELS = 1280 * 720


def _code_of(names: dict[int, str], name: str) -> int:
    return next((code for code, known in names.items() if known == name), UNSPECIFIED)


def resolve_color(frame: AVFrame) -> ColorInfo:
    """Colour tags of a decoded frame with every 'unspecified' replaced by what its size and other tags imply.

    An untagged clip is bt709 from 720 lines up and smpte170m (BT.601) below, limited range. RGB sources get the tags
    their YCbCr output will carry.
    """
    full_range_format = frame.format.name.startswith("yuvj")
    value_range = "pc" if full_range_format else RANGES.get(frame.color_range, "tv")
    if frame.format.is_rgb or frame.format.name == "pal8":
        value_range = "tv"
    primaries = PRIMARIES.get(frame.color_primaries)
    matrix = MATRICES.get(frame.colorspace)
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
    return VideoFormat(format_name, 16, 16).is_rgb


def tag(target: Any, color: ColorInfo, *, rgb: bool = False) -> None:
    """Set a frame's or a codec context's four colour tags; ``rgb`` where its pixels are RGB."""
    target.colorspace = 0 if rgb else _code_of(MATRICES, color.matrix)
    target.color_primaries = _code_of(PRIMARIES, color.primaries)
    target.color_trc = _code_of(TRANSFERS, color.transfer)
    target.color_range = 2 if rgb else _code_of(RANGES, color.range)


class RgbDecoder:
    """Turns decoded frames into RGB, with the matrix and range of ``color``."""

    def __init__(self, color: ColorInfo, width: int, height: int) -> None:
        self._color = color
        self._size = (width, height)
        self._reformatter = VideoReformatter()

    def __call__(self, frame: AVFrame) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Returns (H, W, 3) uint8, a new contiguous array; frames of another size are scaled."""
        if not frame.format.is_rgb:
            tag(frame, self._color)
        width, height = self._size
        rgb = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=_INTERPOLATION, threads=_num_threads(width, height)
        )
        return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


class RgbEncoder:
    """Turns RGB pictures into frames an encoder takes, tagged with ``color``."""

    def __init__(self, color: ColorInfo, pixel_format: str) -> None:
        self._color = color
        self._pixel_format = pixel_format
        self._is_rgb = is_rgb(pixel_format)
        self._reformatter = VideoReformatter()

    def __call__(self, rgb: np.ndarray[Any, np.dtype[np.uint8]]) -> AVFrame:
        """Takes (H, W, 3) uint8, contiguous; returns a frame without a time."""
        height, width = rgb.shape[:2]
        if 1 in (height, width):  # numpy leaves the strides of such sides open, and PyAV looks at them
            rgb = rgb.reshape(-1).copy().reshape(height, width, 3)
        source = AVFrame.from_numpy_buffer(rgb)
        # swscale ignores these on RGB; PyAV hands them to the converted frame, where they choose the matrix.
        tag(source, self._color, rgb=self._is_rgb)
        frame = self._reformatter.reformat(
            source,
            format=self._pixel_format,
            interpolation=_INTERPOLATION,
            dst_color_range=None if self._is_rgb else _code_of(RANGES, self._color.range),
            threads=_num_threads(width, height),
        )
        tag(frame, self._color, rgb=self._is_rgb)
        return frame


def _num_threads(width: int, height: int) -> int:
    return 1 if width * height <= _SINGLE_THREAD_PIXELS else 2
