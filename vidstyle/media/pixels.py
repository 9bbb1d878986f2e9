"""A decoder's pixels to planar RGB, and planar RGB to an encoder's pixels, without losing a level.

swscale does the matrices and the chroma. What it leaves to be done: its 16-bit RGB ends at 65280 for limited range and
at another code for each depth of full range, and on the way to full range it rounds chroma down.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from av import VideoFrame as AVFrame
from av.video.reformatter import Interpolation, VideoReformatter

from vidstyle.frames import ColorInfo, VideoInfo
from vidstyle.media.chroma_siting import ChromaSiting
from vidstyle.media.color import bit_depth, chroma_step, has_alpha, is_rgb, range_code, tag
from vidstyle.media.orientation import Orientation
from vidstyle.media.stored import rows_of
from vidstyle.media.transfer import DisplayCurve, decoding_table, encoding_table

if TYPE_CHECKING:
    from torch import Tensor

_Array = np.ndarray[Any, np.dtype[Any]]

# Without full chroma and accurate rounding swscale darkens every pass by about one level of 255.
_INTERPOLATION = (
    Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
)
# Below this a second conversion thread costs more than it brings, and the networks want the core.
_SINGLE_THREAD_PIXELS = 1280 * 720
# swscale's white in 16-bit RGB where the other side is limited range YCbCr; as input it means white for any YCbCr.
_LIMITED_WHITE = 255 << 8
_FULL_WHITE = 65535
# FFmpeg keeps planar RGB in this order.
_GBR = (1, 2, 0)
# Where red, green, blue and opacity are in packed formats of 16 bits; place 3 does not exist where there is no opacity.
_PACKED_ORDERS = {"rgb48": (0, 1, 2, 3), "rgba64": (0, 1, 2, 3), "bgr48": (2, 1, 0, 3), "bgra64": (2, 1, 0, 3)}
_STRIP_ROWS = 256
# Larger pictures are converted by strips where chroma is not shared by rows: another copy of one would fill the memory.
_HUGE_PIXELS = 4096 * 2304


class RgbDecoder:
    """Turns decoded frames into planar RGB, with the matrix and range of ``color``.

    Args:
        color: resolved tags of the clip.
        width: of the frames given, in pixels.
        height: of the frames given, in pixels.
        deep: give uint16 over its whole range instead of uint8.
        alpha: give opacity as a fourth channel.
        curve: of an HDR source; frames are then display-referred, and deep whatever ``deep`` says.
    """

    def __init__(
        self,
        color: ColorInfo,
        width: int,
        height: int,
        *,
        deep: bool = False,
        alpha: bool = False,
        curve: DisplayCurve | None = None,
    ) -> None:
        self._color = color
        self._size = (width, height)
        self._curve = curve
        self._deep = deep or curve is not None
        self._num_channels = 4 if alpha else 3
        self._siting = ChromaSiting()
        self._reformatter = VideoReformatter()

    def __call__(self, frame: AVFrame) -> _Array:
        """Returns (3 or 4, H, W) uint8 or uint16, a new contiguous array; frames of another size are scaled."""
        if not frame.format.is_rgb:
            tag(frame, self._color)
        width, height = self._size
        stored = frame.format.name
        order = _PACKED_ORDERS.get(stored[:-2]) if self._deep and self._curve is None else None
        if order is not None and (frame.width, frame.height) == self._size:
            return _unpacked(frame, order[: self._num_channels])
        rgb = np.empty((self._num_channels, height, width), np.uint16 if self._deep else np.uint8)
        is_huge = width * height > _HUGE_PIXELS and (frame.width, frame.height) == self._size
        if is_huge and not frame.format.is_rgb and chroma_step(stored)[1] == 1:
            for top in range(0, height, _STRIP_ROWS):
                part = rows_of(frame, top, min(top + _STRIP_ROWS, height))
                tag(part, self._color)
                self._convert(part, rgb[:, top : top + _STRIP_ROWS])
        else:
            self._convert(frame, rgb)
        return rgb

    def _convert(self, frame: AVFrame, rgb: _Array) -> None:
        """Fill (3 or 4, H, W) with a frame, scaled if need be."""
        _, height, width = rgb.shape
        stored = frame.format.name
        if not frame.format.is_rgb and chroma_step(stored) != (1, 1):
            frame = self._siting(frame)
        # Planar RGB needs no swscale, which would not round it.
        direct = _is_planar_rgb(stored) and (self._deep or bit_depth(stored) == 8)
        planar_format = stored if direct else _planar_rgb(self._deep, self._num_channels == 4)
        planar = self._reformatter.reformat(
            frame,
            width,
            height,
            planar_format,
            interpolation=_INTERPOLATION,
            threads=_num_threads(width, height),
        )
        white, opaque = _whites(stored, self._color)
        for channel, plane in zip((*_GBR, 3), plane_views(planar)[: self._num_channels], strict=False):
            if channel == 3 and not has_alpha(stored):
                rgb[channel] = np.iinfo(rgb.dtype).max
                continue
            scale = _FULL_WHITE / (opaque if channel == 3 else white) if self._deep else 1.0
            # By strips: what is in between is several times the size of a picture that may be huge.
            for strip in (slice(top, top + _STRIP_ROWS) for top in range(0, height, _STRIP_ROWS)):
                if channel < 3 and self._curve is not None:
                    rgb[channel, strip] = np.take(decoding_table(self._curve, white), plane[strip])
                else:
                    rgb[channel, strip] = plane[strip] if scale == 1 else _scaled(plane[strip], scale)


class PictureDecoder:
    """Turns decoded frames into the tensors of a ``VideoFrame``: upright, deep where the source is.

    Args:
        info: of the clip.
        orientation: of the clip.
        alpha: give opacity, where the clip has it.
        curve: of an HDR clip.
    """

    def __init__(
        self, info: VideoInfo, orientation: Orientation, *, alpha: bool = False, curve: DisplayCurve | None = None
    ) -> None:
        self._orientation = orientation
        self._to_rgb = RgbDecoder(
            info.color, info.width, info.height, deep=info.bit_depth > 8, alpha=alpha and info.has_alpha, curve=curve
        )

    def __call__(self, frame: AVFrame) -> tuple[Tensor, Tensor | None]:
        """Returns (3, H, W) RGB and (1, H, W) opacity or None, uint8 or uint16."""
        torch = import_module("torch")  # here, so that to plan a render needs none
        picture = torch.from_numpy(self._orientation.apply(self._to_rgb(frame)))
        return picture[:3], picture[3:] if len(picture) == 4 else None


class RgbEncoder:
    """Turns planar RGB into frames an encoder takes, tagged with ``color``.

    Args:
        color: tags of the output.
        pixel_format: of the frames returned.
        curve: of an HDR output; the pictures given are display-referred.
    """

    def __init__(self, color: ColorInfo, pixel_format: str, curve: DisplayCurve | None = None) -> None:
        self._color = color
        self._pixel_format = pixel_format
        self._curve = curve
        self._is_rgb = is_rgb(pixel_format)
        # Where swscale would round towards full range, it gives limited range in 16 bits and the rest is done here.
        self._wide_format = _wide_format(pixel_format) if color.range == "pc" and not self._is_rgb else None
        self._siting = ChromaSiting()
        self._reformatter = VideoReformatter()

    def __call__(self, rgb: _Array, alpha: _Array | None = None) -> AVFrame:
        """Convert a picture.

        Args:
            rgb: (3, H, W) uint8, or uint16 over its whole range.
            alpha: (1, H, W), of the same dtype; opaque where the pixel format has opacity and this is None.

        Returns:
            A frame without a time.
        """
        white = _FULL_WHITE if self._is_rgb else _LIMITED_WHITE
        if self._curve is not None:
            codes = rgb if rgb.dtype == np.uint16 else rgb.astype(np.uint16) * np.uint16(257)
            alpha = alpha if alpha is None or alpha.dtype == np.uint16 else alpha.astype(np.uint16) * np.uint16(257)
            rgb = np.take(encoding_table(self._curve, white), codes)
            white = _FULL_WHITE  # the table has done it
        if _is_planar_rgb(self._pixel_format):
            frame = _filled(self._pixel_format, rgb, alpha, (1 << bit_depth(self._pixel_format)) - 1)
        else:
            deep = rgb.dtype == np.uint16
            source = _filled(_planar_rgb(deep, alpha is not None), rgb, alpha, white if deep else 255)
            # swscale ignores the range of RGB; PyAV hands the matrix to the converted frame, where it is used.
            tag(source, self._color, rgb=self._is_rgb)
            if chroma_step(self._pixel_format) != (1, 1):
                source = self._siting(source)
            frame = self._converted(source, self._wide_format or self._pixel_format, 1 if self._wide_format else None)
        if self._wide_format:
            frame = _to_full_range(frame, bit_depth(self._pixel_format))
            if frame.format.name != self._pixel_format:
                tag(frame, self._color)
                frame = self._converted(frame, self._pixel_format)
        if alpha is not None and len(frame.planes) == 4:  # swscale would round it roughly
            top = (1 << bit_depth(self._pixel_format)) - 1
            plane_views(frame)[3][:] = _scaled(alpha[0], top / np.iinfo(alpha.dtype).max)
        tag(frame, self._color, rgb=self._is_rgb)
        return frame

    def _converted(self, frame: AVFrame, pixel_format: str, value_range: int | None = None) -> AVFrame:
        return self._reformatter.reformat(
            frame,
            format=pixel_format,
            interpolation=_INTERPOLATION,
            dst_color_range=None if self._is_rgb else value_range or range_code(self._color.range),
            threads=_num_threads(frame.width, frame.height),
        )


def _filled(planar_format: str, rgb: _Array, alpha: _Array | None, white: int) -> AVFrame:
    """A planar RGB frame whose full signal is ``white``; opacity always fills its depth."""
    height, width = rgb.shape[1:]
    frame = AVFrame(width, height, planar_format)
    top = (1 << bit_depth(planar_format)) - 1
    for channel, plane in zip((*_GBR, 3), plane_views(frame), strict=False):
        if channel == 3 and alpha is None:
            plane[:] = top
            continue
        picture, full = (rgb[channel], white) if channel < 3 or alpha is None else (alpha[0], top)
        scale = full / np.iinfo(picture.dtype).max
        plane[:] = picture if scale == 1 else _scaled(picture, scale)
    return frame


def plane_views(frame: AVFrame) -> list[_Array]:
    """Each plane of a planar frame as a writable (height, width) array over its own memory, padding left out."""
    dtype = np.dtype(np.uint8 if bit_depth(frame.format.name) <= 8 else np.uint16)
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)  # type: ignore[call-overload]
        views.append(rows[: plane.height, : plane.width])
    return views


def _wide_format(pixel_format: str) -> str | None:
    """The planar 16-bit YCbCr format with the chroma of ``pixel_format``; None where there is none."""
    chroma = {(2, 2): "420", (2, 1): "422", (1, 1): "444"}.get(chroma_step(pixel_format))
    if chroma is None or pixel_format.startswith(("gray", "ya", "mono", "xyz")):
        return None
    return f"yuv{'a' * has_alpha(pixel_format)}{chroma}p16le"


def _to_full_range(wide: AVFrame, depth: int) -> AVFrame:
    """Limited range YCbCr in 16 bits to full range in ``depth`` bits (ITU-T H.273, 8.3)."""
    frame = AVFrame(wide.width, wide.height, wide.format.name.replace("16le", "" if depth == 8 else f"{depth}le"))
    top = (1 << depth) - 1
    for index, (source, target) in enumerate(zip(plane_views(wide), plane_views(frame), strict=True)):
        if index == 0:
            zero, scale, offset = 16 << 8, top / (219 << 8), 0
        elif index == 3:
            zero, scale, offset = 0, top / _FULL_WHITE, 0
        else:
            zero, scale, offset = 128 << 8, top / (224 << 8), 1 << (depth - 1)
        target[:] = _scaled(source, scale, offset - zero * scale, top)
    return frame


def _scaled(plane: _Array, scale: float, offset: float = 0.0, top: int = _FULL_WHITE) -> _Array:
    """Multiply, add, round and clip; uint16."""
    values = np.multiply(plane, np.float32(scale), dtype=np.float32)
    values += np.float32(offset + 0.5)
    return np.clip(values, 0, top, out=values).astype(np.uint16)


def _unpacked(frame: AVFrame, order: tuple[int, ...]) -> _Array:
    """The channels, red first, of a 16-bit picture that keeps those of a pixel together; without a copy between."""
    dtype = np.dtype(np.uint16).newbyteorder(">" if frame.format.name.endswith("be") else "<")
    plane, num_stored = frame.planes[0], len(frame.format.components)
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // 2)  # type: ignore[call-overload]
    pixels = rows[: frame.height, : frame.width * num_stored].reshape(frame.height, frame.width, num_stored)
    channels = np.full((len(order), frame.height, frame.width), _FULL_WHITE, np.uint16)
    for channel, place in enumerate(order):
        if place < num_stored:
            channels[channel] = pixels[..., place]
    return channels


def _whites(pixel_format: str, color: ColorInfo) -> tuple[int, int]:
    """Codes of white and of opaque where this format, or swscale's 16-bit RGBA made of it, is as deep as 16 bits."""
    depth = min(bit_depth(pixel_format), 16)
    top = (1 << depth) - 1
    if is_rgb(pixel_format):
        return (top, top) if _is_planar_rgb(pixel_format) else (_FULL_WHITE, _FULL_WHITE)
    shifted = top << (16 - depth)
    full = color.range == "pc" or pixel_format.startswith("gray")
    return shifted if full else _LIMITED_WHITE, shifted


def _is_planar_rgb(pixel_format: str) -> bool:
    return re.fullmatch(r"gbra?p(\d+le)?", pixel_format) is not None


def _planar_rgb(deep: bool, alpha: bool) -> str:
    return ("gbrap" if alpha else "gbrp") + ("16le" if deep else "")


def _num_threads(width: int, height: int) -> int:
    return 1 if width * height <= _SINGLE_THREAD_PIXELS else 2
