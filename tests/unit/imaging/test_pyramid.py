"""Laplacian bands add up to the picture and separate scales."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.imaging.pyramid import (
    cell_means,
    channel_mean,
    dilate,
    enlarge,
    halve,
    laplacian_bands,
    tent_blur,
    weigh_,
)

sides = st.integers(1, 41)


@given(height=sides, width=sides)
def test_bands_and_remainder_add_up_to_the_picture(height: int, width: int) -> None:
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height * 50 + width))
    bands = laplacian_bands(image, 3)
    rebuilt = halve(halve(halve(image)))
    for band in reversed(bands):
        rebuilt = band + enlarge(rebuilt, (band.shape[-2], band.shape[-1]))
    torch.testing.assert_close(rebuilt, image)


@given(height=sides, width=sides)
def test_halving_rounds_up(height: int, width: int) -> None:
    assert halve(torch.zeros(2, 4, height, width)).shape == (2, 4, -(-height // 2), -(-width // 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_picture_stays_flat_and_has_empty_bands(dtype: torch.dtype) -> None:
    flat = torch.full((1, 3, 11, 14), 0.3, dtype=dtype)
    torch.testing.assert_close(halve(flat), torch.full((1, 3, 6, 7), 0.3, dtype=dtype))
    assert all(float(band.abs().max()) < 1e-6 for band in laplacian_bands(flat, 2))


def test_fine_detail_is_in_the_finest_band_and_slow_change_is_not() -> None:
    x = torch.arange(64.0)
    checks = (x % 2).expand(1, 1, 64, 64)
    waves = (0.5 + 0.5 * torch.sin(x * 2 * torch.pi / 32)).expand(1, 1, 64, 64)
    fine_of_checks, next_of_checks = (float(b.square().mean()) for b in laplacian_bands(checks, 2))
    fine_of_waves, _ = (float(b.square().mean()) for b in laplacian_bands(waves, 2))
    assert fine_of_checks > 100 * next_of_checks
    assert fine_of_checks > 100 * fine_of_waves


@given(height=sides, width=sides, channels=st.integers(1, 4))
def test_opencv_and_torch_agree(height: int, width: int, channels: int) -> None:
    image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height * 50 + width))
    for work in (
        halve,
        channel_mean,
        tent_blur,
        dilate,
        lambda each: cell_means(each, 8),
        lambda each: cell_means(each, 6),
        lambda each: enlarge(each, (2 * height + 1, 3 * width)),
    ):
        exact = work(image.double())  # which OpenCV is not given
        torch.testing.assert_close(work(image).double(), exact, atol=2e-6, rtol=0)
        interleaved = image.contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(work(interleaved).double(), exact, atol=2e-6, rtol=0)


def test_several_pictures_and_gradients_stay_with_torch() -> None:
    batch = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(enlarge(batch, (18, 24))[1:], enlarge(batch[1:], (18, 24)))
    wanted = batch[:1].clone().requires_grad_()
    enlarge(halve(wanted), (9, 12)).square().sum().backward()
    assert wanted.grad is not None


@given(height=sides, width=sides, channels=st.integers(1, 4))
def test_a_weight_counts_for_every_channel(height: int, width: int, channels: int) -> None:
    image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(height * 50 + width))
    weight = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(3))
    for each in (image, image.contiguous(memory_format=torch.channels_last)):
        torch.testing.assert_close(weigh_(each.clone(), weight), image * weight)
    batch = image.expand(2, -1, -1, -1)
    torch.testing.assert_close(weigh_(batch.clone(), weight), batch * weight)
