"""OpenCV, loaded late, and pictures as it takes them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidstyle.errors import VidstyleError

# Larger pictures than this OpenCV cannot address in every function.
_MAX_SIDE = 2**15 - 1


def load_opencv() -> Any:
    """The module ``cv2``.

    Loaded late, by whoever needs it: opencv-python links desktop libraries that a server may lack, and only work that
    needs OpenCV should trip over that.

    Raises:
        VidstyleError: OpenCV is not installed, or cannot be loaded.
    """
    try:
        return import_module("cv2")
    except ImportError as error:
        raise VidstyleError(
            f"OpenCV cannot be loaded ({error}); replace the package opencv-python by opencv-python-headless."
        ) from error


def pixels_of(image: Tensor) -> NDArray[np.float32] | None:
    """A picture as OpenCV takes it, over the same memory where its channels are interleaved already.

    Args:
        image: (N, C, H, W).

    Returns:
        (H, W, C) float32, or None where the work is torch's: on a GPU, of several pictures, in another dtype, with a
        gradient wanted.
    """
    is_plain = image.device.type == "cpu" and image.dtype == torch.float32 and not image.requires_grad
    if not is_plain or len(image) != 1 or max(image.shape) > _MAX_SIDE or image.shape[1] > 4:
        return None
    pixels: NDArray[np.float32]
    if image.shape[1] > 1 and image.is_contiguous():
        pixels = load_opencv().merge(list(image[0].numpy()))
    else:
        pixels = np.ascontiguousarray(image[0].permute(1, 2, 0).numpy())
    return pixels


def image_of(pixels: NDArray[np.float32]) -> Tensor:
    """(H, W) or (H, W, C) as an image of (1, C, H, W) over the same memory, its channels interleaved."""
    planes = torch.from_numpy(pixels)
    return planes[None, None] if pixels.ndim == 2 else planes.permute(2, 0, 1)[None]


def interleaved(image: Tensor) -> Tensor:
    """A copy of (N, C, H, W) with its channels interleaved, which is how OpenCV works on it in place."""
    pixels = pixels_of(image)
    if pixels is None:
        return image.clone(memory_format=torch.channels_last)
    return image_of(pixels.copy() if np.may_share_memory(pixels, image.numpy()) else pixels)


def to_channels_last(image: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, C, H, W) in another dtype with its channels interleaved, which is how convolutions are fast."""
    if image.device.type == "cpu" and image.is_contiguous():
        image = interleaved(image)  # which takes torch several times as long
    return image.to(dtype, memory_format=torch.channels_last)
