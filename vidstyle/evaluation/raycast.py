"""A ray caster whose every pixel knows the surface point it shows, so that motion and occlusion are exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidstyle.evaluation.scene import NEAR_METRES, Frame, Light, Shape, Shot, Surface, Water, transform
from vidstyle.evaluation.texture import Array


@dataclass(slots=True, eq=False)
class Hits:
    """What N rays met.

    Attributes:
        distance: (N,) ray parameter, metres of depth; infinite where nothing was met.
        surface: (N,) index of the surface, -1 where nothing was met.
        local: (N, 3) point in the surface's own coordinates.
        level: (N,) mip level fit for the distance.
        mirrored: (N,) whether the point is seen in the water.
    """

    distance: Array
    surface: Array
    local: Array
    level: Array
    mirrored: Array

    def __getitem__(self, chosen: slice | Array) -> Hits:
        return Hits(*(getattr(self, name)[chosen] for name in Hits.__slots__))


class Snapshot:
    """A shot at one moment, seen at one size.

    Args:
        shot: what there is.
        seconds: the moment.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """

    def __init__(self, shot: Shot, seconds: float, width: int, height: int) -> None:
        self._shot = shot
        self._frames = [surface.frame(seconds) for surface in shot.surfaces]
        self.camera = shot.camera(seconds, width, height)

    def look(self, positions_px: Array) -> Hits:
        """What is seen at (N, 2) picture positions in pixels."""
        camera = self.camera
        directions = camera.rays(positions_px)
        hits = self._trace(camera.position[None], directions, positions_px, lambda p: _visible(*camera.project(p)))
        water = self._shot.water
        if water is None:
            return hits
        with np.errstate(divide="ignore"):
            to_water = (water.height - camera.position[1]) / directions[:, 1]
        wet = np.flatnonzero((to_water > 0) & (to_water < hits.distance))
        if len(wet) == 0:
            return hits
        # A mirror shows the world flipped about it: flip the viewer instead, and look from behind the mirror on.
        below = directions[wet] * np.asarray([1, -1, 1], directions.dtype)
        reflected = self._trace(
            _flip(camera.position[None], water),
            below,
            positions_px[wet],
            lambda p: _visible(*camera.project(_flip(p, water))),
            nearest=to_water[wet],
        )
        for name in ("distance", "surface", "local", "level"):
            getattr(hits, name)[wet] = getattr(reflected, name)
        hits.mirrored[wet] = True
        return hits

    def place(self, hits: Hits) -> Array:
        """(N, 3) world points of hits as this moment has them; a reflection lies below the water. NaN for no hit."""
        points = np.full_like(hits.local, np.nan)
        for k, chosen in _by_surface(hits):
            points[chosen] = self._frames[k].place(hits.local[chosen])
        if self._shot.water is not None:
            points[hits.mirrored] = _flip(points[hits.mirrored], self._shot.water)
        return points

    def shade(self, hits: Hits, sun_offset: tuple[float, float] = (0.0, 0.0)) -> Array:
        """(N, 3) display colours in [0, 1] of hits; ``sun_offset`` picks a point of the sun's disc, each in [-1, 1]."""
        color = np.zeros((len(hits.distance), 3), np.float32)
        normals = np.zeros_like(color)
        lit = np.zeros(len(color), bool)
        for k, chosen in _by_surface(hits):
            surface, frame, local = self._shot.surfaces[k], self._frames[k], hits.local[chosen]
            color[chosen] = surface.texture.sample(_uv(surface.shape, local), hits.level[chosen])[:, :3]
            if surface.lit:
                lit[chosen] = True
                normals[chosen] = self._facing(surface.shape, frame, local, hits.mirrored[chosen])
        shone = np.flatnonzero(lit)
        if len(shone):
            color[shone] = self._illuminate(hits[shone], color[shone], normals[shone], sun_offset)
        water = self._shot.water
        if water is not None:
            color[hits.mirrored] += water.strength * (np.asarray(water.tint, np.float32) - color[hits.mirrored])
        return color

    def _illuminate(self, part: Hits, albedo: Array, normals: Array, sun_offset: tuple[float, float]) -> Array:
        light = self._shot.light
        part.mirrored = np.zeros_like(part.mirrored)  # a reflected point is lit where it really is
        points = self.place(part)
        facing = np.maximum(normals @ light.towards_sun.astype(np.float32), 0)
        if light.shadows:
            sunny = np.flatnonzero(facing > 0)
            facing[sunny] *= self._sunlight(points[sunny], normals[sunny], light, sun_offset)
        up = (0.5 + 0.5 * normals[:, 1])[:, None]
        radiance = facing[:, None] * np.asarray(light.sun, np.float32)
        radiance = radiance + up * np.asarray(light.sky, np.float32) + (1 - up) * np.asarray(light.ground, np.float32)
        linear = np.square(albedo) * radiance
        display = np.sqrt(1 - np.exp(-1.6 * linear))
        air = np.exp(-np.maximum(points[:, 2], 0) / light.haze_metres)[:, None].astype(np.float32)
        hazy: Array = display * air + np.asarray(light.haze, np.float32) * (1 - air)
        return hazy

    def _sunlight(self, points: Array, normals: Array, light: Light, sun_offset: tuple[float, float]) -> Array:
        side, over = _perpendicular(light.towards_sun)
        sun = light.towards_sun + light.softness * (sun_offset[0] * side + sun_offset[1] * over)
        side, over = _perpendicular(sun)
        across = np.stack([side, over], axis=1).astype(points.dtype)
        directions = np.broadcast_to(sun.astype(points.dtype), points.shape)
        starts = points + normals.astype(points.dtype) * 0.02
        hits = self._trace(
            starts, directions, transform(starts, across), lambda p: transform(p, across), shadows_only=True
        )
        dark: Array = (hits.surface < 0).astype(np.float32)
        return dark

    def _facing(self, shape: Shape, frame: Frame, local: Array, mirrored: Array) -> Array:
        inverse = np.linalg.inv(frame.axes)
        if shape is Shape.SQUARE:
            normal = inverse.T @ np.asarray([0.0, 0.0, 1.0])
            normal /= np.linalg.norm(normal)
            # A square is seen from both sides; the normal is that of the side shown.
            eyes = np.repeat(self.camera.position[None], 2, axis=0)
            if self._shot.water is not None:
                eyes[1] = _flip(eyes[:1], self._shot.water)[0]
            sides = np.sign((eyes - frame.origin) @ normal)[mirrored.astype(int)]
            shown: Array = sides[:, None] * normal
            return shown.astype(np.float32)
        outward = local if shape is Shape.SPHERE else local * np.asarray([1, 0, 1], local.dtype)
        world = transform(outward, inverse)
        unit: Array = (world / np.linalg.norm(world, axis=1, keepdims=True)).astype(np.float32)
        return unit

    def _trace(
        self,
        origins: Array,
        directions: Array,
        positions: Array,
        project: Callable[[Array], Array | None],
        *,
        nearest: Array | None = None,
        shadows_only: bool = False,
    ) -> Hits:
        """Nearest surface along each ray; ``project`` maps points to where ``positions`` lie, to skip sure misses."""
        num_rays, dtype = len(directions), directions.dtype
        hits = Hits(
            distance=np.full(num_rays, np.inf, dtype),
            surface=np.full(num_rays, -1, np.int16),
            local=np.zeros((num_rays, 3), dtype),
            level=np.zeros(num_rays, np.float32),
            mirrored=np.zeros(num_rays, bool),
        )
        if num_rays == 0:
            return hits
        x, y = np.ascontiguousarray(positions.T)
        limits = np.asarray([[x.min(), y.min()], [x.max(), y.max()]])
        in_rows = bool((y[1:] >= y[:-1]).all())
        for k, (surface, frame) in enumerate(zip(self._shot.surfaces, self._frames, strict=True)):
            if shadows_only and not surface.casts_shadow:
                continue
            rays = _inside_bounds(x, y, limits, in_rows, project(frame.place(_CORNERS[surface.shape])))
            if len(rays) == 0:
                continue
            inverse = np.linalg.inv(frame.axes).T.astype(dtype)
            start = ((origins if len(origins) == 1 else origins[rays]) - frame.origin).astype(dtype)
            heading = directions[rays]
            first = np.asarray(NEAR_METRES, dtype) if nearest is None else nearest[rays].astype(dtype)
            matter = _ROUND_AXES[surface.shape]
            for distance in _roots(
                surface.shape, transform(start, inverse[:, matter]), transform(heading, inverse[:, matter])
            ):
                met = np.flatnonzero((distance > first) & (distance < hits.distance[rays]))
                local = transform(
                    (start if len(start) == 1 else start[met]) + distance[met, None] * heading[met], inverse
                )
                inside = _contains(surface.shape, local)
                met, local = met[inside], local[inside]
                if len(met) == 0:
                    continue
                level = (
                    np.ones(len(met), np.float32)
                    if shadows_only
                    else self._mip_level(surface, frame, distance[met], directions[rays[met]])
                )
                if surface.texture.has_mask:
                    solid = surface.texture.sample(_uv(surface.shape, local), level)[:, 3] >= 0.5
                    met, local, level = met[solid], local[solid], level[solid]
                target = rays[met]
                hits.distance[target] = distance[met]
                hits.surface[target] = k
                hits.local[target] = local
                hits.level[target] = level
        return hits

    def _mip_level(self, surface: Surface, frame: Frame, distance: Array, directions: Array) -> Array:
        """Level at which a texel is about as large as a pixel; halfway between the two axes where they differ."""
        lengths = np.linalg.norm(frame.axes, axis=0)
        if surface.shape is Shape.SQUARE:
            extent = np.sqrt(lengths[0] * lengths[1])
            normal = np.cross(frame.axes[:, 0], frame.axes[:, 1])
            normal = (normal / np.linalg.norm(normal)).astype(directions.dtype)
            cosine = np.maximum(
                np.abs(directions @ normal) / np.sqrt(np.einsum("ni,ni->n", directions, directions)), 0.02
            )
        else:
            extent = np.pi * lengths.max()
            cosine = np.asarray(0.8, directions.dtype)
        width, height = surface.texture.size_px
        texels = np.sqrt(width * surface.texture.repeat[0] * height * surface.texture.repeat[1]) / extent
        footprint = 0.7 * distance / self.camera.focal_px * texels / np.sqrt(cosine)
        level: Array = np.log2(np.maximum(footprint, 1e-6)).astype(np.float32)
        return level


_CORNERS = {
    Shape.SQUARE: np.asarray([[x, y, 0] for x in (0, 1) for y in (0, 1)], np.float64),
    Shape.SPHERE: np.asarray([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64),
    Shape.CYLINDER: np.asarray([[x, y, z] for x in (-1, 1) for y in (0, 1) for z in (-1, 1)], np.float64),
}


# The local axes that say where a ray meets the unbounded shape.
_ROUND_AXES = {Shape.SQUARE: [2], Shape.SPHERE: [0, 1, 2], Shape.CYLINDER: [0, 2]}


def _roots(shape: Shape, start: Array, heading: Array) -> Sequence[Array]:
    """Ray parameters, near ones first, where a ray meets the unbounded shape; not finite where it does not."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if shape is Shape.SQUARE:
            return (-start[:, 0] / heading[:, 0],)
        a = np.einsum("ni,ni->n", heading, heading)
        b = (heading * start).sum(1)
        c = (start * start).sum(1) - 1
        root = np.sqrt(b * b - a * c)
        return (-b - root) / a, (-b + root) / a


def _contains(shape: Shape, local: Array) -> Array:
    if shape is Shape.SPHERE:
        return np.ones(len(local), bool)
    inside: Array = (local[:, 1] >= 0) & (local[:, 1] <= 1)
    if shape is Shape.SQUARE:
        inside = inside & (local[:, 0] >= 0) & (local[:, 0] <= 1)
    return inside


def _uv(shape: Shape, local: Array) -> Array:
    if shape is Shape.SQUARE:
        return np.stack([local[:, 0], 1 - local[:, 1]], axis=1)
    around = np.arctan2(local[:, 2], local[:, 0]) / (2 * np.pi) + 0.5
    down = np.arccos(np.clip(local[:, 1], -1, 1)) / np.pi if shape is Shape.SPHERE else 1 - local[:, 1]
    return np.stack([around, down], axis=1)


def _by_surface(hits: Hits) -> list[tuple[int, Array]]:
    return [(int(k), np.flatnonzero(hits.surface == k)) for k in np.unique(hits.surface) if k >= 0]


def _flip(points: Array, water: Water) -> Array:
    flipped = points.copy()
    flipped[:, 1] = 2 * water.height - points[:, 1]
    return flipped


def _visible(positions: Array, depth: Array) -> Array | None:
    """Positions, or None where a corner lies behind the viewer and bounds mean nothing."""
    return None if (depth <= NEAR_METRES).any() else positions


def _inside_bounds(x: Array, y: Array, limits: Array, in_rows: bool, corners: Array | None) -> Array:
    """Indices of positions within the corners' bounding box; ``limits`` are the (least, greatest) positions.

    ``in_rows`` says that y never falls from one position to the next, as in a picture read row by row.
    """
    if corners is None:
        return np.arange(len(x))
    low, high = corners.min(0) - 1e-3, corners.max(0) + 1e-3
    if (low > limits[1]).any() or (high < limits[0]).any():
        return np.empty(0, np.intp)
    if in_rows:
        start, stop = np.searchsorted(y, low[1]), np.searchsorted(y, high[1], side="right")
        near = x[start:stop]
        found: Array = start + np.flatnonzero((near >= low[0]) & (near <= high[0]))
        return found
    level = np.flatnonzero((y >= low[1]) & (y <= high[1]))
    near = x[level]
    inside: Array = level[(near >= low[0]) & (near <= high[0])]
    return inside


def _perpendicular(direction: Array) -> tuple[Array, Array]:
    side = np.cross(direction, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    over = np.cross(side, direction)
    return side, over / np.linalg.norm(over)
