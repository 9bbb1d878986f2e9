"""Opening weight files without running anything that is in them."""

from __future__ import annotations

import json
import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vidstyle.errors import CheckpointMismatchError, ConfigError, UnsupportedCheckpointError, WeightsNotFoundError
from vidstyle.part_file import write_whole

#: A weight file beyond this is not one of ours; refuse before reading it into memory.
MAX_BYTES = 2 << 30

# What torch's reader is known to raise on bytes that are not a checkpoint, besides UnpicklingError.
_DAMAGE = (
    *(RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError),
    *(OverflowError, MemoryError, struct.error, zipfile.BadZipFile),
)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read every tensor of a ``.safetensors`` file or of a PyTorch checkpoint.

    PyTorch files are opened with ``torch.load(weights_only=True)``, so pickled code is never run. A checkpoint that
    wraps its weights in ``state_dict``, ``model`` or ``params`` is unwrapped, and a ``module.`` prefix is dropped.

    Args:
        path: file to read.

    Returns:
        Tensors by name on the CPU with their stored dtype, and the file's text metadata (empty for PyTorch files).

    Raises:
        WeightsNotFoundError: there is no such file.
        UnsupportedCheckpointError: it is not a checkpoint, is damaged, or wants to run code.
    """
    if not path.is_file():
        raise WeightsNotFoundError(f"There is no weight file {path}; check the path.")
    if path.stat().st_size > MAX_BYTES:
        raise UnsupportedCheckpointError(f"{path} is larger than 2 GiB, which no supported model is; use another file.")
    if path.suffix == ".safetensors":
        return _load_safetensors(path)
    return _load_pytorch(path), {}


def _load_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise UnsupportedCheckpointError(
            f"{path} is not a readable safetensors file ({error}); get it again."
        ) from error


def _load_pytorch(path: Path) -> dict[str, Tensor]:
    content = open_pytorch(path)
    for wrapper in ("state_dict", "model", "params"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        content = {}
    tensors = {str(key).removeprefix("module."): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise UnsupportedCheckpointError(
            f"{path} holds no tensors by name; save the network's state_dict and use that."
        )
    return tensors


def open_pytorch(path: Path) -> Any:
    """What a PyTorch file holds: tensors and plain values, on the CPU; nothing in it is run.

    Raises:
        UnsupportedCheckpointError: not a checkpoint, damaged, or one that wants to run code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about odd pickles: either they load or we say why not
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsupportedCheckpointError(
            f"{path} is not a plain weight file: opening it would run code or it is damaged; "
            "save its state_dict as safetensors and use that."
        ) from error
    except _DAMAGE as error:
        raise UnsupportedCheckpointError(
            f"{path} is not a PyTorch checkpoint, or it is damaged; get it again."
        ) from error


def to_float(tensors: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
    """Plain tensors in float32; copies only where they are of another type.

    Raises:
        CheckpointMismatchError: one is sparse, quantised, complex, without values, larger than what the file stores
            (a view that repeats itself could fill the memory), or not finite in float32; ``source`` names them.
    """
    floats = {}
    for key, value in tensors.items():
        plain = value.device.type == "cpu" and value.layout is torch.strided
        if not plain or value.is_quantized or value.is_complex() or _outgrows_storage(value):
            raise CheckpointMismatchError(
                f"{source} stores {key} in a way no network does; save a plain state_dict and use that."
            )
        floats[key] = value.float()
        if not floats[key].isfinite().all():
            raise CheckpointMismatchError(
                f"{source} is damaged: {key} has values that are not finite numbers; get it again or train it again."
            )
    return floats


def _outgrows_storage(value: Tensor) -> bool:
    return value.numel() * value.element_size() > value.untyped_storage().nbytes()


def check_name(path: Path) -> None:
    """Refuse what a weight file cannot be called.

    Raises:
        ConfigError: it does not end in ``.safetensors``, or has bytes that are no text, which safetensors cannot open.
    """
    if path.suffix != ".safetensors":
        raise ConfigError(f"{path} is not named as a weight file; end its name in .safetensors.")
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{path} has letters that are not UTF-8; give the weight file another name.") from error


def packed(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file's content.

    Args:
        tensors: by name; none may share its storage with another.
        metadata: text by name.
    """
    return save({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, dict(metadata))


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file whole or not at all.

    Args:
        path: destination; replaced if it exists.
        tensors: by name.
        metadata: text by name.

    Raises:
        OpenError, OSError: as ``write_whole``.
    """
    write_whole(path, packed(tensors, metadata), overwrite=True)
