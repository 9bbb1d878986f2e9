"""Warping: conventions, borders, precision."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.imaging.warp import backward_warp, pixel_grid, points_inside, resize_flow, sample_at, swift_warp

SIZES = [(1, 1), (1, 7), (5, 3), (17, 31), (48, 64)]


def noise(height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height * 100 + width))


def constant_flow(dx: float, dy: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, height, width)


def test_the_grid_counts_x_along_the_width() -> None:
    grid = pixel_grid(2, 3)
    assert grid.shape == (1, 2, 2, 3)
    assert grid[0, 0].tolist() == [[0, 1, 2], [0, 1, 2]]
    assert grid[0, 1].tolist() == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_no_flow_changes_nothing(size: tuple[int, int], mode: str) -> None:
    image = noise(*size)
    torch.testing.assert_close(backward_warp(image, constant_flow(0, 0, *size), mode), image, atol=2e-5, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@given(dx=st.integers(-8, 8), dy=st.integers(-6, 6))
def test_a_whole_pixel_shift_moves_pixels_and_repeats_the_border(mode: str, dx: int, dy: int) -> None:
    image = noise(13, 17)
    warped = backward_warp(image, constant_flow(dx, dy, 13, 17), mode)
    rows = (torch.arange(13) + dy).clamp(0, 12)
    columns = (torch.arange(17) + dx).clamp(0, 16)
    torch.testing.assert_close(warped, image[..., rows, :][..., columns], atol=1e-4, rtol=0)


def test_result_of_x_is_the_image_at_x_plus_flow() -> None:
    ramp = pixel_grid(20, 30)
    flow = 1.5 * torch.sin(pixel_grid(20, 30) / 5)
    warped = backward_warp(ramp, flow, "bilinear")
    inside = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    torch.testing.assert_close(warped[inside], (ramp + flow)[inside], atol=1e-3, rtol=0)


def test_bicubic_keeps_more_texture_through_repeated_warps_than_bilinear() -> None:
    image = noise(32, 32)
    energy = {}
    for mode in ("bilinear", "bicubic"):
        moved = image
        for step in range(8):
            moved = backward_warp(moved, constant_flow(0.3 * (-1) ** step, 0.2 * (-1) ** step, 32, 32), mode)
        energy[mode] = float((moved[..., 1:] - moved[..., :-1]).square().mean())
    assert energy["bicubic"] > 1.3 * energy["bilinear"]


def test_coordinates_stay_exact_for_half_precision_pictures_wider_than_2048() -> None:
    image = (torch.arange(4096) % 2).half().expand(1, 1, 3, 4096)
    warped = backward_warp(image, constant_flow(1, 0, 3, 4096))
    assert warped.dtype == torch.float16
    torch.testing.assert_close(warped[..., :-1], image[..., 1:], atol=5e-3, rtol=0)


def test_positions_may_be_fewer_than_pixels() -> None:
    position = torch.tensor([[3.0, 0.0], [1.0, 2.0]]).t().reshape(1, 2, 1, 2)
    image = pixel_grid(4, 5)
    torch.testing.assert_close(sample_at(image, position, "bilinear"), position, atol=1e-5, rtol=0)


def test_resizing_a_flow_keeps_its_pixels() -> None:
    flow = constant_flow(3.0, -2.0, 4, 6)
    assert resize_flow(flow, (4, 6)) is flow
    torch.testing.assert_close(resize_flow(flow, (9, 11)), constant_flow(3.0, -2.0, 9, 11))


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_the_swift_warp_is_right_to_a_thirty_second_of_a_pixel(mode: str, height: int, width: int) -> None:
    generator = torch.Generator().manual_seed(height * 50 + width)
    image = torch.rand(1, 3, height, width, generator=generator)
    flow = 8 * torch.rand(1, 2, height, width, generator=generator) - 4
    difference = swift_warp(image, flow, mode) - backward_warp(image, flow, mode)
    assert float(difference.abs().max()) < 0.12
    rounded = (flow * 32).round() / 32
    torch.testing.assert_close(swift_warp(image, rounded, mode), backward_warp(image, rounded, mode), atol=1e-3, rtol=0)


def test_flow_leads_to_a_point_inside_or_not() -> None:
    flow = torch.zeros(2, 2, 4, 6)
    flow[0, 0] = 2.4
    flow[1, 1] = -1.0
    expected = torch.ones(2, 1, 4, 6, dtype=torch.bool)
    expected[0, ..., 3:] = False
    expected[1, :, 0] = False
    assert torch.equal(points_inside(flow), expected)
    expected[0, ..., 3] = True  # 5.4, beyond the last pixel at 5 by less than a half
    assert torch.equal(points_inside(flow, slack_px=0.5), expected)
