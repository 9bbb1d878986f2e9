"""Made-up motion: a second view of a still, with its exact flow, to train stability without video."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.warp import backward_warp, points_inside
from vidstyle.temporal.consistency import temporal_loss

#: Pixels that are known around a crop, so that what moves into view is real and not a repeated border.
SURROUND_PX = 16


def random_flow(num: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """A whole-picture shift of up to 8 px plus a smooth random warp of about 3 px.

    Half of the pictures get the shift alone, in whole pixels: there resampling blurs nothing, so what differs between
    two outputs is the network's own doing.

    Args:
        num: pictures.
        height: in pixels.
        width: in pixels.
        generator: source of randomness, on the CPU.

    Returns:
        (num, 2, height, width) float32 pixels (dx, dy), on the CPU.
    """
    shift = torch.randint(-8, 9, (num, 2, 1, 1), generator=generator).float()
    coarse = torch.randn(num, 2, max(height // 48, 2), max(width // 48, 2), generator=generator) * 3.0
    smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    rigid = (torch.arange(num) % 2 == 0).view(-1, 1, 1, 1)
    return torch.where(rigid, shift.expand(-1, -1, height, width), shift + smooth)


def moved_view(content: Tensor, flow: Tensor, generator: torch.Generator) -> Tensor:
    """The same scene a moment later: moved, a little brighter or darker, with fresh sensor noise.

    Args:
        content: (N, 3, H, W) in [0, 1].
        flow: (N, 2, H, W) pixels; the view is content(x + flow).
        generator: source of randomness, on the CPU.

    Returns:
        (N, 3, H, W) in [0, 1].
    """
    num = content.shape[0]
    gain = torch.empty(num, 1, 1, 1).uniform_(0.95, 1.05, generator=generator)
    sigma = torch.empty(num, 1, 1, 1).uniform_(0.0, 0.02, generator=generator)
    noise = torch.randn(content.shape, generator=generator) * sigma
    moved = backward_warp(content, flow)
    return (moved * gain.to(moved.device) + noise.to(moved.device)).clamp(0.0, 1.0)


def two_views(wide: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The middle of pictures, the same a moment later, and the flow between.

    Args:
        wide: (N, 3, H, W) in [0, 1], with ``SURROUND_PX`` around what is shown.
        generator: source of randomness, on the CPU.

    Returns:
        (N, 3, h, w) the middle, (N, 3, h, w) its moved view and (N, 2, h, w) pixels, as for ``moved_view``.
    """
    flow = random_flow(wide.shape[0], wide.shape[-2], wide.shape[-1], generator).to(wide.device)
    middle = (..., slice(SURROUND_PX, -SURROUND_PX), slice(SURROUND_PX, -SURROUND_PX))
    return wide[middle], moved_view(wide, flow, generator)[middle], flow[middle]


def stability_loss(stylized: Tensor, stylized_moved: Tensor, flow: Tensor) -> Tensor:
    """Mean |net(W I) − W net(I)| of what both views show; a scalar.

    The temporal consistency loss of single-image training: what the network paints should move with what it paints on,
    up to the border, where a network that sees less of the scene is tempted to paint something else.

    Args:
        stylized: (N, 3, H, W) net(I).
        stylized_moved: (N, 3, H, W) net(W I).
        flow: (N, 2, H, W) pixels, as for ``moved_view``.
    """
    return temporal_loss(stylized_moved, backward_warp(stylized, flow), points_inside(flow).float(), power=1)
