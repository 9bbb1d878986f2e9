"""Finding, fetching and opening RAFT weights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torchvision.models.optical_flow import Raft_Large_Weights, Raft_Small_Weights, raft_large, raft_small

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.weights import downloads
from vidstyle.weights.files import load_tensors, to_float

RaftModel = Literal["small", "large"]

_BUILDERS: Final[dict[str, Any]] = {"small": raft_small, "large": raft_large}
_WEIGHTS: Final[dict[str, Any]] = {"small": Raft_Small_Weights, "large": Raft_Large_Weights}

#: From the names of princeton-vl/RAFT, where Teed & Deng published it, to torchvision's; applied in this order.
_PRINCETON_NAMES: Final = (
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    (r"\.(layer\d\.\d)\.norm3\.", r".\1.downsample.1."),  # one module under two names; the small RAFT stores no norm
    (r"\.(layer\d\.\d)\.norm(\d)\.", r".\1.convnormrelu\2.1."),
    (r"\.(layer\d\.\d)\.conv(\d)\.", r".\1.convnormrelu\2.0."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])\.", r"update_block.recurrent_block.convgru1.conv\1."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


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
        path: ``.safetensors`` or a PyTorch checkpoint, with torchvision's names for the tensors or with those of
            princeton-vl/RAFT, whose networks are the same.

    Returns:
        The network in eval mode on the CPU, without gradients.

    Raises:
        WeightsNotFoundError: there is no such file.
        UnsupportedCheckpointError: not a checkpoint, damaged, or one that wants to run code.
        CheckpointMismatchError: tensors of another network, or not plain ones.
    """
    tensors, _ = load_tensors(path)
    if any(key.startswith("fnet.") for key in tensors):
        tensors = {_torchvision_name(key): tensor for key, tensor in tensors.items()}
    with torch.device("meta"):  # initial values would be thrown away, and drawing them would advance the global seed
        network = _BUILDERS[model](weights=None)
    wanted, found = _shapes(network.state_dict()), _shapes(tensors)
    if wanted != found:
        wrong = sum(found.get(key) != shape for key, shape in wanted.items())
        raise CheckpointMismatchError(
            f"{path} does not hold RAFT-{model}: {wrong} of its {len(wanted)} tensors are missing or of "
            f"another shape and {len(found.keys() - wanted.keys())} are foreign; give weights of RAFT-{model}."
        )
    # Not strict: counters of batch norms, which are no floats, are optional.
    network.load_state_dict(to_float({key: tensors[key] for key in wanted}, path), assign=True, strict=False)
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


def _torchvision_name(princeton_name: str) -> str:
    name = princeton_name
    for pattern, replacement in _PRINCETON_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {key: tensor.shape for key, tensor in tensors.items() if tensor.is_floating_point()}


def _cached_files(model: RaftModel) -> Iterator[tuple[Path, str]]:
    """(path in torch's cache, start of its SHA-256) of every weight file torchvision publishes for the model."""
    enum = _WEIGHTS[model]
    for entry in dict.fromkeys([enum.DEFAULT, *enum]):
        yield downloads.cached_file(entry.url)
