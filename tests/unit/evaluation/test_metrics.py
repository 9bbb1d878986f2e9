"""Metrics: known values, and that blur and lost texture cannot hide."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.evaluation import metrics
from vidstyle.evaluation.painted import PAINTED_STYLES

HEIGHT, WIDTH = 48, 64


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*(shape or (3, HEIGHT, WIDTH)), generator=torch.Generator().manual_seed(seed))


def blur(image: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(image[None], (3, 3, 3, 3), mode="replicate"), 7, stride=1)[0]


def shift_flow(dx: float, dy: float) -> torch.Tensor:
    return torch.tensor([dx, dy])[:, None, None].expand(2, HEIGHT, WIDTH).contiguous()


def test_identical_frames_have_no_warping_error() -> None:
    image, valid = noise(0), torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    assert metrics.warping_error(image, image, shift_flow(0, 0), valid) < 1e-10


@settings(max_examples=20, deadline=None)
@given(dx=st.integers(-5, 5), dy=st.integers(-5, 5))
def test_a_known_shift_has_no_warping_error(dx: int, dy: int) -> None:
    wide = noise(2, 3, HEIGHT + 10, WIDTH + 10)
    previous = wide[:, 5 : 5 + HEIGHT, 5 : 5 + WIDTH]
    current = wide[:, 5 + dy : 5 + dy + HEIGHT, 5 + dx : 5 + dx + WIDTH]
    valid = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    valid[:, 5:-5, 5:-5] = True
    assert metrics.warping_error(current, previous, shift_flow(dx, dy), valid) < 1e-9
    if dx or dy:
        assert metrics.warping_error(current, previous, shift_flow(0, 0), valid) > 0.1


def test_warping_error_is_the_mean_square_over_valid_pixels_and_channels() -> None:
    previous, current = torch.full((3, HEIGHT, WIDTH), 0.5), torch.full((3, HEIGHT, WIDTH), 0.5)
    current[0, :, : WIDTH // 2] = 0.8
    current[:, :, WIDTH // 2 :] = 0.0
    valid = torch.zeros(1, HEIGHT, WIDTH)
    valid[..., : WIDTH // 2] = 1
    assert metrics.warping_error(current, previous, shift_flow(0, 0), valid) == pytest.approx(0.09 / 3, rel=1e-5)
    assert math.isnan(metrics.warping_error(current, previous, shift_flow(0, 0), valid * 0))


def test_blur_lowers_the_warping_error_and_is_found_out() -> None:
    previous, current = noise(3), noise(4)
    flow, valid = shift_flow(0, 0), torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    sharp = metrics.warping_error(current, previous, flow, valid)
    soft = metrics.warping_error(blur(current), blur(previous), flow, valid)
    assert soft < 0.1 * sharp
    assert metrics.gradient_ratio(blur(current), current) < 0.1
    assert metrics.band_energy_ratios(blur(current), current)[0] < 0.1
    gain = soft / sharp
    normalized = metrics.normalized_warping_error(blur(current), blur(previous), flow, valid)
    normalized_gain = normalized / metrics.normalized_warping_error(current, previous, flow, valid)
    assert normalized_gain > 10 * gain


def test_gradient_energy_of_a_ramp_is_its_squared_slope() -> None:
    ramp = (torch.arange(WIDTH) / 100).expand(3, HEIGHT, WIDTH)
    assert metrics.gradient_energy(ramp) == pytest.approx(1e-4, rel=1e-4)
    half = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    half[..., :20] = True
    spoiled = ramp.clone()
    spoiled[..., 20:] = noise(5)[..., 20:]
    assert metrics.gradient_energy(spoiled, half) == pytest.approx(1e-4, rel=1e-4)
    assert math.isnan(metrics.gradient_energy(ramp, half & False))


def test_ratios_of_a_picture_to_itself_are_one_and_quadratic_in_contrast() -> None:
    image = noise(6)
    assert metrics.gradient_ratio(image, image) == 1
    assert metrics.band_energy_ratios(image, image) == (1, 1, 1, 1)
    faded = 0.5 + 0.5 * (image - 0.5)
    assert metrics.band_energy_ratios(faded, image, num_levels=3) == pytest.approx((0.25,) * 3, rel=1e-3)
    with pytest.raises(ValueError, match="at least 64 pixels a side"):
        metrics.band_energies(image, num_levels=6)


def test_psnr_and_drift() -> None:
    image = 0.25 + 0.5 * noise(7)
    assert metrics.psnr(image, image) == math.inf
    assert metrics.psnr(image, image + 0.1) == pytest.approx(20, abs=1e-3)
    assert metrics.low_pass_psnr(image, image + 0.1) == pytest.approx(20, abs=1e-3)
    # New texture with the same colour is not drift.
    assert metrics.low_pass_psnr(image, 0.25 + 0.5 * noise(8)) > metrics.psnr(image, 0.25 + 0.5 * noise(8)) + 15


def test_ghosts_are_looked_for_where_something_came_into_view() -> None:
    alone = noise(9)
    valid = torch.ones(1, HEIGHT, WIDTH, dtype=torch.bool)
    assert math.isnan(metrics.ghosting_error(alone, alone, valid))
    valid[:, 20:24, 30:34] = False
    ghost = alone.clone()
    ghost[:, 0:8, 0:8] = 0.0  # far from what was hidden
    assert metrics.ghosting_error(ghost, alone, valid) == 0
    ghost[:, 18, 28] += 0.3  # within five pixels of it
    expected = 3 * 0.09 / 3 / (14 * 14)
    assert metrics.ghosting_error(ghost, alone, valid) == pytest.approx(expected, rel=1e-4)
    assert metrics.ghosting_error(ghost, alone, valid, margin_px=0) == 0
    assert metrics.to_decibels(0.01) == pytest.approx(20)
    assert metrics.to_decibels(0.0) == math.inf


def painted(name: str, width: int = 128, height: int = 96) -> torch.Tensor:
    return PAINTED_STYLES[name](width, height).float() / 255


def test_patch_swd_of_a_picture_to_itself_is_zero_and_the_way_back_is_as_far() -> None:
    first, second = painted("oil_strokes"), painted("mosaic", 112, 112)
    assert metrics.patch_swd(first, first) == 0
    there = metrics.patch_swd(first, second)
    assert there > 0.05
    assert there == pytest.approx(metrics.patch_swd(second, first), rel=1e-6)


def test_patch_swd_does_not_ask_where_a_patch_is() -> None:
    image = painted("oil_strokes")
    tiles = image.unfold(1, 32, 32).unfold(2, 32, 32).reshape(3, 12, 32, 32)
    tiles = tiles[:, torch.randperm(12, generator=torch.Generator().manual_seed(0))]
    shuffled = tiles.reshape(3, 3, 4, 32, 32).permute(0, 1, 3, 2, 4).reshape(3, 96, 128)
    assert (shuffled - image).square().mean() > 0.02
    moved = metrics.patch_swd(shuffled, image)
    assert moved < 0.5 * metrics.patch_swd(painted("mosaic"), image)


def test_patch_swd_charges_for_blur_the_more_the_stronger() -> None:
    image = noise(4)
    once, twice = blur(image), blur(blur(image))
    assert 0 < metrics.patch_swd(once, image) < metrics.patch_swd(twice, image)
    texture = painted("mosaic")
    assert metrics.patch_swd(blur(texture), texture) > 3 * metrics.patch_swd(texture[..., :-1], texture)


@pytest.mark.parametrize("shift", [0.1, 0.25])
def test_patch_swd_of_flat_pictures_is_the_mean_projected_difference(shift: float) -> None:
    # All patches of a flat picture project to the same number; for grey the difference is shift times a unit
    # vector's sum, whose mean square over directions is 1 a coordinate.
    first, second = torch.full((3, 40, 40), 0.5), torch.full((3, 32, 50), 0.5 + shift)
    assert metrics.patch_swd(first, second, num_projections=2000) == pytest.approx(shift, rel=0.1)


def test_patch_swd_compares_pictures_of_different_sizes_by_quantiles() -> None:
    image = painted("oil_strokes", 96, 96)
    tiled = image.repeat(1, 1, 2)
    assert metrics.patch_swd(image, tiled) < 0.15 * metrics.patch_swd(image, painted("mosaic", 96, 96))


def test_patch_swd_is_the_same_in_every_call_and_leaves_the_seed_alone() -> None:
    first, second = noise(1), noise(2, 3, 40, 40)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    values = {metrics.patch_swd(first, second), metrics.patch_swd(first, second)}
    assert torch.equal(torch.rand(2), expected)
    assert len(values) == 1
    assert metrics.patch_swd(first, second, seed=1) != values.pop()


def test_patch_swd_wants_pictures_of_a_patch_at_every_scale() -> None:
    with pytest.raises(ValueError, match="at least 28 pixels a side"):
        metrics.patch_swd(noise(0, 3, 24, 40), noise(1))
    metrics.patch_swd(noise(0, 3, 24, 40), noise(1), num_scales=2)
