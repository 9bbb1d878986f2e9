"""One frame, one file: what a picture file of a sequence holds, decoded and encoded without losing a level.

FFmpeg's codecs do the work, and Pillow for JPEG: it reports one that was cut off, which FFmpeg does not.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import VideoFrame as AVFrame
from av.video.codeccontext import VideoCodecContext
from PIL import Image

from vidstyle.errors import DecodeError, EncodeError, MediaError, OpenError, UnsupportedMediaError
from vidstyle.frames import ColorInfo
from vidstyle.media.color import bit_depth, has_alpha
from vidstyle.media.exr_check import is_whole_exr
from vidstyle.media.failures import reason
from vidstyle.media.pixels import RgbDecoder, RgbEncoder
from vidstyle.media.sequence_names import SEQUENCE_FORMATS
from vidstyle.media.stills import read_still

Array = np.ndarray[Any, np.dtype[Any]]

#: Tags of a picture's YCbCr output.
PICTURE_COLOR = ColorInfo("bt709", "bt709", "bt709", "tv")

# FFmpeg's picture decoders mean full range by an untagged grey.
_STORED_COLOR = ColorInfo("bt709", "bt709", "bt709", "pc")
# More than a frame of 16k by 8k is a bomb or a mistake; one of them needs gigabytes already.
_MAX_PIXELS = 16384 * 8192
_GBR = (1, 2, 0)
_PROFILE_IS_LOST = "its colour profile is not kept"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded file.

    Attributes:
        rgb: (3, H, W) uint8, uint16 over its whole range, or float16 or float32 (linear light).
        alpha: (1, H, W) straight opacity, of the dtype of ``rgb``; None where there is none.
        pixel_format: as stored, by FFmpeg's name.
        sample_aspect_ratio: width of a pixel over its height.
        notes: what could not be kept, a sentence without full stop each.
    """

    rgb: Array
    alpha: Array | None
    pixel_format: str
    sample_aspect_ratio: Fraction = Fraction(1)
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[2], self.rgb.shape[1]

    @property
    def bit_depth(self) -> int:
        """Bits of one stored component; 32 for float."""
        return bit_depth(self.pixel_format)

    @property
    def is_float(self) -> bool:
        """Whether it holds linear light."""
        return is_float(self.pixel_format)


def is_float(pixel_format: str) -> bool:
    """Whether a pixel format stores floating-point numbers."""
    return "f16" in pixel_format or "f32" in pixel_format


def has_opacity(pixel_format: str) -> bool:
    """Whether a file of this pixel format says how opaque its pixels are."""
    return has_alpha(pixel_format) or pixel_format == "pal8"


def read_picture(path: Path, *, alpha: bool = False) -> Picture:
    """Decode one file.

    Args:
        path: the file; its suffix says what it is.
        alpha: give opacity too. OpenEXR stores colour multiplied by it: divided by it then, and as stored otherwise.

    Raises:
        OpenError: missing, a directory, empty or unreadable.
        DecodeError: truncated, damaged, or of another format than its name says.
        UnsupportedMediaError: too large, or without colour that can be read.
    """
    codec = SEQUENCE_FORMATS[path.suffix.lower()]
    if codec == "mjpeg":
        return _read_jpeg(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OpenError(f"{path} cannot be opened ({error.strerror}); check name and permissions.", path) from error
    if not data:
        raise OpenError(f"{path} is empty (0 bytes); copy it again.", path)
    frame, ratio = _decode(path, codec, data)
    if codec == "exr" and not is_whole_exr(data):
        raise _damaged(path, "it ends too early")
    picture = _picture(path, frame, ratio, alpha)
    return replace(picture, notes=(_PROFILE_IS_LOST,)) if _has_profile(codec, data) else picture


def _read_jpeg(path: Path) -> Picture:
    still = read_still(path)
    notes = (*still.notes, _PROFILE_IS_LOST) if still.icc_profile else still.notes
    return Picture(still.data.contiguous().numpy(), None, "rgb24", notes=notes)


def _decode(path: Path, codec: str, data: bytes) -> tuple[AVFrame, Fraction]:
    context = av.CodecContext.create(codec, "r")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{codec} is not a video decoder")
    context.options = {"max_pixels": str(_MAX_PIXELS)}
    context.thread_count = 1
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    except av.error.ArgumentError as error:  # what it says of more pixels than it may decode
        raise UnsupportedMediaError(f"{path} has too many pixels; scale it down first.", path) from error
    except av.FFmpegError as error:
        raise _damaged(path, reason(error)) from error
    if not frames:
        raise _damaged(path, "it holds no picture")
    ratio = context.sample_aspect_ratio
    return frames[0], Fraction(ratio) if ratio else Fraction(1)


def _has_profile(codec: str, data: bytes) -> bool:
    # Not asked of the frame: PyAV frees the side data of PNG frames twice, which ends the process.
    return codec == "png" and 0 <= data.find(b"iCCP") < data.find(b"IDAT")


def _damaged(path: Path, why: str) -> DecodeError:
    kind = path.suffix.lower().lstrip(".").upper()
    return DecodeError(f"{path} is truncated, damaged or no {kind} picture ({why}); render or copy it again.", path)


def _picture(path: Path, frame: AVFrame, ratio: Fraction, with_alpha: bool) -> Picture:
    name = frame.format.name
    with_alpha = with_alpha and has_opacity(name)
    if is_float(name):
        rgb, alpha = _float_channels(path, frame, with_alpha)
    else:
        if frame.format.is_bayer:
            raise UnsupportedMediaError(f"{path} is a raw Bayer picture; develop it first.", path)
        to_rgb = RgbDecoder(_STORED_COLOR, frame.width, frame.height, deep=bit_depth(name) > 8, alpha=with_alpha)
        try:
            channels = to_rgb(frame)
        except av.FFmpegError as error:
            raise UnsupportedMediaError(
                f"{path} ({name}) cannot be converted to RGB ({reason(error)}); save it in another format.", path
            ) from error
        rgb, alpha = channels[:3], channels[3:] if with_alpha else None
    return Picture(rgb, alpha, name, ratio)


def _float_channels(path: Path, frame: AVFrame, with_alpha: bool) -> tuple[Array, Array | None]:
    """Linear RGB of a planar float frame and its straight alpha."""
    dtype = np.dtype("<f2" if "f16" in frame.format.name else "<f4")
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)  # type: ignore[call-overload]
        planes.append(rows[: plane.height, : plane.width])
    if len(planes) == 1:  # luminance alone
        return np.repeat(planes[0][None], 3, axis=0), None
    if len(planes) < 3 or not frame.format.name.startswith("gb"):
        raise UnsupportedMediaError(f"{path} holds no RGB ({frame.format.name}); save it as RGB.", path)
    rgb = np.stack([planes[_GBR.index(channel)] for channel in range(3)])
    if not with_alpha:
        return rgb, None
    alpha = np.nan_to_num(planes[3][None].astype(np.float32)).clip(0.0, 1.0)
    straight = rgb.astype(np.float32) / np.where(alpha > 0, alpha, 1.0)
    return straight.astype(np.float32), alpha


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How the files of an output sequence are encoded.

    Attributes:
        codec: FFmpeg's encoder.
        pixel_format: what it is given.
        options: for it.
        sample_aspect_ratio: width of a pixel over its height.
    """

    codec: str
    pixel_format: str
    options: Mapping[str, str]
    sample_aspect_ratio: Fraction = Fraction(1)

    @property
    def bit_depth(self) -> int:
        """Bits of the pictures wanted: 8, or up to 16 for what is deeper."""
        return 16 if is_float(self.pixel_format) else bit_depth(self.pixel_format)

    @property
    def has_alpha(self) -> bool:
        """Whether opacity is stored."""
        return has_alpha(self.pixel_format)

    @property
    def is_half(self) -> bool:
        """Whether floats are stored with 16 bits."""
        return is_float(self.pixel_format) and self.options.get("format") == "half"


def encode_picture(rgb: Array, alpha: Array | None, form: PictureFormat, path: Path) -> bytes:
    """A picture as the bytes of its file.

    Args:
        rgb: (3, H, W) uint8 or uint16 over its whole range; float32 linear light where the format stores floats.
        alpha: (1, H, W) straight opacity, of the same dtype; where the format has none it is left out.
        form: of the file.
        path: where it is going to be, for messages.

    Raises:
        EncodeError: the encoder refused.
    """
    if form.codec == "mjpeg":
        return _jpeg(rgb, form)
    if form.has_alpha and alpha is None:
        opaque = 1.0 if is_float(form.pixel_format) else np.iinfo(rgb.dtype).max
        alpha = np.full((1, *rgb.shape[1:]), opaque, rgb.dtype)
    try:
        if is_float(form.pixel_format):
            frame = _float_frame(rgb, alpha, form)
        else:
            frame = RgbEncoder(PICTURE_COLOR, form.pixel_format)(rgb, alpha if form.has_alpha else None)
        context = open_encoder(form, (rgb.shape[2], rgb.shape[1]))
        frame.pts = 0
        return b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        raise EncodeError(f"{path} cannot be written as {form.codec} ({reason(error)}).", path) from error


def open_encoder(form: PictureFormat, size: tuple[int, int]) -> VideoCodecContext:
    """An encoder for one picture of (width, height).

    Raises:
        av.FFmpegError, ValueError: it takes no such picture or option.
    """
    context = av.CodecContext.create(form.codec, "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{form.codec} is not a video encoder")
    context.width, context.height = size
    context.pix_fmt = form.pixel_format
    context.time_base = Fraction(1, 24)
    context.sample_aspect_ratio = form.sample_aspect_ratio
    context.thread_count = 1
    context.options = dict(form.options)
    context.open()
    return context


def _float_frame(rgb: Array, alpha: Array | None, form: PictureFormat) -> AVFrame:
    channels = [rgb[index].astype(np.float32) for index in _GBR]
    if form.has_alpha and alpha is not None:
        channels = [channel * alpha[0] for channel in channels]
        channels.append(alpha[0].astype(np.float32))
    frame = AVFrame(rgb.shape[2], rgb.shape[1], form.pixel_format)
    for channel, plane in zip(channels, frame.planes, strict=True):
        if form.is_half:  # FFmpeg cuts the digits off that a half float has no room for
            channel = channel.clip(-65504, 65504).astype(np.float16).astype(np.float32)  # noqa: PLW2901
        rows = np.frombuffer(plane, np.float32).reshape(-1, plane.line_size // 4)  # type: ignore[call-overload]
        rows[: plane.height, : plane.width] = channel
    return frame


def _jpeg(rgb: Array, form: PictureFormat) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
    picture.save(buffer, format="JPEG", quality=int(form.options.get("quality", "95")), subsampling=0)
    return buffer.getvalue()
