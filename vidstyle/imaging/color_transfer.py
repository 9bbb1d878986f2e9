"""Colour transfer by one linear map: the first two moments of one picture's colours onto another's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Two levels of 255, squared: a picture of few colours must not be stretched without bound along those it lacks.
_VARIANCE_FLOOR = (2 / 255) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class ColorStatistics:
    """Mean (3,) and covariance (3, 3) of RGB values in [0, 1], float64 on the CPU."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, pictures: Sequence[Tensor]) -> ColorStatistics:
        """Of (3, H, W) pictures in [0, 1], each with equal weight whatever its size.

        Raises:
            ValueError: there is none.
        """
        if not pictures:
            raise ValueError("statistics need at least one picture")
        moments = [_moments(picture) for picture in pictures]
        mean = torch.stack([first for first, _ in moments]).mean(0)
        second = torch.stack([second for _, second in moments]).mean(0)
        return cls(mean, second - mean[:, None] * mean[None])

    @property
    def root(self) -> Tensor:
        """Symmetric square root of the covariance, (3, 3)."""
        return _power(self.covariance, 0.5)


def _moments(picture: Tensor) -> tuple[Tensor, Tensor]:
    # Where the picture is: a GPU's is not worth fetching for twelve numbers. About the mean and row by row, float32 is
    # exact enough and faster than float64, which MPS lacks.
    with torch.autocast(picture.device.type, enabled=False):
        pixels = picture.detach().float()
        mean = pixels.mean((1, 2))
        rows = (pixels - mean[:, None, None]).transpose(0, 1)
        covariance = torch.bmm(rows, rows.transpose(1, 2)).mean(0).cpu().double() / pixels.shape[2]
    mean = mean.cpu().double()
    return mean, covariance + mean[:, None] * mean


@dataclass(frozen=True, slots=True, eq=False)
class ColorMap:
    """y = T x + b on RGB.

    Attributes:
        matrix: T, (3, 3) float64.
        offset: b, (3,) float64.
    """

    matrix: Tensor
    offset: Tensor

    def __call__(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W) floating in [0, 1] to the same, clipped."""
        matrix, offset = self.matrix.to(picture), self.offset.to(picture)
        mapped = torch.einsum("dc,nchw->ndhw", matrix, picture) + offset[:, None, None]
        return mapped.clamp_(0.0, 1.0)


def monge_kantorovich(source: ColorStatistics, target: ColorStatistics, max_gain: float = math.inf) -> ColorMap:
    """The linear map from the source's mean and covariance to the target's that moves colours least.

    T = Σs^(-1/2) (Σs^(1/2) Σt Σs^(1/2))^(1/2) Σs^(-1/2) (Pitié & Kokaram 2007, eq. 15; a small multiple of the identity
    is added to both covariances).

    Args:
        source: of the colours to change.
        target: what they shall be.
        max_gain: most that any direction of colour is stretched: a nearly flat picture is mostly noise.
    """
    floor = _VARIANCE_FLOOR * torch.eye(3, dtype=torch.float64)
    root = _power(source.covariance + floor, 0.5)
    inverse = _power(source.covariance + floor, -0.5)
    matrix = inverse @ _power(root @ (target.covariance + floor) @ root, 0.5) @ inverse
    gains, directions = torch.linalg.eigh((matrix + matrix.T) / 2)
    matrix = directions @ torch.diag(gains.clamp(max=max_gain)) @ directions.T
    return ColorMap(matrix, target.mean - matrix @ source.mean)


def _power(symmetric: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    power: Tensor = vectors @ torch.diag(values.clamp(min=1e-12) ** exponent) @ vectors.T
    return power
