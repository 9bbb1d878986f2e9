"""Resumable checkpoints of training runs: written whole or not at all, read without running anything in them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidstyle.errors import CheckpointMismatchError, EncodeError, UnsupportedCheckpointError
from vidstyle.media.failures import out_of_space
from vidstyle.outputs import unwritable
from vidstyle.part_file import write_whole
from vidstyle.weights.files import open_pytorch

_KEYS: dict[str, type | tuple[type, ...]] = {
    "settings": dict,
    "step": int,
    "seconds": (int, float),
    "net": dict,
    "averaged": dict,
    "optimizer": dict,
    "generator": Tensor,
}


def digest_of(tensors: Iterable[Tensor]) -> str:
    """Hexadecimal SHA-256 of values, as float32, wherever they are and however they lie in memory.

    By it a run that goes on knows the weights it began with.
    """
    digest = hashlib.sha256()
    for value in tensors:
        digest.update(value.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Replace the checkpoint at ``path``; a kill or an error in the middle leaves the one before.

    Raises:
        MediaError: it cannot be written.
    """
    content = io.BytesIO()
    torch.save(dict(state), content)  # into a file it would not say that the disk is full
    with write_errors(path):
        write_whole(path, content.getbuffer(), overwrite=True)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise MediaError for what the system raises while ``path`` is written by a run."""
    try:
        yield
    except OSError as error:
        if not out_of_space(error):
            raise unwritable(path, error) from error
        raise EncodeError(
            f"The disk is full while writing {path}; free some space and give the same command again.", path
        ) from error


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
