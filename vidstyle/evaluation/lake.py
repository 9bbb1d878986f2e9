"""First shot of the sample scene: a mountain lake at golden hour, the camera moving sideways along the shore."""

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
from vidstyle.evaluation.scene import Camera, Light, Shape, Shot, Surface, Water
from vidstyle.evaluation.texture import Texture, fractal_noise, mix, smoothstep

_HAZE = (0.96, 0.78, 0.62)


@cache
def lake_shot() -> Shot:
    """Build the shot; pictures are painted once and kept."""
    sun = np.asarray([0.62, 0.42, -0.35])
    light = Light(
        towards_sun=sun / np.linalg.norm(sun),
        sun=(1.25, 0.92, 0.58),
        sky=(0.38, 0.42, 0.55),
        ground=(0.24, 0.2, 0.16),
        haze=_HAZE,
        haze_metres=900,
        shadows=False,
    )
    surfaces = (*_foreground(), *_balloons(), *_boat(), *_birds(), *_far())
    return Shot(surfaces, _camera, light, Water(0.0, (0.3, 0.36, 0.46), 0.26))


def _camera(seconds: float, width: int, height: int) -> Camera:
    x = -4.2 + 2.3 * seconds
    y = 3.1 + 0.12 * np.sin(1.1 * seconds)
    return look_at((x, y, 0), (x + 0.6 + 0.3 * seconds, y + 1.2, 30), 0.95, width, height)


def _far() -> list[Surface]:
    def backdrop(texture: Texture, z: float, size: tuple[float, float], x: float = 0) -> Surface:
        return Surface(Shape.SQUARE, upright(x, 0, z, *size), texture, lit=False, casts_shadow=False)

    clouds = ((0.62, 0.53, 0.6), (1.0, 0.86, 0.68))
    texture = paint.sky(
        5,
        horizon=(1.0, 0.8, 0.56),
        middle=(0.78, 0.68, 0.7),
        zenith=(0.38, 0.52, 0.72),
        cloud=clouds,
        cover=0,
        sun=(0.6, 0.42),
    )
    sky = Surface(Shape.SQUARE, moving(upright(0, -20, 4000, 6400, 3000), lambda s: (14 * s, 0, 0)), texture, lit=False)
    ranges = (
        (11, 2600, 3900, 1050, 5.0, (0.86, 0.74, 0.72), 0.5, 0.42, (0.42, 0.44, 0.36), 0.2),
        (21, 1500, 2300, 460, 6.0, (0.93, 0.77, 0.65), 0.34, 0.62, (0.36, 0.4, 0.26), 0.25),
        (33, 800, 1300, 180, 5.0, _HAZE, 0.2, 1.5, (0.33, 0.38, 0.18), 0.4),
    )
    layers = [
        backdrop(
            paint.mountain(
                seed,
                size_px=(2048, 448),
                cells=cells,
                haze=haze,
                haze_share=share,
                snow=snow,
                meadow=meadow,
                tree_line=trees,
            ),
            z,
            (width, height),
        )
        for seed, z, width, height, cells, haze, share, snow, meadow, trees in ranges
    ]
    woods = [
        backdrop(
            paint.conifers(seed, size_px=(2048, 160), count=count, color=mixed, light=light, fill=0.14),
            z,
            (width, height),
            x,
        )
        for seed, z, width, height, x, count, mixed, light in (
            (41, 420, 520, 30, 0, 120, (0.3, 0.31, 0.28), (0.62, 0.5, 0.32)),
            (43, 230, 170, 24, -105, 60, (0.13, 0.19, 0.15), (0.5, 0.42, 0.18)),
            (44, 250, 150, 21, 122, 55, (0.15, 0.2, 0.16), (0.56, 0.44, 0.2)),
        )
    ]
    return [*woods[::-1], *layers[::-1], sky]


def _foreground() -> list[Surface]:
    def strip(seed: int, x: float, z: float, size: tuple[float, float], flowers: tuple[float, float, float]) -> Surface:
        colors = ((0.3, 0.36, 0.1), (0.85, 0.74, 0.3))
        texture = paint.grass(seed, size_px=(1536, 256), count=420, colors=colors, flowers=flowers, repeat=3)
        return Surface(Shape.SQUARE, upright(x, 0.0, z, *size), texture, lit=False)

    shape = (768, 1536)
    shore = fractal_noise(shape, (8, 16), 51, num_octaves=6, gain=0.6)
    grain = fractal_noise(shape, (60, 120), 52, num_octaves=4, gain=0.8)
    along = np.linspace(1, 0, shape[0], dtype=np.float32)[:, None]
    land = smoothstep(-0.02, 0.02, 0.62 + 0.7 * (shore - 0.5) - along)
    meadow = mix((0.36, 0.42, 0.16), (0.72, 0.66, 0.3), np.clip(shore + 0.9 * (grain - 0.5), 0, 1))
    sand = mix((0.62, 0.52, 0.4), (0.4, 0.34, 0.28), grain)
    edge = smoothstep(0.16, 0.03, 0.62 + 0.7 * (shore - 0.5) - along)
    ground = Texture(mix(meadow, sand, edge), land)
    lawn = Surface(Shape.SQUARE, rectangle((-32, 0.06, 2), (64, 0, 0), (0, 0, 26)), ground)
    rocks = [
        Surface(
            Shape.SPHERE,
            ellipsoid((x, 0.1, z), (r * 1.3, r * 0.75, r)),
            paint.plain((0.56, 0.5, 0.46), seed=k, variation=0.4),
        )
        for k, (x, z, r) in enumerate(
            ((-4.5, 15, 0.9), (-3.2, 15.8, 0.5), (4.4, 17, 1.2), (6.1, 16.2, 0.55), (11.5, 14, 0.8))
        )
    ]
    glints = [
        Surface(
            Shape.SQUARE,
            rectangle((x, 0.01, z), (w, 0, 0), (0, 0, d)),
            paint.ripples(seed, color, amount=amount),
            lit=False,
        )
        for seed, x, z, w, d, amount, color in (
            (81, -40, 26, 90, 50, 0.25, (0.62, 0.6, 0.66)),
            (83, 2, 30, 34, 170, 0.75, (1.0, 0.86, 0.62)),
            (85, -120, 80, 240, 120, 0.4, (0.8, 0.7, 0.66)),
        )
    ]
    return [
        *glints,
        strip(61, 0, 6.0, (32, 1.5), (0.9, 0.42, 0.3)),
        strip(62, 0, 7.6, (36, 1.6), (0.78, 0.5, 0.8)),
        strip(63, 3, 10.0, (44, 1.5), (0.95, 0.85, 0.5)),
        *_tree(-5.6, 11.0, 1.0, 71),
        *_tree(10.5, 13.5, 1.15, 75),
        *rocks,
        lawn,
    ]


def _tree(x: float, z: float, scale: float, seed: int) -> list[Surface]:
    rng = np.random.default_rng(seed)
    bark = Texture(mix((0.24, 0.17, 0.13), (0.55, 0.4, 0.28), fractal_noise((256, 256), (6, 40), seed)))
    limbs = [((0.0, 0.0, 0.0), (0.15, 5.2, 0.1), 0.24), ((0.05, 2.6, 0.0), (1.5, 2.9, -0.3), 0.12)]
    limbs += [((0.08, 3.0, 0.0), (-1.7, 2.6, 0.3), 0.13), ((0.1, 4.0, 0.0), (0.7, 2.6, 0.2), 0.1)]
    clumps = [paint.foliage(seed + k, color=(0.17, 0.2, 0.06), light=(0.92, 0.68, 0.2)) for k in range(4)]
    crowns = []
    for k in range(20):
        angle, reach = 2.4 * k, np.sqrt((k + 0.5) / 20)
        size = scale * rng.uniform(2.0, 3.0)
        center = (
            x + scale * 2.5 * reach * np.cos(angle),
            scale * (4.6 + 1.9 * reach * np.sin(angle) + rng.uniform(0, 0.5)),
        )
        place = upright(*center, z + scale * rng.uniform(-1.2, 1.2), size, size * 0.85)
        crowns.append(Surface(Shape.SQUARE, place, clumps[k % 4], lit=False))
    wood = [
        Surface(
            Shape.CYLINDER, limb((x + a * scale, b * scale, z + (c + 0.5) * scale), edge, radius * scale, scale), bark
        )
        for (a, b, c), edge, radius in limbs
    ]
    return [*wood, *crowns]


def _balloons() -> list[Surface]:
    surfaces = []
    for x, y, z, size, speed, colors in (
        (15, 27, 95, 7.5, 1.0, ((0.82, 0.2, 0.16), (0.96, 0.72, 0.25))),
        (-48, 52, 190, 7.5, -0.6, ((0.2, 0.45, 0.62), (0.93, 0.88, 0.75))),
    ):
        envelope, basket = paint.stripes(*colors, 8, seed=3), paint.planks(9, (0.62, 0.42, 0.24))
        rope = paint.plain((0.3, 0.24, 0.2))

        def path(s: float, x: float = x, y: float = y, z: float = z, speed: float = speed) -> Vector:
            return x + speed * s, y + 0.8 * s, z

        def spin(s: float, speed: float = speed) -> float:
            return 0.5 + 0.22 * speed * s

        parts: list[tuple[Shape, Placement, Texture]] = [
            (Shape.SPHERE, ellipsoid((0, 0, 0), (size, size * 1.12, size)), envelope),
            (Shape.CYLINDER, still(np.diag([size * 0.3, size * 0.42, size * 0.3]), (0, -size * 1.4, 0)), envelope),
            (Shape.CYLINDER, still(np.diag([1.1, 1.5, 1.1]), (0, -size * 1.4 - 4.2, 0)), basket),
            (Shape.CYLINDER, still(np.diag([0.1, 3.0, 0.1]), (1.0, -size * 1.4 - 2.8, 0)), rope),
            (Shape.CYLINDER, still(np.diag([0.1, 3.0, 0.1]), (-1.0, -size * 1.4 - 2.8, 0)), rope),
        ]
        surfaces += [Surface(shape, moving(place, path, spin), texture) for shape, place, texture in parts]
    return surfaces


def _boat() -> list[Surface]:
    def path(s: float) -> Vector:
        return 1.0 - 1.9 * s, 0.0, 62.0

    sail = paint.polygon((0.97, 0.93, 0.84), ((0.02, 1.0), (0.98, 0.97), (0.85, 0.5), (0.04, 0.0)), seed=1)
    jib = paint.polygon((0.85, 0.34, 0.2), ((1.0, 0.02), (0.0, 1.0), (0.98, 0.96)), seed=2)
    parts: list[tuple[Shape, Placement, Texture]] = [
        (Shape.SPHERE, ellipsoid((0, 0.35, 0), (4.2, 0.95, 1.3)), paint.planks(5, (0.5, 0.26, 0.16), count=9)),
        (Shape.CYLINDER, still(np.diag([0.09, 9.4, 0.09]), (-0.3, 0.6, 0)), paint.plain((0.45, 0.33, 0.24))),
        (Shape.SQUARE, rectangle((-0.2, 1.7, 0), (4.0, 0, 0.6), (0, 7.8, 0)), sail),
        (Shape.SQUARE, rectangle((-4.0, 1.5, 0), (3.6, 0, 0.2), (0, 6.8, 0)), jib),
    ]
    return [Surface(shape, moving(place, path), texture) for shape, place, texture in parts]


def _birds() -> list[Surface]:
    feathers = paint.polygon((0.2, 0.17, 0.2), ((0.0, 0.75), (0.35, 0.15), (1.0, 0.45), (0.45, 0.5), (0.0, 1.0)))
    surfaces = []
    for k, (x, y, z) in enumerate(
        ((-14, 15, 44), (-16.5, 16.2, 46), (-18.4, 15.2, 45), (-12.3, 17.4, 47), (-20.5, 17, 48))
    ):

        def body(s: float, x: float = x, y: float = y, z: float = z) -> Vector:
            return x + 5.5 * s, y + 0.4 * s + 0.1 * float(np.sin(5 * s + z)), z

        def angle(s: float, k: int = k) -> float:
            return 0.25 + 0.75 * float(np.sin(2 * np.pi * (1.9 * s + 0.23 * k)))

        for span in (-1.1, 1.1):
            place = wing(body, span, (0.25, 0.35, 0.5), angle)
            surfaces.append(Surface(Shape.SQUARE, place, feathers, lit=False))
    return surfaces
