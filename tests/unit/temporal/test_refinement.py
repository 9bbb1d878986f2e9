"""Flow that is nearly right becomes better, and flow that cannot be judged stays."""

from __future__ import annotations

import pytest
import torch

from vidstyle.imaging.pyramid import enlarge
from vidstyle.imaging.warp import backward_warp
from vidstyle.temporal.refinement import refine_flow

SIZE = (64, 96)
INNER = (..., slice(8, -8), slice(8, -8))


def picture(seed: int = 0) -> torch.Tensor:
    """Smooth random texture with features of about six pixels: (1, 3, H, W)."""
    coarse = torch.rand(1, 3, SIZE[0] // 4, SIZE[1] // 4, generator=torch.Generator().manual_seed(seed))
    return enlarge(coarse, SIZE)


def shift(dx: float, dy: float) -> torch.Tensor:
    return torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, *SIZE)


def error(flow: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((flow - wanted).square().sum(1).sqrt()[INNER].mean())


@pytest.mark.parametrize("light", [1.0, 0.9], ids=["same light", "darker"])
def test_a_small_error_is_mostly_taken_back(light: float) -> None:
    true = shift(1.7, -0.6)
    previous = picture()
    content = light * backward_warp(previous, true)
    measured = true + shift(0.35, 0.25)
    assert error(refine_flow(content, previous, measured), true) < 0.4 * error(measured, true)


def test_right_flow_stays_right() -> None:
    true = shift(-2.0, 1.0)
    previous = picture()
    assert error(refine_flow(backward_warp(previous, true), previous, true), true) < 0.02


def test_without_texture_nothing_is_learnt() -> None:
    flat = torch.full((1, 3, *SIZE), 0.4)
    torch.testing.assert_close(refine_flow(flat, flat + 0.2, shift(1.0, 2.0)), shift(1.0, 2.0), atol=1e-4, rtol=0)


def test_a_step_is_at_most_a_pixel() -> None:
    found = refine_flow(picture(1), picture(2), shift(0.0, 0.0))  # nothing in common
    assert 0.1 < float(found.abs().max()) <= 1.0


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (8, 8), (9, 31)], ids=str)
def test_any_size(size: tuple[int, int]) -> None:
    frames = torch.rand(2, 1, 3, *size, generator=torch.Generator().manual_seed(1))
    found = refine_flow(frames[0], frames[1], torch.zeros(1, 2, *size))
    assert found.shape == (1, 2, *size)
    assert bool(found.isfinite().all())
