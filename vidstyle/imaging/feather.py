"""Soft edges of masks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# Between 10 and 90 % a Gaussian's edge is this many deviations wide.
_DEVIATIONS = 2.563


def feathered(mask: Tensor, width_px: float) -> Tensor:
    """Blur a mask with a Gaussian, so that its edges run from 10 to 90 % over ``width_px``.

    Args:
        mask: (1, H, W) in [0, 1], floating; its border repeats outside.
        width_px: 0 leaves it as it is.
    """
    deviation = width_px / _DEVIATIONS
    if deviation < 0.1:
        return mask
    radius = math.ceil(3 * deviation)
    steps = torch.arange(-radius, radius + 1, dtype=mask.dtype, device=mask.device)
    kernel = torch.exp(-0.5 * (steps / deviation) ** 2)
    kernel /= kernel.sum()
    column = F.conv2d(F.pad(mask[None], (0, 0, radius, radius), mode="replicate"), kernel[None, None, :, None])
    both = F.conv2d(F.pad(column, (radius, radius, 0, 0), mode="replicate"), kernel[None, None, None, :])
    return both[0].clamp_(0.0, 1.0)
