"""Checkpoints of princeton-vl/RAFT, where RAFT was published, give the same flow in torchvision's network.

The reference below is written from the paper's appendix with the attribute names of that project, so that its
``state_dict`` has that project's layout and its flow is computed without torchvision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.flow.raft_weights import load_raft

NORMS = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d, "none": lambda _width: nn.Sequential()}


class Block(nn.Module):
    """Residual (two 3x3 convolutions) or bottleneck (1x1, 3x3, 1x1) block."""

    def __init__(self, num_in: int, width: int, norm: str, stride: int, bottleneck: bool) -> None:
        super().__init__()
        narrow = width // 4
        plan = [(num_in, narrow, 1, 1), (narrow, narrow, 3, stride), (narrow, width, 1, 1)]
        if not bottleneck:
            plan = [(num_in, width, 3, stride), (width, width, 3, 1)]
        for number, (a, b, size, step) in enumerate(plan, 1):
            setattr(self, f"conv{number}", nn.Conv2d(a, b, size, step, size // 2))
            setattr(self, f"norm{number}", NORMS[norm](b))
        self.num_convs = len(plan)
        if stride > 1:  # there the last norm is registered twice: by itself, and in the shortcut
            last = NORMS[norm](width)
            setattr(self, f"norm{len(plan) + 1}", last)
            self.downsample = nn.Sequential(nn.Conv2d(num_in, width, 1, stride), last)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for number in range(1, self.num_convs + 1):
            y = F.relu(getattr(self, f"norm{number}")(getattr(self, f"conv{number}")(y)))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class Encoder(nn.Module):
    def __init__(self, widths: tuple[int, int, int], num_out: int, norm: str, bottleneck: bool) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, widths[0], 7, 2, 3), NORMS[norm](widths[0])
        num_in = widths[0]
        for number, (width, stride) in enumerate(zip(widths, (1, 2, 2), strict=True), 1):
            blocks = Block(num_in, width, norm, stride, bottleneck), Block(width, width, norm, 1, bottleneck)
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            num_in = width
        self.conv2 = nn.Conv2d(num_in, num_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class MotionEncoder(nn.Module):
    def __init__(self, small: bool) -> None:
        super().__init__()
        self.small = small
        if small:
            self.convc1 = nn.Conv2d(4 * 7 * 7, 96, 1)
            self.convf1, self.convf2 = nn.Conv2d(2, 64, 7, padding=3), nn.Conv2d(64, 32, 3, padding=1)
            self.conv = nn.Conv2d(96 + 32, 80, 3, padding=1)
        else:
            self.convc1, self.convc2 = nn.Conv2d(4 * 9 * 9, 256, 1), nn.Conv2d(256, 192, 3, padding=1)
            self.convf1, self.convf2 = nn.Conv2d(2, 128, 7, padding=3), nn.Conv2d(128, 64, 3, padding=1)
            self.conv = nn.Conv2d(192 + 64, 126, 3, padding=1)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        c = F.relu(self.convc1(correlation))
        c = c if self.small else F.relu(self.convc2(c))
        f = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat([F.relu(self.conv(torch.cat([c, f], 1))), flow], 1)


class Gru(nn.Module):
    def __init__(self, hidden: int, num_in: int, small: bool) -> None:
        super().__init__()
        self.steps = {"": (3, 3)} if small else {"1": (1, 5), "2": (5, 1)}
        for step, size in self.steps.items():
            for gate in "zrq":
                conv = nn.Conv2d(hidden + num_in, hidden, size, padding=(size[0] // 2, size[1] // 2))
                setattr(self, f"conv{gate}{step}", conv)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        for step in self.steps:
            z, r, q = (getattr(self, f"conv{gate}{step}") for gate in "zrq")
            keep, reset = torch.sigmoid(z(torch.cat([h, x], 1))), torch.sigmoid(r(torch.cat([h, x], 1)))
            h = torch.lerp(h, torch.tanh(q(torch.cat([reset * h, x], 1))), keep)
        return h


class UpdateBlock(nn.Module):
    def __init__(self, small: bool) -> None:
        super().__init__()
        hidden, context, motion, head = (96, 64, 82, 128) if small else (128, 128, 128, 256)
        self.encoder = MotionEncoder(small)
        self.gru = Gru(hidden, context + motion, small)
        self.flow_head = nn.Module()
        self.flow_head.conv1 = nn.Conv2d(hidden, head, 3, padding=1)
        self.flow_head.conv2 = nn.Conv2d(head, 2, 3, padding=1)
        if not small:
            self.mask = nn.Sequential(nn.Conv2d(hidden, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 64 * 9, 1))


class Reference(nn.Module):
    def __init__(self, small: bool) -> None:
        super().__init__()
        widths = (32, 64, 96) if small else (64, 96, 128)
        self.small, self.hidden, self.radius = small, 96 if small else 128, 3 if small else 4
        self.fnet = Encoder(widths, 128 if small else 256, "instance", small)
        self.cnet = Encoder(widths, 160 if small else 256, "none" if small else "batch", small)
        self.update_block = UpdateBlock(small)

    def forward(self, first: Tensor, second: Tensor, num_updates: int) -> Tensor:
        """Flow in pixels between two (1, 3, H, W) in [0, 255], taken to [-1, 1] as that project does."""
        first, second = 2 * (first / 255) - 1, 2 * (second / 255) - 1
        features, others = self.fnet(first), self.fnet(second)
        h, context = self.cnet(first).split([self.hidden, self.cnet.conv2.out_channels - self.hidden], 1)
        h, context = torch.tanh(h), F.relu(context)
        height, width = features.shape[-2:]
        volume = torch.einsum("nchw,ncij->hwij", features, others).reshape(-1, 1, height, width)
        pyramid = [volume / features.shape[1] ** 0.5]
        pyramid += [volume := F.avg_pool2d(pyramid[-1], 2)]
        pyramid += [volume := F.avg_pool2d(volume, 2)]
        pyramid += [F.avg_pool2d(volume, 2)]
        flow = torch.zeros(1, 2, height, width)
        for _ in range(num_updates):
            motion = self.update_block.encoder(flow, self.look_up(pyramid, flow))
            h = self.update_block.gru(h, torch.cat([context, motion], 1))
            flow = flow + self.update_block.flow_head.conv2(F.relu(self.update_block.flow_head.conv1(h)))
        if self.small:
            return 8 * F.interpolate(flow, scale_factor=8, mode="bilinear", align_corners=True)
        weights = (0.25 * self.update_block.mask(h)).view(1, 1, 9, 8, 8, height, width).softmax(2)
        neighbours = F.unfold(8 * flow, 3, padding=1).view(1, 2, 9, 1, 1, height, width)
        return (weights * neighbours).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(1, 2, 8 * height, 8 * width)

    def look_up(self, pyramid: list[Tensor], flow: Tensor) -> Tensor:
        height, width = flow.shape[-2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        at = (torch.stack([x, y]) + flow[0]).permute(1, 2, 0).reshape(-1, 1, 1, 2)
        side = torch.arange(-self.radius, self.radius + 1)
        # There the first of the two runs along x: a window is read column by column.
        window = torch.stack(torch.meshgrid(side, side, indexing="ij"), -1)
        levels = []
        for level, volume in enumerate(pyramid):
            size = torch.tensor([volume.shape[-1] - 1, volume.shape[-2] - 1])
            grid = 2 * (at / 2**level + window) / size - 1
            levels.append(F.grid_sample(volume, grid, align_corners=True).reshape(height, width, -1))
        return torch.cat(levels, -1).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def references() -> dict[str, Reference]:
    nets = {}
    for model in ("small", "large"):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(11)
            nets[model] = Reference(model == "small").eval()
            for name, value in nets[model].state_dict().items():
                if value.ndim == 4:
                    value.mul_(1.7)  # torch's initial weights are too small for the flow to say anything
                elif name.endswith("running_var") or (".norm" in name and name.endswith("weight")):
                    value.uniform_(0.5, 1.5)
                elif name.endswith("running_mean"):
                    value.normal_(0, 0.2)
    return nets


@pytest.fixture(scope="module")
def files(references: dict[str, Reference], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("princeton")
    for model, net in references.items():
        torch.save({f"module.{key}": value for key, value in net.state_dict().items()}, folder / f"raft-{model}.pth")
    return {model: folder / f"raft-{model}.pth" for model in references}


def frames() -> tuple[Tensor, Tensor]:
    noise = torch.rand(2, 3, 34, 40, generator=torch.Generator().manual_seed(6))
    first, second = F.interpolate(noise, (136, 160), mode="bilinear").split(1)
    return first, second


@pytest.mark.parametrize("model", ["small", "large"])
@torch.no_grad()
def test_every_part_computes_what_it_computes_there(
    model: Any, references: dict[str, Reference], files: dict[str, Path]
) -> None:
    there, here = references[model], load_raft(model, files[model])
    image = frames()[0] * 2 - 1
    torch.testing.assert_close(here.feature_encoder(image), there.fnet(image), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(here.context_encoder(image), there.cnet(image), atol=1e-4, rtol=1e-4)
    generator = torch.Generator().manual_seed(9)
    correlation = torch.randn(1, 196 if model == "small" else 324, 17, 20, generator=generator)
    flow, h = torch.randn(1, 2, 17, 20, generator=generator), torch.randn(1, there.hidden, 17, 20, generator=generator)
    motion = there.update_block.encoder(flow, correlation)
    torch.testing.assert_close(here.update_block.motion_encoder(flow, correlation), motion, atol=1e-5, rtol=1e-4)
    x = torch.cat([torch.randn(1, 64 if model == "small" else 128, 17, 20, generator=generator), motion], 1)
    torch.testing.assert_close(here.update_block.recurrent_block(h, x), there.update_block.gru(h, x))


@pytest.mark.parametrize("model", ["small", "large"])
@torch.no_grad()
def test_the_flow_is_the_same(model: Any, references: dict[str, Reference], files: dict[str, Path]) -> None:
    first, second = frames()
    expected = references[model](first * 255, second * 255, 3)
    assert expected.abs().mean() > 0.1
    found = load_raft(model, files[model])(first * 2 - 1, second * 2 - 1, num_flow_updates=3)[-1]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("model", ["small", "large"])
def test_the_names_are_the_published_ones(model: str, references: dict[str, Reference]) -> None:
    names = set(references[model].state_dict())
    common = {"fnet.conv1.weight", "cnet.layer2.0.downsample.0.bias", "update_block.encoder.convf2.weight"}
    common |= {"update_block.flow_head.conv1.weight", "update_block.encoder.conv.bias", "fnet.conv2.bias"}
    own = {
        "small": {"update_block.gru.convz.weight", "fnet.layer1.0.conv3.weight"},
        "large": {"update_block.gru.convq2.bias", "update_block.mask.2.weight", "cnet.layer3.0.norm3.running_var"}
        | {"cnet.layer3.0.downsample.1.num_batches_tracked", "cnet.norm1.weight", "update_block.encoder.convc2.weight"},
    }
    assert common | own[model] <= names


def test_parameters_number_as_published(references: dict[str, Reference]) -> None:
    numbers = {model: sum(value.numel() for value in net.parameters()) for model, net in references.items()}
    assert numbers == {"small": 990_162, "large": 5_257_536}


def test_the_wrong_size_or_a_part_missing_is_a_mismatch(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatchError, match="RAFT-small"):
        load_raft("small", files["large"])
    with pytest.raises(CheckpointMismatchError, match="RAFT-large"):
        load_raft("large", files["small"])
    state = torch.load(files["large"], weights_only=True)
    del state["module.update_block.mask.0.weight"]
    torch.save(state, tmp_path / "raft.pth")
    with pytest.raises(CheckpointMismatchError, match="1 of its"):
        load_raft("large", tmp_path / "raft.pth")
