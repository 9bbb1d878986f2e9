"""Arbitrary style by adaptive instance normalisation (Huang & Belongie 2017): any picture is a style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.stylizers.checkpoint import FORMAT, StyleCard, load_into
from vidstyle.stylizers.encoder import VggEncoder, encoder_from_tensors
from vidstyle.weights.files import load_tensors, save_tensors

if TYPE_CHECKING:
    from vidstyle.stylizers.pytorch_adain import PytorchAdaInDecoder

_EPSILON = 1e-5

#: Mean and standard deviation over a picture, each (N, C, 1, 1) float32.
Statistics = tuple[Tensor, Tensor]


class AdaInDecoder(nn.Module):
    """The encoder's stages mirrored, without normalisation, with a lateral connection at each.

    Departures from Huang & Belongie 2017 (sec. 6): styles are exchanged at every stage, not at the deepest alone, so
    that palette and fine strokes follow the style too; upsampling is bilinear, because nearest-neighbour
    upsampling locks a pattern to the screen; and a sigmoid ends it.

    Args:
        channels: widths of the encoder's stages, first to last, such as (64, 128, 256, 512) for VGG-19 to conv41.

    Attributes:
        layers: the encoder's layers that are decoded, deepest first.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = tuple(f"conv{stage}1" for stage in range(len(channels), 0, -1))
        self.stages = nn.ModuleList(
            _conv3(deep, shallow) for deep, shallow in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, width, 1) for width in channels[-2::-1])
        self.refine = nn.ModuleList(_conv3(width, width) for width in channels[-2::-1])
        self.to_rgb = _conv3(channels[0], 3)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(N, C, H / s, W / s) at each of ``layers`` to (N, 3, H, W) in [0, 1], float32; s = 2 a stage."""
        x = features[0]
        for narrow, lateral, refine, finer in zip(self.stages, self.lateral, self.refine, features[1:], strict=True):
            x = F.interpolate(F.relu(narrow(x)), scale_factor=2, mode="bilinear", align_corners=False)
            x = F.relu(refine(x + lateral(finer)))
        return torch.sigmoid(self.to_rgb(x).float())


class AdaInNet(nn.Module):
    """Encoder, AdaIN, decoder.

    Args:
        encoder: VGG-family encoder.
        decoder: inverts it; names the layers where styles are exchanged, deepest first.
    """

    def __init__(self, encoder: VggEncoder, decoder: AdaInDecoder | PytorchAdaInDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.layers = decoder.layers
        self.multiple_of = 2 ** (int(self.layers[0][4]) - 1)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [0, 1] to features (N, C, H / s, W / s) at each of ``layers``, deepest first."""
        features: dict[str, Tensor] = self.encoder(image, self.layers)
        return [features[layer] for layer in self.layers]

    def forward(self, content: Tensor, style: Sequence[Statistics], alpha: float = 1.0) -> Tensor:
        """Paint (N, 3, H, W) in [0, 1], sides multiples of ``multiple_of``.

        Args:
            content: the pictures.
            style: of each of ``layers``, for one style or one a picture.
            alpha: mixes in feature space (Huang & Belongie 2017, eq. 14): 0 gives the content, 1 the style.
        """
        features = self.encode(content)
        mixed = [adain(x, *target, alpha) for x, target in zip(features, style, strict=True)]
        painted: Tensor = self.decoder(mixed)
        return painted


def feature_statistics(features: Tensor) -> Statistics:
    """Mean and standard deviation over the picture: two (N, C, 1, 1) of (N, C, H, W), float32."""
    variance, mean = torch.var_mean(features.float(), dim=(2, 3), keepdim=True, unbiased=False)
    return mean, (variance + _EPSILON).sqrt()


def adain(content: Tensor, style_mean: Tensor, style_deviation: Tensor, alpha: float = 1.0) -> Tensor:
    """σ_s (x − μ(x)) / σ(x) + μ_s (Huang & Belongie 2017, eq. 8), mixed with x itself by α (eq. 14).

    Args:
        content: (N, C, H, W) features.
        style_mean: (1 or N, C, 1, 1).
        style_deviation: (1 or N, C, 1, 1).
        alpha: share of the style, 0 to 1.

    Returns:
        (N, C, H, W) with the dtype of ``content``.
    """
    mean, deviation = feature_statistics(content)
    scale = style_deviation / deviation
    # One multiplication and one addition a feature, whatever α is.
    return content * (1 + alpha * (scale - 1)).to(content.dtype) + (alpha * (style_mean - mean * scale)).to(
        content.dtype
    )


class AdaInStylizer:
    """An AdaIN network with one style image, encoded once: a ``Stylizer``.

    Args:
        name: what a user calls the style.
        net: the network.
        style_image: (3, H, W) RGB in [0, 1].
        style_weight: α; 0 gives the content back as the decoder sees it, 1 the full style.
    """

    minimum_size = 32

    def __init__(self, name: str, net: AdaInNet, style_image: Tensor, style_weight: float = 1.0) -> None:
        self.name = name
        self.net = net.eval().requires_grad_(False)
        self.style_weight = style_weight
        self._dtype = torch.float32
        padded, _ = pad_to_multiple(style_image[None], net.multiple_of, self.minimum_size)
        with torch.inference_mode():
            self._style = [feature_statistics(features) for features in net.encode(padded)]

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        padded, crop = pad_to_multiple(content, self.net.multiple_of, self.minimum_size)
        padded = padded.to(self._dtype, memory_format=torch.channels_last)
        with torch.inference_mode():
            return crop(self.net(padded, self._style, self.style_weight))

    def to(self, device: str, dtype: torch.dtype) -> AdaInStylizer:
        """Move and cast the network; statistics stay float32; returns itself."""
        self.net.to(device, dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype
        self._style = [(mean.to(device), deviation.to(device)) for mean, deviation in self._style]
        return self


def save_adain(path: Path, net: AdaInNet, card: StyleCard) -> None:
    """Write an AdaIN model as fp16 safetensors; whole or not at all."""
    metadata = {"format": FORMAT, "architecture": "adain", "pooling": net.encoder.pooling, **asdict(card)}
    tensors = {f"encoder.conv0.{key}": value for key, value in net.encoder.color.state_dict().items()}
    tensors |= {f"encoder.{key}": value for key, value in net.encoder.layers.state_dict().items()}
    tensors |= {f"decoder.{key}": value for key, value in net.decoder.state_dict().items()}
    save_tensors(path, {key: value.half() for key, value in tensors.items()}, metadata)


def load_adain(path: Path) -> AdaInNet:
    """Load an AdaIN model.

    Raises:
        WeightsNotFoundError: no such file.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: not an AdaIN model.
    """
    tensors, metadata = load_tensors(path)
    if "decoder.to_rgb.weight" not in tensors or "encoder.conv0.weight" not in tensors:
        raise CheckpointMismatchError(f"{path} is not an AdaIN model; name one with --adain-model.")
    tensors = {key: value.float() for key, value in tensors.items()}
    encoder = encoder_from_tensors(_under("encoder.", tensors), str(path))
    encoder.pooling = "average" if metadata.get("pooling") == "average" else "max"
    own = _under("decoder.", tensors)
    layers = [f"conv{stage}1" for stage in range(1, 2 + sum(key.startswith("stages.") for key in own) // 2)]
    if missing := set(layers) - set(encoder.layer_names):
        raise CheckpointMismatchError(f"{path} lacks the encoder layer {min(missing)}; it is not a whole AdaIN model.")
    decoder = AdaInDecoder(tuple(encoder.num_channels(layer) for layer in layers))
    load_into(decoder, own, path)
    return AdaInNet(encoder, decoder)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _conv3(num_in: int, num_out: int) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, padding=1, padding_mode="reflect")
