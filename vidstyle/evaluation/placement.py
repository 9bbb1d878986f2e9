"""Where surfaces stand and how they move: frames for the unit shapes of ``scene``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vidstyle.evaluation.scene import Camera, Frame
from vidstyle.evaluation.texture import Array

Placement = Callable[[float], Frame]
Vector = tuple[float, float, float]


def still(axes: Array, origin: Vector) -> Placement:
    """A frame that never moves."""
    frame = Frame(np.asarray(axes, np.float64), np.asarray(origin, np.float64))
    return lambda _seconds: frame


def rectangle(corner: Vector, right: Vector, up: Vector) -> Placement:
    """The unit square spanned by two edges from a corner."""
    normal = np.cross(right, up)
    return still(np.stack([right, up, normal / np.linalg.norm(normal)], axis=1), corner)


def upright(x: float, y: float, z: float, width: float, height: float) -> Placement:
    """The unit square facing the viewer: centred at ``x``, standing on ``y``."""
    return rectangle((x - width / 2, y, z), (width, 0, 0), (0, height, 0))


def ellipsoid(center: Vector, radii: Vector) -> Placement:
    """The unit sphere stretched along the world's axes."""
    return still(np.diag(radii), center)


def limb(foot: Vector, along: Vector, radius: float, scale: float = 1.0) -> Placement:
    """The unit cylinder from ``foot`` along an edge (times ``scale``): trunks, branches, masts, posts."""
    edge = np.asarray(along, np.float64) * scale
    side = np.cross(edge, [0.0, 0.0, 1.0])
    side *= radius / np.linalg.norm(side)
    over = np.cross(side, edge)
    return still(np.stack([side, edge, over * radius / np.linalg.norm(over)], axis=1), foot)


def moving(
    placement: Placement, path: Callable[[float], Vector], spin: Callable[[float], float] | None = None
) -> Placement:
    """Carry a placement along ``path`` (metres), turned about the vertical by ``spin`` (radians) before."""

    def frame(seconds: float) -> Frame:
        base = placement(seconds)
        turn = about_vertical(spin(seconds)) if spin else np.eye(3)
        return Frame(turn @ base.axes, turn @ base.origin + np.asarray(path(seconds), np.float64))

    return frame


def wing(body: Callable[[float], Vector], span: float, chord: Vector, angle: Callable[[float], float]) -> Placement:
    """A wing of a bird at ``body``: ``span`` metres to the right (negative: left), raised by ``angle`` (radians)."""

    def frame(seconds: float) -> Frame:
        raised = angle(seconds)
        along = np.asarray([span * np.cos(raised), abs(span) * np.sin(raised), 0.0])
        return Frame(
            np.stack([along, np.asarray(chord), np.cross(along, chord)], axis=1), np.asarray(body(seconds), np.float64)
        )

    return frame


def about_vertical(angle: float) -> Array:
    """(3, 3) rotation about y in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def look_at(position: Vector, target: Vector, focal: float, width: int, height: int) -> Camera:
    """A level camera looking from ``position`` to ``target``; ``focal`` is in picture widths."""
    forward = np.asarray(target, np.float64) - position
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    center = ((width - 1) / 2, (height - 1) / 2)
    return Camera(np.asarray(position, np.float64), rotation, focal * width, center)
