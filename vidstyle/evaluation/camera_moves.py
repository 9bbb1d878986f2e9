"""A still picture under a moving camera: pan, zoom and rotation, with exact flow and hardly any error of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.lens import MARGIN_PX, SUPERSAMPLING, as_flow, dense_positions, develop, pixel_positions
from vidstyle.evaluation.rendered import sample_scene
from vidstyle.evaluation.texture import Array
from vidstyle.imaging.warp import sample_at

CameraMove = Literal["pan", "zoom", "rotation"]

CAMERA_MOVES: tuple[CameraMove, ...] = ("pan", "zoom", "rotation")

# The fastest pixel moves 2 to 4 at 640x360, and neither one frame nor five of the pan are whole pixels.
_PAN_PX = (2.3, 0.7)  # a frame, at a width of 640
_ZOOM = 0.007  # a frame, relative
_TURN_DEGREES = 0.5  # a frame
_TURN_BACK = 47  # frames after which the camera goes back the way it came
_SCENE_FRAME: dict[CameraMove, int] = {"pan": 110, "zoom": 40, "rotation": 110}
EDGE_PX = 1e-6  # rounding must not put the picture's border outside it


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a frame lies on the picture: a position x of the frame, from its centre, is at ``matrix`` x + ``offset``.

    Attributes:
        matrix: (2, 2) row by row; the identity shows the picture as large as it was laid out.
        offset: (x, y) of the frame's centre, in pixels of the frame.
    """

    matrix: tuple[tuple[float, float], tuple[float, float]] = ((1.0, 0.0), (0.0, 1.0))
    offset: tuple[float, float] = (0.0, 0.0)

    def place(self, positions: Array) -> Array:
        """(N, 2) positions from the frame's centre to the picture's plane."""
        placed: Array = positions @ np.asarray(self.matrix).T + np.asarray(self.offset)
        return placed

    def find(self, points: Array) -> Array:
        """The inverse of ``place``."""
        found: Array = (points - np.asarray(self.offset)) @ np.linalg.inv(np.asarray(self.matrix)).T
        return found


class PictureSequence:
    """A picture seen along a camera path: a ``SyntheticSequence`` without cuts and without anything hidden.

    The picture is laid out so that the frames together just fit on it: the larger it is, the sharper they are, up to
    two of its pixels for one of a frame. Each frame is read bicubically at twice its size and halved with a binomial
    low-pass, as soft as a lens, so that a warp can reproduce it at any fraction of a pixel: what an estimate of
    flicker has left is not the source's own.

    Args:
        picture: (3, H, W) RGB in [0, 1].
        path: from frame index to pose.
        num_frames: how many frames there are.
        size: (width, height) of the frames in pixels.
        fps: frames per second.

    Raises:
        ValueError: no frame, or a picture or frame below 2x2.
    """

    cuts: tuple[int, ...] = ()

    def __init__(
        self,
        picture: Tensor,
        path: Callable[[int], Pose],
        num_frames: int = 48,
        size: tuple[int, int] = (640, 360),
        fps: Fraction = Fraction(24),
    ) -> None:
        if num_frames < 1:
            raise ValueError(f"a sequence has at least one frame, got {num_frames}")
        if min(size) < 2 or picture.ndim != 3 or min(picture.shape[-2:]) < 2:
            raise ValueError(f"a picture is at least 2x2, got frames of {size} from {tuple(picture.shape)}")
        self.num_frames, self.size, self.fps = num_frames, size, fps
        self._poses = [path(index) for index in range(num_frames)]
        half = np.asarray(size) / 2 + MARGIN_PX
        corners = half * np.asarray([(-1, -1), (1, -1), (-1, 1), (1, 1)])
        seen = np.concatenate([pose.place(corners) for pose in self._poses])
        self._middle = (seen.min(0) + seen.max(0)) / 2
        extent = seen.max(0) - seen.min(0)
        scale = min(picture.shape[-1] / extent[0], picture.shape[-2] / extent[1])
        if scale > SUPERSAMPLING:  # reading with gaps would alias
            height, width = (max(round(side * SUPERSAMPLING / scale), 2) for side in picture.shape[-2:])
            picture = F.interpolate(picture[None].float(), (height, width), mode="bicubic", antialias=True)[0]
            scale = min(width / extent[0], height / extent[1])
        self._picture = picture[None].float().clamp(0, 1)
        self._scale = scale

    def frame(self, index: int) -> Tensor:
        """Frame ``index`` as (3, H, W) uint8 RGB."""
        positions, shape = dense_positions(self.size)
        points = (self._pose(index).place(positions) - self._middle) * self._scale
        height, width = self._picture.shape[-2:]
        points += np.asarray([(width - 1) / 2, (height - 1) / 2])
        position = torch.from_numpy(points.astype(np.float32)).T.reshape(1, 2, *shape)
        return develop(sample_at(self._picture, position))

    def flow(self, source_index: int, target_index: int) -> tuple[Tensor, Tensor]:
        """Exact motion from one frame to another; see ``SyntheticSequence.flow``."""
        source, target = self._pose(source_index), self._pose(target_index)
        positions = pixel_positions(self.size)
        reached = target.find(source.place(positions))
        limit = (np.asarray(self.size) - 1) / 2 + EDGE_PX
        return as_flow(reached - positions, np.all(np.abs(reached) <= limit, axis=1), self.size)

    def _pose(self, index: int) -> Pose:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a sequence of {self.num_frames}")
        return self._poses[index]


def camera_move(
    kind: CameraMove, size: tuple[int, int] = (640, 360), num_frames: int = 48, picture: Tensor | None = None
) -> PictureSequence:
    """A pan, a zoom or a rotation over a picture; the camera turns back every 48 frames.

    At 640x360 the fastest pixel moves 2.4 px a frame in the pan and the zoom and 3.2 px in the rotation; speeds in
    pixels grow with the size.

    Args:
        kind: which move.
        size: (width, height) in pixels.
        num_frames: how many frames.
        picture: (3, H, W) RGB in [0, 1], best twice as large as the frames; a frame of the sample scene by default.

    Raises:
        ValueError: an unknown move, no frame, or a picture or frame below 2x2.
    """
    if kind not in CAMERA_MOVES:
        raise ValueError(f"a camera move is one of {', '.join(CAMERA_MOVES)}, got {kind!r}")
    if picture is None:
        picture = scene_picture(_SCENE_FRAME[kind], *size)

    def pose(index: int) -> Pose:
        steps = there_and_back(index)
        if kind == "pan":
            step = size[0] / 640 * steps
            return Pose(offset=(_PAN_PX[0] * step, _PAN_PX[1] * step))
        if kind == "zoom":
            scale = math.exp(-_ZOOM * steps)
            return Pose(((scale, 0.0), (0.0, scale)))
        # Level in the middle of the ride, so that the least of the picture is needed.
        angle = math.radians(_TURN_DEGREES * (steps - _TURN_BACK / 2))
        sine, cosine = math.sin(angle), math.cos(angle)
        return Pose(((cosine, -sine), (sine, cosine)))

    return PictureSequence(picture, pose, num_frames, size)


def there_and_back(index: float) -> float:
    """Steps of the camera from where it started: it turns back every 48 frames, so that a sequence may be endless."""
    return _TURN_BACK - abs(index % (2 * _TURN_BACK) - _TURN_BACK)


@cache
def scene_picture(index: int, width: int, height: int) -> Tensor:
    """Frame ``index`` of the sample scene at twice the size, (3, 2 height, 2 width) in [0, 1]; rendered once."""
    return sample_scene(2 * width, 2 * height).frame(index).float() / 255
