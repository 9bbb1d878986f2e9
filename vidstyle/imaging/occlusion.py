"""Where motion cannot be trusted: the forward-backward check of Ruder et al. 2016, section 3."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.pyramid import tent_blur
from vidstyle.imaging.warp import pixel_grid, swift_warp


def occlusion_mask(flow_backward: Tensor, flow_forward: Tensor, frame_size: tuple[int, int]) -> Tensor:
    """Mark the pixels of frame t that have no counterpart in frame t-1.

    With F the backward flow and r = B(x + F) the forward flow found where F points to, a pixel is trusted when
    |F + r|² < 0.02 (|F|² + |r|²) + 4 and x + F lies inside the frame (Ruder, Dosovitskiy & Brox 2016, eq. 5, whose
    limits are 0.01 and 0.5, for better flow than is to be had on a CPU). Their test for motion boundaries (eq. 6) is
    left out: it distrusts every slanted surface under a moving camera. What slips through is caught by the filter's
    photometric test.

    Args:
        flow_backward: (1, 2, h, w) float32 pixels of the frame, t to t-1, on any grid.
        flow_forward: (1, 2, h, w) likewise, t-1 to t.
        frame_size: (H, W) of the frame in pixels.

    Returns:
        (1, 1, h, w) float32: 1 = occluded.
    """
    height, width = flow_backward.shape[-2:]
    cells = torch.tensor((width / frame_size[1], height / frame_size[0]), device=flow_backward.device)
    steps = flow_backward * cells[:, None, None]
    x, y = (pixel_grid(height, width, flow_backward.device) + steps).unbind(1)
    returned = swift_warp(flow_forward, steps, "bilinear")

    mismatch = _squared_length(flow_backward + returned)
    consistent = mismatch < 0.02 * (_squared_length(flow_backward) + _squared_length(returned)) + 4.0

    inside = ((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))[:, None]
    return 1.0 - (consistent & inside).float()


def _squared_length(flow: Tensor) -> Tensor:
    squared = flow * flow
    return squared[:, :1] + squared[:, 1:]


def soft_validity(occluded: Tensor) -> Tensor:
    """Turn a binary occlusion mask into blending weights without hard edges.

    Erodes the trusted area by one pixel, blurs it with a tent of σ = 1.2 and never trusts what the mask did not:
    tent(erode₃(M)) · M.

    Args:
        occluded: (1, 1, h, w) in [0, 1], 1 = occluded.

    Returns:
        (1, 1, h, w) in [0, 1], 1 = fully trusted.
    """
    eroded = 1.0 - F.max_pool2d(occluded, 3, stride=1, padding=1)
    return tent_blur(eroded) * (1.0 - occluded)
