"""Between pictures of 16 bits and of 8, which GIFs, contact sheets and JPEG have."""

from __future__ import annotations

import torch
from torch import Tensor


def to_eight_bits(picture: Tensor) -> Tensor:
    """Round uint16 over its whole range to uint8; uint8 comes back as it is."""
    if picture.dtype == torch.uint8:
        return picture
    return picture.to(torch.float32).div_(257.0).add_(0.5).to(torch.uint8)


def to_sixteen_bits(picture: Tensor) -> Tensor:
    """Spread uint8 over the whole range of uint16; uint16 comes back as it is."""
    if picture.dtype == torch.uint16:
        return picture
    return picture.to(torch.int32).mul_(257).to(torch.uint16)
