"""Arbitrary style by adaptive instance normalisation (Huang & Belongie 2017): any picture is a style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import torch
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.imaging.color_transfer import ColorStatistics, monge_kantorovich
from vidstyle.imaging.opencv import to_channels_last
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.part_file import write_whole
from vidstyle.stylizers.adain_decoder import AdaInDecoder, Statistics, adain, feature_statistics
from vidstyle.stylizers.checkpoint import FORMAT, MAX_BLOCKS, StyleCard, load_into, width_of
from vidstyle.stylizers.encoder import Pooling, VggEncoder, encoder_from_tensors
from vidstyle.weights.files import load_tensors, packed, to_float

if TYPE_CHECKING:
    from vidstyle.stylizers.pytorch_adain import PytorchAdaInDecoder

#: Most that the contrast of a content picture is raised to the style's.
_MAX_GAIN = 2.5


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

    def statistics(self, image: Tensor) -> list[Statistics]:
        """What is known of (N, 3, H, W) in [0, 1] as a style: of each of ``layers``, and of the colours if they count.

        The colours' are mean (N, 3, 1, 1) and root of the covariance, (N, 9, 1, 1).
        """
        found = [feature_statistics(each) for each in self.encode(image)]
        return [*found, _color_statistics(image)] if self.decoder.recolors else found

    def recolored(self, content: Tensor, style: Sequence[Statistics]) -> Tensor:
        """(N, 3, H, W) in [0, 1] in the style's colours, if the decoder wants that; float32 then."""
        return _recolored(content, style[-1]) if self.decoder.recolors else content

    def forward(self, content: Tensor, style: Sequence[Statistics], alpha: float = 1.0) -> Tensor:
        """Paint (N, 3, H, W) in [0, 1], sides multiples of ``multiple_of``.

        Args:
            content: the pictures.
            style: as ``statistics`` gives it, for one style or one a picture.
            alpha: mixes in feature space (Huang & Belongie 2017, eq. 14): 0 gives the content, 1 the style.
        """
        if alpha != 1.0:
            own = self.statistics(content)
            style = [_mixed(of_content, of_style, alpha) for of_content, of_style in zip(own, style, strict=True)]
        recolored = self.recolored(content, style).to(content.dtype)
        return self.decode(recolored, self.encode(recolored), style)

    def decode(self, content: Tensor, features: Sequence[Tensor], style: Sequence[Statistics]) -> Tensor:
        """From the recoloured content and its ``encode``d features to the picture, (N, 3, H, W) in [0, 1], float32."""
        exchanged = zip(features[: self.decoder.num_exchanged], style, strict=False)
        painted: Tensor = self.decoder([adain(each, *target) for each, target in exchanged], style, content)
        return painted


def _mixture(styles: Sequence[Statistics], shares: Sequence[float]) -> Statistics:
    means, deviations = zip(*styles, strict=True)
    return _weighted(means, shares), _weighted(deviations, shares)


def _weighted(values: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    return torch.stack([value * share for value, share in zip(values, shares, strict=True)]).sum(0)


def _mixed(content: Statistics, style: Statistics, alpha: float) -> Statistics:
    """Statistics of α adain(x) + (1 − α) x: both are affine in x, so theirs mix as they do."""
    mean, deviation = (of_content.lerp(of_style, alpha) for of_content, of_style in zip(content, style, strict=True))
    return mean, deviation


def _color_statistics(image: Tensor) -> Statistics:
    found = [ColorStatistics.of([each]) for each in image]
    means, roots = torch.stack([each.mean for each in found]), torch.stack([each.root for each in found])
    # A bfloat16 picture's own colours are as good as any; what is computed from them is not rounded again.
    device = image.device
    return means[..., None, None].float().to(device), roots.flatten(1)[..., None, None].float().to(device)


def _recolored(content: Tensor, colors: Statistics) -> Tensor:
    means, roots = (value.flatten(1).cpu().double().expand(len(content), -1) for value in colors)
    pictures = []
    # Three channels are faster as planes.
    for picture, mean, root in zip(content.float().contiguous(), means, roots, strict=True):
        matrix = root.view(3, 3)
        target = ColorStatistics(mean, matrix @ matrix)
        pictures.append(monge_kantorovich(ColorStatistics.of([picture]), target, _MAX_GAIN)(picture[None]))
    return torch.cat(pictures).contiguous(memory_format=torch.channels_last)


class AdaInStylizer:
    """An AdaIN network with one style image, or a mixture of some, encoded once: a ``Stylizer``.

    Args:
        name: what a user calls the style.
        net: the network.
        style_image: (3, H, W) RGB in [0, 1]; or several, each with its share, whose statistics are mixed (Huang &
            Belongie 2017, sec. 7.3: a mixture of AdaIN's results is AdaIN with mixed statistics).
        style_weight: α; 0 gives the content back as the decoder sees it, 1 the full style.

    Attributes:
        style_weight: α.
    """

    minimum_size = 32

    def __init__(
        self,
        name: str,
        net: AdaInNet,
        style_image: Tensor | Sequence[tuple[Tensor, float]],
        style_weight: float = 1.0,
    ) -> None:
        self.name = name
        self.net = net.eval().requires_grad_(False)
        self.style_weight = style_weight
        self.images = [(style_image, 1.0)] if isinstance(style_image, Tensor) else list(style_image)
        self._dtype = next(net.parameters()).dtype
        encoded = [self._encoded(image) for image, _ in self.images]
        self._style = [_mixture(layer, [share for _, share in self.images]) for layer in zip(*encoded, strict=True)]

    def _encoded(self, image: Tensor) -> list[Statistics]:
        padded, _ = pad_to_multiple(image[None], self.net.multiple_of, self.minimum_size)
        with torch.inference_mode():
            return self.net.statistics(padded.to(next(self.net.parameters())))

    def recolored(self, recolor: Callable[[Tensor], Tensor]) -> AdaInStylizer:
        """The same network with each style image changed by ``recolor``, from (3, H, W) in [0, 1] to the same."""
        images = [(recolor(image), share) for image, share in self.images]
        return AdaInStylizer(self.name, self.net, images, self.style_weight)

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        padded, crop = pad_to_multiple(content, self.net.multiple_of, self.minimum_size, self.net.decoder.margin_px)
        with torch.inference_mode():
            return crop(self.net(to_channels_last(padded, self._dtype), self._style, self.style_weight))

    def to(self, device: str, dtype: torch.dtype) -> AdaInStylizer:
        """Move and cast the network; statistics stay float32; returns itself."""
        self.net.to(device, dtype).to(memory_format=torch.channels_last)
        self._dtype = dtype
        self._style = [(mean.to(device), deviation.to(device)) for mean, deviation in self._style]
        return self


def save_adain(path: Path, net: AdaInNet, card: StyleCard) -> None:
    """Write a model file, whole or not at all; an existing one is replaced."""
    write_whole(path, packed_adain(net, card), overwrite=True)


def packed_adain(net: AdaInNet, card: StyleCard) -> bytes:
    """A model file's content: fp16 tensors, architecture and name in the metadata."""
    metadata = {"format": FORMAT, "architecture": "adain", "pooling": net.encoder.pooling, **asdict(card)}
    tensors = {f"encoder.conv0.{key}": value for key, value in net.encoder.color.state_dict().items()}
    tensors |= {f"encoder.{key}": value for key, value in net.encoder.layers.state_dict().items()}
    tensors |= {f"decoder.{key}": value for key, value in net.decoder.state_dict().items()}
    return packed({key: value.half() for key, value in tensors.items()}, metadata)


def load_adain(path: Path) -> AdaInNet:
    """Load an AdaIN model.

    Raises:
        WeightsNotFoundError: no such file.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: not an AdaIN model.
    """
    tensors, metadata = load_tensors(path)
    if not {"encoder.conv0.weight", "decoder.widen.weight", "decoder.to_rgb.weight"} <= tensors.keys():
        raise CheckpointMismatchError(f"{path} is not an AdaIN model; name one with --adain-model.")
    tensors = to_float(tensors, path)
    encoder = encoder_from_tensors(_under("encoder.", tensors), str(path))
    encoder.pooling = _pooling(metadata.get("pooling", "max"), path)
    own = _under("decoder.", tensors)
    layers = [f"conv{stage}1" for stage in range(1, 3 + sum(key.startswith("laterals.") for key in own) // 2)]
    if missing := set(layers) - set(encoder.layer_names):
        raise CheckpointMismatchError(f"{path} lacks the encoder layer {min(missing)}; it is not a whole AdaIN model.")
    widths = tuple(width_of(tensors[f"encoder.{layer}.weight"], path) for layer in layers)
    num_blocks, num_fine_blocks = (
        min(sum(key.startswith(part) and key.endswith("norm1.affine.bias") for key in own), MAX_BLOCKS)
        for part in ("trunk.", "fine.")
    )
    decoder = AdaInDecoder(widths, width_of(own["widen.weight"], path), num_blocks, num_fine_blocks)
    load_into(decoder, own, path)
    return AdaInNet(encoder, decoder)


def _pooling(name: str, path: Path) -> Pooling:
    if name in get_args(Pooling):
        return cast("Pooling", name)
    raise CheckpointMismatchError(f"{path} pools by {name}, which this version does not know; update vidstyle.")


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
