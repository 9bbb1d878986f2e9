"""Torchvision's RAFT, run along a stream instead of pair by pair."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.flow.grid import cell_size_px, checked_size, scaled_size
from vidstyle.flow.raft_weights import RaftModel, load_raft, resolve_raft_weights
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.imaging.warp import pixel_grid
from vidstyle.protocols import Motion

#: The encoders reduce by this factor.
_STRIDE: Final = 8
#: Four pyramid levels, the last at least 2x2, of maps at an eighth of the picture.
_MIN_SIDE: Final = 128
#: The correlation volume grows with the square of the picture's area: 0.75 GB for both directions at 960x540.
_MAX_WORKING_PIXELS: Final = 960 * 544


class _Encoded(NamedTuple):
    """What one frame contributes to the pair with the frame before and to the pair with the frame after."""

    features: Tensor  # (1, C, h/8, w/8) float32, to be correlated
    hidden: Tensor  # (1, K, h/8, w/8) first state of the recurrent unit
    context: Tensor  # (1, L, h/8, w/8)


class RaftFlow:
    """RAFT (Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020).

    The flow equals what torchvision's model computes for the pair, at less cost: each frame is encoded once, both
    directions share one correlation volume (the reverse one is its transpose) and are refined as one batch, and
    only the last refinement is brought to full resolution.

    ``push`` takes (1, 3, H, W) RGB, floating in [0, 1] or uint8, on any device, from 1x1 up (padding brings it to
    RAFT's 128-pixel minimum). The flow it returns is (1, 2, h, w) float32 on the estimator's device, on the working
    grid and in pixels of the frame. The frame's size may only change after ``reset``.

    Args:
        model: ``small`` or ``large``.
        weights: weight file; None takes torchvision's from torch's cache.
        allow_download: fetch torchvision's weights where they are not cached.
        device: torch device to work on.
        dtype: of the networks; correlation and coordinates stay float32.
        num_updates: refinements a pair.
        scale: working resolution over frame resolution, in (0, 1]; None works on the frame itself up to 960x544
            pixels and on a reduced one beyond, which bounds memory.

    Raises:
        ValueError: an unknown model, or ``num_updates`` or ``scale`` out of range.
        WeightsNotFoundError: no weights, or the download failed.
        UnsupportedCheckpointError: the weight file is damaged or wants to run code.
        CheckpointMismatchError: the weight file belongs to another network.
    """

    def __init__(
        self,
        model: RaftModel = "small",
        *,
        weights: Path | None = None,
        allow_download: bool = False,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        num_updates: int = 12,
        scale: float | None = None,
    ) -> None:
        if model not in get_args(RaftModel):
            raise ValueError(f"model must be one of {', '.join(get_args(RaftModel))}, got {model!r}")
        if num_updates < 1:
            raise ValueError(f"num_updates must be at least 1, got {num_updates}")
        if scale is not None and not 0 < scale <= 1:
            raise ValueError(f"scale must be in (0, 1], got {scale}")
        self.name = f"raft-{model}"
        self._device = torch.device(device)
        self._dtype = dtype
        self._num_updates = num_updates
        self._scale = scale
        network = load_raft(model, resolve_raft_weights(model, weights, allow_download=allow_download))
        self._network = network.to(device=self._device, dtype=dtype)
        self._frame_size: tuple[int, int] | None = None
        self._previous: _Encoded | None = None

    def push(self, frame: Tensor) -> Motion | None:
        """Take the next frame; returns motion against the one before, None after ``reset``.

        Raises:
            ValueError: not a (1, 3, H, W) float or uint8 frame, or another size than the frame before.
        """
        size = checked_size(frame, self._frame_size)
        with torch.inference_mode():
            picture = self._working_picture(frame, size)
            padded, crop = pad_to_multiple(picture, _STRIDE, _MIN_SIDE)
            current = self._encode(padded)
            previous, self._previous, self._frame_size = self._previous, current, size
            if previous is None:
                return None
            flow = crop(self._refine(current, previous))
        # Scaled outside inference mode, so that what leaves here are ordinary tensors.
        ratio = torch.tensor(cell_size_px((crop.height, crop.width), size), device=self._device).view(1, 2, 1, 1)
        return Motion(flow_backward=flow[:1] * ratio, flow_forward=flow[1:] * ratio)

    def reset(self) -> None:
        """Forget the frame before."""
        self._previous = self._frame_size = None

    def _working_picture(self, frame: Tensor, size: tuple[int, int]) -> Tensor:
        """The frame on the working grid in [-1, 1], as RAFT was trained: (1, 3, h, w) float32."""
        gain = 2 / 255 if frame.dtype == torch.uint8 else 2.0
        picture = frame.to(self._device).float() * gain - 1
        scale = self._scale or min(1.0, math.sqrt(_MAX_WORKING_PIXELS / (size[0] * size[1])))
        working = scaled_size(size, scale)
        if working == size:
            return picture
        return F.interpolate(picture, size=working, mode="bilinear", align_corners=False, antialias=True)

    def _encode(self, picture: Tensor) -> _Encoded:
        picture = picture.to(self._dtype)
        features = self._network.feature_encoder(picture).float()
        hidden_size = self._network.update_block.hidden_state_size
        hidden, context = self._network.context_encoder(picture).tensor_split([hidden_size], dim=1)
        return _Encoded(features, torch.tanh(hidden), F.relu(context))

    def _refine(self, current: _Encoded, previous: _Encoded) -> Tensor:
        """Flow of (current to previous, previous to current): (2, 2, h, w) float32 pixels of the padded picture."""
        network = self._network
        height, width = current.features.shape[-2:]
        start = pixel_grid(height, width, self._device).expand(2, -1, -1, -1)
        hidden = torch.cat([current.hidden, previous.hidden])
        context = torch.cat([current.context, previous.context])
        network.corr_block.corr_pyramid = _correlation_pyramid(
            current.features, previous.features, network.corr_block.num_levels
        )
        flow = torch.zeros_like(start)
        for _ in range(self._num_updates):
            correlation = network.corr_block.index_pyramid(start + flow)
            hidden, delta = network.update_block(hidden, context, correlation.to(self._dtype), flow.to(self._dtype))
            flow = flow + delta.float()
        network.corr_block.corr_pyramid = []  # by far the largest tensors; do not hold them until the next pair
        return _upsample(flow, hidden, network.mask_predictor)


def _correlation_pyramid(source: Tensor, target: Tensor, num_levels: int) -> list[Tensor]:
    """All-pairs correlation in both directions (RAFT, section 3.2), as torchvision's corr_block stores it.

    Args:
        source: (1, C, h, w) float32 features.
        target: the same of the other frame.
        num_levels: levels; each halves the target's resolution.

    Returns:
        Tensors (2 h w, 1, h / 2**level, w / 2**level): source against target, then target against source.
    """
    channels, height, width = source.shape[1:]
    num_positions = height * width
    volume = source.new_empty(2, num_positions, num_positions)
    torch.mm(source.view(channels, -1).t() / math.sqrt(channels), target.view(channels, -1), out=volume[0])
    volume[1].copy_(volume[0].t())
    pyramid = [volume.view(2 * num_positions, 1, height, width)]
    for _ in range(num_levels - 1):
        pyramid.append(F.avg_pool2d(pyramid[-1], kernel_size=2))
    return pyramid


def _upsample(flow: Tensor, hidden: Tensor, mask_predictor: Any | None) -> Tensor:
    """Bring (N, 2, h, w) flow to (N, 2, 8 h, 8 w), values included.

    RAFT-small interpolates with aligned corners, as it was trained. RAFT-large takes a learned convex combination of
    the 3x3 neighbours for each of the 64 positions (section 3.3 and appendix B).
    """
    batch, _, height, width = flow.shape
    if mask_predictor is None:
        size = (height * _STRIDE, width * _STRIDE)
        return F.interpolate(flow * _STRIDE, size=size, mode="bilinear", align_corners=True)
    weights = mask_predictor(hidden).float().view(batch, 9, _STRIDE**2, height, width).softmax(dim=1)
    neighbours = F.unfold(flow * _STRIDE, kernel_size=3, padding=1).view(batch, 2, 9, height, width)
    fine = torch.einsum("nkphw,nckhw->ncphw", weights, neighbours)
    return F.pixel_shuffle(fine.reshape(batch, 2 * _STRIDE**2, height, width), _STRIDE)
