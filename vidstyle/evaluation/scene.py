"""What a rendered shot is made of: surfaces, light, water, camera.

World axes: x right, y up, z away from the viewer; lengths in metres. A surface is a unit shape (square, sphere, cone)
put into the world by an affine frame that may change with time; a point of it keeps its local coordinates while it
moves, and that is what ties one frame to another. Light does not depend on the viewer, so a point keeps its colour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vidstyle.evaluation.texture import Array, Texture

NEAR_METRES = 0.05


def transform(rows: Array, matrix: Array) -> Array:
    """``rows @ matrix`` without BLAS, whose threads cost more than such narrow products and whose rounding varies."""
    product: Array = np.einsum("ni,ij->nj", rows, matrix.astype(rows.dtype))
    return product


class Shape(Enum):
    """Unit shapes in local coordinates."""

    SQUARE = "square"
    """0 <= x, y <= 1 in the plane z = 0."""
    SPHERE = "sphere"
    """x² + y² + z² = 1."""
    CYLINDER = "cylinder"
    """x² + z² = 1 for 0 <= y <= 1, open at both ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An affine placement: ``world = axes @ local + origin``; the columns of ``axes`` are the local axes."""

    axes: Array
    origin: Array

    def place(self, local: Array) -> Array:
        """(N, 3) local points into the world."""
        placed: Array = transform(local, self.axes.T) + self.origin.astype(local.dtype)
        return placed


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Something to be seen.

    Attributes:
        shape: unit shape.
        frame: placement at a time in seconds.
        texture: colour and cut-out.
        lit: whether sun and sky shade it; otherwise the texture is its final colour.
        casts_shadow: whether it keeps the sun from others.
    """

    shape: Shape
    frame: Callable[[float], Frame]
    texture: Texture
    lit: bool = True
    casts_shadow: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """Sun, sky and air; colours are linear RGB but ``haze``, which is a display colour.

    Attributes:
        towards_sun: unit vector.
        softness: half width of the sun as a tangent; widens the edges of shadows.
        haze_metres: depth over which the air swallows 63 % of a surface's own colour.
        shadows: whether surfaces keep the sun from each other.
    """

    towards_sun: Array
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    ground: tuple[float, float, float]
    haze: tuple[float, float, float]
    haze_metres: float
    softness: float = 0.03
    shadows: bool = True


@dataclass(frozen=True, slots=True)
class Water:
    """A still mirror at a height, which covers everything below it.

    Attributes:
        height: level in metres.
        tint: display colour that is blended into reflections.
        strength: share of the tint.
    """

    height: float
    tint: tuple[float, float, float]
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera.

    Attributes:
        position: (3,) metres.
        rotation: (3, 3), rows are the camera's right, up and forward in the world.
        focal_px: focal length in pixels.
        center_px: (x, y) of the optical axis; pixel centres have whole-number coordinates.
    """

    position: Array
    rotation: Array
    focal_px: float
    center_px: tuple[float, float]

    def rays(self, positions_px: Array) -> Array:
        """(N, 3) directions through (N, 2) picture positions; one unit of ray is one metre of depth."""
        x = (positions_px[:, 0] - self.center_px[0]) / self.focal_px
        y = (self.center_px[1] - positions_px[:, 1]) / self.focal_px
        return transform(np.stack([x, y, np.ones_like(x)], axis=1), self.rotation)

    def project(self, points: Array) -> tuple[Array, Array]:
        """Picture positions (N, 2) in pixels and depths (N,) in metres of (N, 3) world points."""
        seen = transform(points - self.position.astype(points.dtype), self.rotation.T)
        depth = seen[:, 2]
        scale = self.focal_px / np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        x = self.center_px[0] + seen[:, 0] * scale
        y = self.center_px[1] - seen[:, 1] * scale
        return np.stack([x, y], axis=1), depth


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """What one shot shows.

    Attributes:
        surfaces: everything there is, the sky included.
        camera: (seconds, width, height) to camera.
        light: sun, sky and air.
        water: a mirror, or None.
    """

    surfaces: tuple[Surface, ...]
    camera: Callable[[float, int, int], Camera]
    light: Light
    water: Water | None = None
