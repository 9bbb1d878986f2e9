"""What cameras do to a sequence of known motion: changing light, noise, motion blur, and an editor's cut."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from vidstyle.evaluation.camera_moves import PictureSequence, Pose
from vidstyle.evaluation.sequences import SyntheticSequence


class _Wrapped:
    """A sequence with the motion of another."""

    def __init__(self, inner: SyntheticSequence) -> None:
        self.inner = inner
        self.num_frames, self.size, self.fps, self.cuts = inner.num_frames, inner.size, inner.fps, inner.cuts

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion between two frames; see ``SyntheticSequence.flow``."""
        return self.inner.flow(source_index, target_index)


class Relit(_Wrapped):
    """A sequence under changing light.

    Args:
        inner: as it is under even light.
        light: from frame index to the gain of red, green and blue, in (0, 1].
    """

    def __init__(self, inner: SyntheticSequence, light: Callable[[int], tuple[float, float, float]]) -> None:
        super().__init__(inner)
        self.light = light

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        gain = torch.tensor(self.light(index))[:, None, None]
        return (self.inner.frame(index).float() * gain).round().clamp(0, 255).to(torch.uint8)


class Noisy(_Wrapped):
    """A sequence seen by a noisy sensor: Gaussian noise, fresh in every frame and the same in every run.

    Args:
        inner: without noise.
        sigma: standard deviation, in [0, 1].
        seed: of the noise.
    """

    def __init__(self, inner: SyntheticSequence, sigma: float = 0.02, seed: int = 0) -> None:
        super().__init__(inner)
        self._sigma, self._seed = sigma, seed

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        clean = self.inner.frame(index)
        generator = torch.Generator().manual_seed(1_000_003 * self._seed + index)
        noise = torch.randn(clean.shape, generator=generator) * (255 * self._sigma)
        return (clean.float() + noise).round().clamp(0, 255).to(torch.uint8)


class MotionBlurred:
    """A picture under a moving camera whose shutter stays open: a ``SyntheticSequence`` without cuts.

    Each frame is the mean of ``num_samples`` moments within the time the shutter is open; motion is that of the middle
    of it.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        path: from time in frames to pose.
        num_frames: how many frames there are.
        size: (width, height) of the frames in pixels.
        shutter: share of the frame's time that the shutter is open; 0.5 is the film maker's 180 degrees.
        num_samples: odd, so that one moment is the middle.
    """

    cuts: tuple[int, ...] = ()

    def __init__(
        self,
        picture: Tensor,
        path: Callable[[float], Pose],
        num_frames: int = 48,
        size: tuple[int, int] = (640, 360),
        *,
        shutter: float = 0.5,
        num_samples: int = 5,
    ) -> None:
        if num_samples < 1 or num_samples % 2 == 0:
            raise ValueError(f"num_samples must be odd, got {num_samples}")
        self._num_samples = num_samples

        def moment(index: int) -> Pose:
            whole, part = divmod(index, num_samples)
            return path(whole + shutter * ((part + 0.5) / num_samples - 0.5))

        self._moments = PictureSequence(picture, moment, num_frames * num_samples, size)
        self.num_frames, self.size, self.fps = num_frames, size, self._moments.fps

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        self._check(index)
        first = index * self._num_samples
        total = sum((self._moments.frame(first + k).float() for k in range(1, self._num_samples)), self._sharp(first))
        return (total / self._num_samples).round().to(torch.uint8)

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion between the middles of two frames; see ``SyntheticSequence.flow``."""
        self._check(source_index)
        self._check(target_index)
        middle = self._num_samples // 2
        return self._moments.flow(source_index * self._num_samples + middle, target_index * self._num_samples + middle)

    def _sharp(self, index: int) -> Tensor:
        return self._moments.frame(index).float()

    def _check(self, index: int) -> None:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a sequence of {self.num_frames}")


class Joined:
    """Sequences one after the other, with a hard cut between each two.

    Args:
        parts: of one size and one rate.
    """

    def __init__(self, parts: Sequence[SyntheticSequence]) -> None:
        if not parts or len({(part.size, part.fps) for part in parts}) != 1:
            raise ValueError("sequences to be joined must be of one size and one rate")
        self._parts = list(parts)
        self._starts = [sum(part.num_frames for part in parts[:k]) for k in range(len(parts))]
        self.num_frames = sum(part.num_frames for part in parts)
        self.size, self.fps = parts[0].size, Fraction(parts[0].fps)
        inner = (start + cut for part, start in zip(parts, self._starts, strict=True) for cut in part.cuts)
        self.cuts = tuple(sorted((*self._starts[1:], *inner)))

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        part = self._part(index)
        return self._parts[part].frame(index - self._starts[part])

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion within a part, nothing valid across the cut; see ``SyntheticSequence.flow``."""
        part = self._part(source_index)
        if self._part(target_index) != part:
            width, height = self.size
            return torch.zeros(2, height, width), torch.zeros(1, height, width, dtype=torch.bool)
        start = self._starts[part]
        return self._parts[part].flow(source_index - start, target_index - start)

    def _part(self, index: int) -> int:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a sequence of {self.num_frames}")
        return bisect_right(self._starts, index) - 1


def sway(index: float, period: float, lowest: float) -> float:
    """A smooth swing between 1, where it begins, and ``lowest``, with a period in frames."""
    return lowest + (1 - lowest) * (0.5 + 0.5 * math.cos(2 * math.pi * index / period))
