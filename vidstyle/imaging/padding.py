"""Padding pictures to the sizes networks want, and cropping back."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Crop:
    """Where the original picture sits inside a padded one, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def __call__(self, padded: Tensor) -> Tensor:
        """Cut the original area out of (..., H, W)."""
        return padded[..., self.top : self.top + self.height, self.left : self.left + self.width]


def pad_to_multiple(image: Tensor, multiple: int, minimum: int = 1, margin: int = 0) -> tuple[Tensor, Crop]:
    """Grow a picture by replicating its border until both sides are multiples of ``multiple``.

    Args:
        image: (N, C, H, W), any floating dtype.
        multiple: both sides of the result are multiples of this.
        minimum: both sides of the result are at least this many pixels.
        margin: at least this many pixels are added on every side.

    Returns:
        The padded picture (the same tensor where nothing was missing) and the crop that undoes it.
    """
    height, width = image.shape[-2:]

    def missing(size: int) -> int:
        target = max(size + 2 * margin, minimum)
        return -(-target // multiple) * multiple - size

    add_h, add_w = missing(height), missing(width)
    crop = Crop(add_h // 2, add_w // 2, height, width)
    if add_h or add_w:
        padding = (crop.left, add_w - crop.left, crop.top, add_h - crop.top)
        image = F.pad(image, padding, mode="replicate")
    return image, crop
