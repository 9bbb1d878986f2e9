"""Arbitrary style by adaptive instance normalisation (Huang & Belongie 2017): any picture is a style."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.stylizers.checkpoint import FORMAT, StyleCard, load_into
from vidstyle.stylizers.encoder import VggEncoder, encoder_from_tensors
from vidstyle.weights.files import load_tensors, save_tensors

_EPSILON = 1e-5


class AdaInDecoder(nn.Module):
    """Features back to a picture: the encoder's stages mirrored, without normalisation.

    Args:
        channels: widths of the encoder's stages, first to last, such as (64, 128, 256, 512) for VGG-19 to conv41.
    """

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            _conv3(deep, shallow) for deep, shallow in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.refine = nn.ModuleList(_conv3(width, width) for width in channels[-2::-1])
        self.to_rgb = _conv3(channels[0], 3)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 3, h s, w s) in [0, 1], s = 2 per stage after the first."""
        x = features
        for narrow, refine in zip(self.stages, self.refine, strict=True):
            x = F.interpolate(F.relu(narrow(x)), scale_factor=2, mode="nearest")
            x = F.relu(refine(x))
        rgb: Tensor = self.to_rgb(x)
        return torch.clamp(rgb.float(), 0.0, 1.0)


class AdaInNet(nn.Module):
    """Encoder, AdaIN, decoder.

    Args:
        encoder: VGG-family encoder; its last layer is where styles are exchanged.
        decoder: inverts the encoder.
    """

    def __init__(self, encoder: VggEncoder, decoder: AdaInDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.layer = encoder.layer_names[-1]
        self.multiple_of = 2 ** (int(self.layer[4]) - 1)

    def encode(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to features (N, C, H / s, W / s)."""
        features: dict[str, Tensor] = self.encoder(image, (self.layer,))
        return features[self.layer]

    def forward(self, content: Tensor, style_mean: Tensor, style_deviation: Tensor, alpha: float = 1.0) -> Tensor:
        """Paint (N, 3, H, W) in [0, 1], sides multiples of ``multiple_of``; α mixes in feature space (eq. 14)."""
        features = self.encode(content)
        mixed = torch.lerp(features, adain(features, style_mean, style_deviation), alpha)
        painted: Tensor = self.decoder(mixed)
        return painted


def feature_statistics(features: Tensor) -> tuple[Tensor, Tensor]:
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
    mean, deviation = feature_statistics(content)
    normalised = (content.float() - mean) / deviation
    return (normalised * style_deviation + style_mean).to(content.dtype)


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
            self._mean, self._deviation = feature_statistics(net.encode(padded))

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        padded, crop = pad_to_multiple(content, self.net.multiple_of, self.minimum_size)
        padded = padded.to(self._dtype, memory_format=torch.channels_last)
        with torch.inference_mode():
            return crop(self.net(padded, self._mean, self._deviation, self.style_weight))

    def to(self, device: str, dtype: torch.dtype) -> AdaInStylizer:
        """Move and cast the network; statistics stay float32; returns itself."""
        self.net.to(device, dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype
        self._mean, self._deviation = self._mean.to(device), self._deviation.to(device)
        return self


def save_adain(path: Path, net: AdaInNet, card: StyleCard) -> None:
    """Write an AdaIN model as fp16 safetensors; whole or not at all."""
    metadata = {"format": FORMAT, "architecture": "adain", **asdict(card)}
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
    tensors, _ = load_tensors(path)
    if "decoder.to_rgb.weight" not in tensors or "encoder.conv0.weight" not in tensors:
        raise CheckpointMismatchError(f"{path} is not an AdaIN model; name one with --adain-model.")
    tensors = {key: value.float() for key, value in tensors.items()}
    encoder = encoder_from_tensors(_under("encoder.", tensors), str(path))
    last_of_stage = {name[4]: encoder.num_channels(name) for name in encoder.layer_names}
    decoder = AdaInDecoder(tuple(last_of_stage[stage] for stage in sorted(last_of_stage)))
    load_into(decoder, _under("decoder.", tensors), path)
    return AdaInNet(encoder, decoder)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _conv3(num_in: int, num_out: int) -> nn.Conv2d:
    return nn.Conv2d(num_in, num_out, 3, padding=1, padding_mode="reflect")
