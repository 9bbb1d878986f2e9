"""Moving pictures along optical flow."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidstyle.imaging.opencv import image_of, load_opencv, pixels_of
from vidstyle.imaging.pyramid import enlarge

#: Scattered samples are read as a picture of this width, whose height OpenCV limits to 32,766.
_SAMPLES_A_ROW = 4096


def pixel_grid(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """(1, 2, H, W) float32 pixel coordinates (x, y)."""
    y = torch.arange(height, dtype=torch.float32, device=device)
    x = torch.arange(width, dtype=torch.float32, device=device)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))[None]


def sample_at(image: Tensor, position: Tensor, mode: Literal["bilinear", "bicubic"] = "bicubic") -> Tensor:
    """Read a picture at fractional positions; outside it the border pixel repeats.

    Args:
        image: (N, C, H, W), floating.
        position: (N, 2, h, w) float32 pixel coordinates (x, y) in ``image``; kept in float32 because half precision
            cannot address a pixel beyond 2048.
        mode: bicubic keeps texture through repeated warps; bilinear cannot overshoot.

    Returns:
        (N, C, h, w) with the dtype of ``image``. Bicubic may leave the input's range by a little.
    """
    height, width = image.shape[-2:]
    # grid_sample with align_corners=False puts pixel i at (2 i + 1) / size - 1.
    x, y = position.unbind(1)
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    return F.grid_sample(image.float(), grid, mode=mode, padding_mode="border", align_corners=False).to(image.dtype)


def backward_warp(image: Tensor, flow: Tensor, mode: Literal["bilinear", "bicubic"] = "bicubic") -> Tensor:
    """Pull a picture along flow: result(x) = image(x + flow(x)).

    Args:
        image: (N, C, H, W), floating.
        flow: (N, 2, H, W) float32 pixels (dx, dy).
        mode: see ``sample_at``.

    Returns:
        (N, C, H, W) with the dtype of ``image``.
    """
    return sample_at(image, flow + pixel_grid(flow.shape[-2], flow.shape[-1], flow.device), mode)


def swift_warp(image: Tensor, flow: Tensor, mode: Literal["bilinear", "bicubic"] = "bicubic") -> Tensor:
    """``backward_warp`` to a thirty-second of a pixel, which on a CPU takes a third of the time.

    Flow is not known that exactly, so that a render loses nothing; a measurement would.
    """
    pixels, offsets = pixels_of(image), pixels_of(flow)
    if pixels is None or offsets is None:
        return backward_warp(image, flow, mode)
    cv2 = load_opencv()
    positions = offsets + interleaved_grid(flow.shape[-2], flow.shape[-1])
    interpolation = cv2.INTER_CUBIC if mode == "bicubic" else cv2.INTER_LINEAR
    return image_of(cv2.remap(pixels, positions, None, interpolation, borderMode=cv2.BORDER_REPLICATE))


def swift_samples(image: Tensor, points: Tensor) -> Tensor:
    """``sample_at`` scattered points, bicubic and as exactly as ``swift_warp``.

    Args:
        image: (1, C, H, W), floating.
        points: (n, 2) float32 pixel coordinates (x, y) in ``image``.

    Returns:
        (n, C) with the dtype of ``image``.
    """
    pixels = pixels_of(image)
    if pixels is None:
        return sample_at(image, points.T[None, :, None])[0, :, 0].T
    num = len(points)
    positions = np.zeros((-(-num // _SAMPLES_A_ROW), _SAMPLES_A_ROW, 2), np.float32)
    positions.reshape(-1, 2)[:num] = points.numpy()
    cv2 = load_opencv()
    found = cv2.remap(pixels, positions, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(found.reshape(-1, image.shape[1])[:num])


@lru_cache(maxsize=16)  # a frame is worked on at half a dozen sizes
def interleaved_grid(height: int, width: int) -> NDArray[np.float32]:
    """(H, W, 2) float32 pixel coordinates (x, y); read only, for it is shared."""
    grid = np.ascontiguousarray(pixel_grid(height, width)[0].permute(1, 2, 0).numpy())
    grid.flags.writeable = False
    return grid


def points_inside(flow: Tensor, slack_px: float = 0.0) -> Tensor:
    """Where (N, 2, H, W) flow in pixels leads to a point of the frame, or outside by no more than ``slack_px``.

    Returns:
        (N, 1, H, W) bool.
    """
    height, width = flow.shape[-2:]
    # Each axis by itself: where channels are interleaved, torch is slow with both at once.
    x = flow[:, :1] + torch.arange(width, device=flow.device)
    y = flow[:, 1:] + torch.arange(height, device=flow.device)[:, None]
    # Clamped is where it was: one comparison instead of two.
    return (x == x.clamp(-slack_px, width - 1 + slack_px)) & (y == y.clamp(-slack_px, height - 1 + slack_px))


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a flow field onto another (height, width) grid; values stay as they are, in pixels of the frame."""
    if tuple(flow.shape[-2:]) == size:
        return flow
    return enlarge(flow, size)
