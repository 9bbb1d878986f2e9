"""Feedforward style networks: one network, one style, one pass (Johnson et al. 2016)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.stylizers.resampling import BlurPool, ConvBlurPool, ConvToPhases, DoubledConv, spread_out


class InstanceNorm(nn.Module):
    """Instance normalisation with a learned scale and shift (Ulyanov et al. 2016)."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if x.shape[-1] * x.shape[-2] == 1:  # one sample has no deviation; torch refuses to divide by it
            return self.bias[:, None, None].expand_as(x)
        if x.shape[0] == 1:
            # The same numbers for a single picture, without the copies by which instance_norm undoes channels_last.
            # group_norm is faster still, and wrong where the mean is far above the deviation, as in fog.
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True)
        return F.instance_norm(x, weight=self.weight, bias=self.bias)


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions around a skip."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.conv1 = _conv(num_channels, num_channels)
        self.norm1 = InstanceNorm(num_channels)
        self.conv2 = _conv(num_channels, num_channels)
        self.norm2 = InstanceNorm(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        y: Tensor = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True)))
        return y.add_(x)


class BlurPoolNet(nn.Module):
    """The shipped feedforward network: Johnson's plan, antialiased and narrowed to run on a CPU.

    Departures from Johnson et al.: downsampling by blur-pool instead of strided convolutions, upsampling bilinear
    instead of transposed convolutions, a quarter of the width, and a sigmoid at the end. Borders are replicated, not
    reflected: what is mirrored at the border moves against the picture under a moving camera, and the paint with it.
    Skips carry outlines past the trunk, whose quarter of the resolution has no room for them: from half the size
    (Ronneberger et al. 2015, added instead of stacked) and from the picture itself. They begin as nothing.

    Args:
        num_channels: width of the residual trunk.
        num_blocks: residual blocks in the trunk, at a quarter of the resolution.
    """

    multiple_of = 4
    minimum_size = 16
    #: Frame added before painting and cut off after: the outermost pixels are the least steady.
    margin_px = 4

    def __init__(self, num_channels: int = 64, num_blocks: int = 5) -> None:
        super().__init__()
        full, half = max(num_channels * 3 // 16, 4), num_channels // 2
        self.conv1 = ConvBlurPool(3, full)
        self.conv2 = _conv(full, half)
        self.norm2 = InstanceNorm(half)
        self.down2 = BlurPool(half)
        self.widen = nn.Conv2d(half, num_channels, 1)
        self.trunk = nn.Sequential(*(ResidualBlock(num_channels) for _ in range(num_blocks)))
        self.up1 = _conv(num_channels, half)
        self.up1_norm = InstanceNorm(half)
        self.up2 = DoubledConv(half, half // 2, 3)
        self.up2_norm = InstanceNorm(half // 2)
        self.to_rgb = DoubledConv(half // 2, 3, 5)
        self.half_skip = _conv(half, half // 2, bias=False)
        self.full_skip = ConvToPhases(3, 3, bias=False)
        for skip in (self.half_skip, self.full_skip):
            nn.init.zeros_(skip.weight)

    def forward(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1], sides multiples of 4 and at least 16, to the same in float32, painted."""
        x = F.relu(self.conv1(content), inplace=True)
        outlines = F.relu(self.norm2(self.conv2(x)), inplace=True)
        x = self.trunk(self.widen(self.down2(outlines)))
        x = F.relu(self.up1_norm(self.up1(x)), inplace=True)
        x = self.up2(x).add_(self.half_skip(outlines))
        x = F.relu(self.up2_norm(x), inplace=True)
        logits = spread_out(self.to_rgb.phases(x).add_(self.full_skip(content)))
        # Half precision has too few steps near 1 for 8-bit pictures; the logits have enough.
        return torch.sigmoid(logits.float())


class _PaddedConv(nn.Module):
    """Convolution with reflected borders under the key layout of pytorch/examples (``NAME.conv2d``)."""

    def __init__(self, num_in: int, num_out: int, size: int, stride: int = 1, upsample: int = 1) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(num_in, num_out, size, stride)
        self.margin = size // 2
        self.upsample = upsample

    def forward(self, x: Tensor) -> Tensor:
        if self.upsample > 1:
            x = F.interpolate(x, scale_factor=self.upsample, mode="nearest")
        margin = self.margin
        padded: Tensor = self.conv2d(F.pad(x, (margin, margin, margin, margin), mode="reflect"))
        return padded


class _JohnsonBlock(nn.Module):
    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.conv1 = _PaddedConv(num_channels, num_channels, 3)
        self.in1 = InstanceNorm(num_channels)
        self.conv2 = _PaddedConv(num_channels, num_channels, 3)
        self.in2 = InstanceNorm(num_channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.in2(self.conv2(F.relu(self.in1(self.conv1(x)))))
        return x + y


class JohnsonNet(nn.Module):
    """The network of Johnson et al. 2016 as pytorch/examples trains it, with that project's key layout.

    Args:
        num_channels: width at full resolution; 32 in the paper.
    """

    multiple_of = 4
    minimum_size = 32
    margin_px = 0

    def __init__(self, num_channels: int = 32) -> None:
        super().__init__()
        c = num_channels
        self.conv1, self.in1 = _PaddedConv(3, c, 9), InstanceNorm(c)
        self.conv2, self.in2 = _PaddedConv(c, 2 * c, 3, stride=2), InstanceNorm(2 * c)
        self.conv3, self.in3 = _PaddedConv(2 * c, 4 * c, 3, stride=2), InstanceNorm(4 * c)
        self.res1, self.res2, self.res3, self.res4, self.res5 = (_JohnsonBlock(4 * c) for _ in range(5))
        self.deconv1, self.in4 = _PaddedConv(4 * c, 2 * c, 3, upsample=2), InstanceNorm(2 * c)
        self.deconv2, self.in5 = _PaddedConv(2 * c, c, 3, upsample=2), InstanceNorm(c)
        self.deconv3 = _PaddedConv(c, 3, 9)

    def forward(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1], sides multiples of 4 and at least 32, to the same in float32, painted."""
        y = F.relu(self.in1(self.conv1(content * 255.0)))
        y = F.relu(self.in2(self.conv2(y)))
        y = F.relu(self.in3(self.conv3(y)))
        for block in (self.res1, self.res2, self.res3, self.res4, self.res5):
            y = block(y)
        y = F.relu(self.in4(self.deconv1(y)))
        y = F.relu(self.in5(self.deconv2(y)))
        rgb: Tensor = self.deconv3(y)
        return torch.clamp(rgb.float() / 255.0, 0.0, 1.0)


def _conv(num_in: int, num_out: int, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, padding=1, padding_mode="replicate", bias=bias)
