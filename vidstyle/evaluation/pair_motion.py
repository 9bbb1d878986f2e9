"""Motion to the frames before, exact or measured, for what judges steadiness."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vidstyle.evaluation.sequences import SyntheticSequence, shot_start
from vidstyle.imaging.warp import backward_warp, resize_flow
from vidstyle.protocols import FlowEstimator, Motion

#: Distances in frames at which steadiness is measured: what flickers from frame to frame, and what swims slowly.
GAPS = (1, 5)


@dataclass(frozen=True, slots=True, eq=False)
class PairMotion:
    """Motion from a frame t to the frame t-k.

    Attributes:
        flow: (1, 2, H, W) float32 pixels (dx, dy), from t to t-k.
        valid: (1, 1, H, W) bool; False where the pixel of t is not seen in t-k, or its motion is not known.
    """

    flow: Tensor
    valid: Tensor


class MotionSource(Protocol):
    """Gives, frame by frame, the motion to the frames some gaps before."""

    name: str
    gaps: tuple[int, ...]

    def push(self, content: Tensor, starts_shot: bool = False) -> Mapping[int, PairMotion]:
        """Take the next (3, H, W) source frame, uint8 or in [0, 1]; motion by gap, where there is such a frame.

        Pairs that a cut lies between are left out.
        """
        ...


class ExactMotion:
    """The motion of a sequence that knows it.

    Args:
        sequence: its frames are what is pushed, in order.
        gaps: distances in frames.
    """

    name = "exact"

    def __init__(self, sequence: SyntheticSequence, gaps: Sequence[int] = GAPS) -> None:
        self.gaps = checked_gaps(gaps)
        self._sequence = sequence
        self._index = 0

    def push(self, content: Tensor, starts_shot: bool = False) -> Mapping[int, PairMotion]:
        """See ``MotionSource``; cuts are the sequence's own, and what is in ``content`` does not matter."""
        del starts_shot
        index = self._index
        if index >= self._sequence.num_frames:
            raise ValueError(f"the sequence has only {self._sequence.num_frames} frames")
        self._index += 1
        first = shot_start(self._sequence, index)
        found = {gap: self._sequence.flow(index, index - gap) for gap in self.gaps if index - gap >= first}
        return {
            gap: PairMotion(flow[None].to(content.device), valid[None].to(content.device))
            for gap, (flow, valid) in found.items()
        }


class EstimatedMotion:
    """Motion measured between the very frames compared, never chained over those between them.

    Args:
        estimator: should not be the one the clip was rendered with.
        gaps: distances in frames.
    """

    def __init__(self, estimator: FlowEstimator, gaps: Sequence[int] = GAPS) -> None:
        self.gaps = checked_gaps(gaps)
        self.name = estimator.name
        self._estimator = estimator
        self._recent: deque[Tensor] = deque(maxlen=self.gaps[-1])

    def push(self, content: Tensor, starts_shot: bool = False) -> Mapping[int, PairMotion]:
        """See ``MotionSource``."""
        if starts_shot:
            self._recent.clear()
        found = {gap: self._measure(self._recent[-gap], content) for gap in self.gaps if gap <= len(self._recent)}
        self._recent.append(content.detach().clone())
        return found

    def _measure(self, before: Tensor, now: Tensor) -> PairMotion:
        self._estimator.reset()
        self._estimator.push(before[None])
        motion = self._estimator.push(now[None])
        if motion is None:
            raise RuntimeError(f"flow estimator {self.name} gave no motion for the second frame")
        size = (now.shape[-2], now.shape[-1])
        flow = resize_flow(motion.flow_backward.float(), size).to(now.device)
        return PairMotion(flow, reliable_motion(motion, size).to(now.device))


def checked_gaps(gaps: Sequence[int]) -> tuple[int, ...]:
    """Gaps in rising order.

    Raises:
        ValueError: none, or one below 1.
    """
    if not gaps or min(gaps) < 1:
        raise ValueError(f"gaps must be at least one frame, got {tuple(gaps)}")
    return tuple(sorted(set(gaps)))


def reliable_motion(motion: Motion, frame_size: tuple[int, int]) -> Tensor:
    """Where measured motion can be judged by: the mask of the warping error.

    With F = (u, v) the backward flow and r = B(x + F) the forward flow found where F points to, a pixel counts where
    |F + r|² < 0.01 (|F|² + |r|²) + 0.5 (nothing is hidden), x + F lies inside the frame, and
    |∇u|² + |∇v|² ≤ 0.01 |F|² + 0.002 (no motion boundary): Ruder, Dosovitskiy and Brox, "Artistic Style Transfer for
    Videos" (2016), eq. 5 and 6, with their constants, as E_warp is customarily computed (Lai et al. 2018). The filter
    of a render uses a wider mask of its own (``vidstyle.imaging.occlusion``): what it does must not decide what counts.

    Args:
        motion: both directions, on any grid.
        frame_size: (H, W) of the frame in pixels.

    Returns:
        (1, 1, H, W) bool.
    """
    backward = resize_flow(motion.flow_backward.float(), frame_size)
    forward = resize_flow(motion.flow_forward.float(), frame_size)
    height, width = frame_size
    returned = backward_warp(forward, backward, "bilinear")
    squared = backward.square().sum(1, keepdim=True)
    mismatch = (backward + returned).square().sum(1, keepdim=True)
    consistent = mismatch < 0.01 * (squared + returned.square().sum(1, keepdim=True)) + 0.5
    steepness = torch.zeros_like(squared)
    steepness[..., :-1] += backward.diff(dim=-1).square().sum(1, keepdim=True)
    steepness[..., :-1, :] += backward.diff(dim=-2).square().sum(1, keepdim=True)
    x = backward[:, :1] + torch.arange(width, device=backward.device)
    y = backward[:, 1:] + torch.arange(height, device=backward.device)[:, None]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return consistent & inside & (steepness <= 0.01 * squared + 0.002)
