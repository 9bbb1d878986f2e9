"""Cuts are found, pans and small changes are not cuts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from vidstyle.temporal.shots import CutDetector


def scene(seed: int, shift: float = 0.0, size: tuple[int, int] = (64, 96)) -> torch.Tensor:
    """A smooth coloured landscape of its own for every seed, moved sideways by ``shift`` pixels: (3, H, W) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    base = random.uniform(40, 215, 3)
    waves = [
        base[c] + 35 * np.sin((x + shift) / random.uniform(8, 20) + y / random.uniform(8, 20) + random.uniform(0, 6))
        for c in range(3)
    ]
    return torch.from_numpy(np.stack(waves).clip(0, 255).astype(np.uint8))


def cuts_of(frames: list[torch.Tensor], rate: Fraction = Fraction(24)) -> list[int]:
    detector = CutDetector(rate)
    return [index for index, frame in enumerate(frames) if detector.push(frame)]


def test_a_cut_is_found_at_its_frame() -> None:
    frames = [scene(1, shift) for shift in range(10)] + [scene(2, shift) for shift in range(10)]
    assert cuts_of(frames) == [10]


def test_shots_of_one_frame_are_found_too() -> None:
    frames = [scene(1)] * 3 + [scene(2)] + [scene(3)] * 3
    assert cuts_of(frames) == [3, 4]


def test_the_first_frame_is_no_cut() -> None:
    assert cuts_of([scene(1)]) == []


@pytest.mark.parametrize("speed", [1, 4])
def test_a_pan_is_no_cut(speed: int) -> None:
    assert cuts_of([scene(1, speed * index) for index in range(24)]) == []


def test_noise_and_a_slow_fade_are_no_cuts() -> None:
    random = np.random.default_rng(0)
    noisy = [(scene(1).float() + torch.from_numpy(random.normal(0, 8, (3, 64, 96)))).clamp(0, 255) for _ in range(8)]
    fading = [scene(1).float() * (1 - index / 30) for index in range(24)]
    assert cuts_of([frame.to(torch.uint8) for frame in [*noisy, *fading]]) == []


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (301, 3), (65, 97)], ids=str)
def test_any_size_works(size: tuple[int, int]) -> None:
    black, white = torch.zeros(3, *size, dtype=torch.uint8), torch.full((3, *size), 255, dtype=torch.uint8)
    assert cuts_of([black, black, white, white]) == [2]


def test_any_rate_works_and_layouts_of_memory_do_not_matter() -> None:
    frames = [scene(1)] * 3 + [scene(2)] * 3
    channels_last = [frame.permute(1, 2, 0).contiguous().permute(2, 0, 1) for frame in frames]
    for rate in (Fraction(24000, 1001), Fraction(1, 10), Fraction(1000)):
        assert cuts_of(channels_last, rate) == [3]


def test_deep_frames_have_the_same_cuts() -> None:
    frames = [scene(1, shift) for shift in range(5)] + [scene(2, shift) for shift in range(5)]
    assert cuts_of([(frame.to(torch.int32) * 257).to(torch.uint16) for frame in frames]) == [5]
