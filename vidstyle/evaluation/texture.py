"""Textures for the rendered scenes: seeded noise, and pictures that are looked up without aliasing."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ROW = 4096  # cv2.remap refuses maps with a side of 32767 or more, so flat lists of points are folded into rows


def fractal_noise(
    shape: tuple[int, int],
    cells: tuple[float, float],
    seed: int,
    *,
    num_octaves: int = 6,
    gain: float = 0.5,
    ridged: bool = False,
) -> Array:
    """Sum of octaves of smooth noise that tiles in both directions.

    Args:
        shape: (H, W) of the result.
        cells: (rows, columns) of noise cells of the first octave.
        seed: makes the result reproducible.
        num_octaves: octaves, each of twice the frequency of the one before.
        gain: amplitude of an octave over the one before.
        ridged: fold every octave into sharp crests, as mountains have.

    Returns:
        (H, W) float32 in [0, 1], with mean near 0.5.
    """
    rng = np.random.default_rng(seed)
    height, width = shape
    total = np.zeros(shape, np.float32)
    weight = 0.0
    for octave in range(num_octaves):
        rows, columns = (min(max(2, round(c * 2**octave)), side) for c, side in zip(cells, shape, strict=True))
        lattice = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
        lattice = np.pad(lattice, 3, mode="wrap")
        y = (np.arange(height, dtype=np.float32) * (rows / height) + 3)[:, None]
        x = (np.arange(width, dtype=np.float32) * (columns / width) + 3)[None, :]
        size = (height, width)
        wave = cv2.remap(lattice, np.broadcast_to(x, size).copy(), np.broadcast_to(y, size).copy(), cv2.INTER_CUBIC)
        if ridged:
            wave = 1 - 2 * np.abs(wave)
        total += np.float32(gain**octave) * wave
        weight += gain ** (2 * octave)
    scaled: Array = np.clip(0.5 + total / (3.2 * np.sqrt(weight)), 0, 1).astype(np.float32)
    return scaled


def smoothstep(low: float, high: float, value: Array) -> Array:
    """0 below ``low``, 1 above ``high``, a smooth ramp in between."""
    x = np.clip((value - low) / (high - low), 0, 1)
    ramp: Array = x * x * (3 - 2 * x)
    return ramp


def mix(first: Array | tuple[float, ...], second: Array | tuple[float, ...], amount: Array | float) -> Array:
    """Blend two colours or pictures; ``amount`` (H, W) or a number is the share of ``second``."""
    share = np.asarray(amount, np.float32)[..., None]
    blended: Array = np.asarray(first, np.float32) * (1 - share) + np.asarray(second, np.float32) * share
    return blended


class Texture:
    """A picture on a surface, with its mip levels and an optional cut-out mask.

    Args:
        color: (H, W, 3) RGB in [0, 1].
        mask: (H, W) in [0, 1]; the surface exists where it is at least 0.5.
        repeat: how often the picture repeats across the surface, (horizontally, vertically); 1 does not wrap.
    """

    def __init__(self, color: Array, mask: Array | None = None, repeat: tuple[float, float] = (1, 1)) -> None:
        alpha = np.ones(color.shape[:2], np.float32) if mask is None else mask
        picture: Array = np.dstack([color, alpha]).astype(np.float32)
        self.has_mask = mask is not None
        self.repeat = repeat
        self.size_px = (color.shape[1], color.shape[0])
        self._levels = [_as_bytes(picture)]
        while min(picture.shape[:2]) >= 4:
            picture = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
            self._levels.append(_as_bytes(picture))

    def sample(self, uv: Array, level: Array) -> Array:
        """Look points up, blending bilinearly in the picture and linearly between mip levels.

        Args:
            uv: (N, 2) positions in [0, 1], v downwards; repeats outside.
            level: (N,) mip level, 0 for the full picture.

        Returns:
            (N, 4) float32 RGB and mask in [0, 1].
        """
        last = len(self._levels) - 1
        level = np.clip(level, 0, last)
        lower = level.astype(np.int32)
        out = np.empty((len(uv), 4), np.float32)
        for k in np.unique(lower):
            chosen = np.flatnonzero(lower == k)
            value = self._lookup(int(k), uv[chosen])
            if k < last:
                share = (level[chosen] - k).astype(np.float32)[:, None]
                value += share * (self._lookup(int(k) + 1, uv[chosen]) - value)
            out[chosen] = value
        return out

    def _lookup(self, level: int, uv: Array) -> Array:
        picture = self._levels[level]
        height, width = picture.shape[:2]
        size, repeat = np.asarray([width, height], uv.dtype), np.asarray(self.repeat, uv.dtype)
        texels = np.clip(uv, 0, 1) * size - 0.5
        if self.repeat != (1, 1):
            # An axis that does not repeat must not reach over the border of one that does.
            tiles = np.mod(uv * repeat, 1) * size - 0.5
            texels = np.where(repeat == 1, np.clip(texels, 0, size - 1), tiles)
        num_points = len(uv)
        rows = -(-num_points // _ROW)
        columns = min(num_points, _ROW)
        maps = np.zeros((2, rows * columns), np.float32)
        maps[0, :num_points] = texels[:, 0]
        maps[1, :num_points] = texels[:, 1]
        x, y = maps.reshape(2, rows, columns)
        border = cv2.BORDER_WRAP if self.repeat != (1, 1) else cv2.BORDER_REPLICATE
        found = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=border)
        unit: Array = found.reshape(-1, 4)[:num_points].astype(np.float32) * np.float32(1 / 255)
        return unit


def _as_bytes(picture: Array) -> Array:
    rounded: Array = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    return rounded
