"""Carrying flow across the edge of what moves, where it matches better: searches by patches bleed over outlines."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vidstyle.imaging.opencv import load_opencv
from vidstyle.imaging.warp import interleaved_grid

#: Whose flow a pixel may take over: about as far as a patch of dense inverse search reaches in its medium preset.
_REACH: Final = 12
_OFFSETS: Final = ((_REACH, 0), (-_REACH, 0), (0, _REACH), (0, -_REACH))
#: Small, because at an outline a larger window holds both motions.
_WINDOW: Final = (3, 3)
#: Another's flow must match this much better, as a share and in grey levels, or noise would decide.
_MARGIN_SHARE, _MARGIN_LEVELS = 0.15, 0.5
#: Grey levels that the mean must change by to count as a change of light: what comes and goes changes it, too.
_CHANGE_OF_LIGHT: Final = 2.0


def propagate_flow(flow: NDArray[np.float32], source: NDArray[Any], target: NDArray[Any]) -> NDArray[np.float32]:
    """Give each pixel its neighbours' flow where that matches better than its own.

    The propagation step of PatchMatch (Barnes et al., SIGGRAPH 2009, section 3.2) over a fixed distance, to four sides
    and once: near an outline the flow on one side was measured with patches that reach over to the other, while a few
    pixels further in it is right. The match is the mean absolute difference over 3x3 pixels. Where light has changed,
    the source is given the target's brightness and contrast first: the search itself does not mind a fade, and pixels
    must not take over wrong motion that makes up for one.

    Args:
        flow: (h, w, 2) float32 pixels (dx, dy), from source to target.
        source: (h, w) uint8.
        target: (h, w) uint8.

    Returns:
        (h, w, 2) float32.
    """
    cv2 = load_opencv()
    height, width = source.shape
    reach, edge = _REACH, cv2.BORDER_REPLICATE
    around = cv2.copyMakeBorder(flow, reach, reach, reach, reach, edge)
    positions = around + interleaved_grid(*around.shape[:2])
    wide = cv2.copyMakeBorder(target, 2 * reach, 2 * reach, 2 * reach, 2 * reach, edge)

    def at(field: NDArray[np.float32], dx: int, dy: int) -> NDArray[np.float32]:
        return field[reach + dy : reach + dy + height, reach + dx : reach + dx + width]

    def moved(dx: int, dy: int) -> NDArray[Any]:
        """The target along flow from an offset, whose positions lead that much too far: so the target is shifted."""
        shifted = wide[reach - dy :, reach - dx :]
        return np.asarray(cv2.remap(shifted, at(positions, dx, dy), None, cv2.INTER_LINEAR, borderMode=edge))

    def mismatch(picture: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(cv2.boxFilter(cv2.absdiff(picture, lit), cv2.CV_32F, _WINDOW))

    own = moved(0, 0)
    lit = _lit_like(source, own)
    chosen = flow.copy()
    least = mismatch(own)
    least *= 1 - _MARGIN_SHARE
    least -= _MARGIN_LEVELS
    for dx, dy in _OFFSETS:
        found = mismatch(moved(dx, dy))
        is_better = cv2.compare(found, least, cv2.CMP_LT)
        cv2.copyTo(at(around, dx, dy), is_better, chosen)
        cv2.copyTo(found, is_better, least)
    return chosen


def _lit_like(picture: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """The picture with the mean and deviation of another where their means differ, itself elsewhere: (h, w) uint8."""
    (mean, deviation), (wanted_mean, wanted_deviation) = (
        [float(value.item()) for value in load_opencv().meanStdDev(each)] for each in (picture, other)
    )
    if abs(wanted_mean - mean) <= _CHANGE_OF_LIGHT:
        return picture
    gain = wanted_deviation / max(deviation, 1.0)
    lit: NDArray[Any] = ((picture - mean) * gain + wanted_mean).round().clip(0, 255).astype(np.uint8)
    return lit
