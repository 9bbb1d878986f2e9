"""Models of naoto0804/pytorch-AdaIN as they are published: ``decoder.pth`` beside ``vgg_normalised.pth``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.stylizers.adain_decoder import Statistics
from vidstyle.stylizers.checkpoint import load_into
from vidstyle.stylizers.encoder import VggEncoder, load_encoder
from vidstyle.weights.files import load_tensors, to_float

DECODER_NAME = "decoder.pth"
ENCODER_NAME = "vgg_normalised.pth"
#: Where that project exchanges styles: relu4_1.
LAYER = "conv41"
_NUM_CHANNELS = 512  # there

#: Convolutions by (channels in, channels out), in order; ``None`` doubles the picture.
_PLAN: tuple[tuple[int, int] | None, ...] = (
    *((512, 256), None),
    *((256, 256), (256, 256), (256, 256), (256, 128), None),
    *((128, 128), (128, 64), None),
    (64, 64),
)


class PytorchAdaInDecoder(nn.Sequential):
    """VGG-19's stages mirrored, with that project's numbering of layers (Huang & Belongie 2017, sec. 6)."""

    layers = (LAYER,)
    num_exchanged = 1
    recolors = False
    margin_px = 0  # that project paints none

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        for step in _PLAN:
            layers += [nn.UpsamplingNearest2d(scale_factor=2)] if step is None else [*_padded(*step), nn.ReLU()]
        super().__init__(*layers, *_padded(64, 3))

    # A Sequential for its numbering of the weights; it is called as every decoder is.
    def forward(  # type: ignore[override]
        self,
        features: Sequence[Tensor],
        statistics: Sequence[Statistics],  # noqa: ARG002
        content: Tensor,  # noqa: ARG002
    ) -> Tensor:
        """One (N, 512, h, w) at conv41 to RGB (N, 3, 8 h, 8 w) in [0, 1], float32; the features say it all."""
        (x,) = features
        for layer in self:
            x = layer(x)
        return x.float().clamp(0.0, 1.0)


def _padded(num_in: int, num_out: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(1), nn.Conv2d(num_in, num_out, 3)]


def is_pytorch_adain(path: Path) -> bool:
    """Whether ``--adain-model`` names a model of pytorch-AdaIN: a folder, or a PyTorch file (ours are safetensors)."""
    return path.is_dir() or path.suffix != ".safetensors"


def pytorch_adain_files(path: Path) -> tuple[Path, Path]:
    """Decoder and encoder file of a model.

    Args:
        path: the folder that holds ``decoder.pth`` and ``vgg_normalised.pth``, or a decoder of any name in it.

    Raises:
        WeightsNotFoundError: one of the two is missing.
    """
    decoder = path / DECODER_NAME if path.is_dir() else path
    encoder = decoder.with_name(ENCODER_NAME)
    for file in (decoder, encoder):
        if not file.is_file():
            raise WeightsNotFoundError(
                f"There is no {file}; a model of pytorch-AdaIN is a decoder such as {DECODER_NAME} with {ENCODER_NAME} "
                "beside it, so put both into one folder."
            )
    return decoder, encoder


def load_pytorch_adain(decoder: Path, encoder: Path) -> tuple[VggEncoder, PytorchAdaInDecoder]:
    """Load the two halves of a model of pytorch-AdaIN.

    Args:
        decoder: that project's ``decoder.pth``, or a ``decoder_iter_N.pth.tar`` of its training.
        encoder: its ``vgg_normalised.pth``; what lies beyond conv41 is left out.

    Returns:
        Encoder that ends at conv41 and decoder, in evaluation mode, on the CPU, float32, without gradients.

    Raises:
        WeightsNotFoundError: no such file.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: tensors of another architecture.
    """
    tensors = to_float(load_tensors(decoder)[0], decoder)
    with torch.device("meta"):
        net = PytorchAdaInDecoder()
    load_into(net, tensors, decoder)
    return _load_cut_encoder(encoder), net.eval().requires_grad_(False)


def _load_cut_encoder(path: Path) -> VggEncoder:
    encoder = load_encoder(path)
    names = encoder.layer_names
    if LAYER not in names or encoder.num_channels(LAYER) != _NUM_CHANNELS:
        raise CheckpointMismatchError(
            f"{path} has no layer {LAYER} with {_NUM_CHANNELS} channels; use {ENCODER_NAME} of pytorch-AdaIN."
        )
    encoder.layer_names = names[: names.index(LAYER) + 1]
    for name in names[len(encoder.layer_names) :]:
        del encoder.layers[name]
    return encoder
