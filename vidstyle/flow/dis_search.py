"""Dense inverse search between two frames, by OpenCV."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidstyle.flow.grid import cell_size_px, scaled_size
from vidstyle.flow.propagation import propagate_flow
from vidstyle.imaging.opencv import image_of, load_opencv

Preset = Literal["ultrafast", "fast", "medium"]

#: BT.601 luma, which is what a viewer calls brightness in gamma-coded RGB.
_LUMA: Final = (0.299, 0.587, 0.114)
#: A frame is not reduced below this many pixels on its shorter side: fast motion of a small picture still needs detail.
_MIN_WORKING_SIDE: Final = 64
#: OpenCV derives its pyramid from the longer side and crashes on wide pictures whose height, at the finest level of
#: the presets (a quarter), is below the 8-pixel patch.
_MIN_SIDE: Final = 8 * 4
#: Of ``medium``: steps of a patch and variational refinements, at each scale, and pixels between patches of eight.
_DESCENTS, _REFINEMENTS, _STRIDE_PX = 12, 10, 3


class Grey(NamedTuple):
    """What a search needs of a frame.

    Attributes:
        pixels: 8-bit luma on the working grid, grown to the smallest picture OpenCV takes: (h, w).
        working: (height, width) of the working grid.
        size: (height, width) of the frame.
    """

    pixels: NDArray[Any]
    working: tuple[int, int]
    size: tuple[int, int]


class DisSearch:
    """OpenCV's dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016).

    What it finds is carried across outlines by ``propagate_flow``.

    Args:
        preset: how much work OpenCV spends. ``medium`` descends half as often as OpenCV's preset of that name, after
            which nothing moves, and refines twice as long, which steadies; the other two are OpenCV's own.
        scale: working resolution over frame resolution, in (0, 1].
        refinements: most variational refinements at each scale, where flow need not be exact.
        stride_px: least distance between patches, likewise.

    Raises:
        ValueError: an unknown preset or a scale outside (0, 1].
        VidstyleError: OpenCV is installed but cannot be loaded.
    """

    def __init__(
        self, preset: Preset, scale: float, *, refinements: int = _REFINEMENTS, stride_px: int = _STRIDE_PX
    ) -> None:
        if preset not in get_args(Preset):
            raise ValueError(f"preset must be one of {', '.join(get_args(Preset))}, got {preset!r}")
        if not 0 < scale <= 1:
            raise ValueError(f"scale must be in (0, 1], got {scale}")
        self._scale = scale
        self._cv2 = load_opencv()
        self._search = self._cv2.DISOpticalFlow_create(getattr(self._cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
        if preset == "medium":
            self._search.setGradientDescentIterations(_DESCENTS)
            self._search.setVariationalRefinementIterations(_REFINEMENTS)
        self._search.setVariationalRefinementIterations(
            min(self._search.getVariationalRefinementIterations(), refinements)
        )
        self._search.setPatchStride(max(self._search.getPatchStride(), stride_px))

    # What follows stays clear of torch on the CPU: its threads wait for each other actively, which costs more than the
    # work itself where decoder, encoder and network share the cores.

    def grey(self, frame: Tensor) -> Grey:
        """Reduce a (1, 3, H, W) frame, floating in [0, 1] or uint8, on any device, to what is searched."""
        cv2, size = self._cv2, (int(frame.shape[-2]), int(frame.shape[-1]))
        working = scaled_size(size, min(1.0, max(self._scale, _MIN_WORKING_SIDE / min(size))))
        grey = luma8(frame).cpu().numpy() if frame.device.type != "cpu" else self._luma(frame)
        height, width = working
        if grey.shape != working:
            grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        if grey.dtype != np.uint8:
            grey = np.rint(grey.clip(0, 1) * 255).astype(np.uint8)
        below, right = max(0, _MIN_SIDE - height), max(0, _MIN_SIDE - width)
        if below or right:
            grey = cv2.copyMakeBorder(grey, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return Grey(grey, working, size)

    def flow(self, source: Grey, target: Grey) -> Tensor:
        """Where each pixel of ``source`` is in ``target``: (1, 2, h, w) float32 pixels of the frame, on the CPU."""
        (height, width), ratio = source.working, cell_size_px(source.working, source.size)
        found = self._search.calc(source.pixels, target.pixels, None)
        flow = propagate_flow(found, source.pixels, target.pixels)[:height, :width]
        return image_of(self._cv2.multiply(flow, (*ratio, 0.0, 0.0)))

    def _luma(self, frame: Tensor) -> NDArray[Any]:
        """Luma of a frame on the CPU as (H, W) uint8 or float32, in the frame's own range."""
        pixels = frame.detach()[0]
        if pixels.dtype not in (torch.uint8, torch.float32):
            pixels = pixels.float()
        interleaved = pixels.stride(0) == 1 and pixels.stride(2) == 3  # as decoders deliver it: no copy needed
        rgb = pixels.permute(1, 2, 0).numpy() if interleaved else self._cv2.merge(list(pixels.numpy()))
        return np.asarray(self._cv2.cvtColor(rgb, self._cv2.COLOR_RGB2GRAY))


def luma8(frame: Tensor) -> Tensor:
    """Luma of (1, 3, H, W) RGB, floating in [0, 1] or uint8, as (H, W) uint8 on the same device."""
    gain = 1.0 if frame.dtype == torch.uint8 else 255.0
    red, green, blue = frame.detach()[0].unbind(0)
    luma = torch.mul(red, _LUMA[0] * gain).add_(green, alpha=_LUMA[1] * gain).add_(blue, alpha=_LUMA[2] * gain)
    return luma.round_().clamp_(0, 255).to(torch.uint8, memory_format=torch.contiguous_format)
