"""Finding, fetching and opening RAFT weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights, raft_large, raft_small

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.weights import downloads
from vidstyle.weights.files import load_tensors

RaftModel = Literal["small", "large"]

_BUILDERS: Final[dict[str, Any]] = {"small": raft_small, "large": raft_large}
_WEIGHTS: Final[dict[str, Any]] = {"small": Raft_Small_Weights, "large": Raft_Large_Weights}


def raft_weights_at_hand(model: RaftModel) -> Path | None:
    """Where torch's cache holds undamaged torchvision weights for a RAFT model.

    Torchvision's default weights come first, any others it publishes for the model after.

    Args:
        model: ``small`` or ``large``.

    Returns:
        The file, or None where there is none whose checksum is right.
    """
    return next((path for path, digest in _cached_files(model) if downloads.is_intact(path, digest)), None)


def fetch_raft_weights(model: RaftModel) -> Path:
    """Download torchvision's default weights for a RAFT model into torch's cache, checked against their checksum.

    Raises:
        WeightsNotFoundError: the download failed; nothing is left behind.
    """
    path, digest = next(_cached_files(model))
    download_checked(_WEIGHTS[model].DEFAULT.url, path, digest)
    return path


def download_checked(url: str, path: Path, digest: str) -> None:
    """Download a file whole and undamaged, or not at all.

    Args:
        url: where it is.
        path: where it goes; the folder is made.
        digest: how its hexadecimal SHA-256 begins.

    Raises:
        WeightsNotFoundError: the download failed or its checksum is wrong; nothing is left behind.
    """
    downloads.download_checked(url, path, digest, otherwise="use --flow dis, which needs none")


def load_raft(model: RaftModel, path: Path) -> Any:
    """Build torchvision's RAFT with the weights of a file.

    Args:
        model: ``small`` or ``large``.
        path: ``.safetensors``, or a PyTorch checkpoint with torchvision's names for the tensors.

    Returns:
        The network in eval mode on the CPU, without gradients.

    Raises:
        WeightsNotFoundError: there is no such file.
        UnsupportedCheckpointError: not a checkpoint, damaged, or one that wants to run code.
        CheckpointMismatchError: tensors of another network.
    """
    tensors, _ = load_tensors(path)
    with torch.device("meta"):  # initial values would be thrown away, and drawing them would advance the global seed
        network = _BUILDERS[model](weights=None)
    wanted, found = _shapes(network.state_dict()), _shapes(tensors)
    if wanted != found:
        wrong = sum(found.get(key) != shape for key, shape in wanted.items())
        raise CheckpointMismatchError(
            f"{path} does not hold torchvision's RAFT-{model}: {wrong} of its {len(wanted)} tensors are missing or of "
            f"another shape and {len(found.keys() - wanted.keys())} are foreign; give weights of RAFT-{model}."
        )
    network.load_state_dict(tensors, assign=True, strict=False)  # not strict: counters of batch norms are optional
    return network.eval().requires_grad_(False)


def resolve_raft_weights(model: RaftModel, weights: Path | None, *, allow_download: bool) -> Path:
    """Decide on the weight file: the one named, else torch's cache, else a download where that is allowed.

    Raises:
        WeightsNotFoundError: there is none.
    """
    if weights is not None:
        if not weights.is_file():
            raise WeightsNotFoundError(
                f"There is no RAFT weight file {weights}; check the path, leave it out and give --allow-download, "
                "or use --flow dis, which needs none."
            )
        return weights
    if cached := raft_weights_at_hand(model):
        return cached
    if allow_download:
        return fetch_raft_weights(model)
    raise WeightsNotFoundError(
        f"The RAFT-{model} weights are not on this machine; give --allow-download to fetch them once, "
        "or use --flow dis, which needs none."
    )


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in tensors.items() if tensor.is_floating_point()}


def _cached_files(model: RaftModel) -> Iterator[tuple[Path, str]]:
    """(path in torch's cache, start of its SHA-256) of every weight file torchvision publishes for the model."""
    enum = _WEIGHTS[model]
    for entry in dict.fromkeys([enum.DEFAULT, *enum]):
        yield downloads.cached_file(entry.url)
