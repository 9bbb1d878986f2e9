"""Dense inverse search: optical flow on the CPU that needs no weights."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidstyle.flow.grid import cell_size_px, checked_size, scaled_size
from vidstyle.flow.propagation import propagate_flow
from vidstyle.imaging.opencv import image_of, load_opencv
from vidstyle.protocols import Motion

Preset = Literal["ultrafast", "fast", "medium"]

#: BT.601 luma, which is what a viewer calls brightness in gamma-coded RGB.
_LUMA: Final = (0.299, 0.587, 0.114)
#: A frame is not reduced below this many pixels on its shorter side: fast motion of a small picture still needs detail.
_MIN_WORKING_SIDE: Final = 64
#: OpenCV derives its pyramid from the longer side and crashes on wide pictures whose height, at the finest level of
#: the presets (a quarter), is below the 8-pixel patch.
_MIN_SIDE: Final = 8 * 4


class DisFlow:
    """OpenCV's dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016).

    What it finds is carried across outlines by ``propagate_flow``.

    ``push`` takes (1, 3, H, W) RGB, floating in [0, 1] or uint8, on any device and in any memory layout, from 1x1 up.
    The flow it returns is (1, 2, h, w) float32 on the frame's device, on the working grid of about ``scale`` times the
    frame and in pixels of the frame. The frame's size may only change after ``reset``.

    Args:
        preset: how much work OpenCV spends. ``medium`` refines twice as long as OpenCV's preset of that name, which
            costs little and steadies more; the other two are OpenCV's own.
        scale: working resolution over frame resolution, in (0, 1].

    Raises:
        ValueError: an unknown preset or a scale outside (0, 1].
        VidstyleError: OpenCV is installed but cannot be loaded.
    """

    def __init__(self, preset: Preset = "medium", *, scale: float = 0.71) -> None:
        if preset not in get_args(Preset):
            raise ValueError(f"preset must be one of {', '.join(get_args(Preset))}, got {preset!r}")
        if not 0 < scale <= 1:
            raise ValueError(f"scale must be in (0, 1], got {scale}")
        self.name = f"dis-{preset}"
        self._scale = scale
        self._cv2 = load_opencv()
        self._search = self._cv2.DISOpticalFlow_create(getattr(self._cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
        if preset == "medium":
            self._search.setVariationalRefinementIterations(10)
        self._frame_size: tuple[int, int] | None = None
        self._previous: NDArray[Any] | None = None

    def push(self, frame: Tensor) -> Motion | None:
        """Take the next frame; returns motion against the one before, None after ``reset``.

        Raises:
            ValueError: not a (1, 3, H, W) float or uint8 frame, or another size than the frame before.
        """
        size = checked_size(frame, self._frame_size)
        working = scaled_size(size, min(1.0, max(self._scale, _MIN_WORKING_SIDE / min(size))))
        current = self._grey(frame, working)
        previous, self._previous, self._frame_size = self._previous, current, size
        if previous is None:
            return None
        # One after the other: OpenCV already spreads a single search over all cores, a second thread gains nothing.
        ratio = cell_size_px(working, size)
        return Motion(
            flow_backward=self._measure(current, previous, working, ratio).to(frame.device),
            flow_forward=self._measure(previous, current, working, ratio).to(frame.device),
        )

    def reset(self) -> None:
        """Forget the frame before."""
        self._previous = self._frame_size = None

    # What follows stays clear of torch on the CPU: its threads wait for each other actively, which costs more than the
    # work itself where decoder, encoder and network share the cores.

    def _grey(self, frame: Tensor, working: tuple[int, int]) -> NDArray[Any]:
        """8-bit luma on the working grid, grown to the smallest picture OpenCV takes: an (h, w) array."""
        cv2 = self._cv2
        grey = luma8(frame).cpu().numpy() if frame.device.type != "cpu" else self._luma(frame)
        height, width = working
        if grey.shape != working:
            grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        if grey.dtype != np.uint8:
            grey = np.rint(grey.clip(0, 1) * 255).astype(np.uint8)
        below, right = max(0, _MIN_SIDE - height), max(0, _MIN_SIDE - width)
        if below or right:
            grey = cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return grey

    def _luma(self, frame: Tensor) -> NDArray[Any]:
        """Luma of a frame on the CPU as (H, W) uint8 or float32, in the frame's own range."""
        pixels = frame.detach()[0]
        if pixels.dtype not in (torch.uint8, torch.float32):
            pixels = pixels.float()
        interleaved = pixels.stride(0) == 1 and pixels.stride(2) == 3  # as decoders deliver it: no copy needed
        rgb = pixels.permute(1, 2, 0).numpy() if interleaved else self._cv2.merge(list(pixels.numpy()))
        return np.asarray(self._cv2.cvtColor(rgb, self._cv2.COLOR_RGB2GRAY))

    def _measure(
        self, source: NDArray[Any], target: NDArray[Any], working: tuple[int, int], ratio: tuple[float, float]
    ) -> Tensor:
        flow = propagate_flow(self._search.calc(source, target, None), source, target)[: working[0], : working[1]]
        return image_of(self._cv2.multiply(flow, (*ratio, 0.0, 0.0)))


def luma8(frame: Tensor) -> Tensor:
    """Luma of (1, 3, H, W) RGB, floating in [0, 1] or uint8, as (H, W) uint8 on the same device."""
    gain = 1.0 if frame.dtype == torch.uint8 else 255.0
    red, green, blue = frame.detach()[0].unbind(0)
    luma = torch.mul(red, _LUMA[0] * gain).add_(green, alpha=_LUMA[1] * gain).add_(blue, alpha=_LUMA[2] * gain)
    return luma.round_().clamp_(0, 255).to(torch.uint8, memory_format=torch.contiguous_format)
