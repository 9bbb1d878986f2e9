"""The exact-flow suite: sequences whose motion and occlusion are known at every pixel, to measure flicker against.

Every sequence is a ``SyntheticSequence``: ``frame(t)`` is made when it is asked for and the same in every run, and
``flow(t, t')`` is exact in both directions and over any number of frames, (2, H, W) float32 pixels with (1, H, W) bool
that says where it holds: where the point is neither hidden nor outside in t'. ``walk`` goes along one lazily.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from torch import Tensor

from vidstyle.evaluation.camera_moves import Pose, camera_move, scene_picture, there_and_back
from vidstyle.evaluation.degradations import Joined, MotionBlurred, Noisy, Relit, sway
from vidstyle.evaluation.layers import Layer, LayeredSequence, Placement, Ripple
from vidstyle.evaluation.lens import SUPERSAMPLING
from vidstyle.evaluation.rendered import RenderedSequence, sample_scene
from vidstyle.evaluation.sequences import SequenceStep, SyntheticSequence, walk
from vidstyle.evaluation.suite_scenes import foreground, parallax

__all__ = [
    "SUITE",
    "RenderedSequence",
    "SequenceStep",
    "SyntheticSequence",
    "sample_scene",
    "suite_sequence",
    "walk",
]

_LAKE, _HARBOUR = 40, 110  # frames of the sample scene that cameras move over


def suite_sequence(
    name: str, size: tuple[int, int] = (640, 360), num_frames: int = 48, pictures: Sequence[Tensor] = ()
) -> SyntheticSequence:
    """One sequence of the suite, by its name in ``SUITE``.

    Args:
        name: which one.
        size: (width, height) in pixels; speeds in pixels grow with the width.
        num_frames: how many frames; cameras turn back every 48, so that a sequence can be as long as one likes.
        pictures: (3, H, W) RGB in [0, 1] to move over, best twice as large as the frames, such as photos; frames of the
            sample scene where there are none. The rendered sequence, ``scene``, does not use them.

    Raises:
        ValueError: an unknown name, fewer than two frames, or a frame below 2x2.
    """
    if name not in SUITE:
        raise ValueError(f"there is no sequence {name!r} in the suite; there are {', '.join(SUITE)}")
    if num_frames < 2 or min(size) < 2:
        raise ValueError(f"a sequence has at least two frames of 2x2, got {num_frames} of {size}")

    def picture(scene_index: int) -> Tensor:
        if pictures:
            return pictures[(list(SUITE).index(name) + (scene_index == _HARBOUR)) % len(pictures)]
        return scene_picture(scene_index, *size)

    return SUITE[name](size, num_frames, picture)


_Pictures = Callable[[int], Tensor]
_Maker = Callable[[tuple[int, int], int, _Pictures], SyntheticSequence]


def _nonrigid(size: tuple[int, int], num_frames: int, picture: _Pictures) -> SyntheticSequence:
    """Waves of 5 px run through the whole picture; up to some 3 px a frame."""
    unit = size[0] / 640
    seen = picture(_LAKE)
    # The picture is seen from a little closer, so that no wave reaches beyond its border.
    scale = min(SUPERSAMPLING, seen.shape[-1] / (size[0] + 26 * unit), seen.shape[-2] / (size[1] + 26 * unit))

    def placement(index: int) -> Placement:
        return Ripple(5 * unit, 110 * unit, 2 * math.pi * index / 31, (0.15 * unit * (there_and_back(index) - 23), 0.0))

    return LayeredSequence([Layer(seen, scale, placement)], num_frames, size)


def _lighting(size: tuple[int, int], num_frames: int, picture: _Pictures) -> SyntheticSequence:
    """A slow zoom while the light falls to 60 % and turns warm, and comes back."""

    def light(index: int) -> tuple[float, float, float]:
        return sway(index, 60, 0.68), sway(index, 60, 0.6), sway(index, 60, 0.5)

    return Relit(camera_move("zoom", size, num_frames, picture(_HARBOUR)), light)


def _blur(size: tuple[int, int], num_frames: int, picture: _Pictures) -> SyntheticSequence:
    """A swinging pan, up to 9 px a frame, with the shutter open for half of the time."""
    swing_px, unit = 60.0, size[0] / 640

    def path(index: float) -> Pose:
        angle = 2 * math.pi * index / 42
        return Pose(offset=(swing_px * unit * math.sin(angle), 0.2 * swing_px * unit * math.cos(2 * angle)))

    return MotionBlurred(picture(_HARBOUR), path, num_frames, size)


def _cut(size: tuple[int, int], num_frames: int, picture: _Pictures) -> SyntheticSequence:
    """A pan, a hard cut halfway, a rotation."""
    first = (num_frames + 1) // 2
    return Joined(
        [
            camera_move("pan", size, first, picture(_LAKE)),
            camera_move("rotation", size, num_frames - first, picture(_HARBOUR)),
        ]
    )


SUITE: Final[dict[str, _Maker]] = {
    "pan": lambda size, num, picture: camera_move("pan", size, num, picture(_HARBOUR)),
    "zoom": lambda size, num, picture: camera_move("zoom", size, num, picture(_LAKE)),
    "rotation": lambda size, num, picture: camera_move("rotation", size, num, picture(_HARBOUR)),
    "parallax": lambda size, num, picture: parallax(picture(_LAKE), size, num),
    "foreground": lambda size, num, picture: foreground(picture(_HARBOUR), size, num),
    "nonrigid": _nonrigid,
    "lighting": _lighting,
    "noise": lambda size, num, picture: Noisy(camera_move("pan", size, num, picture(_LAKE)), sigma=0.025, seed=7),
    "blur": _blur,
    "cut": _cut,
    "scene": lambda size, num, _picture: sample_scene(*size, num),
}
"""Name to maker; ``suite_sequence`` is how to call them.

Camera over a picture: pan, zoom, rotation. Occlusion: parallax (thin posts among it), foreground (uncovered
background). Bending: nonrigid. What cameras add: lighting, noise, blur. cut: two shots. scene: ray-cast, water and
moving things, and a cut of its own.
"""
