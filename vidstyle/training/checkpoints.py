"""Resumable checkpoints of training runs: written whole or not at all, read without running anything in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vidstyle.errors import CheckpointMismatchError, UnsupportedCheckpointError
from vidstyle.weights.files import open_pytorch

_KEYS: dict[str, type | tuple[type, ...]] = {
    "settings": dict,
    "step": int,
    "seconds": (int, float),
    "net": dict,
    "averaged": dict,
    "optimizer": dict,
    "generator": torch.Tensor,
}


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint at ``path``; a kill in the middle leaves the one before."""
    part = path.with_name(path.name + ".part")
    try:
        torch.save(dict(state), part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint's state onto the CPU.

    Raises:
        UnsupportedCheckpointError: not readable, damaged, or one that wants to run code.
        CheckpointMismatchError: a PyTorch file, but not the checkpoint of a training run.
    """
    try:
        state = open_pytorch(path)
    except UnsupportedCheckpointError as error:
        raise UnsupportedCheckpointError(
            f"{path} is damaged or is not a checkpoint of a training run; remove it to start afresh."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(state.get(key), kind) for key, kind in _KEYS.items()):
        raise CheckpointMismatchError(f"{path} is not a checkpoint of a training run; remove it to start afresh.")
    return state
