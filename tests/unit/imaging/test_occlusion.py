"""Occlusion on motion that is known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.imaging.occlusion import occlusion_mask, soft_validity

SIZE = (40, 60)


def pan(dx: float, dy: float, grid: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.tensor([float(dx), float(dy)]).view(1, 2, 1, 1).expand(1, 2, *grid).clone()


def test_a_still_picture_has_no_occlusion() -> None:
    assert occlusion_mask(pan(0, 0), pan(0, 0), SIZE).sum() == 0


@given(dx=st.integers(-9, 9), dy=st.integers(-9, 9))
def test_a_pan_occludes_what_came_in_at_the_border(dx: int, dy: int) -> None:
    occluded = occlusion_mask(pan(-dx, -dy), pan(dx, dy), SIZE)[0, 0].bool()
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    outside = (x - dx < 0) | (x - dx >= SIZE[1]) | (y - dy < 0) | (y - dy >= SIZE[0])
    assert torch.equal(occluded, outside)


def test_flows_that_disagree_are_occlusions() -> None:
    backward, forward = pan(0, 0), pan(0, 0)
    forward[..., 10:20, 30:40] = 5.0
    occluded = occlusion_mask(backward, forward, SIZE)
    assert occluded[..., 10:20, 30:40].all()
    assert occluded.sum() == 100


def test_a_moving_square_uncovers_what_lies_behind_it() -> None:
    # A square of 12 pixels moves 6 to the right over a still ground: from columns 20-31 to 26-37.
    backward, forward = pan(0, 0), pan(0, 0)
    backward[:, 0, 10:22, 26:38] = -6
    forward[:, 0, 10:22, 20:32] = 6
    occluded = occlusion_mask(backward, forward, SIZE)[0, 0]
    assert occluded[11:21, 20:25].all()  # uncovered ground
    assert not occluded[11:20, 28:36].any()  # the square itself, inside
    assert occluded[11:21, 25].all()  # its edge, a motion boundary
    assert not occluded[:8].any()
    assert not occluded[25:].any()


def test_a_coarse_grid_counts_in_pixels_of_the_frame() -> None:
    coarse = (SIZE[0] // 2, SIZE[1] // 2)
    occluded = occlusion_mask(pan(-8, 0, coarse), pan(8, 0, coarse), SIZE)
    assert occluded.shape == (1, 1, *coarse)
    assert occluded[..., :4].all()
    assert not occluded[..., 4:].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1)], ids=str)
def test_tiny_pictures_work(size: tuple[int, int]) -> None:
    assert occlusion_mask(pan(0, 0, size), pan(0, 0, size), size).shape == (1, 1, *size)


def test_soft_validity_never_trusts_what_the_mask_did_not() -> None:
    occluded = (torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(1)) > 0.97).float()
    occluded[..., 5:15, 5:15] = 0
    validity = soft_validity(occluded)
    assert float(validity.min()) >= 0
    assert float(validity.max()) <= 1 + 1e-6
    assert validity[occluded == 1].max() == 0
    assert float(validity[0, 0, 10, 10]) == pytest.approx(1)


def test_soft_validity_of_nothing_occluded_is_full_trust_and_of_all_none() -> None:
    torch.testing.assert_close(soft_validity(torch.zeros(1, 1, 6, 9)), torch.ones(1, 1, 6, 9))
    assert soft_validity(torch.ones(1, 1, 6, 9)).sum() == 0


def test_soft_validity_has_no_hard_edges() -> None:
    occluded = torch.zeros(1, 1, 20, 40)
    occluded[..., :20] = 1
    steps = soft_validity(occluded)[0, 0, 10].diff()
    assert float(steps.abs().max()) < 0.5
