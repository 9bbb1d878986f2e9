"""The ResNet generator of CycleGAN and pix2pix (Zhu et al. 2017, Isola et al. 2017), with that project's key layout."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FIRST_BLOCK = 10  # of the Sequential, after the convolutions at 1, 4 and 7


class _PictureNorm(nn.Module):
    """Instance normalisation without parameters: CycleGAN's."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1:  # the same numbers, without the copies by which instance_norm undoes channels_last
            return F.batch_norm(x, None, None, training=True)
        return F.instance_norm(x)


class _FixedNorm(nn.Module):
    """Batch normalisation by the statistics of the training: pix2pix's."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class _ResnetBlock(nn.Module):
    def __init__(self, num_channels: int, *, batch_norm: bool, dropout: bool) -> None:
        super().__init__()

        def half() -> list[nn.Module]:
            conv = nn.Conv2d(num_channels, num_channels, 3, bias=not batch_norm)
            return [nn.ReflectionPad2d(1), conv, _norm(num_channels, batch_norm)]

        # Dropout does nothing here but take a number.
        between: list[nn.Module] = [nn.ReLU(), *[nn.Identity()] * dropout]
        self.conv_block = nn.Sequential(*half(), *between, *half())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv_block(x)
        return x + y


class ResnetGenerator(nn.Module):
    """The generator of CycleGAN and pix2pix: two strided convolutions, residual blocks, two transposed convolutions.

    Args:
        num_channels: width at full resolution; 64 in the papers.
        num_blocks: residual blocks; 6 or 9 in the papers.
        batch_norm: pix2pix's batch normalisation, with stored statistics, instead of CycleGAN's instance normalisation.
        dropout: trained with dropout between the convolutions of a block; only the numbering of layers differs.
    """

    multiple_of = 4
    minimum_size = 32
    margin_px = 0

    def __init__(
        self, num_channels: int = 64, num_blocks: int = 9, *, batch_norm: bool = False, dropout: bool = False
    ) -> None:
        super().__init__()
        c, bias = num_channels, not batch_norm

        def normalised(conv: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
            return [conv, _norm(conv.out_channels, batch_norm), nn.ReLU()]

        def up(num_in: int) -> nn.ConvTranspose2d:
            return nn.ConvTranspose2d(num_in, num_in // 2, 3, stride=2, padding=1, output_padding=1, bias=bias)

        self.model = nn.Sequential(
            nn.ReflectionPad2d(3),
            *normalised(nn.Conv2d(3, c, 7, bias=bias)),
            *normalised(nn.Conv2d(c, 2 * c, 3, stride=2, padding=1, bias=bias)),
            *normalised(nn.Conv2d(2 * c, 4 * c, 3, stride=2, padding=1, bias=bias)),
            *(_ResnetBlock(4 * c, batch_norm=batch_norm, dropout=dropout) for _ in range(num_blocks)),
            *normalised(up(4 * c)),
            *normalised(up(2 * c)),
            nn.ReflectionPad2d(3),
            nn.Conv2d(c, 3, 7),
        )

    def forward(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1], sides multiples of 4 and at least 32, to the same in float32, painted."""
        logits: Tensor = self.model(content * 2.0 - 1.0)
        return torch.tanh(logits.float()) * 0.5 + 0.5  # half precision has too few steps near 1 for 8-bit pictures


def _norm(num_channels: int, batch_norm: bool) -> nn.Module:
    return _FixedNorm(num_channels) if batch_norm else _PictureNorm()


def is_resnet_generator(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of this generator (those of the U-Net of the same project are not)."""
    return {"model.1.weight", "model.4.weight", "model.7.weight"} <= tensors.keys() and _num_blocks(tensors) > 0


def generator_for(tensors: Mapping[str, Tensor], num_channels: int, max_blocks: int) -> ResnetGenerator:
    """An empty generator (on the ``meta`` device) of the variant the tensors' names tell."""
    with torch.device("meta"):  # initial values would be thrown away, and drawing them would advance the global seed
        return ResnetGenerator(
            num_channels,
            min(_num_blocks(tensors), max_blocks),
            batch_norm="model.2.weight" in tensors,
            dropout=f"model.{_FIRST_BLOCK}.conv_block.5.weight" not in tensors,
        )


def used_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without counters, and without statistics that old versions stored and never used."""
    unused = [".num_batches_tracked"]
    if "model.2.weight" not in tensors:
        unused += [".running_mean", ".running_var"]
    return {key: value for key, value in tensors.items() if not key.endswith(tuple(unused))}


def _num_blocks(tensors: Mapping[str, Tensor]) -> int:
    pattern = re.compile(r"model\.(\d+)\.conv_block\.1\.weight")
    return sum(pattern.fullmatch(key) is not None for key in tensors)
