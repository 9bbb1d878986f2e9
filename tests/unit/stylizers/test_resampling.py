from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from network_factory import picture

from vidstyle.stylizers.resampling import (
    BlurPool,
    ConvBlurPool,
    ConvToPhases,
    DoubledConv,
    LowPass,
    PhasedConv,
    double,
    spread_out,
)


def features(num_channels: int, height: int, width: int) -> torch.Tensor:
    return torch.cat([picture(height, width, seed=seed) for seed in range(num_channels)], 1)[:, :num_channels]


def phases_of(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x[..., top::2, left::2] for top in (0, 1) for left in (0, 1)], 1)


@pytest.mark.parametrize("size", [3, 5, 7])
@pytest.mark.parametrize("shape", [(12, 20), (5, 3), (1, 1)])
def test_doubling_and_convolving_at_once_is_the_same_up_to_the_border(size: int, shape: tuple[int, int]) -> None:
    x = features(6, *shape)
    conv = DoubledConv(6, 4, size)
    plain = torch.nn.Conv2d(6, 4, size, padding=size // 2, padding_mode="replicate")
    plain.load_state_dict(conv.state_dict())
    found = conv(x)
    assert found.shape == (1, 4, 2 * shape[0], 2 * shape[1])
    torch.testing.assert_close(found, plain(double(x)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(12, 20), (2, 4), (2, 2)])
def test_phases_are_the_picture(shape: tuple[int, int]) -> None:
    x = features(6, *shape)
    assert torch.equal(spread_out(phases_of(x)), x)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(12, 20), (2, 4), (2, 2)])
def test_convolving_into_phases_is_convolving(shape: tuple[int, int], bias: bool) -> None:
    x, conv = features(3, *shape), ConvToPhases(3, 4, bias=bias)
    plain = torch.nn.Conv2d(3, 4, 3, padding=1, padding_mode="replicate", bias=bias)
    plain.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv(x), phases_of(plain(x)), atol=1e-5, rtol=0)


def test_doubling_into_phases_is_doubling() -> None:
    conv, x = DoubledConv(6, 4, 3), features(6, 12, 20)
    torch.testing.assert_close(conv.phases(x), phases_of(conv(x)))


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("shape", [(20, 12), (10, 14), (2, 2)])
def test_convolving_phases_is_convolving_the_picture(size: int, shape: tuple[int, int]) -> None:
    x = features(6, *shape)
    conv = PhasedConv(6, 4, size)
    plain = torch.nn.Conv2d(6, 4, size)
    plain.load_state_dict(conv.state_dict())
    border = 2 * ((size // 2 + 1) // 2)  # repeats pixels two by two
    wide = spread_out(F.pad(phases_of(x), (border // 2,) * 4, mode="replicate"))
    expected = plain(wide)
    surplus = border - size // 2
    expected = expected[..., surplus : surplus + shape[0], surplus : surplus + shape[1]]
    torch.testing.assert_close(spread_out(conv(phases_of(x))), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("shape", [(12, 20), (6, 4), (2, 2)])
def test_convolving_and_halving_at_once_is_the_same_with_a_border_that_repeats(shape: tuple[int, int]) -> None:
    x = features(3, *shape)
    conv = ConvBlurPool(3, 8)
    found = conv(x)
    assert found.shape == (1, 8, shape[0] // 2, shape[1] // 2)
    wide = F.conv2d(F.pad(x, (4, 4, 4, 4), mode="replicate"), conv.weight, conv.bias, padding=1)
    torch.testing.assert_close(found, BlurPool(8)(wide)[..., 2:-2, 2:-2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("taps", [(1, 2, 1), (-1, 0, 9, 16, 9, 0, -1), (-1, 4, 10, 4, -1)])
def test_a_low_pass_keeps_size_and_flat_areas_and_takes_away_what_alternates(taps: tuple[int, ...]) -> None:
    flat = torch.full((1, 2, 9, 7), 0.7)
    torch.testing.assert_close(LowPass(2, taps)(flat), flat)
    rows = torch.tensor([1.0, -1.0]).repeat(6).view(1, 1, 12, 1).expand(1, 2, 12, 8)
    for striped in (rows, rows.transpose(2, 3)):
        found = LowPass(2, taps)(striped)
        assert found.shape == striped.shape
        assert found[..., 3:-3, 3:-3].abs().max() < 1e-6


def test_all_learn() -> None:
    x = features(3, 16, 16)
    first, second = ConvBlurPool(3, 4), DoubledConv(4, 3, 5)
    second(first(x)).square().mean().backward()  # type: ignore[no-untyped-call]
    third, fourth = ConvToPhases(3, 4), PhasedConv(4, 3, 5)
    fourth(third(x)).square().mean().backward()  # type: ignore[no-untyped-call]
    for module in (first, second, third, fourth):
        assert module.weight.grad is not None
        assert module.weight.grad.abs().sum() > 0


def test_in_bfloat16_it_is_as_exact_as_two_steps() -> None:
    x = features(6, 24, 32)
    conv = DoubledConv(6, 4, 5)
    exact = conv(x).detach()
    plain = torch.nn.Conv2d(6, 4, 5, padding=2, padding_mode="replicate")
    plain.load_state_dict(conv.state_dict())
    half = x.bfloat16()
    in_two = (plain.bfloat16()(double(half)).float() - exact).square().mean().sqrt()
    at_once = (conv.bfloat16()(half).float() - exact).square().mean().sqrt()
    assert at_once < 1.5 * in_two
    assert at_once < 0.01 * exact.std() + 0.01
