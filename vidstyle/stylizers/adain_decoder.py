"""The decoder of the arbitrary-style model, and the normalisation that gives features a style's statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.stylizers.feedforward import BlurPoolNet
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

_EPSILON = 1e-5
#: What a decoder knows of a style beyond the statistics of the features it decodes.
_NUM_CODE = 128
_NUM_COLOR_STATISTICS = 3 + 9
#: Black and white would have no end in logits.
_LOGIT_MARGIN = 0.02
#: A half-band filter (Deslauriers & Dubuc 1989): it leaves 94 % of a wave of eight samples, half of one of four, and
#: nothing of what alternates from sample to sample. A file of weights does not hold it.
_LOW_PASS_TAPS = (-1, 0, 9, 16, 9, 0, -1)

#: Mean and standard deviation over a picture, each (N, C, 1, 1) float32.
Statistics = tuple[Tensor, Tensor]


class StyleNorm(nn.Module):
    """Instance normalisation whose scale and shift are read from the style (Ghiasi et al. 2017, sec. 3).

    Args:
        num_code: length of the style's code.
        num_channels: C, of the picture.
        num_phases: how many the picture comes in, before channels; each is normalised by itself.
    """

    def __init__(self, num_code: int, num_channels: int, num_phases: int = 1) -> None:
        super().__init__()
        self.affine = nn.Linear(num_code, 2 * num_channels)
        self._num_phases = num_phases

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, num_phases · C, H, W) to the same; ``code`` is (1 or N, num_code)."""
        affine = self.affine(code).chunk(2, 1)
        scale, shift = (each.repeat(1, self._num_phases)[..., None, None] for each in affine)
        return adain(x, shift, 1 + scale)


class StyledBlock(nn.Module):
    """Two convolutions, each normalised by the style, around a skip.

    A low-pass is behind the rectifier, which makes frequencies that the grid cannot carry between its samples: they
    would lock the strokes to it (Karras et al. 2021, sec. 3).

    Args:
        num_code: length of the style's code.
        num_channels: of what goes in and comes out.
    """

    def __init__(self, num_code: int, num_channels: int) -> None:
        super().__init__()
        self.conv1 = _conv(num_channels, num_channels)
        self.norm1 = StyleNorm(num_code, num_channels)
        self.low_pass = LowPass(num_channels, _LOW_PASS_TAPS)
        self.conv2 = _conv(num_channels, num_channels)
        self.norm2 = StyleNorm(num_code, num_channels)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        y = self.low_pass(F.relu(self.norm1(self.conv1(x), code), inplace=True))
        painted: Tensor = self.norm2(self.conv2(y), code)
        return painted.add_(x)

    def start_as_nothing(self) -> None:
        """Give back what comes in until training changes that (Goyal et al. 2017, sec. 5.1)."""
        with torch.no_grad():
            affine = self.norm2.affine
            affine.weight.zero_()
            affine.bias.zero_()
            affine.bias[: affine.out_features // 2] = -1.0


class AdaInDecoder(nn.Module):
    """From features with the style's statistics back to a picture.

    Departures from Huang & Belongie 2017 (sec. 6): the features join a network of the plan of ``BlurPoolNet`` in its
    trunk, so that outlines come from the content itself; the style's statistics reach it a second time as the scales
    and shifts of its normalisations (after Ghiasi et al. 2017), those of the shallow layers too, where fine strokes
    are; and what it paints is the difference to the content's shading in the style's colours, so that the palette is
    there before the first step of training. The shading is the content at a quarter of its size: all that is finer is
    painted.

    Args:
        channels: widths of the encoder's stages, first to last and at least three, such as (64, 128, 256, 512) for
            VGG-19 to conv41.
        num_channels: width of the residual trunk.
        num_blocks: residual blocks in the trunk, at a quarter of the resolution.
        num_fine_blocks: residual blocks of half the width at half the resolution, for the strokes that the trunk, whose
            features are low-passed, cannot paint.

    Attributes:
        layers: the encoder's layers whose statistics are used, deepest first.
        num_exchanged: how many of them are decoded: all but the two shallowest.
        recolors: wants the content in the style's colours.
        margin_px: what is painted around the picture and cut off, because strokes are coarser along a border.
    """

    recolors = True
    margin_px = 8

    def __init__(
        self, channels: tuple[int, ...], num_channels: int = 64, num_blocks: int = 4, num_fine_blocks: int = 2
    ) -> None:
        super().__init__()
        self.layers = tuple(f"conv{stage}1" for stage in range(len(channels), 0, -1))
        self.num_exchanged = len(channels) - 2
        full, half, finest = max(num_channels * 3 // 16, 4), num_channels // 2, max(num_channels // 8, 1)
        self.code = nn.Linear(2 * sum(channels) + _NUM_COLOR_STATISTICS, _NUM_CODE)
        self.laterals = nn.ModuleList(nn.Conv2d(width, num_channels, 1) for width in channels[:1:-1])
        self.conv1 = ConvBlurPool(3, full)
        self.conv2 = _conv(full, half)
        self.norm2 = StyleNorm(_NUM_CODE, half)
        self.down2 = BlurPool(half)
        self.widen = nn.Conv2d(half, num_channels, 1)
        self.trunk_low_pass = LowPass(num_channels, _LOW_PASS_TAPS)
        self.trunk = nn.ModuleList(StyledBlock(_NUM_CODE, num_channels) for _ in range(num_blocks))
        self.up1 = _conv(num_channels, half)
        self.up1_norm = StyleNorm(_NUM_CODE, half)
        self.up1_low_pass = LowPass(half, _LOW_PASS_TAPS)
        self.shortcut = nn.Conv2d(half, half, 1)
        self.fine = nn.ModuleList(StyledBlock(_NUM_CODE, half) for _ in range(num_fine_blocks))
        self._start_fine_blocks_as_nothing()
        self.fine_low_pass = LowPass(half, _LOW_PASS_TAPS)
        self.up2 = DoubledConv(half, finest, 3)
        self.edges = ConvToPhases(3, finest)
        self.up2_norm = StyleNorm(_NUM_CODE, finest, num_phases=4)
        self.to_rgb = PhasedConv(finest, 3, 5)
        self.shading = nn.Sequential(BlurPool(3), BlurPool(3))

    def forward(self, features: Sequence[Tensor], statistics: Sequence[Statistics], content: Tensor) -> Tensor:
        """Paint.

        Args:
            features: (N, C, H / s, W / s) with the style's statistics, of the first ``num_exchanged`` of ``layers``;
                s = 2 a stage.
            statistics: of each of ``layers`` and of the colours, for one style or one a picture.
            content: (N, 3, H, W) in [0, 1], recoloured.

        Returns:
            (N, 3, H, W) in [0, 1], float32.
        """
        known = torch.cat([value.flatten(1) for pair in statistics for value in pair], 1)
        code = F.relu(self.code(known.to(content.dtype)))
        x = F.relu(self.conv1(content), inplace=True)
        x = F.relu(self.norm2(self.conv2(x), code), inplace=True)
        outlines = self.shortcut(x)
        x = self.widen(self.down2(x))
        for lateral, each in zip(self.laterals, features, strict=True):
            wide = lateral(each)
            if wide.shape[-2:] != x.shape[-2:]:
                wide = F.interpolate(wide, size=x.shape[-2:], mode="bilinear", align_corners=False)
            x.add_(wide)
        x = self.trunk_low_pass(x)
        for block in self.trunk:
            x = block(x, code)
        x = self.up1_low_pass(F.relu(self.up1_norm(self.up1(x), code), inplace=True))
        x = double(x).add_(outlines)
        for block in self.fine:
            x = block(x, code)
        # By several threads, three channels are doubled faster as planes.
        shading = double(double(self.shading(content).float().contiguous()))
        painted = self._at_full_size(x, content, code).float()
        return painted.add_(
            torch.logit(shading.contiguous(memory_format=torch.channels_last), _LOGIT_MARGIN)
        ).sigmoid_()

    def _at_full_size(self, x: Tensor, content: Tensor, code: Tensor) -> Tensor:
        """From (N, C, H / 2, W / 2) to what is painted, (N, 3, H, W), by one layer at that size.

        What its rectifier makes of strokes and edges is the finest there is, and hangs on no grid but the picture's. Of
        the four phases, each is normalised by itself, and goes with its pixels wherever a shift takes them.
        """
        x = self.up2.phases(self.fine_low_pass(x)).add_(self.edges(content))
        return spread_out(self.to_rgb(F.relu(self.up2_norm(x, code), inplace=True)))

    def start_from(self, net: BlurPoolNet) -> None:
        """Begin with the features of a network of one style that is trained, and with a difference of nothing.

        Those of its last two layers are left out, because here the last is at full size, and with them its skips, and
        those of blocks beyond this trunk's.

        Raises:
            RuntimeError: it has other widths.
        """
        blocks_beyond = [f"trunk.{index}." for index in range(len(self.trunk), len(net.trunk))]
        surplus = ("up2", "to_rgb", "half_skip", "full_skip", *blocks_beyond)
        known = {key: value for key, value in net.state_dict().items() if not key.startswith(surplus)}
        tensors = {key: value for key, value in known.items() if "norm" not in key}
        for key, value in known.items():
            if "norm" in key and key.endswith(".weight"):
                shift = known[key.removesuffix("weight") + "bias"]
                tensors[key.removesuffix("weight") + "affine.bias"] = torch.cat([value - 1, shift])
        unknown = self.load_state_dict(tensors, strict=False).unexpected_keys
        if unknown:
            raise RuntimeError(f"unexpected {unknown}")
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, StyleNorm):
                    module.affine.weight.mul_(0.1)
            for parameter in (*self.laterals.parameters(), *self.to_rgb.parameters()):
                parameter.zero_()
        self._start_fine_blocks_as_nothing()

    def _start_fine_blocks_as_nothing(self) -> None:
        for parameter in self.shortcut.parameters():
            nn.init.zeros_(parameter)
        for block in self.fine:
            cast("StyledBlock", block).start_as_nothing()


def feature_statistics(features: Tensor) -> Statistics:
    """Mean and standard deviation over the picture: two (N, C, 1, 1) of (N, C, H, W), float32."""
    variance, mean = torch.var_mean(features.float(), dim=(2, 3), keepdim=True, unbiased=False)
    return mean, (variance + _EPSILON).sqrt()


def adain(content: Tensor, style_mean: Tensor, style_deviation: Tensor) -> Tensor:
    """σ_s (x − μ(x)) / σ(x) + μ_s (Huang & Belongie 2017, eq. 8).

    Args:
        content: (N, C, H, W) features.
        style_mean: (1 or N, C, 1, 1).
        style_deviation: (1 or N, C, 1, 1).

    Returns:
        (N, C, H, W) with the dtype of ``content``.
    """
    if content[0, 0].numel() == 1:  # one feature has no deviation; torch refuses to divide by it
        return style_mean.to(content.dtype).expand_as(content).clone()
    # Each as a batch of one, whose statistics torch is several times as fast with where channels are interleaved; and
    # no picture comes out differently for its company.
    pictures = [
        F.batch_norm(one, None, None, deviation.flatten(), mean.flatten(), training=True, eps=_EPSILON)
        for one, mean, deviation in zip(
            torch.split(content, 1),
            style_mean.to(content.dtype).expand(len(content), -1, -1, -1),
            style_deviation.to(content.dtype).expand(len(content), -1, -1, -1),
            strict=True,
        )
    ]
    return pictures[0] if len(pictures) == 1 else torch.cat(pictures)


def _conv(num_in: int, num_out: int) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, padding=1, padding_mode="reflect")
