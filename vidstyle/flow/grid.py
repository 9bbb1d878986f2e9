"""What every estimator does with a frame on the way in and with a flow field on the way out."""

from __future__ import annotations

import torch
from torch import Tensor


def checked_size(frame: Tensor, previous: tuple[int, int] | None) -> tuple[int, int]:
    """(height, width) of a frame an estimator can take.

    Args:
        frame: what was pushed.
        previous: (height, width) of the frame before, None where there is none.

    Raises:
        ValueError: the frame is not (1, 3, H, W) floating or uint8, or its size changed without a ``reset``.
    """
    if frame.ndim != 4 or tuple(frame.shape[:2]) != (1, 3) or 0 in frame.shape:
        raise ValueError(f"a frame is (1, 3, H, W) with H and W at least 1, got {tuple(frame.shape)}")
    if not (frame.is_floating_point() or frame.dtype == torch.uint8):
        raise ValueError(f"a frame is floating point in [0, 1] or uint8, got {frame.dtype}")
    size = (int(frame.shape[2]), int(frame.shape[3]))
    if previous not in (None, size):
        raise ValueError(f"the frame before was {previous} high and wide and this one is {size}; call reset() first")
    return size


def scaled_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) of the working grid: ``size`` times ``scale``, at least one pixel each way."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def cell_size_px(working: tuple[int, int], size: tuple[int, int]) -> tuple[float, float]:
    """(x, y) pixels of a frame of ``size`` that one cell of its working grid spans; both sizes are (height, width)."""
    return size[1] / working[1], size[0] / working[0]
