"""How synthetic frames are sampled: twice as densely as their pixels, then low-passed as by a lens."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.texture import Array
from vidstyle.imaging.pyramid import halve

SUPERSAMPLING = 2
#: Beyond the frame's border, where the low-pass of its outermost pixels reads.
MARGIN_PX = 2


def dense_positions(size: tuple[int, int]) -> tuple[Array, tuple[int, int]]:
    """Where a frame of (width, height) pixels is sampled.

    Returns:
        (N, 2) float64 (x, y) in pixels from the frame's centre, row by row, and the (rows, columns) they form.
    """
    margin = SUPERSAMPLING * MARGIN_PX
    columns, rows = (
        (np.arange(-margin, side * SUPERSAMPLING + margin) + 0.5) / SUPERSAMPLING - side / 2 for side in size
    )
    x, y = np.meshgrid(columns, rows)
    return np.stack([x.ravel(), y.ravel()], axis=1), (len(rows), len(columns))


def pixel_positions(size: tuple[int, int]) -> Array:
    """(N, 2) float64 centres of a frame's pixels, from the frame's centre, row by row."""
    width, height = size
    x, y = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def develop(dense: Tensor) -> Tensor:
    """Low-pass and halve what was sampled at ``dense_positions``.

    Args:
        dense: (1, 3, rows, columns) RGB.

    Returns:
        (3, H, W) uint8.
    """
    # [1 2 1] and then halve's [1 3 3 1]: together the binomial [1 5 10 10 5 1].
    dense = (dense[..., :-2, :] + 2 * dense[..., 1:-1, :] + dense[..., 2:, :]) / 4
    dense = (dense[..., :-2] + 2 * dense[..., 1:-1] + dense[..., 2:]) / 4
    wide = halve(F.pad(dense, (1, 1, 1, 1), mode="replicate"))[0]
    smooth = wide[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    return smooth.clamp(0, 1).mul(255).round().to(torch.uint8)


def as_flow(moved: Array, valid: Array, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Displacements (N, 2) and validity (N,) of every pixel as ``SyntheticSequence.flow`` gives them."""
    width, height = size
    field = np.where(valid[:, None], moved, 0).astype(np.float32).reshape(height, width, 2)
    return torch.from_numpy(field).permute(2, 0, 1).contiguous(), torch.from_numpy(valid.reshape(1, height, width))
