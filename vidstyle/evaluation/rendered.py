"""Ray-cast shots as sequences of exactly known motion; the sample scene is one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from vidstyle.evaluation.harbour import harbour_shot
from vidstyle.evaluation.lake import lake_shot
from vidstyle.evaluation.raycast import Snapshot
from vidstyle.evaluation.scene import Shot
from vidstyle.evaluation.texture import Array

# Four samples a pixel on a rotated grid: no two share a row or a column, so near-level edges are smoothed best.
_SAMPLES_PX = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
_SAME_POINT = 1e-4  # relative depth below which two rays met the same point
_EDGE_PX = 1e-6  # rounding must not put the picture's border outside it


class RenderedSequence:
    """Rendered shots joined by hard cuts.

    Args:
        shots: (first frame index, what makes the shot), in order, the first at 0. Surfaces take seconds to paint: a
            shot is made when a frame of it is wanted.
        num_frames: how many frames there are.
        size: (width, height) in pixels.
        fps: frames per second.
    """

    def __init__(
        self, shots: tuple[tuple[int, Callable[[], Shot]], ...], num_frames: int, size: tuple[int, int], fps: Fraction
    ) -> None:
        starts = [start for start, _ in shots]
        if not starts or starts[0] != 0 or any(a >= b for a, b in zip(starts, [*starts[1:], num_frames], strict=True)):
            raise ValueError(f"shots must start at 0 and go up to less than {num_frames} frames, got {starts}")
        if min(size) < 2:
            raise ValueError(f"a picture is at least 2x2, got {size[0]}x{size[1]}")
        self._starts = starts
        self._make_shots = [make for _, make in shots]
        self.num_frames = num_frames
        self.size = size
        self.fps = fps

    @property
    def cuts(self) -> tuple[int, ...]:
        """Indices of the frames that start a new shot, without frame 0."""
        return tuple(self._starts[1:])

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB, four samples a pixel."""
        snapshot = self._snapshot(index)
        centers = self._centers(np.float32)
        total = np.zeros((len(centers), 3), np.float32)
        for offset in _SAMPLES_PX:
            hits = snapshot.look(centers + np.asarray(offset, np.float32))
            # Each sample sees another part of the sun, rotated against the pixel grid: four of them soften shadows.
            total += snapshot.shade(hits, sun_offset=(2 * offset[1], -2 * offset[0]))
        width, height = self.size
        picture = np.rint(np.clip(total / len(_SAMPLES_PX), 0, 1) * 255).astype(np.uint8)
        return torch.from_numpy(picture.reshape(height, width, 3)).permute(2, 0, 1).contiguous()

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion from one frame to another of the same shot; see ``SyntheticSequence.flow``."""
        width, height = self.size
        if self._shot_index(source_index) != self._shot_index(target_index):
            return torch.zeros(2, height, width), torch.zeros(1, height, width, dtype=torch.bool)
        source, target = self._snapshot(source_index), self._snapshot(target_index)
        centers = self._centers(np.float64)
        hits = source.look(centers)
        positions, depth = target.camera.project(target.place(hits))
        with np.errstate(invalid="ignore"):
            inside = (positions >= -_EDGE_PX) & (positions <= np.asarray([width - 1, height - 1]) + _EDGE_PX)
            valid = (depth > 0) & inside.all(1)
        reached = np.flatnonzero(valid)
        seen = target.look(positions[reached])
        valid[reached] = np.abs(seen.distance - depth[reached]) <= _SAME_POINT * depth[reached]
        moved = np.where(valid[:, None], positions - centers, 0).astype(np.float32).reshape(height, width, 2)
        return (
            torch.from_numpy(moved).permute(2, 0, 1).contiguous(),
            torch.from_numpy(valid.reshape(1, height, width)),
        )

    def _shot_index(self, index: int) -> int:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a sequence of {self.num_frames}")
        return bisect_right(self._starts, index) - 1

    def _snapshot(self, index: int) -> Snapshot:
        shot = self._shot_index(index)
        return Snapshot(self._make_shots[shot](), float((index - self._starts[shot]) / self.fps), *self.size)

    def _centers(self, dtype: type[np.floating]) -> Array:
        width, height = self.size
        y, x = np.mgrid[:height, :width]
        return np.stack([x.ravel(), y.ravel()], axis=1).astype(dtype)


def sample_scene(width: int = 640, height: int = 360, num_frames: int = 144) -> RenderedSequence:
    """The shipped sample clip: a lake at golden hour, a hard cut halfway, then a ride along a harbour; 24 fps.

    Motion in pixels grows with the size; the speed of things does not depend on ``num_frames``.

    Raises:
        ValueError: fewer than two frames, or a picture below 2x2.
    """
    if num_frames < 2:
        raise ValueError(f"two shots need at least two frames, got {num_frames}")
    shots = ((0, lake_shot), ((num_frames + 1) // 2, harbour_shot))
    return RenderedSequence(shots, num_frames, (width, height), Fraction(24))
