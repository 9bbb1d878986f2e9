"""Still pictures of 16 bits, which Pillow has no RGB for: pixels through FFmpeg, metadata put in by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from vidstyle.frames import ColorInfo
from vidstyle.media.color import bit_depth, has_alpha
from vidstyle.media.orientation import Orientation
from vidstyle.media.pixels import RgbDecoder, RgbEncoder

_Array = np.ndarray[Any, np.dtype[Any]]

#: Formats of Pillow's name that can hold 16 bits a sample.
DEEP_FORMATS = ("PNG", "TIFF")

# FFmpeg's picture decoders mean full range by an untagged grey.
_COLOR = ColorInfo("bt709", "bt709", "bt709", "pc")
_ENCODERS = {
    ("PNG", False): ("png", "rgb48be"),
    ("PNG", True): ("png", "rgba64be"),
    ("TIFF", False): ("tiff", "rgb48le"),
    ("TIFF", True): ("tiff", "rgba64le"),
}
# Exif's orientation, as a mirror image that is then turned.
_ORIENTATIONS = {
    2: Orientation(0, True),
    3: Orientation(180),
    4: Orientation(180, True),
    5: Orientation(90, True),
    6: Orientation(270),
    7: Orientation(270, True),
    8: Orientation(90),
}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"pHYs")
_TIFF_ICC_PROFILE = 34675
_METRES_PER_INCH = 0.0254


def read_deep(data: bytes, format_name: str, exif_orientation: int = 1) -> tuple[_Array, _Array | None] | None:
    """Decode a PNG or TIFF of 16 bits, turned upright.

    Args:
        data: the file.
        format_name: ``PNG`` or ``TIFF``.
        exif_orientation: Exif's number, 1 for upright.

    Returns:
        (3, H, W) uint16 RGB and (1, H, W) opacity or None; None where FFmpeg cannot read it, or it is not deep.
    """
    context = av.CodecContext.create(format_name.lower(), "r")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{format_name} is not a video decoder")
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)]
        if not frames or not 8 < bit_depth(frames[0].format.name) <= 16:
            return None
        frame, alpha = frames[0], has_alpha(frames[0].format.name)
        channels = RgbDecoder(_COLOR, frame.width, frame.height, deep=True, alpha=alpha)(frame)
    except av.FFmpegError:
        return None
    upright = _ORIENTATIONS.get(exif_orientation, Orientation()).apply(channels)
    return upright[:3], upright[3:] if alpha else None


def encode_deep(
    rgb: _Array,
    alpha: _Array | None,
    format_name: str,
    *,
    exif: bytes | None = None,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """A 16-bit picture as the bytes of its file.

    Args:
        rgb: (3, H, W) uint16 over its whole range.
        alpha: (1, H, W) uint16 straight opacity; None for an opaque picture.
        format_name: ``PNG`` or ``TIFF``.
        exif: EXIF block.
        icc_profile: colour profile.
        dpi: horizontal and vertical resolution.

    Returns:
        The file, and a sentence for each thing it cannot keep.

    Raises:
        av.FFmpegError: the encoder refused.
    """
    codec, pixel_format = _ENCODERS[format_name, alpha is not None]
    context = av.CodecContext.create(codec, "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{codec} is not a video encoder")
    context.height, context.width = rgb.shape[1:]
    context.pix_fmt = pixel_format
    if format_name == "TIFF":
        context.options = {"compression_algo": "lzw"} | ({"dpi": str(round(dpi[0]))} if dpi else {})
    frame = RgbEncoder(_COLOR, pixel_format)(rgb, alpha)
    frame.pts = 0
    data = b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None)))
    if format_name == "PNG":
        return _png_with(data, exif, icc_profile, dpi), ()
    if icc_profile is not None:
        data = _tiff_with(data, _TIFF_ICC_PROFILE, icc_profile)
    return data, ("EXIF data is left out of TIFFs of 16 bits",) if exif is not None else ()


def _png_with(data: bytes, exif: bytes | None, icc_profile: bytes | None, dpi: tuple[float, float] | None) -> bytes:
    """FFmpeg's PNG with metadata behind its header, instead of what FFmpeg made up."""
    metadata = []
    if icc_profile is not None:
        metadata.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile)))
    if dpi is not None:
        per_metre = (round(value / _METRES_PER_INCH) for value in dpi)
        metadata.append((b"pHYs", struct.pack(">2IB", *per_metre, 1)))
    if exif is not None:
        metadata.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    kept = [(name, body) for name, body in _png_chunks(data) if name not in _PNG_METADATA]
    chunks = [kept[0], *metadata, *kept[1:]]
    return _PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(_PNG_SIGNATURE)
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def _tiff_with(data: bytes, number: int, value: bytes) -> bytes:
    """A little-endian TIFF with one more tag of undefined type: its directory is written anew at the end."""
    (offset,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, offset)
    entries = [data[offset + 2 + 12 * i : offset + 14 + 12 * i] for i in range(count)]
    data += bytes(len(data) % 2)
    place = len(data)
    data += value + bytes(len(value) % 2)
    entries.append(struct.pack("<HHII", number, 7, len(value), place))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory
