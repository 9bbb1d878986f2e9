"""The fine edges of a source, given back to its painting."""

from __future__ import annotations

from torch import Tensor

from vidstyle.imaging.luma import luma
from vidstyle.imaging.pyramid import enlarge, laplacian_bands


def add_detail(painted: Tensor, source: Tensor, amount: float, matrix: str = "bt709") -> Tensor:
    """Add the two finest Laplacian bands of the source's luma to a painting.

    Luma alone, so that no colour comes back.

    Args:
        painted: (N, 3, H, W) in [0, 1].
        source: (N, 3, H, W) in [0, 1].
        amount: 0 adds nothing, 1 the bands as they are.
        matrix: YCbCr matrix of the clip.

    Returns:
        (N, 3, H, W) in [0, 1].
    """
    if amount == 0.0 or min(painted.shape[-2:]) < 4:
        return painted
    fine, middle = laplacian_bands(luma(source, matrix), 2)
    edges = fine + enlarge(middle, (fine.shape[-2], fine.shape[-1]))
    return (painted + amount * edges).clamp_(0.0, 1.0)
