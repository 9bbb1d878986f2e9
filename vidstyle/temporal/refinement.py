"""Sharpening measured motion by one Lucas-Kanade step: strokes swim on flow that is only nearly right."""

from __future__ import annotations

import torch
from torch import Tensor

from vidstyle.imaging.pyramid import cell_means, channel_mean, enlarge, halve, tent_blur
from vidstyle.imaging.warp import swift_warp

#: Squared luma per squared pixel that a window's gradients must have for its step to count half.
GRADIENT_FLOOR = 5e-5
#: Longest step along x and y: further off, the linear model says nothing.
MAX_STEP_PX = 1.0


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
        enlarge(halve(halve(grey)), size).neg_().add_(grey)
        for grey in (channel_mean(content), swift_warp(channel_mean(previous), flow_backward, "bilinear"))
    )
    change = now - before
    dx, dy = _differences(now.add_(before))
    product = torch.empty_like(dx)
    xx, xy, yy, xt, yt = (
        tent_blur(cell_means(torch.mul(a, b, out=product), 2))
        for a, b in ((dx, dx), (dx, dy), (dy, dy), (dx, change), (dy, change))
    )
    # Four gradients: two pixels apart and of the sum, they would be halved twice, which is left to the windows' means.
    xx, yy = xx.add_(16 * GRADIENT_FLOOR), yy.add_(16 * GRADIENT_FLOOR)
    step = torch.cat([yy * xt - xy * yt, xx * yt - xy * xt], 1).mul_(4 / (xx * yy - xy * xy))
    return enlarge(step.clamp_(-MAX_STEP_PX, MAX_STEP_PX), size).add_(flow_backward)


def _differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Of the two neighbours along x and along y; zero at the border."""
    dx, dy = torch.zeros_like(image), torch.zeros_like(image)
    torch.sub(image[..., 2:], image[..., :-2], out=dx[..., 1:-1])
    torch.sub(image[..., 2:, :], image[..., :-2, :], out=dy[..., 1:-1, :])
    return dx, dy
