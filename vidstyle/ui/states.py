"""Beginning the temporal filter in the middle: with a state of its own from before, or between two of neighbours."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vidstyle.temporal.consistency import beta_from_consistency
from vidstyle.temporal.filter import FilterState, Past
from vidstyle.ui.memory import Memory

#: Consistencies that are painted ahead, so that any between them can begin near the frame shown.
NEIGHBOURS = (0.75, 0.9, 0.95, 1.0)
#: Frames that are filtered afresh when beginning between neighbours.
NUM_AFRESH = 8


class Layer(NamedTuple):
    """What the filter held of one stylizer's painting: its ``FilterState`` but for the source frame.

    Attributes:
        remembered: (1, 3, H, W) float16.
        past: as in the state.
    """

    remembered: Tensor
    past: tuple[Past, ...]

    @property
    def num_bytes(self) -> int:
        """Of all tensors."""
        tensors = [self.remembered, *(each for past in self.past for each in (past.remembered, past.content))]
        return sum(each.numel() * each.element_size() for each in tensors)


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """What the filter held after a frame.

    Attributes:
        layers: one for each stylizer; None where it painted nothing.
        num_before: frames of the same shot that the filter had seen before this one.
    """

    layers: tuple[Layer | None, ...]
    num_before: int

    @property
    def num_bytes(self) -> int:
        """Of all layers."""
        return sum(layer.num_bytes for layer in self.layers if layer is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """A place in a window where the filter can begin.

    Attributes:
        index: of the frame in the window.
        layers: what the filter is to remember of it, as in ``Remembered``.
        num_before: frames of the same shot that count as seen before it.
    """

    index: int
    layers: tuple[Layer | None, ...]
    num_before: int


def find_beginning(memory: Memory, key: str, consistency: float, times: Sequence[float]) -> Beginning | None:
    """The latest frame before the one shown that the filter can begin at; None to begin with the window's first.

    A state of this very consistency serves wherever it is: before its frame lies as much as the filter has to see.
    Else, ``NUM_AFRESH`` frames before the one shown, those of the two neighbours are mixed: what is remembered changes
    smoothly with the logarithm of how long it is remembered, 1 / (1 - β), and what is left of the error fades like any
    other that lies so many frames back.

    Args:
        memory: where states are held.
        key: equal for settings and clips that give the filter the same frames.
        consistency: wanted.
        times: of the window's frames up to the one shown.
    """
    for index in range(len(times) - 2, -1, -1):
        held = memory.get(("state", key, consistency, times[index]))
        if isinstance(held, Remembered):
            return Beginning(index, held.layers, held.num_before)
    index = len(times) - 1 - NUM_AFRESH
    if index < NUM_AFRESH or not NEIGHBOURS[0] < consistency < NEIGHBOURS[-1]:
        return None
    below = max(each for each in NEIGHBOURS if each <= consistency)
    above = min(each for each in NEIGHBOURS if each >= consistency)
    low, high = (memory.get(("neighbour", key, each, times[index])) for each in (below, above))
    if not isinstance(low, Remembered) or not isinstance(high, Remembered):
        return None
    share = 0.0 if below == above else (_length(consistency) - _length(below)) / (_length(above) - _length(below))
    layers = [
        None if a is None or b is None else _mixed(a, b, share) for a, b in zip(low.layers, high.layers, strict=True)
    ]
    return Beginning(index, tuple(layers), low.num_before)


def _mixed(low: Layer, high: Layer, share: float) -> Layer:
    def between(a: Tensor, b: Tensor) -> Tensor:
        return torch.lerp(a.float(), b.float(), share).half()

    num = min(len(low.past), len(high.past))  # of the last frames, which are the same
    past = (
        Past(between(a.remembered, b.remembered), a.content)
        for a, b in zip(low.past[-num:], high.past[-num:], strict=True)
    )
    return Layer(between(low.remembered, high.remembered), tuple(past))


def keep_states(
    memory: Memory, key: str, consistency: float, times: Sequence[float], states: Mapping[int, Remembered]
) -> None:
    """Hold what ``find_beginning`` looks for.

    Args:
        memory: where to.
        key: as there.
        consistency: of the filter.
        times: of the frames it saw, up to the one shown.
        states: after some of them, by index.
    """
    for index, held in states.items():
        # Earlier ones have seen too little to stand for their consistency; as neighbours they are filtered on.
        kind = "state" if index == len(times) - 2 else "neighbour"
        if kind == "state" or consistency in NEIGHBOURS:
            memory.put((kind, key, consistency, times[index]), held, held.num_bytes)


def kept_indices(num_frames: int) -> tuple[int, ...]:
    """Which frames' states ``keep_states`` wants, of so many up to the one shown."""
    return tuple(index for index in (num_frames - 1 - NUM_AFRESH, num_frames - 2) if index >= 0)


def _length(consistency: float) -> float:
    return -math.log(1.0 - beta_from_consistency(consistency))


class StateKeeper:
    """Lets a painter begin in the middle, and keeps its states: what its ``on_states`` is.

    Args:
        beginning: what to remember of the first frame, instead of its paintings.
        keep_at: indices of the frames whose states are kept.
    """

    def __init__(self, beginning: Beginning | None, keep_at: Collection[int]) -> None:
        self._beginning, self._keep_at, self._index = beginning, frozenset(keep_at), -1
        #: The states asked for, of frames that came.
        self.kept: dict[int, Remembered] = {}
        #: Frames of the same shot that count as seen before the one that came last.
        self.num_before = 0 if beginning is None else beginning.num_before

    def __call__(self, starts_shot: bool, states: Sequence[FilterState | None]) -> list[FilterState | None]:
        """States that the painter goes on with after a frame; those of the first make way for the beginning's."""
        self._index += 1
        if self._index > 0:
            self.num_before = 0 if starts_shot else self.num_before + 1
        elif self._beginning is not None:
            states = [
                None
                if state is None or held is None
                else FilterState(held.remembered.float(), state.content, held.past)
                for state, held in zip(states, self._beginning.layers, strict=True)
            ]
        if self._index in self._keep_at:
            layers = tuple(None if state is None else Layer(state.remembered.half(), state.past) for state in states)
            self.kept[self._index] = Remembered(layers, self.num_before)
        return list(states)
