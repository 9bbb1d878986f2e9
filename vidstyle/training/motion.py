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


def shifted_view(wide: Tensor, stride_px: int, generator: torch.Generator) -> tuple[Tensor, tuple[int, int]]:
    """What ``two_views`` shows, seen from a few whole pixels beside: another phase of the network's grid.

    Args:
        wide: as for ``two_views``.
        stride_px: of the grid; even, at most ``SURROUND_PX``.
        generator: source of randomness, on the CPU.

    Returns:
        (N, 3, h, w) the view, and the shift (y, x) in pixels: any phase but (0, 0), each from above
        ``-stride_px / 2`` to ``stride_px / 2``, because little else is to change.
    """
    phases = divmod(int(torch.randint(1, stride_px**2, (), generator=generator)), stride_px)
    y, x = (phase if phase <= stride_px // 2 else phase - stride_px for phase in phases)
    height, width = (side - 2 * SURROUND_PX for side in wide.shape[-2:])
    top, left = SURROUND_PX + y, SURROUND_PX + x
    return wide[..., top : top + height, left : left + width], (y, x)


def shift_loss(stylized: Tensor, stylized_shifted: Tensor, shift: tuple[int, int]) -> Tensor:
    """Root of the mean (net(S I) − S net(I))² in units of net(I)'s deviation, without borders; a scalar.

    ``stability_loss`` is mostly the answer to noise and to other light. Here nothing differs but the pixel grid, by
    which strokes would hang on the screen (Zhang 2019, sec. 4.1), and the few pixels that leave and enter the picture,
    which change averages over it.

    Args:
        stylized: (N, 3, H, W) net(I).
        stylized_shifted: (N, 3, H, W) net(S I).
        shift: (y, x) pixels, as for ``shifted_view``; at most an eighth of a side, which is the border.
    """
    height, width = stylized.shape[-2:]
    (y, x), (rows, columns) = shift, (height // 8, width // 8)
    difference = stylized_shifted - stylized.roll((-y, -x), (2, 3))
    squares = difference[..., rows:-rows, columns:-columns].square().mean((1, 2, 3))
    # A root is infinitely steep at zero, and a flat painting has no deviation.
    return ((squares + 1e-6) / (stylized.detach().var((1, 2, 3)) + 1e-3)).sqrt().mean()
