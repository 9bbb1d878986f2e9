"""Carrying flow across the edge of what moves, where it matches better: searches by patches bleed over outlines."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vidstyle.imaging.opencv import load_opencv
from vidstyle.imaging.warp import interleaved_grid

#: Whose flow a pixel may take over: a patch of dense inverse search reaches about as far.
_REACH: Final = 12
_OFFSETS: Final = ((_REACH, 0), (-_REACH, 0), (0, _REACH), (0, -_REACH))
#: Small, because at an outline a larger window holds both motions.
_WINDOW: Final = (3, 3)
#: Another's flow must match this much better, as a share and in grey levels, or noise would decide.
_MARGIN_SHARE, _MARGIN_LEVELS = 0.15, 0.5


def propagate_flow(flow: NDArray[np.float32], source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float32]:
    """Give each pixel its neighbours' flow where that matches better than its own.

    The propagation step of PatchMatch (Barnes et al., SIGGRAPH 2009, section 3.2) over a fixed distance, to four sides
    and once: near an outline the flow on one side was measured with patches that reach over to the other, while a few
    pixels further in it is right. The match is the mean absolute difference over 3x3 pixels.

    Args:
        flow: (h, w, 2) pixels (dx, dy), from source to target.
        source: (h, w) uint8.
        target: (h, w) uint8.

    Returns:
        (h, w, 2).
    """
    cv2 = load_opencv()
    height, width = source.shape
    grid = interleaved_grid(height, width)

    def mismatch(candidate: NDArray[np.float32]) -> NDArray[np.float32]:
        moved = cv2.remap(target, candidate + grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        means: NDArray[np.float32] = cv2.boxFilter(cv2.absdiff(moved, source), cv2.CV_32F, _WINDOW)
        return means

    chosen = flow.copy()
    least = mismatch(flow) * np.float32(1 - _MARGIN_SHARE) - np.float32(_MARGIN_LEVELS)
    around = cv2.copyMakeBorder(flow, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
    for dx, dy in _OFFSETS:
        candidate = around[_REACH + dy : _REACH + dy + height, _REACH + dx : _REACH + dx + width]
        found = mismatch(candidate)
        is_better = cv2.compare(found, least, cv2.CMP_LT)
        cv2.copyTo(candidate, is_better, chosen)
        cv2.copyTo(found, is_better, least)
    return chosen
