"""Farnebäck's flow: what it finds, in which unit, and at which sizes."""

from __future__ import annotations

import pytest
import torch
from clip_factory import sliding

from vidstyle.flow.farneback import FarnebackFlow


def pair(shift: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    frames = list(sliding(shift + 1, size))
    return frames[0][None], frames[-1][None]


@pytest.mark.parametrize("size", [(96, 64), (160, 90)])
@pytest.mark.parametrize("shift", [1, 4])
def test_a_known_shift_is_found_both_ways(shift: int, size: tuple[int, int]) -> None:
    flow = FarnebackFlow()
    first, second = pair(shift, size)
    assert flow.push(first) is None
    motion = flow.push(second)
    assert motion is not None
    inner = (0, slice(None), slice(16, -16), slice(16, -16))
    backward, forward = motion.flow_backward[inner], motion.flow_forward[inner]
    assert backward[0].median() == pytest.approx(shift, abs=0.15)
    assert forward[0].median() == pytest.approx(-shift, abs=0.15)
    assert backward[1].abs().median() < 0.1


def test_wide_frames_are_measured_smaller_in_their_own_pixels() -> None:
    flow = FarnebackFlow()
    first, second = pair(4, (1408, 64))
    flow.push(first)
    motion = flow.push(second)
    assert motion is not None
    assert motion.flow_backward.shape[-1] == 1280
    assert motion.flow_backward[0, 0, 16:-16, 50:-50].median() == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (31, 33)])
def test_no_small_size_breaks_it(size: tuple[int, int]) -> None:
    flow = FarnebackFlow()
    frame = torch.rand(1, 3, size[1], size[0], generator=torch.Generator().manual_seed(0))
    flow.push(frame)
    motion = flow.push(frame)
    assert motion is not None
    assert motion.flow_backward.shape == (1, 2, size[1], size[0])
    assert motion.flow_backward.abs().max() < 0.05
