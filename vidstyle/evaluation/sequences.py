"""What a sequence of known motion promises, and a lazy walk along it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from torch import Tensor


class SyntheticSequence(Protocol):
    """Frames with exact motion between any two of them."""

    @property
    def num_frames(self) -> int:
        """How many frames there are."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        ...

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        ...

    @property
    def cuts(self) -> tuple[int, ...]:
        """Indices of the frames that start a new shot, without frame 0."""
        ...

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        ...

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion between two frames: ``source(x)`` and ``target(x + flow)`` show the same surface point.

        Returns:
            flow: (2, H, W) float32 (dx, dy) in pixels; zero where it is not valid.
            valid: (1, H, W) bool; False where the point is hidden or outside the target picture, and everywhere
                across a cut.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SequenceStep:
    """One frame of a sequence and its exact motion; both by gap in frames, where there is such a frame in the shot.

    Attributes:
        index: of the frame.
        frame: (3, H, W) uint8 RGB.
        backward: flow and validity from this frame to the one ``gap`` before, as ``SyntheticSequence.flow`` gives them.
        forward: the same from the frame ``gap`` before to this one.
    """

    index: int
    frame: Tensor
    backward: Mapping[int, tuple[Tensor, Tensor]]
    forward: Mapping[int, tuple[Tensor, Tensor]]


def walk(sequence: SyntheticSequence, gaps: Sequence[int] = (1,)) -> Iterator[SequenceStep]:
    """Every frame in order with its motion both ways; made as it is asked for and forgotten after."""
    for index in range(sequence.num_frames):
        within = [gap for gap in gaps if index - gap >= shot_start(sequence, index)]
        yield SequenceStep(
            index,
            sequence.frame(index),
            {gap: sequence.flow(index, index - gap) for gap in within},
            {gap: sequence.flow(index - gap, index) for gap in within},
        )


def shot_start(sequence: SyntheticSequence, index: int) -> int:
    """Index of the first frame of the shot that frame ``index`` is in."""
    return max((cut for cut in sequence.cuts if cut <= index), default=0)
