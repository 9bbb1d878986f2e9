from __future__ import annotations

import torch
from network_factory import picture

from vidstyle.stylizers.feedforward import BlurPoolNet


def network() -> BlurPoolNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BlurPoolNet(16, 1).requires_grad_(False)


def test_skips_begin_as_nothing() -> None:
    net = network()
    assert not net.half_skip.weight.any()
    assert not net.full_skip.weight.any()


def test_what_the_full_skip_carries_is_added_to_the_logits() -> None:
    net, content = network(), picture(32, 48)
    before = torch.logit(net(content))
    for channel in range(3):
        net.full_skip.weight[channel, channel, 1, 1] = 2.0
    torch.testing.assert_close(torch.logit(net(content)), before + 2 * content, atol=1e-4, rtol=0)


def test_the_half_skip_passes_the_trunk_by() -> None:
    """With nothing from the trunk, content still arrives."""
    net, content = network(), picture(32, 48)
    net.up2.weight.zero_()
    assert (net(content) - net(content.roll(1, 3))).abs().max() < 1e-6
    net.half_skip.weight.normal_(generator=torch.Generator().manual_seed(1))
    assert (net(content) - net(content.roll(1, 3))).abs().mean() > 1e-3


def test_skips_learn() -> None:
    net = BlurPoolNet(16, 1)
    net(picture(32, 48)).square().mean().backward()  # type: ignore[no-untyped-call]
    for skip in (net.half_skip, net.full_skip):
        assert skip.weight.grad is not None
        assert skip.weight.grad.abs().sum() > 0
