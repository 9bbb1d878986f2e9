"""Telling that memory ran out: torch, NumPy and OpenCV each say so in a way of their own."""

from __future__ import annotations

import torch

_TEXTS = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "Insufficient memory",  # OpenCV, whose errors are no ``RuntimeError``
)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error means that the device or the machine has no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in _TEXTS)
