"""Luma and chroma of R'G'B' pictures, by the matrix of a clip."""

from __future__ import annotations

import torch
from torch import Tensor

#: K_R and K_B of ITU-T H.273, table 4.
_COEFFICIENTS = {
    "bt709": (0.2126, 0.0722),
    "fcc": (0.30, 0.11),
    "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
    "bt2020c": (0.2627, 0.0593),
}


def luma_weights(matrix: str) -> tuple[float, float, float]:
    """Weights of R', G' and B' in luma; those of BT.709 for a matrix that has none (``gbr``)."""
    red, blue = _COEFFICIENTS.get(matrix, _COEFFICIENTS["bt709"])
    return red, 1.0 - red - blue, blue


def luma(picture: Tensor, matrix: str = "bt709") -> Tensor:
    """(N, 1, H, W) of (N, 3, H, W)."""
    weights = torch.tensor(luma_weights(matrix), dtype=picture.dtype, device=picture.device)
    return torch.einsum("c,nchw->nhw", weights, picture)[:, None]


def with_chroma_of(painted: Tensor, source: Tensor, matrix: str = "bt709") -> Tensor:
    """Luma of one picture with the chroma of another.

    Chroma differences are multiples of R' - Y' and B' - Y', so that colours move along the grey axis only. Where luma
    leaves no room for the whole chroma, it is reduced at its hue until it fits, and luma stays exact.

    Args:
        painted: (N, 3, H, W) R'G'B' in [0, 1].
        source: (N, 3, H, W), likewise.
        matrix: YCbCr matrix of the clip, by FFmpeg's name.

    Returns:
        (N, 3, H, W) in [0, 1].
    """
    wanted = luma(painted, matrix).clamp_(0.0, 1.0)
    chroma = source - luma(source, matrix)
    room = torch.where(chroma > 0, 1.0 - wanted, wanted) / chroma.abs().clamp_(min=1e-6)
    fitting = room.amin(1, keepdim=True).clamp_(max=1.0)
    return (wanted + fitting * chroma).clamp_(0.0, 1.0)
