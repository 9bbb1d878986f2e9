"""What judges pictures: any network whose features perceptual losses can be taken of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.stylizers.adain import load_adain
from vidstyle.stylizers.encoder import Pooling, encoder_from_tensors, imagenet_normalisation
from vidstyle.weights.files import load_tensors, to_float


class PerceptualEncoder(Protocol):
    """A frozen network that gives the features of a picture by name.

    Attributes:
        pooling: between stages.
        layer_names: layers to look at, from shallow to deep.
    """

    pooling: Pooling
    layer_names: tuple[str, ...]

    @property
    def style_layers(self) -> tuple[str, ...]:
        """Layers to compare a style at, from shallow to deep: one a stage, so that every stroke size counts."""
        ...

    @property
    def content_layers(self) -> tuple[str, ...]:
        """Layers to compare content at, from shallow to deep: deep enough to leave strokes free."""
        ...

    def __call__(self, image: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        """Features after ReLU, (N, C, h, w) by name, of (N, 3, H, W) RGB in [0, 1]."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Its weights, as ``nn.Module.state_dict``."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move it, as ``nn.Module.to``; returns itself."""
        ...


#: Fire modules among the layers of torchvision's ``squeezenet1_1().features``; the others are conv1 and pooling.
_FIRES = {3: "fire2", 4: "fire3", 6: "fire4", 7: "fire5", 9: "fire6", 10: "fire7", 11: "fire8", 12: "fire9"}
_POOLS = (2, 5, 8)


class SqueezeEncoder(nn.Module):
    """SqueezeNet 1.1 (Iandola et al. 2016), 2.9 MB; features at 1/2 (conv1), 1/4, 1/8 and 1/16 of the picture.

    A picture needs 32 pixels a side for features at every layer.

    Args:
        tensors: a state_dict of torchvision's ``squeezenet1_1``, with or without its classifier.
        source: names them in errors.
        pooling: between stages, 3x3 with stride 2: ``max`` as it was trained, or else the average.

    Raises:
        CheckpointMismatchError: the tensors are not SqueezeNet 1.1's, or not plain ones.
    """

    layer_names = ("conv1", *_FIRES.values())
    style_layers = ("conv1", "fire3", "fire5", "fire7", "fire9")
    content_layers = ("fire3", "fire5")

    def __init__(self, tensors: Mapping[str, Tensor], source: str, pooling: Pooling = "max") -> None:
        from torchvision.models import squeezenet1_1  # noqa: PLC0415  # importing it takes a second

        super().__init__()
        self.pooling = pooling
        self.color = nn.Conv2d(3, 3, 1, device="meta")
        weight, bias = imagenet_normalisation()
        self.color.weight, self.color.bias = nn.Parameter(weight), nn.Parameter(bias)
        with torch.device("meta"):  # initial values would be thrown away, and drawing them advance the global seed
            self.features = squeezenet1_1().features
        prefix = "features."
        plain = to_float({key: value for key, value in tensors.items() if key.startswith(prefix)}, source)
        own = {key.removeprefix(prefix): value.clone() for key, value in plain.items()}
        try:
            self.features.load_state_dict(own, assign=True)
        except RuntimeError as error:
            raise CheckpointMismatchError(
                f"{source} is not a whole SqueezeNet 1.1; use torchvision's state_dict of squeezenet1_1."
            ) from error
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        """Features after ReLU.

        Args:
            image: (N, 3, H, W) RGB in [0, 1].
            wanted: layer names.
        """
        missing = set(wanted)
        features: dict[str, Tensor] = {}
        x = self.color(image)
        for index, layer in enumerate(self.features):
            x = F.avg_pool2d(x, 3, 2, ceil_mode=True) if index in _POOLS and self.pooling != "max" else layer(x)
            name = "conv1" if index == 1 else _FIRES.get(index)
            if name in missing:
                features[name] = x
                missing.remove(name)
                if not missing:
                    return features
        raise ValueError(f"the encoder has no layers {sorted(missing)}; it has {', '.join(self.layer_names)}")


def load_perceptual(path: Path) -> PerceptualEncoder:
    """Load whatever can judge pictures, recognised by its keys.

    Args:
        path: a VGG in any layout of ``load_encoder``, torchvision's SqueezeNet 1.1, or an AdaIN model of vidstyle,
            whose encoder is taken.

    Returns:
        The encoder, in evaluation mode, on the CPU, with gradients off for its own weights.

    Raises:
        WeightsNotFoundError: no such file.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: its tensors are not those of an encoder.
    """
    tensors = load_tensors(path)[0]
    if "decoder.to_rgb.weight" in tensors and "encoder.conv0.weight" in tensors:
        encoder = load_adain(path).encoder.eval().requires_grad_(False)
        # It was taught the features of its teacher there, and nothing about the layers between.
        encoder.layer_names = encoder.style_layers
        return encoder
    if any(".squeeze." in key for key in tensors):
        return SqueezeEncoder(tensors, str(path))
    return encoder_from_tensors(tensors, str(path))
