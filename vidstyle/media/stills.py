"""Still pictures: read upright as RGB, written back with the EXIF data, colour profile, dpi and alpha they had."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from vidstyle.errors import DecodeError, EncodeError, MediaError, OpenError, UnsupportedMediaError
from vidstyle.media.deep_stills import DEEP_FORMATS, encode_deep, read_deep
from vidstyle.media.eight_bits import to_eight_bits, to_sixteen_bits
from vidstyle.media.failures import reason
from vidstyle.media.names import STILL_FORMATS, is_still
from vidstyle.media.still_color import convert_to_srgb, to_rgb
from vidstyle.outputs import claim_output
from vidstyle.part_file import write_whole

__all__ = ["Still", "claim_output", "holds_sixteen_bits", "is_still", "read_still", "read_style_image", "write_still"]

_READABLE = ("JPEG", "PNG", "TIFF", "WEBP", "BMP")
_ALPHA_FORMATS = ("PNG", "TIFF", "WEBP")
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"subsampling": 0},
    "PNG": {"compress_level": 6},
    "TIFF": {"compression": "tiff_lzw"},
    "WEBP": {"exact": True},  # keeps the colours under transparent pixels
    "BMP": {},
}
_REDUCED = "16-bit samples were reduced to 8 bits"
_MAX_SIDE_PX = {"JPEG": 65500, "WEBP": 16383}

# What Pillow's decoders are known to raise on damaged bytes, besides OSError.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, zlib.error)

# Of a TIFF's first directory only these describe the picture; all the others say how its bytes lay in the file.
_DESCRIPTIVE_TAGS = frozenset(
    int(tag)
    for tag in (
        *(ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model, ExifTags.Base.Software),
        *(ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.HostComputer, ExifTags.Base.Copyright),
        *(ExifTags.Base.Rating, ExifTags.Base.RatingPercent),
        *(ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor),
        *(ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject),
        *(ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A picture, upright, and what travels with it.

    Attributes:
        path: the file it came from.
        data: (3, H, W) uint8 or uint16 RGB in the colour space of ``icc_profile``, sRGB where that is None.
        alpha: (1, H, W) opacity of the same dtype; None for an opaque picture.
        exif: EXIF block with the orientation reset to upright; None where there is none.
        icc_profile: RGB colour profile, byte for byte as in the file.
        dpi: horizontal and vertical resolution.
        notes: one sentence for each thing that had to change on the way in.
    """

    path: Path
    data: Tensor
    alpha: Tensor | None = None
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def holds_sixteen_bits(path: str | Path) -> bool:
    """Whether pictures of 16 bits are written to files of this name as such."""
    return STILL_FORMATS.get(Path(path).suffix.lower()) in DEEP_FORMATS


def read_still(path: str | Path, *, deep: bool = False) -> Still:
    """Read a picture, turned upright.

    Args:
        path: the picture file.
        deep: give PNGs and TIFFs of 16 bits as uint16, instead of reducing them to 8.

    Raises:
        OpenError: missing, empty, unreadable, or not a picture.
        DecodeError: truncated or damaged.
        UnsupportedMediaError: animated, larger than Pillow's safety limit, or of a kind without an agreed RGB meaning.
    """
    path = Path(path)
    with _opened(path) as image:
        notes = _file_notes(image)
        orientation = _orientation(image)
        upright = _upright(image)
        exif, exif_notes = _upright_exif(image)
        dpi = _dpi(image)
        rgb, alpha, profile, color_notes = to_rgb(upright, path)
        pixels = _to_tensor(rgb), None if alpha is None else _to_tensor(alpha)
        if deep and _REDUCED in notes and not color_notes:
            found = read_deep(path.read_bytes(), image.format or "", orientation)
            if found is not None and found[0].shape[1:] == (rgb.height, rgb.width):
                notes.remove(_REDUCED)
                pixels = torch.from_numpy(found[0]), None if found[1] is None else torch.from_numpy(found[1])
    return Still(
        path=path,
        data=pixels[0],
        alpha=pixels[1],
        exif=exif,
        icc_profile=profile,
        dpi=dpi,
        notes=(*notes, *exif_notes, *color_notes),
    )


def still_size(path: Path) -> tuple[int, int]:
    """(width, height) of a picture in pixels as stored, by its header alone.

    Raises:
        MediaError: as ``read_still``.
    """
    with _opened(path) as image:
        return image.size


def read_style_image(path: str | Path, max_side_px: int | None = None, min_side_px: int = 1) -> Tensor:
    """Read a picture to learn or to take a style from: upright, converted to sRGB, transparency laid over white.

    Args:
        path: the picture file.
        max_side_px: the longer side is reduced to this; pictures are never enlarged.
        min_side_px: but the shorter side is not reduced below this.

    Returns:
        (3, H, W) float32 sRGB in [0, 1].

    Raises:
        MediaError: as ``read_still``.
    """
    if max_side_px is not None and max_side_px < 1:
        raise ValueError(f"max_side_px must be at least 1, got {max_side_px}")
    path = Path(path)
    with _opened(path) as image:
        if max_side_px is not None:
            max_side_px = max(max_side_px, math.ceil(min_side_px * max(image.size) / min(image.size)))
            image.draft(None, (2 * max_side_px, 2 * max_side_px))  # lets a JPEG decode at a fraction of its size
        rgb, alpha, profile, _ = to_rgb(_upright(image), path)
        if profile is not None:
            rgb = convert_to_srgb(rgb, profile) or rgb
    if alpha is not None:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, "white"), alpha)
    if max_side_px is not None and max(rgb.size) > max_side_px:
        scale = max_side_px / max(rgb.size)
        size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return _to_tensor(rgb).contiguous().float().div_(255)


def write_still(
    path: str | Path, data: Tensor, like: Still | None = None, *, overwrite: bool = False, quality: int = 95
) -> tuple[str, ...]:
    """Write a picture in the format of the name's suffix; the file appears whole or not at all.

    Args:
        path: where to.
        data: (3, H, W) uint8 RGB, or uint16 over its whole range, which only PNG and TIFF keep.
        like: the picture it was made from, whose EXIF data, colour profile, resolution and alpha are kept.
        overwrite: replace an existing file; never the one ``like`` came from.
        quality: 1 to 100, for JPEG and WebP.

    Returns:
        One sentence for each thing the format could not keep.

    Raises:
        OpenError: exists already, is the input itself, or cannot be written there.
        EncodeError: the encoder refused, or the disk is full.
        UnsupportedMediaError: the suffix is not that of a picture format.
    """
    whole = data.dtype in (torch.uint8, torch.uint16)
    if data.ndim != 3 or data.shape[0] != 3 or not whole or data.numel() == 0:
        raise ValueError(f"data must be a (3, H, W) uint8 or uint16 picture, got {tuple(data.shape)} {data.dtype}")
    path = Path(path)
    format_name = STILL_FORMATS.get(path.suffix.lower())
    if format_name is None:
        known = " ".join(STILL_FORMATS)
        raise UnsupportedMediaError(
            f"{path}: not a picture format vidstyle writes; name the output one of {known}.", path
        )
    source = None if like is None else like.path
    claim_output(path, source=source, overwrite=overwrite)  # before the work
    encoded, notes = _encode(path, data, like, format_name, quality)
    try:
        write_whole(path, encoded, source=source, overwrite=overwrite)
    except OSError as error:
        raise EncodeError(
            f"{path}: writing failed ({error.strerror}); free some space or write elsewhere.", path
        ) from error
    return notes


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open and decode a picture; everything that damaged bytes cause inside the block becomes a MediaError."""
    try:
        if path.is_dir():
            raise OpenError(f"{path} is a folder; name a picture in it.", path)
        if path.stat().st_size == 0:
            raise OpenError(f"{path} is empty; the copy or download may have failed.", path)
    except OSError as error:
        raise OpenError(f"{path} cannot be opened ({error.strerror}); check the name and permissions.", path) from error
    opened = False
    try:
        with warnings.catch_warnings():
            # Pillow warns from half of its hard limit on, and about odd metadata: neither is news to a user.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_READABLE) as image:
                opened = True
                _refuse_animation(image, path)
                yield image
    except Image.DecompressionBombError as error:
        raise UnsupportedMediaError(
            f"{path} has too many pixels to be opened safely; scale it down first.", path
        ) from error
    except UnidentifiedImageError as error:
        raise OpenError(
            f"{path} is not a JPEG, PNG, TIFF, WebP or BMP picture of 8 or 16 bits; convert it first.", path
        ) from error
    except PermissionError as error:
        raise OpenError(f"{path} cannot be opened ({error.strerror}); check the permissions.", path) from error
    except MediaError:
        raise
    except _DAMAGE as error:
        if opened:
            raise DecodeError(f"{path} is truncated or damaged; get a whole copy.", path) from error
        raise OpenError(f"{path} is not a readable picture; get a whole copy or convert it.", path) from error


def _refuse_animation(image: Image.Image, path: Path) -> None:
    if image.format in ("PNG", "WEBP") and getattr(image, "n_frames", 1) > 1:
        raise UnsupportedMediaError(f"{path} is an animated {image.format}; convert it to GIF or MP4 first.", path)


def _file_notes(image: Image.Image) -> list[str]:
    """What the file holds more than is used; only a picture whose pixels are not yet loaded tells."""
    notes = []
    num_pages = getattr(image, "n_frames", 1)
    if image.format == "TIFF" and num_pages > 1:
        notes.append(f"only the first of {num_pages} pages is used")
    # Pillow reduces 16-bit RGB as it decodes, so the mode does not show it.
    if image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", [])):
        notes.append(_REDUCED)
    return notes


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (*_DAMAGE, AttributeError, RuntimeError):  # as in ``_upright``
        return 1


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except (*_DAMAGE, AttributeError, RuntimeError):  # unreadable EXIF data is no reason to refuse the picture
        return image


def _upright_exif(image: Image.Image) -> tuple[bytes | None, list[str]]:
    try:
        exif = image.getexif()
        if image.format == "TIFF":
            for tag in set(exif) - _DESCRIPTIVE_TAGS:
                del exif[tag]
        if not exif:
            return None, []
        if ExifTags.Base.Orientation in exif:
            exif[ExifTags.Base.Orientation] = 1
        _drop_pixel_size(exif)
        return exif.tobytes(), []
    except (*_DAMAGE, AttributeError, RuntimeError, OverflowError):
        return None, ["the EXIF data is damaged and was left out"]


def _drop_pixel_size(exif: Image.Exif) -> None:
    """Drop the pixel size, since the output may be scaled; the thumbnail, Pillow leaves out by itself."""
    details = exif.get_ifd(ExifTags.IFD.Exif)
    for tag in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight):
        details.pop(tag, None)


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(value) for value in image.info.get("dpi", (0, 0)))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    usable = all(0 < value < 1e6 for value in (horizontal, vertical))
    return (horizontal, vertical) if usable else None


def _to_tensor(image: Image.Image) -> Tensor:
    array = np.array(image)  # a copy: torch wants writable memory
    return torch.from_numpy(array.reshape(image.height, image.width, -1)).permute(2, 0, 1)


def _encode(
    path: Path, data: Tensor, like: Still | None, format_name: str, quality: int
) -> tuple[bytes, tuple[str, ...]]:
    height, width = data.shape[1:]
    limit = _MAX_SIDE_PX.get(format_name)
    if limit is not None and max(width, height) > limit:
        raise EncodeError(f"{path}: {format_name} holds at most {limit} pixels a side; write PNG or TIFF.", path)
    if data.dtype == torch.uint16 and format_name in DEEP_FORMATS:
        return _encode_deep(path, data.detach().cpu(), like, format_name)
    image = Image.fromarray(to_eight_bits(data.detach()).permute(1, 2, 0).contiguous().cpu().numpy())
    options: dict[str, Any] = dict(_SAVE_OPTIONS[format_name])
    if format_name in ("JPEG", "WEBP"):
        options["quality"] = quality
    notes = []
    if like is not None:
        if like.alpha is not None and format_name in _ALPHA_FORMATS:
            alpha = Image.fromarray(to_eight_bits(like.alpha)[0].contiguous().cpu().numpy())
            image.putalpha(alpha.resize(image.size, Image.Resampling.BILINEAR))
        elif like.alpha is not None:
            notes.append(f"{format_name} has no transparency: the alpha channel was left out")
        kept = {"exif": like.exif, "icc_profile": like.icc_profile}
        if format_name == "BMP" and any(kept.values()):
            notes.append("BMP has no metadata: EXIF data and colour profile were left out")
        elif format_name != "BMP":
            options |= {name: value for name, value in kept.items() if value is not None}
        if format_name == "TIFF" and like.exif is not None:
            options["compression"] = "raw"  # libtiff, which compresses, cannot write an Exif directory
        if like.dpi is not None and format_name != "WEBP":
            options["dpi"] = like.dpi
    buffer = io.BytesIO()
    try:
        image.save(buffer, format=format_name, **options)
    except (OSError, ValueError, RuntimeError, struct.error, KeyError, TypeError) as error:
        raise EncodeError(f"{path}: the {format_name} encoder refused ({error}); try another format.", path) from error
    return buffer.getvalue(), tuple(notes)


def _encode_deep(path: Path, data: Tensor, like: Still | None, format_name: str) -> tuple[bytes, tuple[str, ...]]:
    alpha = None
    if like is not None and like.alpha is not None:
        alpha = to_sixteen_bits(like.alpha)
        if alpha.shape[1:] != data.shape[1:]:
            floats = alpha.to(torch.float32)[None]
            scaled = F.interpolate(floats, size=tuple(data.shape[1:]), mode="bilinear", antialias=True)
            alpha = scaled[0].add_(0.5).to(torch.uint16)
    kept = {} if like is None else {"exif": like.exif, "icc_profile": like.icc_profile, "dpi": like.dpi}
    try:
        return encode_deep(data.numpy(), None if alpha is None else alpha.numpy(), format_name, **kept)  # type: ignore[arg-type]
    except (av.FFmpegError, ValueError) as error:
        raise EncodeError(
            f"{path}: the {format_name} encoder refused ({reason(error)}); try another format.", path
        ) from error
