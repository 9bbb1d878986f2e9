"""Resampling without a lattice, and in one go with the convolution beside it.

A stride without low-pass aliases, and nearest-neighbour doubling repeats: both lock a woven pattern to the screen.
Low-pass and bilinear doubling are linear, and so is convolution; done as one, the picture between them, which is the
largest that a network holds, is never made.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BINOMIAL = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8


class LowPass(nn.Module):
    """A low-pass along rows and columns that keeps the size; borders are replicated.

    Args:
        num_channels: of what goes in and comes out.
        taps: an odd number of them, in any unit.
    """

    row: Tensor

    def __init__(self, num_channels: int, taps: tuple[int, ...]) -> None:
        super().__init__()
        row = (torch.tensor(taps) / sum(taps)).expand(num_channels, 1, 1, -1)
        self.register_buffer("row", row.contiguous(), persistent=False)
        self._margin = (len(taps) // 2,) * 4

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        rows = F.conv2d(F.pad(x, self._margin, mode="replicate"), self.row, groups=x.shape[1])
        return F.conv2d(rows, self.row.transpose(2, 3), groups=x.shape[1])


class BlurPool(nn.Module):
    """Halve a picture after a [1 3 3 1] binomial low-pass, so that nothing aliases (Zhang 2019)."""

    kernel: Tensor

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        kernel = (_BINOMIAL[:, None] * _BINOMIAL).expand(num_channels, 1, 4, 4)
        self.register_buffer("kernel", kernel.contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2)."""
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.kernel, stride=2, groups=x.shape[1])


class ConvBlurPool(nn.Conv2d):
    """A 3x3 convolution and a blur-pool behind it, as one 6x6 convolution of stride 2; borders are replicated."""

    spread: Tensor

    def __init__(self, num_in: int, num_out: int) -> None:
        super().__init__(num_in, num_out, 3)
        spread = torch.zeros(6, 3)
        for tap in range(3):
            spread[tap : tap + 4, tap] = _BINOMIAL
        self.register_buffer("spread", spread, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, num_in, H, W), even sides, to (N, num_out, H / 2, W / 2)."""
        kernel = torch.einsum("jt,oitu,ku->oijk", self.spread, self.weight, self.spread)
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), kernel, self.bias, stride=2)


class DoubledConv(nn.Conv2d):
    """A convolution of the bilinearly doubled picture, computed before doubling; borders are replicated.

    Each of the four pixels that one becomes is a convolution of its own of the small picture (Shi et al. 2016, sec. 3,
    in reverse), with a kernel of the same size.

    Args:
        num_in: channels.
        num_out: channels.
        size: of the kernel on the doubled picture; odd.
    """

    spread: Tensor

    def __init__(self, num_in: int, num_out: int, size: int) -> None:
        super().__init__(num_in, num_out, size, padding=size // 2, padding_mode="replicate")
        radius = size // 2
        spread = torch.zeros(2, size + 1, size)  # of phases, small pixels (one more than are reached), taps
        for phase in range(2):
            for tap in range(size):
                at = (phase + tap - radius + 0.5) / 2 - 0.5
                first = math.floor(at)
                spread[phase, first + radius, tap] = 1 - (at - first)
                spread[phase, first + radius + 1, tap] = at - first
        self.register_buffer("spread", spread[:, :size].contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, num_in, H, W) to (N, num_out, 2 H, 2 W)."""
        return spread_out(self.phases(x))

    def phases(self, x: Tensor) -> Tensor:
        """(N, num_in, H, W) to (N, 2 · 2 · num_out, H, W), which ``spread_out`` makes the doubled picture."""
        found: Tensor = self._conv_forward(x, *_for_each_phase(self, self.spread[:, None]))
        return found


class ConvToPhases(nn.Conv2d):
    """A 3x3 convolution of a picture, which gives four phases of half its size; borders are replicated.

    ``spread_out`` makes a picture of them. Together they are one convolution of stride 2.
    """

    spread: Tensor

    def __init__(self, num_in: int, num_out: int, *, bias: bool = True) -> None:
        super().__init__(num_in, num_out, 3, bias=bias)
        spread = torch.zeros(2, 4, 3)  # of phases, pixels that are read, taps
        for phase in range(2):
            spread[phase, phase : phase + 3] = torch.eye(3)
        self.register_buffer("spread", spread, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, num_in, H, W), even sides, to (N, 2 · 2 · num_out, H / 2, W / 2), phases before channels."""
        kernel, bias = _for_each_phase(self, self.spread[:, None])
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), kernel, bias, stride=2)


class PhasedConv(nn.Conv2d):
    """A convolution of a picture that is held as four phases of half its size; what it gives is held so, too.

    With few channels it takes a fraction of the time. Borders repeat pixels two by two.

    Args:
        num_in: channels of the picture.
        num_out: likewise.
        size: of the kernel on the picture; odd.
    """

    spread: Tensor

    def __init__(self, num_in: int, num_out: int, size: int) -> None:
        super().__init__(num_in, num_out, size)
        radius = size // 2
        self._reach = (radius + 1) // 2
        spread = torch.zeros(2, 2, 2 * self._reach + 1, size)  # of phases given, phases read, small pixels, taps
        for phase in range(2):
            for tap in range(size):
                pixel, read = divmod(phase + tap - radius, 2)
                spread[phase, read, pixel + self._reach, tap] = 1
        self.register_buffer("spread", spread, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 2 · 2 · num_in, H, W) to (N, 2 · 2 · num_out, H, W), phases before channels."""
        return F.conv2d(F.pad(x, (self._reach,) * 4, mode="replicate"), *_for_each_phase(self, self.spread))


def _for_each_phase(conv: nn.Conv2d, spread: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of one convolution that gives four phases, from those of ``conv`` at full size.

    ``spread`` says what each reads along a row or column: (2, phases read, pixels, taps).
    """
    kernel = torch.einsum("pamt,oitu,qbnu->pqoabimn", spread, conv.weight, spread)
    return kernel.flatten(3, 5).flatten(0, 2), None if conv.bias is None else conv.bias.repeat(4)


def spread_out(phases: Tensor) -> Tensor:
    """(N, 2 · 2 · C, H, W) to (N, C, 2 H, 2 W): ``pixel_shuffle`` with the phases before the channels.

    In that order what stays together is moved as one piece where channels are interleaved, in a fifth of the time.
    """
    num, channels, height, width = phases.shape
    rows = phases.permute(0, 2, 3, 1).reshape(num, height, width, 2, channels // 2).transpose(2, 3)
    return rows.reshape(num, 2 * height, 2 * width, channels // 4).permute(0, 3, 1, 2)


def double(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C, 2 H, 2 W), bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
