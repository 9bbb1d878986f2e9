"""Sharpening measured motion by one Lucas-Kanade step: strokes swim on flow that is only nearly right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.pyramid import cell_means, channel_mean, enlarge, halve, tent_blur
from vidstyle.imaging.warp import swift_warp

#: Squared luma per squared pixel that a window's gradients must have for its step to count half.
_GRADIENT_FLOOR = 5e-5
#: Longest step along x and y: further off, the linear model says nothing.
_MAX_STEP_PX = 1.0


def refine_flow(content: Tensor, previous: Tensor, flow_backward: Tensor) -> Tensor:
    """Move flow by the least-squares step of Lucas & Kanade (IJCAI 1981, eq. 9 in two dimensions), window by window.

    With g the luma of frame t and h that of frame t−1 moved along the flow, both without their local mean (light may
    change), and ∇ the gradient of (g + h) / 2, the step d solves

        (Σ ∇∇ᵀ + ε 1) d = Σ ∇ (g − h)

    where Σ is the mean over a window of about 10 pixels. Flow is estimated on a coarser grid than the frame's; with an
    error of a third of a pixel what it carries slides over the scene, frame after frame. Where there is no texture, ε
    leaves flow alone.

    Args:
        content: (1, 3, H, W) float32 source frame t in [0, 1].
        previous: (1, 3, H, W) float32 source frame t-1.
        flow_backward: (1, 2, H, W) float32 pixels, t to t-1.

    Returns:
        (1, 2, H, W) float32 pixels, at most one pixel from ``flow_backward`` along each axis.
    """
    size = (content.shape[-2], content.shape[-1])
    if min(size) < 8:  # no room for a window
        return flow_backward
    now, before = (
        grey - enlarge(halve(halve(grey)), size)
        for grey in (channel_mean(content), swift_warp(channel_mean(previous), flow_backward, "bilinear"))
    )
    middle, change = (now + before) / 2, now - before
    dx = F.pad((middle[..., 2:] - middle[..., :-2]) / 2, (1, 1))
    dy = F.pad((middle[..., 2:, :] - middle[..., :-2, :]) / 2, (0, 0, 1, 1))
    xx, xy, yy, xt, yt = (
        tent_blur(cell_means(product, 2)) for product in (dx * dx, dx * dy, dy * dy, dx * change, dy * change)
    )
    xx, yy = xx + _GRADIENT_FLOOR, yy + _GRADIENT_FLOOR
    step = torch.cat([yy * xt - xy * yt, xx * yt - xy * xt], 1) / (xx * yy - xy * xy)
    return flow_backward + enlarge(step.clamp_(-_MAX_STEP_PX, _MAX_STEP_PX), size)
