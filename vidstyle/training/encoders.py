"""Finding the perceptual encoder of a training run or an optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torchvision.models import SqueezeNet1_1_Weights, VGG16_Weights, VGG19_Weights

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.stylizers.encoder import VggEncoder
from vidstyle.stylizers.perceptual import PerceptualEncoder, load_perceptual
from vidstyle.weights import registry
from vidstyle.weights.downloads import cached_file, download_checked, is_intact

#: Used where none is named and its weights can be had.
DEFAULT_ENCODER = "vgg19"
#: The light encoder inside the AdaIN model that ships with vidstyle.
BUILTIN_ENCODER = "builtin"

_TORCHVISION: Final[dict[str, Any]] = {
    "vgg19": VGG19_Weights.IMAGENET1K_V1,
    "vgg16": VGG16_Weights.IMAGENET1K_V1,
    "squeezenet": SqueezeNet1_1_Weights.IMAGENET1K_V1,
}
_DOWNLOAD_MB: Final = {"vgg19": 550, "vgg16": 530, "squeezenet": 5}


@dataclass(frozen=True, slots=True, eq=False)
class EncoderChoice:
    """An encoder and why it was taken.

    Attributes:
        encoder: on the CPU, frozen.
        name: ``vgg19``, ``vgg16``, ``squeezenet``, ``builtin`` or a file.
        reason: one clause for people, beginning with the name.
    """

    encoder: PerceptualEncoder
    name: str
    reason: str


def choose_encoder(encoder: str | Path | None = None, allow_download: bool = False) -> EncoderChoice:
    """Load an encoder: a file, one of torchvision's out of torch's cache, or the one that ships; a file wins.

    Of a VGG only conv11 to conv51 are kept: of torchvision's 550 MB that is 50 MB.

    Args:
        encoder: a file in any layout of ``load_perceptual``, ``vgg19``, ``vgg16``, ``squeezenet`` or ``builtin``; None
            or ``auto`` is ``vgg19`` where its weights are at hand or may be fetched, and ``builtin`` elsewhere.
        allow_download: fetch torchvision's weights where the cache lacks them; their checksum is verified.

    Raises:
        WeightsNotFoundError: neither a file nor a known name, or weights that are not on this machine.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: its tensors are not those of an encoder.
    """
    if encoder is None or str(encoder) == "auto":
        return _best_at_hand(allow_download)
    if Path(encoder).is_file():
        return EncoderChoice(load_perceptual(Path(encoder)), str(encoder), f"{encoder}, as asked")
    name = str(encoder)
    if name == BUILTIN_ENCODER:
        return EncoderChoice(_builtin(), name, f"{name}, as asked")
    if name not in _TORCHVISION:
        raise WeightsNotFoundError(
            f"There is no encoder '{name}'; name a file, or one of {', '.join(_TORCHVISION)}, {BUILTIN_ENCODER}."
        )
    return EncoderChoice(_published(name, allow_download), name, f"{name}, as asked")


def vgg_of(choice: EncoderChoice) -> VggEncoder:
    """A choice's encoder, for what needs a VGG: to be learnt from layer by layer.

    Raises:
        CheckpointMismatchError: it is another network.
    """
    if not isinstance(choice.encoder, VggEncoder):
        raise CheckpointMismatchError(f"{choice.name} is not a VGG; name vgg19, vgg16 or a VGG's weight file.")
    return choice.encoder


def _best_at_hand(allow_download: bool) -> EncoderChoice:
    name = DEFAULT_ENCODER
    if is_intact(*cached_file(_TORCHVISION[name].url)):
        return EncoderChoice(_published(name, False), name, f"{name}, because its weights are on this machine")
    if allow_download:
        return EncoderChoice(_published(name, True), name, f"{name}, because it may be fetched")
    if not registry.ANY_STYLE.is_file():
        raise WeightsNotFoundError(
            f"No encoder is on this machine; give --allow-download to fetch {name} once ({_DOWNLOAD_MB[name]} MB), "
            "or name a file with --encoder."
        )
    why = f"{BUILTIN_ENCODER}, because {name} is not on this machine; --allow-download fetches it"
    return EncoderChoice(_builtin(), BUILTIN_ENCODER, why)


def _builtin() -> PerceptualEncoder:
    if not registry.ANY_STYLE.is_file():
        raise WeightsNotFoundError(
            f"This installation lacks the model {registry.ANY_STYLE.name} that holds the encoder '{BUILTIN_ENCODER}'; "
            f"name a file or one of {', '.join(_TORCHVISION)} with --encoder."
        )
    return load_perceptual(registry.ANY_STYLE)


def _published(name: str, allow_download: bool) -> PerceptualEncoder:
    url = _TORCHVISION[name].url
    path, digest = cached_file(url)
    if not is_intact(path, digest):
        if not allow_download:
            raise WeightsNotFoundError(
                f"The weights of {name} are not on this machine; give --allow-download to fetch them once "
                f"({_DOWNLOAD_MB[name]} MB), or name a file with --encoder."
            )
        download_checked(url, path, digest, otherwise="name a file with --encoder")
    return load_perceptual(path)
