"""Second shot of the sample scene: a ride along a quay in the morning sun, houses on one side, boats on the other."""

from __future__ import annotations

from functools import cache

import numpy as np

from vidstyle.evaluation import paint
from vidstyle.evaluation.placement import (
    Placement,
    Vector,
    ellipsoid,
    limb,
    look_at,
    moving,
    rectangle,
    still,
    upright,
    wing,
)
from vidstyle.evaluation.scene import Camera, Frame, Light, Shape, Shot, Surface, Water
from vidstyle.evaluation.texture import Texture

_QUAY_EDGE = 2.4
_WATER_HEIGHT = -0.8
_OVAL = tuple((0.5 + 0.46 * np.cos(a), 0.5 + 0.46 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 48, endpoint=False))
_SHUTTERS = ((0.2, 0.42, 0.38), (0.22, 0.36, 0.56), (0.5, 0.22, 0.18), (0.34, 0.42, 0.24))
_WALLS = (
    (0.93, 0.74, 0.42),
    (0.86, 0.5, 0.4),
    (0.93, 0.88, 0.76),
    (0.66, 0.76, 0.78),
    (0.9, 0.66, 0.56),
    (0.8, 0.82, 0.6),
)


@cache
def harbour_shot() -> Shot:
    """Build the shot; pictures are painted once and kept."""
    sun = np.asarray([0.62, 0.58, -0.42])
    light = Light(
        towards_sun=sun / np.linalg.norm(sun),
        sun=(1.9, 1.6, 1.22),
        sky=(0.42, 0.5, 0.66),
        ground=(0.26, 0.22, 0.18),
        haze=(0.74, 0.83, 0.9),
        haze_metres=420,
    )
    surfaces = (*_quay(), *_near_houses(), *_far_shore(), *_boats(), *_things(), *_gulls())
    return Shot(surfaces, _camera, light, Water(_WATER_HEIGHT, (0.1, 0.32, 0.38), 0.34))


def _camera(seconds: float, width: int, height: int) -> Camera:
    x, z = -1.3 + 0.25 * seconds, 1.9 * seconds
    return look_at((x, 1.75 + 0.1 * seconds, z), (x + 1.6 - 0.35 * seconds, 2.6, z + 20), 0.8, width, height)


def _box(
    low: Vector, size: Vector, side: Texture, top: Texture | None = None
) -> list[tuple[Shape, Placement, Texture]]:
    """The sides and the top of an upright box."""
    (x, y, z), (w, h, d) = low, size
    faces = [
        (rectangle((x, y, z), (w, 0, 0), (0, h, 0)), side),
        (rectangle((x + w, y, z + d), (-w, 0, 0), (0, h, 0)), side),
        (rectangle((x, y, z + d), (0, 0, -d), (0, h, 0)), side),
        (rectangle((x + w, y, z), (0, 0, d), (0, h, 0)), side),
        (rectangle((x, y + h, z), (w, 0, 0), (0, 0, d)), top or side),
    ]
    return [(Shape.SQUARE, placement, texture) for placement, texture in faces]


def _quay() -> list[Surface]:
    stones = paint.cobbles(5, repeat=(7, 30))
    slabs = paint.plain((0.72, 0.67, 0.6), seed=6, variation=0.3, size_px=512)
    wall = paint.cobbles(8, repeat=(30, 0.5), rows=10)
    e = _QUAY_EDGE
    squares = [
        (rectangle((-12, 0, -2), (e + 12, 0, 0), (0, 0, 62)), stones),
        (rectangle((e - 0.55, 0.06, -2), (0.55, 0, 0), (0, 0, 62)), slabs),
        (rectangle((e - 0.55, 0, -2), (0, 0, 62), (0, 0.06, 0)), slabs),
        (rectangle((e, -1.5, -2), (0, 0, 62), (0, 1.56, 0)), wall),
    ]
    return [Surface(Shape.SQUARE, place, texture, casts_shadow=False) for place, texture in squares]


def _near_houses() -> list[Surface]:
    rng = np.random.default_rng(12)
    surfaces = []
    z, front = -3.0, -6.0
    for k in range(8):
        depth, tall = rng.uniform(6.0, 8.5), rng.uniform(6.2, 9.4)
        face = front - rng.uniform(0, 0.7)
        wall = paint.facade(20 + k, _WALLS[k % 6], _SHUTTERS[k % 4], floors=3 if tall > 7.2 else 2, windows=3)
        bare = paint.plain(_WALLS[k % 6], seed=k, variation=0.25, size_px=256)
        tiles = paint.roof_tiles(k, repeat=(depth / 2.2, 2))
        squares = [
            (rectangle((face, 0, z), (0, 0, depth), (0, tall, 0)), wall),
            (rectangle((face - 7, 0, z), (7, 0, 0), (0, tall, 0)), bare),
            (rectangle((face - 7, 0, z + depth), (7, 0, 0), (0, tall, 0)), bare),
            (rectangle((face + 0.35, tall - 0.2, z - 0.1), (0, 0, depth + 0.2), (-3.9, 2.2, 0)), tiles),
        ]
        gable = paint.polygon(_WALLS[k % 6], ((0, 1), (1, 1), (0.5, 0)), seed=k)
        squares.append((rectangle((face - 7, tall, z), (7, 0, 0), (0, 1.95, 0)), gable))
        surfaces += [Surface(Shape.SQUARE, place, texture) for place, texture in squares]
        z += depth
    return surfaces


def _far_shore() -> list[Surface]:
    rng = np.random.default_rng(31)
    surfaces = []
    x = -16.0
    for k in range(13):
        wide, tall = rng.uniform(5.5, 8.0), rng.uniform(6.5, 11.0)
        z = 66 + rng.uniform(0, 4) + 0.12 * max(x, 0)
        wall = paint.facade(40 + k, _WALLS[(k * 5 + 1) % 6], _SHUTTERS[(k + 1) % 4], floors=3, windows=3)
        tiles = paint.roof_tiles(40 + k, repeat=(wide / 2.2, 2))
        surfaces += [
            Surface(Shape.SQUARE, rectangle((x, -0.1, z), (wide, 0, 0), (0, tall, 0)), wall, casts_shadow=False),
            Surface(Shape.SQUARE, rectangle((x - 0.2, tall - 0.2, z - 0.4), (wide + 0.4, 0, 0), (0, 2.0, 4)), tiles),
        ]
        x += wide
    stone = paint.plain((0.86, 0.8, 0.7), seed=3, variation=0.2, size_px=256)
    copper = paint.plain((0.42, 0.62, 0.56), seed=4, variation=0.3)
    tower = paint.facade(39, (0.92, 0.84, 0.7), _SHUTTERS[0], floors=5, windows=1)
    parts = _box((17, 0, 74), (4.4, 20, 4.4), tower, stone)
    parts += [(Shape.SPHERE, ellipsoid((19.2, 20, 76.2), (2.5, 3.6, 2.5)), copper)]
    parts += [(Shape.CYLINDER, still(np.diag([0.12, 3.0, 0.12]), (19.2, 23.4, 76.2)), copper)]
    parts += [
        (
            Shape.SQUARE,
            rectangle((-16, -1.5, 63), (110, 0, 0), (0, 1.5, 0)),
            paint.cobbles(9, repeat=(40, 0.5), rows=10),
        )
    ]
    parts += [(Shape.SQUARE, rectangle((-16, 0, 63), (110, 0, 0), (0, 0, 9)), stone)]
    surfaces += [Surface(shape, place, texture, casts_shadow=False) for shape, place, texture in parts]
    clumps = [paint.foliage(50 + k, color=(0.1, 0.2, 0.1), light=(0.48, 0.6, 0.26)) for k in range(3)]
    for k in range(22):
        size = rng.uniform(4.5, 8)
        place = upright(rng.uniform(-14, 80), rng.uniform(4, 9), 76 + rng.uniform(0, 5), size, size)
        surfaces.append(Surface(Shape.SQUARE, place, clumps[k % 3], lit=False, casts_shadow=False))
    hills = paint.mountain(
        63,
        size_px=(2048, 320),
        cells=7,
        haze=(0.72, 0.81, 0.88),
        haze_share=0.3,
        snow=2,
        meadow=(0.4, 0.52, 0.24),
        tree_line=0.55,
    )
    sky = paint.sky(
        15,
        horizon=(0.9, 0.92, 0.9),
        middle=(0.62, 0.78, 0.9),
        zenith=(0.25, 0.48, 0.78),
        cloud=((0.72, 0.78, 0.86), (1.0, 0.98, 0.94)),
        cover=0.04,
    )
    drifting = moving(upright(0, -20, 3000, 6000, 2600), lambda s: (9 * s, 0, 0))
    return [
        *surfaces,
        Surface(Shape.SQUARE, upright(80, -2, 400, 900, 95), hills, lit=False, casts_shadow=False),
        Surface(Shape.SQUARE, drifting, sky, lit=False, casts_shadow=False),
    ]


def _boats() -> list[Surface]:
    surfaces = []
    for k, (x, z, length, turn, speed, color) in enumerate(
        (
            (4.6, 9.5, 2.6, 1.45, 0.0, (0.2, 0.45, 0.62)),
            (4.9, 17.5, 2.9, 1.65, 0.0, (0.85, 0.3, 0.22)),
            (7.6, 26.0, 3.2, 1.5, 0.0, (0.93, 0.88, 0.78)),
            (5.2, 34.0, 3.0, 1.6, 0.0, (0.3, 0.52, 0.36)),
            (24.0, 40.0, 4.2, 0.0, -3.0, (0.16, 0.26, 0.42)),
        )
    ):
        hull = paint.planks(70 + k, color, count=12, open_top=0.36)
        cream, wood = (
            paint.planks(k, (0.96, 0.92, 0.82), count=5),
            paint.plain((0.52, 0.36, 0.22), seed=k, variation=0.3),
        )
        deck = paint.polygon((0.74, 0.56, 0.36), _OVAL, seed=k)
        mast = length * 2.2
        parts: list[tuple[Shape, Placement, Texture]] = [
            (Shape.SPHERE, ellipsoid((0, 0.1, 0), (length, 0.85, length * 0.32)), hull),
            (Shape.SQUARE, rectangle((-length, 0.22, -length * 0.3), (length * 2, 0, 0), (0, 0, length * 0.6)), deck),
            *_box((-length * 0.15, 0.2, -length * 0.14), (length * 0.45, 0.95, length * 0.28), cream, wood),
            (Shape.CYLINDER, still(np.diag([0.06, mast, 0.06]), (-length * 0.3, 0.6, 0)), wood),
            (Shape.CYLINDER, limb((-length * 0.3, 1.5, 0), (length * 0.8, 0.4, 0), 0.05), wood),
        ]
        if k in (1, 4):
            sail = paint.polygon(
                (0.9, 0.52, 0.28) if k == 1 else (0.97, 0.95, 0.9), ((0, 0), (0, 1), (0.97, 0.93), (0.6, 0.5))
            )
            parts.append(
                (Shape.SQUARE, rectangle((-length * 0.28, 1.6, 0), (length * 0.85, 0, 0.05), (0, mast * 0.75, 0)), sail)
            )

        def path(s: float, x: float = x, z: float = z, speed: float = speed, k: int = k) -> Vector:
            return x + speed * s, _WATER_HEIGHT + 0.03 * np.sin(2.1 * s + k), z

        def spin(s: float, turn: float = turn, k: int = k) -> float:
            return turn + 0.02 * float(np.sin(1.3 * s + k))

        surfaces += [Surface(shape, moving(place, path, spin), texture) for shape, place, texture in parts]
    for seed, x, z, w, d, amount in ((91, 3, 4, 30, 30, 0.35), (93, 3, 30, 70, 32, 0.5)):
        glints = paint.ripples(seed, (0.78, 0.88, 0.92), amount=amount)
        place = rectangle((x, _WATER_HEIGHT + 0.01, z), (w, 0, 0), (0, 0, d))
        surfaces.append(Surface(Shape.SQUARE, place, glints, lit=False, casts_shadow=False))
    return surfaces


def _things() -> list[Surface]:
    iron, brass = paint.plain((0.2, 0.22, 0.25), seed=1, variation=0.3), paint.plain((0.95, 0.86, 0.6), seed=2)
    oak, crate = paint.planks(3, (0.62, 0.42, 0.26), count=9), paint.planks(4, (0.76, 0.6, 0.4), count=5)
    bark = paint.plain((0.4, 0.3, 0.2), seed=7, variation=0.3)
    clay = paint.plain((0.76, 0.42, 0.28), seed=5, variation=0.25)
    parts: list[tuple[Shape, Placement, Texture]] = []
    for z in (5.5, 11.5, 17.5, 23.5, 29.5, 35.5):
        parts.append((Shape.CYLINDER, still(np.diag([0.16, 0.5, 0.16]), (2.1, 0, z)), iron))
        parts.append((Shape.SPHERE, ellipsoid((2.1, 0.5, z), (0.24, 0.12, 0.24)), iron))
    for z in (13.0, 25.0, 37.0):
        parts.append((Shape.CYLINDER, still(np.diag([0.07, 4.0, 0.07]), (1.3, 0, z)), iron))
        parts.append((Shape.CYLINDER, still(np.diag([0.16, 0.4, 0.16]), (1.3, 0, z)), iron))
        parts.append((Shape.SPHERE, ellipsoid((1.3, 4.2, z), (0.26, 0.3, 0.26)), brass))
    for x, z in ((-3.3, 9.0), (-2.6, 9.6), (-3.4, 10.1)):
        parts.append((Shape.SPHERE, ellipsoid((x, 0.5, z), (0.42, 0.62, 0.42)), oak))
    parts += _box((0.5, 0, 16.5), (0.9, 0.75, 0.9), crate) + _box((-0.5, 0, 17.1), (0.8, 0.65, 0.8), crate)
    parts += _box((0.62, 0.75, 16.7), (0.6, 0.5, 0.6), crate)
    clumps = [paint.foliage(60 + k, color=(0.12, 0.24, 0.1), light=(0.6, 0.74, 0.28)) for k in range(3)]
    leafy: list[Surface] = []
    rng = np.random.default_rng(9)
    for x, z in ((-4.6, 7.2), (-4.7, 14.0), (-4.5, 21.0), (-4.7, 29.0)):
        parts.append((Shape.CYLINDER, still(np.diag([0.36, 0.6, 0.36]), (x, 0, z)), clay))
        parts.append((Shape.CYLINDER, still(np.diag([0.05, 1.5, 0.05]), (x, 0.5, z)), bark))
        for k in range(7):
            size = rng.uniform(0.9, 1.3)
            place = upright(x + rng.normal(0, 0.3), 1.3 + rng.uniform(0, 0.9), z + rng.uniform(-0.4, 0.4), size, size)
            leafy.append(Surface(Shape.SQUARE, place, clumps[k % 3], lit=False))

    def ball(s: float) -> Frame:
        # It bounces along, and rolls as far as it travels.
        x, hop = -2.9 + 1.15 * s, abs(np.sin(2.3 * s + 0.6))
        a = -1.15 * s / 0.34 * 0.6
        roll = np.asarray([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        tilt = np.asarray([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
        return Frame(0.34 * roll @ tilt, np.asarray([x, 0.34 + 0.75 * hop, 9.5 + 0.8 * s]))

    parts.append((Shape.SPHERE, ball, paint.stripes((0.9, 0.22, 0.2), (0.97, 0.95, 0.9), 6, bands=False)))
    return [*(Surface(shape, place, texture) for shape, place, texture in parts), *leafy]


def _gulls() -> list[Surface]:
    feathers = paint.polygon((0.95, 0.95, 0.97), ((0.0, 0.75), (0.35, 0.15), (1.0, 0.45), (0.45, 0.5), (0.0, 1.0)))
    surfaces = []
    for k, (x, y, z) in enumerate(((3.5, 6.4, 19), (6.0, 7.6, 23), (9.5, 6.6, 27))):

        def body(s: float, x: float = x, y: float = y, z: float = z) -> Vector:
            return x - 1.8 * s, y + 0.3 * float(np.sin(1.5 * s + z)), z - 0.5 * s

        def angle(s: float, k: int = k) -> float:
            return 0.15 + 0.6 * float(np.sin(2 * np.pi * (1.3 * s + 0.3 * k)))

        for span in (-0.8, 0.8):
            place = wing(body, span, (0.15, 0.2, 0.35), angle)
            surfaces.append(Surface(Shape.SQUARE, place, feathers, lit=False, casts_shadow=False))
    return surfaces
