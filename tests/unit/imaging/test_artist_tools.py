"""Colour transfer, luma, light, grain, edges and soft masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from network_factory import picture
from torch import Tensor

from vidstyle.imaging.color_transfer import ColorStatistics, monge_kantorovich
from vidstyle.imaging.edges import add_detail
from vidstyle.imaging.feather import feathered
from vidstyle.imaging.grain import GrainFilter
from vidstyle.imaging.linear_light import blend_light, to_display, to_linear
from vidstyle.imaging.luma import luma, luma_weights, with_chroma_of


def muted(seed: int) -> Tensor:
    """A picture whose colours stay away from the limits."""
    return picture(40, 56, seed=seed) * 0.4 + 0.3


def test_a_transfer_gives_mean_and_covariance_of_the_target() -> None:
    source, target = muted(1), muted(2) * torch.tensor([1.0, 0.6, 0.8])[:, None, None]
    wanted = ColorStatistics.of([target[0]])
    moved = monge_kantorovich(ColorStatistics.of([source[0]]), wanted)(source)
    found = ColorStatistics.of([moved[0]])
    torch.testing.assert_close(found.mean, wanted.mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.covariance, wanted.covariance, atol=1e-3, rtol=0)


def test_a_transfer_moves_colours_least() -> None:
    mapping = monge_kantorovich(ColorStatistics.of([muted(1)[0]]), ColorStatistics.of([muted(2)[0]]))
    torch.testing.assert_close(mapping.matrix, mapping.matrix.T)  # a gradient of a convex function
    assert torch.linalg.eigvalsh(mapping.matrix).min() > 0
    same = monge_kantorovich(ColorStatistics.of([muted(1)[0]]), ColorStatistics.of([muted(1)[0]]))
    torch.testing.assert_close(same(muted(3)), muted(3), atol=1e-5, rtol=0)


def test_grey_pictures_are_not_stretched_without_bound() -> None:
    grey = muted(1).mean(1, keepdim=True).expand(-1, 3, -1, -1)
    mapping = monge_kantorovich(ColorStatistics.of([grey[0]]), ColorStatistics.of([muted(2)[0]]))
    assert mapping.matrix.abs().max() < 30


def test_statistics_weigh_pictures_alike() -> None:
    small, large = torch.zeros(3, 4, 4), torch.ones(3, 40, 40)
    statistics = ColorStatistics.of([small, large])
    torch.testing.assert_close(statistics.mean, torch.full((3,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(statistics.covariance, torch.full((3, 3), 0.25, dtype=torch.float64))
    with pytest.raises(ValueError, match="at least one"):
        ColorStatistics.of([])


@pytest.mark.parametrize("spread", [1.0, 0.004])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_statistics_are_exact_also_where_colours_hardly_differ(spread: float, layout: torch.memory_format) -> None:
    image = (0.9 + spread * (picture(300, 500) - 0.5)).contiguous(memory_format=layout)
    found = ColorStatistics.of([image[0]])
    pixels = image[0].flatten(1).double()
    torch.testing.assert_close(found.mean, pixels.mean(1), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.covariance, pixels.cov(correction=0), atol=1e-12, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):  # as in training
        assert torch.equal(ColorStatistics.of([image[0]]).covariance, found.covariance)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc", "gbr"])
def test_luma_comes_from_the_painting_and_chroma_from_the_source(matrix: str) -> None:
    painted, source = muted(1), muted(2)
    mixed = with_chroma_of(painted, source, matrix)
    torch.testing.assert_close(luma(mixed, matrix), luma(painted, matrix), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        mixed - luma(mixed, matrix), source - luma(source, matrix), atol=1e-5, rtol=0
    )  # all of it fits here
    assert sum(luma_weights(matrix)) == pytest.approx(1)


def test_chroma_without_room_is_reduced_at_its_hue() -> None:
    white, red = torch.ones(1, 3, 1, 1), torch.tensor([0.9, 0.1, 0.1])[None, :, None, None]
    torch.testing.assert_close(with_chroma_of(white, red), white)
    bright = with_chroma_of(white * 0.8, red)
    torch.testing.assert_close(luma(bright), luma(white * 0.8), atol=1e-6, rtol=0)
    assert bright.max() <= 1
    assert bright[0, 0] > bright[0, 1] == bright[0, 2]


@given(st.floats(0, 1))
def test_light_comes_back(value: float) -> None:
    given_value = torch.tensor([value], dtype=torch.float64)
    torch.testing.assert_close(to_display(to_linear(given_value)), given_value, atol=1e-6, rtol=0)


def test_pictures_mix_as_light() -> None:
    black, white = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    grey = blend_light([black, white], [0.5, 0.5])
    torch.testing.assert_close(grey, torch.full_like(grey, 0.7354), atol=1e-4, rtol=0)
    torch.testing.assert_close(blend_light([muted(1), muted(2)], [1.0, 0.0]), muted(1), atol=1e-5, rtol=0)


def scene() -> Tensor:
    """Flat areas with hard edges."""
    flat = torch.full((1, 3, 96, 128), 0.35)
    flat[..., 20:70, 30:90] = 0.7
    flat[:, 0, 50:, 60:] = 0.2
    return flat


def test_grain_is_measured_and_taken_away_and_edges_stay() -> None:
    clean = scene()
    noise = 0.03 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    noisy = (clean + noise).clamp(0, 1)
    denoised = GrainFilter.measured([noisy[0]])(noisy)
    assert (denoised - clean).square().mean() < 0.25 * noise.square().mean()
    edge = clean[..., 40, 28:32].diff().abs().max()
    assert denoised[..., 40, 28:32].diff().abs().max() > 0.75 * edge


def test_a_clean_picture_has_no_grain() -> None:
    assert (GrainFilter.measured([scene()[0]])(scene()) - scene()).abs().max() < 1e-3


def test_tiny_pictures_have_no_bands() -> None:
    tiny = picture(5, 5)
    assert GrainFilter.measured([tiny[0]])(tiny).equal(tiny)
    assert add_detail(tiny[..., :2, :2], tiny[..., :2, :2], 1.0).equal(tiny[..., :2, :2])


def test_detail_adds_edges_and_no_colour() -> None:
    painting, source = torch.full_like(scene(), 0.5), scene()
    full = add_detail(painting, source, 1.0)
    assert (full - painting)[..., 40, 28:32].abs().max() > 0.05
    assert (full - painting)[..., 40, 50:60].abs().max() < 1e-4
    assert (full - full.mean(1, keepdim=True)).abs().max() < 1e-6
    torch.testing.assert_close(add_detail(painting, source, 0.5) - painting, (full - painting) / 2)
    assert add_detail(painting, source, 0.0) is painting


def test_a_feathered_edge_is_as_wide_as_asked() -> None:
    step = torch.zeros(1, 30, 200)
    step[..., 100:] = 1
    soft = feathered(step, 20.0)[0, 15]
    inside = ((soft > 0.1) & (soft < 0.9)).sum()
    assert abs(int(inside) - 20) <= 1
    assert soft[0] == 0
    assert soft[-1] == 1
    assert feathered(step, 0.0) is step
