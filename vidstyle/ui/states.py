"""Beginning the temporal filter in the middle: with a state of its own from before, or between two of neighbours."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from vidstyle.protocols import Motion
from vidstyle.temporal.consistency import beta_from_consistency
from vidstyle.temporal.filter import ConsistencyFilter, FilterState
from vidstyle.ui.memory import Memory, fingerprint

#: Consistencies that are painted ahead, so that any between them can begin near the frame shown.
NEIGHBOURS = (0.75, 0.9, 0.95, 1.0)
#: Frames that are filtered afresh when beginning between neighbours.
NUM_AFRESH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """What the filter held after a frame.

    Attributes:
        layers: (1, 3, H, W) float16 each: the painting's, and those of the regions.
        num_before: frames of the same shot that the filter had seen before this one.
    """

    layers: tuple[Tensor, ...]
    num_before: int

    @property
    def num_bytes(self) -> int:
        """Of all layers."""
        return sum(layer.numel() * layer.element_size() for layer in self.layers)


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """A place in a window where the filter can begin.

    Attributes:
        index: of the frame in the window.
        layers: what the filter is to remember of it.
        num_before: frames of the same shot that count as seen before it.
    """

    index: int
    layers: tuple[Tensor, ...]
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
    layers = [torch.lerp(a.float(), b.float(), share) for a, b in zip(low.layers, high.layers, strict=True)]
    return Beginning(index, tuple(layers), low.num_before)


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
        memory.put((kind, key, consistency, times[index]), held, held.num_bytes)


def kept_indices(num_frames: int) -> tuple[int, ...]:
    """Which frames' states ``keep_states`` wants, of so many up to the one shown."""
    return tuple(index for index in (num_frames - 1 - NUM_AFRESH, num_frames - 2) if index >= 0)


def _length(consistency: float) -> float:
    return -math.log(1.0 - beta_from_consistency(consistency))


@dataclass
class _Kept:
    layers: list[Tensor] = field(default_factory=list)
    num_before: int = 0


class RememberingFilter(ConsistencyFilter):
    """The temporal filter, remembering what of its work is the same at every consistency, and where it was.

    Args:
        consistency: as the filter's.
        memory: shared.
        key: of the flow estimator.
        beginning: what to remember of the first frame, instead of its painting.
        keep_at: indices of the frames whose states are kept.
        num_layers: paintings of each frame, which come one after the other.
    """

    def __init__(
        self,
        consistency: float,
        memory: Memory,
        key: str,
        *,
        beginning: Beginning | None = None,
        keep_at: Collection[int] = (),
        num_layers: int = 1,
    ) -> None:
        super().__init__(consistency)
        self._memory, self._key = memory, key
        self._beginning, self._num_layers = beginning, num_layers
        self._kept = {index: _Kept() for index in keep_at}
        self._num_steps = 0
        #: Frames of the same shot that count as seen before the one filtered last.
        self.num_before = 0 if beginning is None else beginning.num_before

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: FilterState | None
    ) -> tuple[Tensor, FilterState | None]:
        """As the filter's own."""
        index, layer = divmod(self._num_steps, self._num_layers)
        self._num_steps += 1
        steady, now = super().step(content, stylized, motion, state)
        if now is not None and index == 0 and self._beginning is not None:
            begun = self._beginning.layers[layer].float()
            steady, now = stylized, FilterState(begun, now.content)
        if layer == 0 and index > 0:
            self.num_before = 0 if motion is None else self.num_before + 1
        if now is not None and index in self._kept:
            self._kept[index].layers.append(now.remembered.half())
            self._kept[index].num_before = self.num_before
        return steady, now

    def at(self, consistency: float) -> Self:
        """This filter itself, which goes on counting frames."""
        self._set(consistency)
        return self

    def refined(self, content: Tensor, previous: Tensor, motion: Motion) -> Tensor:
        """As the filter's own."""
        key = ("refined", self._key, fingerprint(previous), fingerprint(content))
        held = self._memory.get(key)
        if held is None:
            held = super().refined(content, previous, motion)
            self._memory.put(key, held, held.numel() * held.element_size())
        return torch.as_tensor(held)

    def validity(self, content: Tensor, previous: Tensor, motion: Motion, flow: Tensor) -> Tensor:
        """As the filter's own."""
        key = ("validity", self._key, fingerprint(previous), fingerprint(content))
        held = self._memory.get(key)
        if held is None:
            held = super().validity(content, previous, motion, flow).half()
            self._memory.put(key, held, held.numel() * 2)
        return torch.as_tensor(held).float()

    def kept(self) -> Mapping[int, Remembered]:
        """The states asked for, of frames that came."""
        whole = {index: kept for index, kept in self._kept.items() if len(kept.layers) == self._num_layers}
        return {index: Remembered(tuple(kept.layers), kept.num_before) for index, kept in whole.items()}
