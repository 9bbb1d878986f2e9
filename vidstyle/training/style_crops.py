"""Style pictures for arbitrary-style training: strongly augmented crops, held in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.training.checkpoints import digest_of


class StyleCrops:
    """Endless random crops of style pictures; the same generator state gives the same crops.

    A few dozen paintings are too few palettes and stroke sizes to learn "any style" from, so crops are scaled, turned,
    flipped, and in half of the cases recoloured by a random colour matrix, contrast and brightness.

    Args:
        pictures: (3, H, W) float RGB in [0, 1] each.
        crop_px: side of a crop.
        size_px: short side the pictures are brought to; crops show them at 0.7 to 1.4 times that.

    Raises:
        ConfigError: no picture.
    """

    def __init__(self, pictures: Sequence[Tensor], crop_px: int, size_px: int) -> None:
        if not pictures:
            raise ConfigError("There is no style picture to train on; name a folder with paintings.")
        self._pictures = [_short_side(picture, round(size_px * 1.4)) for picture in pictures]
        self._crop_px = crop_px
        self._size_px = size_px

    def __len__(self) -> int:
        return len(self._pictures)

    @property
    def digest(self) -> str:
        """By it a run that goes on knows its pictures."""
        return digest_of(self._pictures)

    def batch(self, num: int, generator: torch.Generator) -> Tensor:
        """(num, 3, crop, crop) float32 RGB in [0, 1]."""
        return torch.stack([self._crop(generator) for _ in range(num)])

    def _crop(self, generator: torch.Generator) -> Tensor:
        picture = self._pictures[int(torch.randint(len(self._pictures), (), generator=generator))]
        zoom = 0.7 * 2 ** float(torch.rand((), generator=generator))  # 0.7 to 1.4
        side = min(round(self._crop_px * 1.4 / zoom), *picture.shape[-2:])
        top, left = (int(torch.randint(length - side + 1, (), generator=generator)) for length in picture.shape[-2:])
        crop = picture[:, top : top + side, left : left + side].float()[None] / 255
        crop = F.interpolate(crop, (self._crop_px, self._crop_px), mode="bilinear", antialias=True)[0].clamp(0, 1)
        crop = crop.rot90(int(torch.randint(4, (), generator=generator)), (1, 2))
        if torch.rand((), generator=generator) < 0.5:
            crop = crop.flip(-1)
        if torch.rand((), generator=generator) < 0.5:
            crop = _recoloured(crop, generator)
        return crop.contiguous()


def _short_side(picture: Tensor, side_px: int) -> Tensor:
    scale = side_px / min(picture.shape[-2:])
    size = [round(side * scale) for side in picture.shape[-2:]]
    return (F.interpolate(picture[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1) * 255).round().byte()


def _recoloured(crop: Tensor, generator: torch.Generator) -> Tensor:
    order = torch.randperm(3, generator=generator)
    mixing = torch.eye(3)[order] + 0.2 * torch.randn(3, 3, generator=generator)
    contrast = torch.empty(()).uniform_(0.6, 1.3, generator=generator)
    brightness = torch.empty(3, 1, 1).uniform_(-0.15, 0.15, generator=generator)
    mean = crop.mean((1, 2), keepdim=True)
    centred = torch.einsum("ij,jhw->ihw", mixing, crop - mean)
    return (centred * contrast + mean[order] + brightness).clamp(0.0, 1.0)
