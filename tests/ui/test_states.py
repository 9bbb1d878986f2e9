"""Where the temporal filter may begin, and with what."""

from __future__ import annotations

import pytest
import torch

from vidstyle.protocols import LOOK_BACK
from vidstyle.temporal.filter import Past
from vidstyle.ui.memory import Memory
from vidstyle.ui.states import (
    NEIGHBOURS,
    NUM_AFRESH,
    Beginning,
    Layer,
    Remembered,
    find_beginning,
    keep_states,
    kept_indices,
)

SHOWN = 39
TIMES = [index / 10 for index in range(SHOWN + 2)]


def held(value: float, num_before: int = 5) -> Remembered:
    past = tuple(
        Past(torch.full((1, 3, 4, 4), value / age).half(), torch.full((1, 3, 2, 2), 1 / age).half())
        for age in range(LOOK_BACK, 0, -1)
    )
    return Remembered((Layer(torch.full((1, 3, 4, 4), value).half(), past),), num_before)


def latest(begins: Beginning) -> float:
    """Of what is remembered of the frame it begins at; of that before it is half."""
    layer = begins.layers[0]
    assert layer is not None
    found = float(layer.remembered.float().mean())
    assert float(layer.past[-2].remembered.float().mean()) == pytest.approx(found / 2, rel=2e-3)
    assert float(layer.past[-2].content.mean()) == 0.5
    return found


@pytest.fixture
def memory() -> Memory:
    return Memory(1 << 20)


def put(memory: Memory, consistency: float, shown: int, value: float) -> None:
    """As a frame shown there leaves it."""
    times = TIMES[: shown + 1]
    states = {index: held(value) for index in kept_indices(len(times))}
    keep_states(memory, "look", consistency, times, states)


def test_without_any_state_it_begins_with_the_first_frame(memory: Memory) -> None:
    assert find_beginning(memory, "look", 0.9, TIMES[: SHOWN + 1]) is None


def test_its_own_latest_state_before_the_frame_shown_serves(memory: Memory) -> None:
    for shown, value in ((3, 0.1), (21, 0.2), (SHOWN + 1, 0.3)):
        put(memory, 0.6, shown, value)
    begins = find_beginning(memory, "look", 0.6, TIMES[: SHOWN + 1])
    assert begins is not None
    assert (begins.index, begins.num_before) == (20, 5)
    assert latest(begins) == pytest.approx(0.2, abs=1e-3)
    assert find_beginning(memory, "another look", 0.6, TIMES[: SHOWN + 1]) is None
    assert find_beginning(memory, "look", 0.61, TIMES[: SHOWN + 1]) is None


def test_a_step_back_does_not_begin_with_what_saw_too_little(memory: Memory) -> None:
    put(memory, 0.6, SHOWN, 0.5)
    assert find_beginning(memory, "look", 0.6, TIMES[: SHOWN - 2]) is None


def test_between_neighbours_it_is_a_mixture(memory: Memory) -> None:
    for consistency, value in zip(NEIGHBOURS, (0.0, 0.25, 0.5, 1.0), strict=True):
        put(memory, consistency, SHOWN, value)
    means = []
    for consistency in (0.76, 0.8, 0.89, 0.91, 0.94, 0.96, 0.99):
        begins = find_beginning(memory, "look", consistency, TIMES[: SHOWN + 1])
        assert begins is not None
        assert begins.index == SHOWN - NUM_AFRESH
        means.append(latest(begins))
    assert means == sorted(means)
    assert 0.0 < means[0] < 0.25 < means[3] < means[4] < 0.5 < means[-1] < 1.0


@pytest.mark.parametrize("missing", [0.9, 0.95])
def test_both_neighbours_are_needed(memory: Memory, missing: float) -> None:
    for consistency in NEIGHBOURS:
        if consistency != missing:
            put(memory, consistency, SHOWN, 0.5)
    assert find_beginning(memory, "look", 0.93, TIMES[: SHOWN + 1]) is None


def test_short_windows_are_filtered_whole(memory: Memory) -> None:
    times = TIMES[: 2 * NUM_AFRESH]
    for consistency in NEIGHBOURS:
        put(memory, consistency, len(times) - 1, 0.5)
    assert find_beginning(memory, "look", 0.93, times) is None


def test_what_is_held_is_counted_whole() -> None:
    assert held(0.5).num_bytes == 2 * (3 * 4 * 4 + LOOK_BACK * (3 * 4 * 4 + 3 * 2 * 2))
    assert Remembered((None, *held(0.5).layers), 0).num_bytes == held(0.5).num_bytes


def test_only_what_is_looked_for_is_held(memory: Memory) -> None:
    put(memory, 0.6, SHOWN, 0.5)
    assert memory.num_bytes == held(0.5).num_bytes
    put(memory, 0.9, SHOWN, 0.5)
    assert memory.num_bytes == 3 * held(0.5).num_bytes
