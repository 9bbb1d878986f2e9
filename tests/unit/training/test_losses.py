from __future__ import annotations

import pytest
import torch
from network_factory import picture, tiny_encoder

from vidstyle.training.losses import (
    CONTENT_LAYERS,
    STYLE_LAYERS,
    StyleStatistics,
    content_loss,
    lattice_loss,
    style_loss,
    style_statistics,
    total_variation,
)


def features(seed: int = 0) -> dict[str, torch.Tensor]:
    return tiny_encoder()(picture(64, 80, seed), STYLE_LAYERS)


def statistics(of: dict[str, torch.Tensor]) -> dict[str, StyleStatistics]:
    return {layer: style_statistics(value) for layer, value in of.items()}


def test_statistics_are_mean_and_covariance() -> None:
    x = torch.randn(2, 3, 5, 7)
    found = style_statistics(x)
    for i in range(2):
        torch.testing.assert_close(found.mean[i], x[i].flatten(1).mean(1))
        torch.testing.assert_close(found.covariance[i], torch.cov(x[i].flatten(1), correction=0))


def test_a_picture_has_its_own_style_and_content() -> None:
    own = features()
    assert style_loss(own, statistics(own)).item() == 0
    assert content_loss(own, own).item() == 0
    assert style_loss(own, statistics(features(1))).item() > 0.1
    assert content_loss(own, features(1)).item() > 0.1


def test_style_is_blind_to_where_things_are_and_content_is_not() -> None:
    own = features()
    moved = {layer: value.roll((1, 2), (2, 3)) for layer, value in own.items()}
    target = statistics(features(1))
    torch.testing.assert_close(style_loss(moved, target), style_loss(own, target))
    assert content_loss(moved, own).item() > 0.1


@pytest.mark.parametrize("factor", [0.3, 30.0])
def test_losses_are_free_of_the_features_scale(factor: float) -> None:
    own, other = ({layer: 10 * value for layer, value in features(seed).items()} for seed in (0, 1))
    scaled_own = {layer: value * factor for layer, value in own.items()}
    scaled_other = {layer: value * factor for layer, value in other.items()}
    expected = style_loss(own, statistics(other))
    torch.testing.assert_close(style_loss(scaled_own, statistics(scaled_other)), expected, rtol=1e-3, atol=0)
    torch.testing.assert_close(content_loss(scaled_own, scaled_other), content_loss(own, other), rtol=1e-3, atol=0)


def test_losses_of_half_precision_features_are_float32() -> None:
    own, other = features(), features(1)
    half = {layer: value.bfloat16() for layer, value in own.items()}
    loss = style_loss(half, statistics(other))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, style_loss(own, statistics(other)), rtol=0.05, atol=0)
    assert content_loss(half, other).dtype == torch.float32


def test_gradients_reach_every_pixel() -> None:
    image = picture(64, 64).requires_grad_()
    encoder = tiny_encoder()
    found = encoder(image, STYLE_LAYERS)
    with torch.no_grad():
        target = encoder(picture(64, 64, seed=1), CONTENT_LAYERS)
    loss = style_loss(found, statistics(features(2))) + content_loss(found, target) + total_variation(image)
    loss.backward()
    assert image.grad is not None
    assert torch.isfinite(image.grad).all()
    assert (image.grad.abs().sum(1) > 0).float().mean() > 0.99
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_a_flat_picture_has_finite_losses() -> None:
    encoder = tiny_encoder()
    flat = encoder(torch.full((1, 3, 64, 64), 0.5), STYLE_LAYERS)
    assert torch.isfinite(style_loss(features(), statistics(flat)))
    assert torch.isfinite(content_loss(features(), {k: torch.zeros_like(v) for k, v in features().items()}))


def test_total_variation_of_a_ramp() -> None:
    ramp = torch.arange(5.0).expand(1, 3, 4, 5)
    assert total_variation(ramp).item() == 1
    assert total_variation(ramp.transpose(2, 3)).item() == 1
    assert total_variation(torch.ones(1, 3, 4, 5)).item() == 0


def ramp(size: int = 128) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return (0.2 + 0.003 * x + 0.002 * y).expand(1, 3, -1, -1).clone()


def wave(period_px: float, size: int = 128) -> torch.Tensor:
    return torch.cos(2 * torch.pi * torch.arange(size) / period_px).expand(1, 3, size, size)


def test_a_ramp_and_noise_have_no_lattice() -> None:
    floor = lattice_loss(ramp(), 4)
    assert floor.item() == pytest.approx(2e-4, rel=0.01)  # what keeps the root from zero, in two directions
    noisy = ramp() + torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) / 255
    assert lattice_loss(noisy, 4) < 5 * floor


@pytest.mark.parametrize("period_px", [2, 4])
def test_what_repeats_with_the_stride_counts_by_its_amplitude(period_px: int) -> None:
    found = [lattice_loss(ramp() + amplitude * wave(period_px), 4).item() for amplitude in (0.005, 0.01)]
    assert found[1] == pytest.approx(2 * found[0], rel=0.05)
    assert found[0] > 10 * lattice_loss(ramp(), 4).item()


def test_what_does_not_repeat_with_the_stride_hardly_counts() -> None:
    assert lattice_loss(ramp() + 0.01 * wave(4.7), 4) < 0.2 * lattice_loss(ramp() + 0.01 * wave(4), 4)


def test_the_slope_of_the_lattice_loss_is_finite_where_there_is_none() -> None:
    picture = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    lattice_loss(picture, 4).backward()
    assert picture.grad is not None
    assert picture.grad.isfinite().all()
