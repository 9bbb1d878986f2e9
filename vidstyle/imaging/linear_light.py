"""Mixing pictures as light mixes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_linear(picture: Tensor) -> Tensor:
    """Display values in [0, 1] to light in [0, 1], by the curve of sRGB (IEC 61966-2-1)."""
    return torch.where(picture <= 0.04045, picture / 12.92, ((picture.clamp(min=0) + 0.055) / 1.055) ** 2.4)


def to_display(light: Tensor) -> Tensor:
    """The inverse of ``to_linear``."""
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def blend_light(pictures: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Weighted sum in linear light.

    Args:
        pictures: of one shape, in [0, 1].
        weights: one a picture, adding up to 1.

    Returns:
        Display-referred, in [0, 1].
    """
    light = to_linear(pictures[0]).mul_(weights[0])
    for picture, weight in zip(pictures[1:], weights[1:], strict=True):
        light.add_(to_linear(picture), alpha=weight)
    return to_display(light).clamp_(0.0, 1.0)
