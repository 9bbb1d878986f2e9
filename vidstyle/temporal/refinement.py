"""Sharpening measured motion by one Lucas-Kanade step: strokes swim on flow that is only nearly right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.pyramid import enlarge, halve
from vidstyle.imaging.warp import backward_warp

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
    moved = backward_warp(previous.mean(1, keepdim=True), flow_backward, "bilinear")
    pair = torch.cat([content.mean(1, keepdim=True), moved])
    now, before = pair - enlarge(halve(halve(pair)), size)
    middle = ((now + before) / 2)[None]
    dx = F.pad((middle[..., 2:] - middle[..., :-2]) / 2, (1, 1))
    dy = F.pad((middle[..., 2:, :] - middle[..., :-2, :]) / 2, (0, 0, 1, 1))
    change = (now - before)[None]
    sums = F.avg_pool2d(torch.cat([dx * dx, dx * dy, dy * dy, dx * change, dy * change], 1), 2, ceil_mode=True)
    for _ in range(2):
        sums = F.avg_pool2d(sums, 3, stride=1, padding=1, count_include_pad=False)
    xx, xy, yy, xt, yt = sums.unbind(1)
    xx, yy = xx + _GRADIENT_FLOOR, yy + _GRADIENT_FLOOR
    step = torch.stack([yy * xt - xy * yt, xx * yt - xy * xt], 1) / (xx * yy - xy * xy)[:, None]
    return flow_backward + enlarge(step.clamp_(-_MAX_STEP_PX, _MAX_STEP_PX), size)
