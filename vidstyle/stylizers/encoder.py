"""VGG-family feature encoders: what perceptual losses and AdaIN look through."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.stylizers.resampling import BlurPool
from vidstyle.weights.files import load_tensors, to_float

Pooling = Literal["max", "average", "blur"]

#: Convolutions of VGG-19 by stage; VGG-16 lacks the fourth of stages 3 to 5.
_VGG19 = ("conv11 conv12", "conv21 conv22", "conv31 conv32 conv33 conv34", "conv41 conv42 conv43 conv44", "conv51")
_VGG16 = ("conv11 conv12", "conv21 conv22", "conv31 conv32 conv33", "conv41 conv42 conv43", "conv51")
_CONTENT_LAYERS = ("conv31", "conv41")
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class VggEncoder(nn.Module):
    """A VGG of any width, cut anywhere from conv11 to conv51 (Simonyan & Zisserman 2015).

    Args:
        convolutions: weight and bias by layer name (``conv11`` ... ``conv51``), in order.
        color: weight and bias of the 1x1 convolution that turns RGB in [0, 1] into what the network was trained on.
        pooling: between stages: ``max`` of 2x2 as VGG was trained; their ``average``, which Gatys et al. 2016 (sec. 2)
            found to give smoother pictures; or ``blur``, by a low-pass, so that features follow a shift of the picture
            (Zhang 2019).

    Attributes:
        layer_names: those to look at, all by default; from shallow to deep.
    """

    def __init__(
        self,
        convolutions: Mapping[str, tuple[Tensor, Tensor]],
        color: tuple[Tensor, Tensor],
        pooling: Pooling = "max",
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.color = _convolution(*color)
        self.layers = nn.ModuleDict({name: _convolution(*pair) for name, pair in convolutions.items()})
        # Each before the first layer of its stage, whose number it has.
        later = self.style_layers[1:]
        self._blur_pools = nn.ModuleDict({name[4]: BlurPool(convolutions[name][0].shape[1]) for name in later})
        self.layer_names = tuple(self.layers)

    @property
    def style_layers(self) -> tuple[str, ...]:
        """Layers to compare a style at: the first of each stage, conv11 to conv51, as far as it reaches."""
        return tuple(name for name in self.layers if name[-1] == "1")

    @property
    def content_layers(self) -> tuple[str, ...]:
        """Layers to compare content at: conv31 and conv41, or the last one where it has neither."""
        return tuple(name for name in _CONTENT_LAYERS if name in self.layers) or self.layer_names[-1:]

    def num_channels(self, layer: str) -> int:
        """Channels of the features of ``layer``."""
        return int(self.layers[layer].out_channels)  # type: ignore[arg-type]  # ModuleDict hides the module's type

    def forward(self, image: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        """Features after ReLU.

        Args:
            image: (N, 3, H, W) RGB in [0, 1].
            wanted: layer names.

        Returns:
            By name, (N, C, H / s, W / s) with s = 1, 2, 4, 8, 16 for stages 1 to 5.
        """
        missing = set(wanted)
        features: dict[str, Tensor] = {}
        x = self.color(image)
        stage = "1"
        for name, layer in self.layers.items():
            if name[4] != stage:
                stage = name[4]
                x = self._pooled(x, stage)
            x = F.relu(layer(F.pad(x, (1, 1, 1, 1), mode="reflect")), inplace=True)
            if name in missing:
                features[name] = x
                missing.remove(name)
                if not missing:
                    return features
        raise ValueError(f"the encoder has no layers {sorted(missing)}; it has {', '.join(self.layers)}")

    def _pooled(self, x: Tensor, stage: str) -> Tensor:
        if self.pooling == "blur":
            smaller: Tensor = self._blur_pools[stage](x)
            return smaller
        return F.max_pool2d(x, 2) if self.pooling == "max" else F.avg_pool2d(x, 2)


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    # Initial values would be thrown away, and drawing them would advance the global seed.
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], device="meta")
    layer.weight = nn.Parameter(weight.float().clone(), requires_grad=False)
    layer.bias = nn.Parameter(bias.float().clone(), requires_grad=False)
    return layer


def load_encoder(path: Path) -> VggEncoder:
    """Load an encoder, recognised by its keys.

    Known layouts: torchvision's VGG-16/19 (``features.N``), the normalised VGG-19 of AdaIN (Sequential numbers with a
    1x1 convolution first), and named layers (``conv0``, ``conv11``, ... as pruned VGGs are published).

    Args:
        path: ``.safetensors``, ``.pth`` or ``.pt``.

    Returns:
        The encoder, in evaluation mode, on the CPU, with gradients off for its own weights.

    Raises:
        WeightsNotFoundError: no such file.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: its tensors are not a VGG's.
    """
    return encoder_from_tensors(load_tensors(path)[0], str(path))


def encoder_from_tensors(tensors: Mapping[str, Tensor], source: str) -> VggEncoder:
    """Build an encoder from tensors in any of the layouts of ``load_encoder``.

    Raises:
        CheckpointMismatchError: the tensors are not a VGG's, or not plain ones; ``source`` names them.
    """
    if any(key.endswith(".running_mean") for key in tensors):
        raise CheckpointMismatchError(f"{source} is a VGG with batch normalisation; use one without, such as vgg19.")
    if "conv0.weight" in tensors:
        convolutions = {name: _pair(tensors, name, source) for name in _names(_VGG19) if f"{name}.weight" in tensors}
        color = _pair(tensors, "conv0", source)
    elif "features.0.weight" in tensors:
        convolutions = _numbered(tensors, "features.", source)
        color = imagenet_normalisation()
    elif "0.weight" in tensors and tensors["0.weight"].shape[2:] == (1, 1):
        convolutions = _numbered({key: value for key, value in tensors.items() if key[:2] != "0."}, "", source)
        color = _pair(tensors, "0", source)
    else:
        raise CheckpointMismatchError(f"{source} is not a VGG encoder; use torchvision's VGG-19 or VGG-16 state_dict.")
    channels = 3
    for name, (weight, bias) in {"conv0": color, **convolutions}.items():
        size = 1 if name == "conv0" else 3
        expected = (channels, size, size)
        if weight.shape[1:] != expected or bias.shape != weight.shape[:1] or bias.numel() == 0:
            raise CheckpointMismatchError(f"{source}: layer {name} has shape {tuple(weight.shape)}, not a VGG's.")
        channels = weight.shape[0]
    if not convolutions:
        raise CheckpointMismatchError(f"{source} holds no convolution of a VGG; use a whole encoder.")
    return VggEncoder(convolutions, color).eval()


def _names(stages: tuple[str, ...]) -> list[str]:
    return [name for stage in stages for name in stage.split()]


def _pair(tensors: Mapping[str, Tensor], layer: str, source: str) -> tuple[Tensor, Tensor]:
    try:
        pair = {key: tensors[key] for key in (f"{layer}.weight", f"{layer}.bias")}
    except KeyError as error:
        raise CheckpointMismatchError(f"{source} lacks {error}; it is not a whole VGG.") from error
    weight, bias = to_float(pair, source).values()
    return weight, bias


def _numbered(tensors: Mapping[str, Tensor], prefix: str, source: str) -> dict[str, tuple[Tensor, Tensor]]:
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.(weight|bias)")
    found = {key: pattern.fullmatch(key) for key in tensors if key.startswith(prefix)}
    if foreign := [key for key, match in found.items() if match is None]:
        raise CheckpointMismatchError(f"{source} has a tensor {foreign[0]}, which no VGG has; use a VGG.")
    numbers = sorted({int(match[1]) for match in found.values() if match})
    # VGG-19 has a conv34 where VGG-16 pools, and a pooling layer takes a number of its own.
    gaps = [after - before for before, after in pairwise(numbers[:8])]
    names = _names(_VGG16 if len(gaps) == 7 and gaps[6] > gaps[0] else _VGG19)
    return {name: _pair(tensors, f"{prefix}{number}", source) for name, number in zip(names, numbers, strict=False)}


def imagenet_normalisation() -> tuple[Tensor, Tensor]:
    """Weight and bias of the 1x1 convolution from RGB in [0, 1] to ImageNet's zero mean and unit deviation."""
    std = torch.tensor(_IMAGENET_STD)
    weight = torch.diag(1 / std)[..., None, None]
    return weight, -torch.tensor(_IMAGENET_MEAN) / std
