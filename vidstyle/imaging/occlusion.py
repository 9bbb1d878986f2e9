"""Where motion cannot be trusted: the forward-backward check of Ruder et al. 2016, section 3."""

from __future__ import annotations

import torch
from torch import Tensor

from vidstyle.imaging.pyramid import dilate, tent_blur
from vidstyle.imaging.warp import points_inside, swift_warp


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
    flow_backward = flow_backward.contiguous()  # as planes, which torch is fast with
    steps = flow_backward * cells[:, None, None]
    returned = swift_warp(flow_forward, steps, "bilinear").contiguous()

    # The limit's side of the inequality is brought over: |F + r|² - 0.02 (|F|² + |r|²) = Σ 0.98 (F² + r²) + 2 F r.
    excess = (flow_backward * returned).mul_(2.0)
    excess.addcmul_(flow_backward, flow_backward, value=0.98).addcmul_(returned, returned, value=0.98)
    consistent = excess[:, :1] + excess[:, 1:] < 4.0

    return 1.0 - (consistent & points_inside(steps, slack_px=0.5)).float()


def soft_validity(occluded: Tensor) -> Tensor:
    """Turn a binary occlusion mask into blending weights without hard edges.

    Erodes the trusted area by one pixel, blurs it with a tent of σ = 1.2 and never trusts what the mask did not:
    tent(erode₃(M)) · M.

    Args:
        occluded: (1, 1, h, w) in [0, 1], 1 = occluded.

    Returns:
        (1, 1, h, w) in [0, 1], 1 = fully trusted.
    """
    return tent_blur(1.0 - dilate(occluded)) * (1.0 - occluded)
