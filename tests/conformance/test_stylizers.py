"""What every stylizer promises, asked of each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_factory import lively_decoder, lively_johnson, picture, tiny_encoder
from torch import Tensor

from vidstyle.protocols import Stylizer
from vidstyle.stylizers.adain import AdaInNet, AdaInStylizer
from vidstyle.stylizers.checkpoint import FeedforwardStylizer, IdentityStylizer
from vidstyle.stylizers.feedforward import BlurPoolNet

Make = Callable[[], Stylizer]


class NegativePlugin:
    """A stylizer of somebody else's."""

    name = "negative"

    def __call__(self, content: Tensor) -> Tensor:
        return 1 - content.float()

    def to(self, device: str, dtype: Any) -> NegativePlugin:
        return self


def adain() -> Stylizer:
    net = AdaInNet(tiny_encoder(last="conv41"), lively_decoder((4, 6, 8, 10)))
    return AdaInStylizer("any", net, picture(48, 48, seed=3)[0], 0.7)


MAKERS: dict[str, Make] = {
    "identity": IdentityStylizer,
    "blurpool": lambda: FeedforwardStylizer("blurpool", BlurPoolNet(24, 3)),
    "johnson": lambda: FeedforwardStylizer("johnson", lively_johnson()),
    "adain": adain,
    "plugin": NegativePlugin,
}
SIZES = [(1, 1), (1, 9), (7, 1), (5, 3), (16, 16), (33, 47), (64, 80)]


@pytest.fixture(params=list(MAKERS))
def make(request: pytest.FixtureRequest) -> Make:
    return seeded(request.param)


def seeded(name: str) -> Make:
    def build() -> Stylizer:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            return MAKERS[name]()

    return build


@pytest.fixture
def stylizer(make: Make) -> Stylizer:
    return make()


def assert_sound(painted: Tensor, content: Tensor) -> None:
    assert painted.shape == content.shape
    assert painted.dtype == torch.float32
    assert torch.isfinite(painted).all()
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_it_is_a_stylizer_with_a_name(stylizer: Stylizer) -> None:
    assert isinstance(stylizer, Stylizer)
    assert stylizer.name


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_any_size(stylizer: Stylizer, size: tuple[int, int]) -> None:
    content = picture(*size, num=2)
    assert_sound(stylizer(content), content)


def test_what_it_paints_depends_on_the_content(stylizer: Stylizer) -> None:
    """Without this, all that follows would hold for a stylizer that paints nothing."""
    first, second = (stylizer(picture(64, 64, seed=seed)) for seed in (0, 1))
    assert first.std() > 0.05
    assert (first - second).abs().mean() > 0.03


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_pictures(stylizer: Stylizer, value: float) -> None:
    content = torch.full((1, 3, 32, 32), value)
    assert_sound(stylizer(content), content)


def test_the_same_picture_gives_the_same_painting(make: Make) -> None:
    content = picture(40, 48)
    stylizer = make()
    first = stylizer(content).clone()
    stylizer(picture(56, 32, seed=1))  # what came between leaves no trace
    assert torch.equal(stylizer(content), first)
    assert torch.equal(make()(content), first)


def test_a_batch_is_its_pictures_one_by_one(stylizer: Stylizer) -> None:
    content = picture(40, 48, num=4)
    singles = torch.cat([stylizer(content[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(stylizer(content), singles, atol=2e-4, rtol=0)


def test_the_content_is_not_changed(stylizer: Stylizer) -> None:
    content = picture(33, 40)
    copy = content.clone()
    stylizer(content)
    assert torch.equal(content, copy)


def test_memory_layout_does_not_matter(stylizer: Stylizer) -> None:
    content = picture(40, 48, num=2)
    other = stylizer(content.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(other, stylizer(content), atol=2e-4, rtol=0)


def test_to_returns_itself_and_bfloat16_is_close(stylizer: Stylizer) -> None:
    content = picture(40, 48)
    exact = stylizer(content).clone()
    assert stylizer.to("cpu", torch.bfloat16) is stylizer
    painted = stylizer(content)
    assert_sound(painted, content)
    assert (painted - exact).abs().mean() < 0.02
    assert stylizer.to("cpu", torch.float32) is stylizer
    assert (stylizer(content) - exact).abs().mean() < 0.02


@pytest.mark.gpu
def test_half_precision_on_cuda_is_close(stylizer: Stylizer) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    content = picture(40, 48)
    exact = stylizer(content).clone()
    painted = stylizer.to("cuda", torch.float16)(content.half().cuda())
    assert painted.is_cuda
    assert_sound(painted.cpu(), content)
    assert (painted.cpu() - exact).abs().mean() < 0.02


# Feedforward and AdaIN pad by themselves, so that they can be called without a pipeline.


@pytest.mark.parametrize("name", ["blurpool", "johnson", "adain"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_networks_take_any_size(name: str, size: tuple[int, int]) -> None:
    content = picture(*size)
    assert_sound(seeded(name)()(content), content)


BLURPOOL = seeded("blurpool")()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70))
def test_blurpool_takes_every_size(height: int, width: int) -> None:
    content = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    assert_sound(BLURPOOL(content), content)


@pytest.mark.parametrize("shift", [(4, 0), (0, 8), (-4, 12)])
def test_blurpool_paints_moved_content_alike(shift: tuple[int, int]) -> None:
    """On the grid of its deepest layer it is exactly equivariant; the lattice cannot be seen to stand still."""
    content = torch.full((1, 3, 192, 192), 0.4)
    content[..., 84:108, 80:112] = picture(24, 32)
    moved = content.roll(shift, (2, 3))
    painted = BLURPOOL(content)
    torch.testing.assert_close(BLURPOOL(moved), painted.roll(shift, (2, 3)), atol=2e-4, rtol=0)
    assert (painted - painted[..., :1, :1]).abs().max() > 0.05  # otherwise the comparison says nothing
