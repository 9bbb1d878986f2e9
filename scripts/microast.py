"""MicroAST (Wang et al., "MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer", AAAI 2023).

The published network, for comparison only: it is measured and never shipped. Two small encoders read content and
style; the content's features take on the statistics of the style's at two depths (AdaIN), and signals drawn from the
style's scale and shift what the decoder's filters give.
"""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.stylizers.adain_decoder import adain, feature_statistics
from vidstyle.stylizers.checkpoint import load_into
from vidstyle.weights.files import load_tensors

_WIDTH = 64


class MicroAst(nn.Module):
    """The whole network, as a ``Stylizer`` but for the style picture.

    Args:
        folder: with the four published ``*_iter_160000.pth.tar`` files.

    Raises:
        VidstyleError: a file is missing, is unsafe to open, or does not fit.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        for name, build in PARTS.items():
            path = folder / f"{name}_iter_160000.pth.tar"
            tensors, _ = load_tensors(path)
            part = build()
            load_into(part, {key.replace(".conv_layer.", "."): value for key, value in tensors.items()}, path)
            self.add_module(name, part)
        self.eval().requires_grad_(False)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Paint (1, 3, H, W) in the style of (1, 3, H', W'), all in [0, 1]."""
        padded, crop = pad_to_multiple(content, 4)
        style_features = self.style_encoder(style)
        signals = self.modulator(style_features)
        painted: Tensor = self.decoder(self.content_encoder(padded), style_features, signals)
        return crop(painted).clamp(0, 1)


def _conv(num_in: int, num_out: int, size: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, size, stride, size // 2, groups=groups, padding_mode="reflect")


class _Residual(nn.Module):
    """Two convolutions around a skip; each may be followed by a style's scale and shift."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _conv(_WIDTH, _WIDTH, 3)
        self.conv2 = _conv(_WIDTH, _WIDTH, 3)

    def forward(self, x: Tensor, signals: tuple[Tensor, Tensor] | None = None) -> Tensor:
        if signals is None:
            return x + self.conv2(F.relu(self.conv1(x)))
        scale, shift = signals
        inner = F.relu(scale * self.conv1(x) + shift * x)
        return x + scale * self.conv2(inner) + shift * inner


class _Encoder(nn.Module):
    """Features at a quarter of the size, at two depths. The numbering of the layers is that of the published files."""

    def __init__(self) -> None:
        super().__init__()
        quarter, half = _WIDTH // 4, _WIDTH // 2
        layers = [
            _conv(3, quarter, 9),
            _conv(quarter, half, 3, stride=2, groups=quarter),
            _conv(half, half, 1),
            _conv(half, _WIDTH, 3, stride=2, groups=half),
            _conv(_WIDTH, _WIDTH, 1),
        ]
        self.enc1 = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())), _Residual())
        self.enc2 = nn.Sequential(_Residual())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        shallow = self.enc1(image)
        return shallow, self.enc2(shallow)


class _Modulator(nn.Module):
    """A scale and a shift a channel, from the style's features at either depth."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("weight1", "bias1", "weight2", "bias2"):
            depthwise = _conv(_WIDTH, _WIDTH, 3, groups=_WIDTH)
            self.add_module(name, nn.Sequential(depthwise, nn.AdaptiveAvgPool2d(1)))

    def forward(self, features: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], ...]:
        shallow, deep = features
        return (
            (self.weight1(shallow), self.bias1(shallow)),
            (self.weight2(deep), self.bias2(deep)),
        )


class _Decoder(nn.Module):
    """Back to a picture, the deeper features first."""

    def __init__(self) -> None:
        super().__init__()
        quarter, half = _WIDTH // 4, _WIDTH // 2
        self.dec1, self.dec2 = _Residual(), _Residual()
        self.dec3 = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            _conv(_WIDTH, half, 3, groups=half),
            nn.ReLU(),
            _conv(half, half, 1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            _conv(half, quarter, 3, groups=quarter),
            nn.ReLU(),
            _conv(quarter, quarter, 1),
            nn.ReLU(),
            _conv(quarter, 3, 9),
        )

    def forward(
        self,
        content: tuple[Tensor, Tensor],
        style: tuple[Tensor, Tensor],
        signals: tuple[tuple[Tensor, Tensor], ...],
    ) -> Tensor:
        x = self.dec1(adain(content[1], *feature_statistics(style[1])), signals[1])
        x = self.dec2(adain(x, *feature_statistics(style[0])), signals[0])
        picture: Tensor = self.dec3(x)
        return picture


#: What each published file holds.
PARTS = {"content_encoder": _Encoder, "style_encoder": _Encoder, "modulator": _Modulator, "decoder": _Decoder}
