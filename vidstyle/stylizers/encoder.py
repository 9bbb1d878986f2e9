"""VGG-family feature encoders: what perceptual losses and AdaIN look through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.weights.files import load_tensors

#: Convolutions of VGG-19 by stage; VGG-16 lacks the fourth of stages 3 to 5.
_VGG19 = ("conv11 conv12", "conv21 conv22", "conv31 conv32 conv33 conv34", "conv41 conv42 conv43 conv44", "conv51")
_VGG16 = ("conv11 conv12", "conv21 conv22", "conv31 conv32 conv33", "conv41 conv42 conv43", "conv51")
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class VggEncoder(nn.Module):
    """A VGG of any width, cut anywhere from conv11 to conv51 (Simonyan & Zisserman 2015).

    Args:
        convolutions: weight and bias by layer name (``conv11`` ... ``conv51``), in order.
        color: weight and bias of the 1x1 convolution that turns RGB in [0, 1] into what the network was trained on.
    """

    def __init__(self, convolutions: Mapping[str, tuple[Tensor, Tensor]], color: tuple[Tensor, Tensor]) -> None:
        super().__init__()
        self.color = _convolution(*color)
        self.layers = nn.ModuleDict({name: _convolution(*pair) for name, pair in convolutions.items()})

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers ``forward`` can return."""
        return tuple(self.layers)

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
                x = F.max_pool2d(x, 2)
            x = F.relu(layer(F.pad(x, (1, 1, 1, 1), mode="reflect")))
            if name in missing:
                features[name] = x
                missing.remove(name)
                if not missing:
                    return features
        raise ValueError(f"the encoder has no layers {sorted(missing)}; it has {', '.join(self.layers)}")


def _convolution(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], bias=True)
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
        CheckpointMismatchError: the tensors are not a VGG's; ``source`` names them.
    """
    if "conv0.weight" in tensors:
        color = (tensors["conv0.weight"], tensors["conv0.bias"])
        convolutions = _named(tensors)
    elif "features.0.weight" in tensors:
        color = _imagenet_normalisation()
        convolutions = _numbered(tensors, "features.")
    elif "0.weight" in tensors and tensors["0.weight"].shape[-1] == 1:
        color = (tensors["0.weight"], tensors["0.bias"])
        convolutions = _numbered({key: value for key, value in tensors.items() if not key.startswith("0.")}, "")
    else:
        raise CheckpointMismatchError(f"{source} is not a VGG encoder; use torchvision's VGG-19 or VGG-16 state_dict.")
    channels = 3
    for name, (weight, bias) in convolutions.items():
        if weight.ndim != 4 or weight.shape[1] != channels or weight.shape[0] != bias.shape[0]:
            raise CheckpointMismatchError(f"{source}: layer {name} has shape {tuple(weight.shape)}, not a VGG's.")
        channels = weight.shape[0]
    return VggEncoder(convolutions, color).eval()


def _named(tensors: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    names = [name for stage in _VGG19 for name in stage.split() if f"{name}.weight" in tensors]
    return {name: (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in names}


def _numbered(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, tuple[Tensor, Tensor]]:
    numbers = sorted(
        int(key[len(prefix) : -len(".weight")])
        for key, value in tensors.items()
        if key.startswith(prefix) and key.endswith(".weight") and value.ndim == 4
    )
    # VGG-16 and VGG-19 differ first at the layer after conv33: 256 channels again, or 512 already.
    deep = len(numbers) > 7 and tensors[f"{prefix}{numbers[7]}.weight"].shape[0] != 256
    names = [name for stage in (_VGG16 if deep else _VGG19) for name in stage.split()]
    return {
        name: (tensors[f"{prefix}{number}.weight"], tensors[f"{prefix}{number}.bias"])
        for name, number in zip(names, numbers, strict=False)
    }


def _imagenet_normalisation() -> tuple[Tensor, Tensor]:
    std = torch.tensor(_IMAGENET_STD)
    weight = torch.diag(1 / std)[..., None, None]
    return weight, -torch.tensor(_IMAGENET_MEAN) / std
