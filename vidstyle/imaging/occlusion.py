"""Where motion cannot be trusted: the forward-backward check of Ruder et al. 2016, section 3."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.warp import pixel_grid, sample_at


def occlusion_mask(flow_backward: Tensor, flow_forward: Tensor, frame_size: tuple[int, int]) -> Tensor:
    """Mark the pixels of frame t that have no counterpart in frame t-1.

    With F the backward flow and r = B(x + F) the forward flow found where F points to, a pixel is trusted when
    |F + r|² < 0.02 (|F|² + |r|²) + 1 and x + F lies inside the frame (Ruder, Dosovitskiy & Brox 2016, eq. 5, whose
    limits are half of these). Their test for motion boundaries (eq. 6) is left out: it distrusts every slanted surface
    under a moving camera, and what it is there for is caught by the filter's photometric test.

    Args:
        flow_backward: (1, 2, h, w) float32 pixels of the frame, t to t-1, on any grid.
        flow_forward: (1, 2, h, w) likewise, t-1 to t.
        frame_size: (H, W) of the frame in pixels.

    Returns:
        (1, 1, h, w) float32: 1 = occluded.
    """
    height, width = flow_backward.shape[-2:]
    x, y = pixel_grid(height, width, flow_backward.device).unbind(1)
    x = x + flow_backward[:, 0] * (width / frame_size[1])
    y = y + flow_backward[:, 1] * (height / frame_size[0])
    position = torch.stack((x, y), 1)
    returned = sample_at(flow_forward, position, "bilinear")

    squared = flow_backward.square().sum(1, keepdim=True)
    mismatch = (flow_backward + returned).square().sum(1, keepdim=True)
    consistent = mismatch < 0.02 * (squared + returned.square().sum(1, keepdim=True)) + 1.0

    inside = ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))[:, None]
    return 1.0 - (consistent & inside).float()


def soft_validity(occluded: Tensor) -> Tensor:
    """Turn a binary occlusion mask into blending weights without hard edges.

    Erodes the trusted area by one pixel, blurs it with σ = 1 and never trusts what the mask did not:
    gauss₁(erode₃(M)) · M.

    Args:
        occluded: (1, 1, h, w) in [0, 1], 1 = occluded.

    Returns:
        (1, 1, h, w) in [0, 1], 1 = fully trusted.
    """
    valid = 1.0 - occluded
    eroded = 1.0 - F.max_pool2d(occluded, 3, stride=1, padding=1)
    blurred = _gauss_along(_gauss_along(eroded, -1), -2)
    return blurred * valid


def _gauss_along(image: Tensor, dim: int) -> Tensor:
    """Gaussian with σ = 1 over five samples; the border repeats."""
    padded = F.pad(image, (2, 2, 0, 0) if dim == -1 else (0, 0, 2, 2), mode="replicate")
    size = image.shape[dim]
    weights = [math.exp(-0.5 * offset * offset) for offset in (-2, -1, 0, 1, 2)]
    shifted = (weight * padded.narrow(dim, tap, size) for tap, weight in enumerate(weights))
    return sum(shifted, torch.zeros_like(image)) / sum(weights)
