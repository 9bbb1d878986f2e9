"""Farnebäck's polynomial expansion: optical flow to judge with, since nothing is rendered with it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidstyle.flow.dis_search import luma8
from vidstyle.flow.grid import cell_size_px, checked_size, scaled_size
from vidstyle.imaging.opencv import load_opencv
from vidstyle.protocols import Motion

#: Widest grid worked on: beyond it time grows and what is found hardly changes.
_MAX_WORKING_SIDE: Final = 1280
#: OpenCV's pyramid wants more than a few pixels.
_MIN_SIDE: Final = 32
#: Added below and on the right: OpenCV gets the last row and column wrong, and its window spreads that inwards.
_BORDER: Final = 16
_SETTINGS: Final[dict[str, Any]] = {
    "pyr_scale": 0.5,
    "levels": 6,
    "winsize": 21,
    "iterations": 3,
    "poly_n": 7,
    "poly_sigma": 1.5,
    "flags": 0,
}


class FarnebackFlow:
    """OpenCV's Farnebäck flow (Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003).

    Slower than DIS and blurrier at outlines, but of another making: what a renderer's flow got wrong it does not get
    wrong in the same way, which is what judging asks for. ``push`` takes (1, 3, H, W) RGB, floating in [0, 1] or uint8,
    on any device. The flow it returns is (1, 2, h, w) float32 on the frame's device, in pixels of the frame. The
    frame's size may only change after ``reset``.

    Raises:
        VidstyleError: OpenCV is installed but cannot be loaded.
    """

    def __init__(self) -> None:
        self.name = "farneback"
        self._cv2 = load_opencv()
        self._frame_size: tuple[int, int] | None = None
        self._previous: NDArray[Any] | None = None

    def push(self, frame: Tensor) -> Motion | None:
        """Take the next frame; returns motion against the one before, None after ``reset``.

        Raises:
            ValueError: not a (1, 3, H, W) float or uint8 frame, or another size than the frame before.
        """
        size = checked_size(frame, self._frame_size)
        working = scaled_size(size, min(1.0, _MAX_WORKING_SIDE / max(size)))
        current = self._grey(frame, working)
        previous, self._previous, self._frame_size = self._previous, current, size
        if previous is None:
            return None
        ratio = np.array(cell_size_px(working, size), dtype=np.float32).reshape(2, 1, 1)

        def measure(source: NDArray[Any], target: NDArray[Any]) -> Tensor:
            flow = self._cv2.calcOpticalFlowFarneback(source, target, None, **_SETTINGS)[: working[0], : working[1]]
            return torch.from_numpy(np.multiply(flow.transpose(2, 0, 1)[None], ratio, order="C")).to(frame.device)

        return Motion(flow_backward=measure(current, previous), flow_forward=measure(previous, current))

    def reset(self) -> None:
        """Forget the frame before."""
        self._previous = self._frame_size = None

    def _grey(self, frame: Tensor, working: tuple[int, int]) -> NDArray[Any]:
        """8-bit luma on the working grid, with a border below and on the right."""
        grey: NDArray[Any] = luma8(frame).cpu().numpy()
        height, width = working
        if grey.shape != working:
            grey = self._cv2.resize(grey, (width, height), interpolation=self._cv2.INTER_AREA)
        below, right = max(_BORDER, _MIN_SIDE - height), max(_BORDER, _MIN_SIDE - width)
        bordered: NDArray[Any] = self._cv2.copyMakeBorder(grey, 0, below, 0, right, self._cv2.BORDER_REPLICATE)
        return bordered
