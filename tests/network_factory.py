"""Small random networks and pictures, the same at every call."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from vidstyle.media.stills import write_still
from vidstyle.stylizers.adain import AdaInNet
from vidstyle.stylizers.adain_decoder import AdaInDecoder
from vidstyle.stylizers.encoder import VggEncoder, encoder_from_tensors
from vidstyle.stylizers.feedforward import JohnsonNet
from vidstyle.stylizers.perceptual import SqueezeEncoder

VGG19 = ("conv11 conv12", "conv21 conv22", "conv31 conv32 conv33 conv34", "conv41 conv42 conv43 conv44", "conv51")
VGG16 = ("conv11 conv12", "conv21 conv22", "conv31 conv32 conv33", "conv41 conv42 conv43", "conv51")


def layer_names(stages: tuple[str, ...] = VGG19, last: str = "conv51") -> list[str]:
    names = [name for stage in stages for name in stage.split()]
    return names[: names.index(last) + 1]


def vgg_tensors(
    widths: tuple[int, ...] = (4, 6, 8, 10, 12), stages: tuple[str, ...] = VGG19, last: str = "conv51", seed: int = 0
) -> dict[str, Tensor]:
    """A narrow VGG in the layout with named layers; activations keep about the scale of the input."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {"conv0.weight": torch.eye(3)[..., None, None] * 3, "conv0.bias": torch.full((3,), -1.5)}
    channels = 3
    for name in layer_names(stages, last):
        width = widths[int(name[4]) - 1]
        scale = (2 / (9 * channels)) ** 0.5
        tensors[f"{name}.weight"] = torch.randn(width, channels, 3, 3, generator=generator) * scale
        tensors[f"{name}.bias"] = torch.randn(width, generator=generator) * 0.1
        channels = width
    return tensors


def tiny_encoder(widths: tuple[int, ...] = (4, 6, 8, 10, 12), last: str = "conv51", seed: int = 0) -> VggEncoder:
    return encoder_from_tensors(vgg_tensors(widths, last=last, seed=seed), "random")


def squeeze_tensors(seed: int = 0) -> dict[str, Tensor]:
    """SqueezeNet 1.1 as torchvision names it, classifier and all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dict(squeezenet1_1().state_dict())


def squeeze_encoder(seed: int = 0) -> SqueezeEncoder:
    return SqueezeEncoder(squeeze_tensors(seed), "random")


def lively_decoder(widths: tuple[int, ...], num_fine_blocks: int = 1) -> AdaInDecoder:
    """A decoder whose pictures use the whole range; torch's own initial weights paint almost nothing."""
    generator = torch.Generator().manual_seed(1)
    decoder = AdaInDecoder(widths, num_fine_blocks=num_fine_blocks)
    with torch.no_grad():
        for name, value in decoder.named_parameters():
            scale = (2 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.1
            value.copy_(torch.randn(value.shape, generator=generator) * scale)
            if name == "to_rgb.bias":
                value.add_(0.5)
    return decoder.requires_grad_(False)


def tiny_adain() -> AdaInNet:
    """An AdaIN model of three stages, untrained."""
    widths = {"conv0": (3, 3, 1), "conv11": (8, 3, 3), "conv21": (12, 8, 3), "conv31": (16, 12, 3)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        tensors = {}
        for name, (num_out, num_in, side) in widths.items():
            tensors[f"{name}.weight"] = nn.init.kaiming_normal_(torch.empty(num_out, num_in, side, side))
            tensors[f"{name}.bias"] = torch.zeros(num_out)
        decoder = AdaInDecoder((8, 12, 16))
        for convolution in decoder.modules():
            if isinstance(convolution, nn.Conv2d):
                nn.init.kaiming_normal_(convolution.weight)
                nn.init.zeros_(convolution.bias)
    return AdaInNet(encoder_from_tensors(tensors, "test"), decoder)


def lively_johnson(num_channels: int = 4) -> JohnsonNet:
    """As ``lively_decoder``; this network's output is in 0 to 255."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = JohnsonNet(num_channels)
    net.deconv3.conv2d.weight.data.mul_(150)
    net.deconv3.conv2d.bias.data.fill_(127)
    return net


def picture(height: int, width: int, seed: int = 0, num: int = 1) -> Tensor:
    """(num, 3, height, width) in [0, 1]: blobs with a little grain."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(num, 3, max(height // 12, 2), max(width // 12, 2), generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    return (smooth + torch.randn(smooth.shape, generator=generator) * 0.03).clamp(0, 1)


def photo_folder(folder: Path, num: int = 3, size: tuple[int, int] = (80, 96)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        write_still(folder / f"{i}.png", (picture(*size, seed=i)[0] * 255).round().byte())
    return folder
