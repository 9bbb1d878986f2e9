"""Pictures as the bytes of a file, for whoever sends them on."""

from __future__ import annotations

import io

from PIL import Image
from torch import Tensor

from vidstyle.media.eight_bits import to_eight_bits


def encode_png(picture: Tensor) -> bytes:
    """Lossless, quick rather than small.

    Args:
        picture: (3, H, W) uint8 or uint16 RGB; written with 8 bits.
    """
    return _encoded(picture, "PNG", compress_level=1)


def encode_jpeg(picture: Tensor, quality: int = 90) -> bytes:
    """Small, without colour subsampling.

    Args:
        picture: (3, H, W) uint8 or uint16 RGB.
        quality: 1 to 95.
    """
    return _encoded(picture, "JPEG", quality=quality, subsampling=0)


def _encoded(picture: Tensor, kind: str, **options: int) -> bytes:
    pixels = to_eight_bits(picture).permute(1, 2, 0).contiguous().cpu().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()
