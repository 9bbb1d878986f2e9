"""Laplacian bands of a picture (Burt & Adelson 1983)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def halve(image: Tensor) -> Tensor:
    """Low-pass with the binomial [1 3 3 1] kernel and keep every second pixel.

    Args:
        image: (N, C, H, W) floating; odd sides are replicated up to even ones.

    Returns:
        (N, C, ceil(H / 2), ceil(W / 2)).
    """
    height, width = image.shape[-2:]
    padded = F.pad(image, (1, 1 + width % 2, 1, 1 + height % 2), mode="replicate")
    # By slices: on a CPU a convolution of so few channels costs four times as much.
    rows = padded[..., 0:-2:2, :] + padded[..., 3::2, :] + 3 * (padded[..., 1:-2:2, :] + padded[..., 2:-1:2, :])
    return (rows[..., 0:-2:2] + rows[..., 3::2] + 3 * (rows[..., 1:-2:2] + rows[..., 2:-1:2])) / 64


def enlarge(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear upsampling of (N, C, h, w) to (height, width)."""
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


def laplacian_bands(image: Tensor, num_bands: int) -> list[Tensor]:
    """Split off the ``num_bands`` finest bands; band k of (N, C, H, W) has sides H / 2ᵏ and W / 2ᵏ, rounded up."""
    bands = []
    for _ in range(num_bands):
        low = halve(image)
        bands.append(image - enlarge(low, (image.shape[-2], image.shape[-1])))
        image = low
    return bands
