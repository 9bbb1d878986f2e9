"""Generators of CycleGAN and pix2pix load as that project saves them, and paint what its network paints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from network_factory import picture
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.stylizers.cyclegan import ResnetGenerator


class Block(nn.Module):
    def __init__(self, width: int, norm: type[nn.Module], bias: bool, dropout: bool) -> None:
        super().__init__()
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), norm(width), nn.ReLU(True)]
        layers += [nn.Dropout(0.5)] if dropout else []
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), norm(width)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class Reference(nn.Module):
    """The published generator, layer by layer, out of torch's own modules."""

    def __init__(self, width: int, num_blocks: int, norm: str, dropout: bool) -> None:
        super().__init__()
        layer = nn.BatchNorm2d if norm == "batch" else nn.InstanceNorm2d
        bias = norm == "instance"
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=bias), layer(width), nn.ReLU()]
        for wide in (width, 2 * width):
            layers += [nn.Conv2d(wide, 2 * wide, 3, 2, 1, bias=bias), layer(2 * wide), nn.ReLU()]
        layers += [Block(4 * width, layer, bias, dropout) for _ in range(num_blocks)]
        for wide in (4 * width, 2 * width):
            layers += [nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, 1, bias=bias), layer(wide // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)


def reference(num_blocks: int = 6, norm: str = "instance", dropout: bool = False, width: int = 8) -> Reference:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        net = Reference(width, num_blocks, norm, dropout)
        for name, value in net.state_dict().items():
            if name.endswith("running_var") or (name.endswith("weight") and value.ndim == 1):
                value.uniform_(0.5, 1.5)
            elif name.endswith(("running_mean", "bias")):
                value.normal_(0, 0.2)
    return net.eval()


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("num_blocks", [6, 9])
def test_a_generator_paints_as_in_its_own_project(norm: str, dropout: bool, num_blocks: int, tmp_path: Path) -> None:
    net = reference(num_blocks, norm, dropout)
    path = tmp_path / "latest_net_G_A.pth"
    torch.save(net.state_dict(), path)
    stylizer = load_feedforward(path)
    for content in (picture(40, 48), picture(32, 36, num=2)):
        with torch.no_grad():
            expected = net.model(content * 2 - 1) / 2 + 0.5
        assert expected.std() > 0.02  # otherwise the comparison says nothing
        torch.testing.assert_close(stylizer(content), expected, atol=1e-5, rtol=0)


def test_the_names_of_the_published_nine_blocks() -> None:
    names = set(ResnetGenerator(4, 9).state_dict())
    blocks = {f"model.{10 + i}.conv_block.{j}.{kind}" for i in range(9) for j in (1, 5) for kind in ("weight", "bias")}
    outer = {f"model.{i}.{kind}" for i in (1, 4, 7, 19, 22, 26) for kind in ("weight", "bias")}
    assert names == blocks | outer


@pytest.mark.parametrize("prefix", ["", "module."])
def test_statistics_that_old_versions_stored_are_ignored(prefix: str, tmp_path: Path) -> None:
    net = reference()
    state = {prefix + key: value for key, value in net.state_dict().items()}
    for layer in ("2", "5", "10.conv_block.2", "10.conv_block.6", "17"):
        state |= {
            f"{prefix}model.{layer}.running_mean": torch.ones(8),
            f"{prefix}model.{layer}.running_var": torch.ones(8),
        }
    state[f"{prefix}model.2.num_batches_tracked"] = torch.tensor(7)
    torch.save(state, tmp_path / "old.pth")
    with torch.no_grad():
        expected = net.model(picture(32, 32) * 2 - 1) / 2 + 0.5
    torch.testing.assert_close(load_feedforward(tmp_path / "old.pth")(picture(32, 32)), expected, atol=1e-5, rtol=0)


def test_batch_norm_without_counters_loads(tmp_path: Path) -> None:
    state = {key: value for key, value in reference(norm="batch").state_dict().items() if "num_batches" not in key}
    torch.save(state, tmp_path / "pix2pix.pth")
    assert load_feedforward(tmp_path / "pix2pix.pth")(picture(33, 35)).shape == (1, 3, 33, 35)


def test_a_generator_runs_in_bfloat16(tmp_path: Path) -> None:
    for norm in ("instance", "batch"):
        torch.save(reference(norm=norm).state_dict(), tmp_path / "net.pth")
        exact = load_feedforward(tmp_path / "net.pth")(picture(40, 48))
        rough = load_feedforward(tmp_path / "net.pth").to("cpu", torch.bfloat16)(picture(40, 48))
        assert rough.dtype == torch.float32
        assert 0 < (rough - exact).abs().mean() < 0.02


def test_loading_leaves_the_global_seed_alone(tmp_path: Path) -> None:
    torch.save(reference().state_dict(), tmp_path / "net.pth")
    before = torch.random.get_rng_state()
    load_feedforward(tmp_path / "net.pth")
    assert torch.equal(torch.random.get_rng_state(), before)


def changed(**changes: Tensor | None) -> dict[str, Tensor]:
    state = {**reference().state_dict(), **changes}
    return {key: value for key, value in state.items() if value is not None}


@pytest.mark.parametrize(
    "state",
    [
        changed(**{"model.26.bias": torch.zeros(3)}),
        changed(**{"model.23.weight": None}),
        changed(**{"model.23.weight": torch.zeros(1, 8, 7, 7), "model.23.bias": torch.zeros(1)}),  # paints grey
        changed(**{"model.1.weight": torch.zeros(8, 1, 7, 7)}),
        changed(**{"model.1.weight": torch.tensor(1.0)}),
        changed(**{"model.1.weight": torch.zeros(100_000, 3, 1, 1)}),
        changed(**{"model.1.weight": torch.zeros(1024, 3, 7, 7)}),
        changed(**{"model.4.filt": torch.zeros(8, 1, 3, 3)}),  # antialiased, as in later forks
        changed(**{"model.2.weight": torch.zeros(8)}),
        changed(**{f"model.{i}.conv_block.1.weight": torch.zeros(1) for i in range(100)}),
        changed(**{"model.1.bias": torch.zeros(8).to_sparse()}),
        changed(**{"model.1.bias": torch.zeros(8, dtype=torch.complex64)}),
        changed(**{"model.1.bias": torch.zeros(8, device="meta")}),
        changed(**{"model.1.bias": torch.zeros(1).half().expand(1 << 40)}),
        {"model.model.0.weight": torch.zeros(8, 3, 4, 4)},  # the U-Net
    ],
    ids=range(15),
)
def test_another_network_is_a_mismatch(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(CheckpointMismatchError, match=r"net\.pth") as caught:
        load_feedforward(tmp_path / "net.pth")
    assert str(caught.value).count(". ") == 0  # one sentence
