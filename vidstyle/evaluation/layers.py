"""Flat pictures in front of each other, each moving and bending on its own: exact flow with exact occlusion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.camera_moves import EDGE_PX
from vidstyle.evaluation.lens import as_flow, dense_positions, develop, pixel_positions
from vidstyle.evaluation.texture import Array
from vidstyle.imaging.warp import sample_at

_SOLID = 0.5  # a pixel shows the nearest layer at least this opaque at its centre
_ITERATIONS = 60  # of the fixed point below; a factor of at most 0.6 each


class Placement(Protocol):
    """Ties positions in a frame, in pixels from its centre, to points of a layer's plane, one to one."""

    def place(self, positions: Array) -> Array:
        """(N, 2) positions to points."""
        ...

    def find(self, points: Array) -> Array:
        """The inverse of ``place``."""
        ...


@dataclass(frozen=True, slots=True)
class Ripple:
    """A smooth bend: the position x of the frame shows the point x + offset + d(x).

    d is a sum of two travelling waves, across and along; it stays one to one because its slope stays below 1.

    Attributes:
        amplitude_px: of each wave.
        wavelength_px: of each wave; at least 11 times the amplitude.
        phase: of the waves in radians.
        offset: (x, y) of the plane in pixels.
    """

    amplitude_px: float
    wavelength_px: float
    phase: float
    offset: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if 2 * np.pi * self.amplitude_px > 0.58 * self.wavelength_px:
            raise ValueError(
                f"waves of {self.amplitude_px} px fold over at a length of {self.wavelength_px} px; "
                "make them at least 11 times as long"
            )

    def place(self, positions: Array) -> Array:
        """See ``Placement``."""
        placed: Array = positions + np.asarray(self.offset) + self._bend(positions)
        return placed

    def find(self, points: Array) -> Array:
        """See ``Placement``; by fixed-point iteration, to the last bit of float64."""
        target = points - np.asarray(self.offset)
        found: Array = target.copy()
        for _ in range(_ITERATIONS):
            before, found = found, target - self._bend(found)
            if np.abs(found - before).max() < 1e-12:
                break
        return found

    def _bend(self, positions: Array) -> Array:
        angle = 2 * np.pi / self.wavelength_px * positions
        waves = np.sin(angle[:, 1] + self.phase), np.sin(angle[:, 0] * 0.9 - 1.3 * self.phase)
        bend: Array = self.amplitude_px * np.stack(waves, axis=1)
        return bend


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A picture in a plane.

    Attributes:
        picture: (3, H, W) RGB, opaque and repeated at its border, or (4, H, W) RGB and opacity, nothing beyond its
            border; in [0, 1].
        scale: pixels of the picture a pixel of a frame; 2 is sharpest, more would alias.
        placement: from frame index to placement; points are counted from the picture's middle.
    """

    picture: Tensor
    scale: float
    placement: Callable[[int], Placement]


class LayeredSequence:
    """Layers seen in front of each other: a ``SyntheticSequence`` without cuts.

    Frames are sampled as densely and as softly as those of ``PictureSequence``, so that a warp can reproduce them but
    for the outlines, where a pixel shows a mixture of two layers of different motion.

    Args:
        layers: far ones first; the first must be opaque.
        num_frames: how many frames there are.
        size: (width, height) of the frames in pixels.
        fps: frames per second.

    Raises:
        ValueError: no frame, no opaque first layer, or a frame below 2x2.
    """

    cuts: tuple[int, ...] = ()

    def __init__(
        self,
        layers: Sequence[Layer],
        num_frames: int = 48,
        size: tuple[int, int] = (640, 360),
        fps: Fraction = Fraction(24),
    ) -> None:
        if num_frames < 1 or min(size) < 2:
            raise ValueError(f"a sequence has at least one frame of 2x2, got {num_frames} of {size}")
        if not layers or layers[0].picture.shape[0] != 3:
            raise ValueError("the farthest layer must be an opaque (3, H, W) picture")
        self.num_frames, self.size, self.fps = num_frames, size, fps
        self._placements = [layer.placement for layer in layers]
        self._scales = [layer.scale for layer in layers]
        self._pictures = [_premultiplied(layer.picture) for layer in layers]

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        self._check(index)
        positions, shape = dense_positions(self.size)
        dense = torch.zeros(1, 3, *shape)
        for k, placement in enumerate(self._placements):
            seen = self._sample(k, placement(index).place(positions)).clamp(0, 1).reshape(1, 4, *shape)
            dense = dense * (1 - seen[:, 3:]) + seen[:, :3]
        return develop(dense)

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion from one frame to another; see ``SyntheticSequence.flow``."""
        self._check(source_index)
        self._check(target_index)
        positions = pixel_positions(self.size)
        reached = np.zeros_like(positions)
        visible = np.zeros(len(positions), bool)
        shown = self._shown(source_index, positions)
        for k, placement in enumerate(self._placements):
            own = np.flatnonzero(shown == k)
            if len(own) == 0:
                continue
            reached[own] = placement(target_index).find(placement(source_index).place(positions[own]))
            visible[own] = self._shown(target_index, reached[own]) == k
        limit = (np.asarray(self.size) - 1) / 2 + EDGE_PX
        visible &= np.all(np.abs(reached) <= limit, axis=1)
        return as_flow(reached - positions, visible, self.size)

    def _shown(self, index: int, positions: Array) -> Array:
        """(N,) index of the layer seen at positions of a frame."""
        nearest = np.zeros(len(positions), np.int64)
        for k, placement in enumerate(self._placements[1:], 1):
            opacity = self._sample(k, placement(index).place(positions))[0, 3].numpy()
            nearest[opacity >= _SOLID] = k
        return nearest

    def _sample(self, k: int, points: Array) -> Tensor:
        """(1, 4, N) premultiplied colour and opacity of layer ``k`` at (N, 2) points of its plane."""
        picture = self._pictures[k]
        height, width = picture.shape[-2:]
        pixels = points * self._scales[k] + np.asarray([(width - 1) / 2, (height - 1) / 2])
        position = torch.from_numpy(pixels.astype(np.float32)).T.reshape(1, 2, 1, -1)
        return sample_at(picture, position)[:, :, 0]

    def _check(self, index: int) -> None:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a sequence of {self.num_frames}")


def _premultiplied(picture: Tensor) -> Tensor:
    color = picture[None, :3].float().clamp(0, 1)
    if picture.shape[0] == 3:
        return torch.cat([color, torch.ones_like(color[:, :1])], 1)
    opacity = picture[None, 3:].float().clamp(0, 1)
    # Beyond the border nothing is there: sampling repeats the border, so that must be nothing already.
    return F.pad(torch.cat([color * opacity, opacity], 1), (3, 3, 3, 3))
