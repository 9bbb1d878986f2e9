"""Finding the perceptual encoder of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from torchvision.models import VGG16_Weights, VGG19_Weights

from vidstyle.errors import WeightsNotFoundError
from vidstyle.stylizers.encoder import VggEncoder, load_encoder
from vidstyle.weights.downloads import cached_file, download_checked, is_intact

#: Used where none is named.
DEFAULT_ENCODER = "vgg19"

_TORCHVISION: Final[dict[str, Any]] = {"vgg19": VGG19_Weights.IMAGENET1K_V1, "vgg16": VGG16_Weights.IMAGENET1K_V1}


def find_encoder(encoder: str | Path | None = None, allow_download: bool = False) -> VggEncoder:
    """Load an encoder: a file, or torchvision's VGG-19 or VGG-16 out of torch's cache; a file wins.

    Only conv11 to conv51 are kept: of torchvision's 550 MB that is 50 MB.

    Args:
        encoder: a file in any layout of ``load_encoder``, ``vgg19`` or ``vgg16``; None is ``vgg19``.
        allow_download: fetch torchvision's weights where the cache lacks them; their checksum is verified.

    Raises:
        WeightsNotFoundError: neither a file nor a known name, or weights that are not on this machine.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: its tensors are not a VGG's.
    """
    encoder = DEFAULT_ENCODER if encoder is None else encoder
    if Path(encoder).is_file():
        return load_encoder(Path(encoder))
    if str(encoder) not in _TORCHVISION:
        raise WeightsNotFoundError(
            f"There is no encoder '{encoder}'; name a file, or one of {', '.join(_TORCHVISION)}."
        )
    url = _TORCHVISION[str(encoder)].url
    path, digest = cached_file(url)
    if not is_intact(path, digest):
        if not allow_download:
            raise WeightsNotFoundError(
                f"The weights of {encoder} are not on this machine; give --allow-download to fetch them once (550 MB), "
                "or name a file with --encoder."
            )
        download_checked(url, path, digest, otherwise="name a file with --encoder")
    return load_encoder(path)
