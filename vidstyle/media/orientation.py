"""The display matrix: how a player turns and mirrors a stored picture."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from av import VideoFrame as AVFrame

from vidstyle.media.side_data import side_data

_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Orientation:
    """Mirror left to right first, then rotate counter-clockwise.

    Attributes:
        rotation_degrees: 0, 90, 180 or 270, counter-clockwise.
        flipped: mirrored left to right before the rotation.
    """

    rotation_degrees: int = 0
    flipped: bool = False

    def apply(self, picture: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
        """Turn a stored (C, H, W) picture upright; contiguous, and the same array where nothing is to be done."""
        if self.flipped:
            picture = picture[..., ::-1]
        return np.ascontiguousarray(np.rot90(picture, self.rotation_degrees // 90, axes=(-2, -1)))


def parse_display_matrix(matrix: bytes) -> Orientation | None:
    """Read FFmpeg's 3x3 display matrix (nine little-endian 32-bit integers).

    A point (p, q), q down, goes to (a p + c q, b p + d q). Returns None for a matrix that is no quarter turn or mirror
    image of the picture, such as a rotation by 30 degrees.
    """
    a, b, _, c, d, *_ = struct.unpack("<9i", matrix[:36])
    scale = math.sqrt(abs(a * d - b * c))
    if scale == 0:
        return None
    linear = np.array([[a, c], [b, d]]) / scale
    for flipped in (False, True):
        for quarter_turns in range(4):
            cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarter_turns]
            expected = np.array([[cos, sin], [-sin, cos]]) @ np.diag([-1 if flipped else 1, 1])
            if np.abs(linear - expected).max() < _TOLERANCE:
                return Orientation(quarter_turns * 90, flipped)
    return None


def orientation_of(frame: AVFrame) -> Orientation | None:
    """Orientation a decoded frame asks for; None where its matrix is no quarter turn or mirror image."""
    matrix = side_data(frame, "DISPLAYMATRIX")
    return Orientation() if matrix is None else parse_display_matrix(matrix)
