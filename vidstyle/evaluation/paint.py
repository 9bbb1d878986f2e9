"""Pictures for surfaces: mountains, trees, leaves, grass, walls, stones. All seeded, in display colours."""

from __future__ import annotations

import cv2
import numpy as np

from vidstyle.evaluation.texture import Array, Texture, fractal_noise, mix, smoothstep

Color = tuple[float, float, float]


def plain(color: Color, *, seed: int = 0, variation: float = 0.08, size_px: int = 128) -> Texture:
    """One colour with a little weather on it."""
    noise = fractal_noise((size_px, size_px), (6, 6), seed)
    return Texture(_tone(color, 1 + variation * 4 * (noise - 0.5)))


def mountain(
    seed: int,
    *,
    size_px: tuple[int, int],
    cells: float,
    haze: Color,
    haze_share: float,
    snow: float,
    meadow: Color,
    tree_line: float = 0.25,
) -> Texture:
    """A mountain range seen from afar, lit low from the right, cut out along its crest.

    Args:
        seed: makes it reproducible.
        size_px: (width, height).
        cells: noise cells along the range: how many massifs.
        haze: colour of the air in front of it.
        haze_share: share of that air; its foot lies in thicker mist.
        snow: height in [0, 1] above which snow lies.
        meadow: colour of what grows at its foot.
        tree_line: height in [0, 1] up to which it grows.
    """
    width, height = size_px
    depth = height
    along = np.linspace(0, 1, depth, dtype=np.float32)[:, None]
    relief = fractal_noise((depth, width), (2, cells), seed, num_octaves=8, gain=0.5, ridged=True)
    massif = fractal_noise((depth, width), (1, cells / 2), seed + 1, num_octaves=3)
    rise = smoothstep(-0.05, 0.75, along) * (0.35 + 0.65 * smoothstep(1.3, 0.7, along))
    ground = rise * (0.1 + 0.62 * relief * (0.35 + 1.3 * massif) + 0.25 * massif) * 0.92
    slope_x = np.gradient(ground, axis=1) * width * 0.12
    slope_z = np.gradient(ground, axis=0) * depth * 0.12
    bright = np.clip((0.75 * -slope_x * -1 - 0.25 * slope_z + 0.45) / np.sqrt(1 + slope_x**2 + slope_z**2), 0, 1.2)
    steep = np.sqrt(slope_x**2 + slope_z**2)
    grain = fractal_noise((depth, width), (24, cells * 16), seed + 2, num_octaves=4)
    rock = mix((0.36, 0.31, 0.33), (0.55, 0.46, 0.42), grain)
    plants = mix(meadow, tuple(0.6 * c for c in meadow), smoothstep(0.45, 0.6, grain))
    color = mix(
        plants, rock, smoothstep(tree_line, tree_line + 0.25, ground + 0.25 * (grain - 0.5) + 0.12 * (steep - 0.5))
    )
    color = mix(color, (0.95, 0.94, 0.97), smoothstep(snow, snow + 0.08, ground + 0.3 * (grain - 0.5) - 0.06 * steep))
    sunlit, shaded = np.asarray([1.28, 1.0, 0.76]), np.asarray([0.42, 0.44, 0.62])
    color = color * (shaded + (sunlit - shaded) * smoothstep(0.1, 0.85, bright)[..., None])
    picture, mask = _seen_from_front(color.astype(np.float32), ground + 0.06 * along)
    rows = np.linspace(1, 0, height, dtype=np.float32)[:, None] * np.ones((1, width), np.float32)
    mist = haze_share + (1 - haze_share) * 0.75 * smoothstep(0.34, 0.0, rows + 0.18 * (massif.mean(0) - 0.5))
    return Texture(mix(picture, haze, mist), mask)


def _seen_from_front(color: Array, ground: Array) -> tuple[Array, Array]:
    """Orthographic view of a height field (depth, width) in [0, 1]: picture and mask, top row at height 1."""
    depth, width = ground.shape
    heights = np.linspace(1, 0, depth, dtype=np.float32)
    horizon = np.maximum.accumulate(ground, axis=0)
    first = np.stack([np.searchsorted(horizon[:, x], heights) for x in range(width)], axis=1)
    picture = np.take_along_axis(color, np.minimum(first, depth - 1)[..., None], axis=0)
    sky = first >= depth
    top = np.argmin(sky, axis=0)
    crest = picture[top, np.arange(width)]
    picture = np.where(sky[..., None], crest[None], picture)
    return picture, cv2.GaussianBlur((~sky).astype(np.float32), (0, 0), 0.8)


def conifers(
    seed: int, *, size_px: tuple[int, int], count: int, color: Color, light: Color, fill: float = 0.2
) -> Texture:
    """A row of conifers; ``fill`` is the height of the closed undergrowth between them."""
    rng = np.random.default_rng(seed)
    width, height = size_px
    y, x = np.mgrid[:height, :width].astype(np.float32)
    up = 1 - y / height
    noise = fractal_noise((height, width), (height / 24, width / 24), seed, num_octaves=3, gain=0.4)
    mask = smoothstep(-0.01, 0.01, fill * (0.6 + 0.8 * fractal_noise((1, width), (1, count), seed + 5)) - up)
    picture = np.broadcast_to(np.asarray(color, np.float32) * 0.7, (height, width, 3)).copy()
    for _ in range(count):
        center, tall = rng.uniform(0, width), rng.uniform(0.45, 1.0)
        broad = rng.uniform(0.13, 0.19) * tall * height
        left, right = (int(np.clip(center + s * broad * 1.5, 0, width)) for s in (-1, 1))
        if right <= left:
            continue
        part = slice(left, right)
        level = up[:, part] / tall
        tiers = 0.72 + 0.28 * (1 - np.mod(level * rng.uniform(9, 13), 1))
        reach = broad * np.clip(1 - level, 0, 1) ** 0.85 * tiers * (0.7 + 0.6 * noise[:, part])
        aside = x[:, part] - center
        inside = smoothstep(-1.0, 1.0, reach - np.abs(aside)) * (level < 1)
        lit = smoothstep(-0.5, 1.0, aside / (broad + 1)) * (0.45 + 0.9 * noise[:, part]) * rng.uniform(0.7, 1.1)
        tree = mix(color, light, np.clip(lit, 0, 1)) * (0.65 + 0.7 * noise[:, part, None]) * tiers[..., None]
        picture[:, part] = mix(picture[:, part], tree, inside)
        mask[:, part] = np.maximum(mask[:, part], inside)
    return Texture(picture, mask)


def foliage(seed: int, *, color: Color, light: Color, size_px: int = 320, count: int = 900) -> Texture:
    """A clump of leaves, dabbed from the dark inside to the bright top right."""
    rng = np.random.default_rng(seed)
    picture = np.broadcast_to(np.asarray(color, np.float32) * 0.7, (size_px, size_px, 3)).copy()
    mask = np.zeros((size_px, size_px), np.float32)
    lumps = rng.uniform(0.62, 1.0, 9)
    for k in range(count):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform())
        edge = np.interp(angle / (2 * np.pi) * 9, np.arange(10), np.append(lumps, lumps[0]))
        aside, up = reach * edge * np.cos(angle), reach * edge * np.sin(angle) * 0.9
        bright = np.clip(0.35 + 0.45 * up + 0.25 * aside + 0.35 * k / count + rng.normal(0, 0.16) - 0.15, 0, 1)
        tone = tuple(float(a + (b - a) * bright) * (0.75 + 0.25 * k / count) for a, b in zip(color, light, strict=True))
        center = (round(size_px * (0.5 + 0.45 * aside)), round(size_px * (0.5 - 0.45 * up)))
        axes = (int(rng.integers(5, 12)), int(rng.integers(3, 7)))
        turn = float(rng.uniform(0, 180))
        cv2.ellipse(picture, center, axes, turn, 0, 360, tone, -1, cv2.LINE_AA)
        cv2.ellipse(mask, center, axes, turn, 0, 360, 1.0, -1, cv2.LINE_AA)
    return Texture(picture, mask)


def sky(
    seed: int,
    *,
    horizon: Color,
    middle: Color,
    zenith: Color,
    cloud: tuple[Color, Color],
    cover: float,
    sun: tuple[float, float] | None = None,
    glow: Color = (1.0, 0.72, 0.36),
) -> Texture:
    """A sky with clouds, (shaded, sunlit); ``sun`` is (across, up) in [0, 1], ``cover`` moves the clouds' threshold."""
    height, width = 768, 1536
    y, x = np.mgrid[:height, :width].astype(np.float32)
    up, across = 1 - y / height, x / width
    picture = mix(horizon, middle, smoothstep(0.05, 0.3, up))
    picture = mix(picture, zenith, smoothstep(0.2, 0.75, up))
    away = np.full_like(up, 9.0) if sun is None else np.hypot((across - sun[0]) * 2.1, up - sun[1])
    picture = picture + (np.exp(-away / 0.16) * 0.6)[..., None] * np.asarray(glow, np.float32)
    body = fractal_noise((height, width), (7, 5), seed, num_octaves=7, gain=0.55)
    wisps = fractal_noise((height, width), (16, 4), seed + 1, num_octaves=6, gain=0.6)
    dense = smoothstep(0.5, 0.68, 0.7 * body + 0.3 * wisps + 0.1 * smoothstep(0.3, 0.6, up) - 0.02 + cover)
    lit = smoothstep(-0.05, 0.06, body - np.roll(body, (6, -10), (0, 1)))
    picture = mix(picture, mix(*cloud, lit), 0.88 * dense)
    return Texture(np.clip(mix(picture, (1.0, 0.97, 0.86), smoothstep(0.045, 0.03, away)), 0, 1))


def ripples(seed: int, color: Color, *, amount: float) -> Texture:
    """Short level strokes of light on water; ``amount`` in [0, 1]."""
    noise = fractal_noise((768, 512), (110, 14), seed, num_octaves=2, gain=0.6)
    patches = fractal_noise((768, 512), (4, 3), seed + 1, num_octaves=2)
    mask = smoothstep(0.0, 0.03, 0.6 * noise + 0.4 * patches - 0.74 + 0.16 * amount)
    return Texture(_tone(color, 0.9 + 0.2 * noise), mask)


def facade(seed: int, color: Color, shutters: Color, *, floors: int, windows: int) -> Texture:
    """A plastered house front with shuttered windows and a door."""
    rng = np.random.default_rng(seed)
    size = 512
    y, _ = np.mgrid[:size, :size].astype(np.float32) / size
    grain = fractal_noise((size, size), (5, 5), seed, num_octaves=7, gain=0.6)
    drips = fractal_noise((size, size), (2, 40), seed + 1, num_octaves=3)
    picture = _tone(color, 0.8 + 0.4 * grain - 0.35 * smoothstep(0.5, 0.8, drips) * smoothstep(0.3, 0.9, y))
    bare = smoothstep(0.67, 0.71, grain + 0.12 * smoothstep(0.7, 1.0, y))
    picture = mix(picture, _tone((0.6, 0.5, 0.42), 0.6 + 0.8 * drips), bare)
    picture = picture * (0.55 + 0.45 * smoothstep(0.0, 0.07, y) * smoothstep(1.0, 0.93, y))[..., None]
    picture[: size // 40] = np.asarray([0.8, 0.76, 0.7]) * 0.9
    picture[-size // 14 :] = mix((0.5, 0.47, 0.45), (0.36, 0.33, 0.32), grain)[-size // 14 :]

    def box(cx: float, cy: float, w: float, h: float, tone: tuple[float, ...]) -> None:
        low = (round((cx - w / 2) * size), round((cy - h / 2) * size))
        cv2.rectangle(picture, low, (round((cx + w / 2) * size), round((cy + h / 2) * size)), tone, -1, cv2.LINE_AA)

    tall, broad = 0.5 / floors, 0.3 / windows
    door = int(rng.integers(windows))
    for floor in range(floors):
        for column in range(windows):
            cx, cy = (column + 0.5) / windows, (floor + 0.52) / floors * 0.95 + 0.02
            if floor == floors - 1 and column == door:
                box(cx, 0.86, broad * 1.25, 0.28, (0.72, 0.67, 0.6))
                box(cx, 0.87, broad, 0.26, tuple(0.55 * c for c in shutters))
                continue
            box(cx, cy, broad * 1.2, tall * 1.12, (0.85, 0.81, 0.74))
            box(cx, cy, broad, tall, (0.13, 0.16, 0.22))
            box(cx, cy - tall * 0.2, broad * 0.8, tall * 0.42, (0.3, 0.38, 0.48))
            box(cx, cy, broad * 0.1, tall, (0.85, 0.81, 0.74))
            box(cx, cy + tall * 0.6, broad * 1.5, tall * 0.1, (0.7, 0.66, 0.6))
            if rng.uniform() < 0.85:
                for side in (-1, 1):
                    box(cx + side * broad * 0.87, cy, broad * 0.56, tall * 1.04, shutters)
                    for slat in range(6):
                        box(
                            cx + side * broad * 0.87,
                            cy + tall * (slat - 2.5) * 0.16,
                            broad * 0.46,
                            tall * 0.05,
                            tuple(0.7 * c for c in shutters),
                        )
            if floor and rng.uniform() < 0.4:
                for _ in range(26):
                    at = (
                        round((cx + rng.normal(0, broad * 0.35)) * size),
                        round((cy + tall * 0.48) * size + rng.normal(0, 4)),
                    )
                    bloom = ((0.25, 0.42, 0.16), (0.85, 0.25, 0.3))[int(rng.uniform() < 0.4)]
                    cv2.circle(picture, at, int(rng.integers(2, 5)), bloom, -1, cv2.LINE_AA)
    return Texture(picture)


def roof_tiles(seed: int, *, repeat: tuple[float, float]) -> Texture:
    """Rows of curved terracotta tiles; tiles."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :256].astype(np.float32) / 256
    row, column = y * 8, x * 10
    curve = np.sin(np.pi * np.mod(column, 1)) ** 0.6
    tones = rng.uniform(0.7, 1.15, (8, 10))[row.astype(int), column.astype(int)]
    grain = fractal_noise((256, 256), (8, 8), seed)
    color = mix((0.62, 0.3, 0.2), (0.82, 0.5, 0.32), grain)
    return Texture(color * (tones * (0.4 + 0.6 * curve) * (0.6 + 0.4 * np.mod(row, 1)))[..., None], repeat=repeat)


def grass(
    seed: int,
    *,
    size_px: tuple[int, int],
    count: int,
    colors: tuple[Color, Color],
    flowers: Color | None,
    repeat: float,
) -> Texture:
    """A strip of blades, some with flower heads."""
    rng = np.random.default_rng(seed)
    width, height = size_px
    picture = np.broadcast_to(np.asarray(colors[0], np.float32), (height, width, 3)).copy()
    mask = np.zeros((height, width), np.float32)
    for _ in range(count):
        x, tall, lean = rng.uniform(0, width), height * rng.uniform(0.3, 0.97) ** 1.3, rng.normal(0, 0.16)
        t = np.linspace(0, 1, 9)
        points = np.stack([x + lean * tall * t**2, height - tall * t], axis=1)
        share = float(rng.uniform())
        color = tuple(float(a + (b - a) * share) for a, b in zip(*colors, strict=True))
        for i in range(8):
            thick = max(1, round(4 * (1 - i / 8)))
            ends = [tuple(round(c * 16) for c in points[j]) for j in (i, i + 1)]
            tone = tuple(c * (0.55 + 0.6 * i / 8) for c in color)
            cv2.line(picture, ends[0], ends[1], tone, thick, cv2.LINE_AA, 4)
            cv2.line(mask, ends[0], ends[1], 1.0, thick, cv2.LINE_AA, 4)
        if flowers is not None and rng.uniform() < 0.16:
            tip = tuple(int(c) for c in points[-1])
            tone = tuple(float(c * rng.uniform(0.8, 1.1)) for c in flowers)
            axes = (int(rng.integers(3, 7)), int(rng.integers(5, 10)))
            cv2.ellipse(picture, tip, axes, 0, 0, 360, tone, -1, cv2.LINE_AA)
            cv2.ellipse(mask, tip, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    mask[-height // 8 :] = 1
    return Texture(picture, mask, (repeat, 1))


def cobbles(seed: int, *, repeat: tuple[float, float], size_px: int = 1024, rows: int = 18) -> Texture:
    """Worn stones in staggered rows; tiles."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size_px, :size_px].astype(np.float32) / size_px
    bend = 0.012 * (fractal_noise((size_px, size_px), (8, 8), seed, num_octaves=3) - 0.5)
    row = np.mod((y + bend) * rows, rows)
    column = np.mod((x + bend[::-1]) * rows * 0.75 + 0.5 * np.mod(np.floor(row), 2), rows * 0.75)
    edge = np.minimum(0.5 - np.abs(np.mod(row, 1) - 0.5), (0.5 - np.abs(np.mod(column, 1) - 0.5)) * 1.3)
    tones = rng.uniform(0.55, 1.1, (rows, rows))[row.astype(int), column.astype(int)]
    warm = rng.uniform(0, 1, (rows, rows))[row.astype(int), column.astype(int)]
    grain = fractal_noise((size_px, size_px), (40, 40), seed + 3, num_octaves=4)
    stone = mix((0.52, 0.49, 0.5), (0.66, 0.57, 0.47), warm) * (tones * (0.75 + 0.5 * grain))[..., None]
    return Texture(mix((0.2, 0.17, 0.16), stone, smoothstep(0.03, 0.17, edge)), repeat=repeat)


def planks(seed: int, color: Color, *, count: int = 7, open_top: float = 0.0) -> Texture:
    """Wooden boards lying along the width; ``open_top`` is the share of the height that is cut away."""
    rng = np.random.default_rng(seed)
    y, _ = np.mgrid[:256, :512].astype(np.float32) / 256
    board = np.minimum((y * count).astype(int), count - 1)
    gap = smoothstep(0.0, 0.12, 0.5 - np.abs(np.mod(y * count, 1) - 0.5))
    fibre = fractal_noise((256, 512), (40, 4), seed, num_octaves=4)
    tones = rng.uniform(0.75, 1.1, count)[board] * (0.7 + 0.6 * fibre) * (0.4 + 0.6 * gap)
    return Texture(_tone(color, tones), (y >= open_top).astype(np.float32) if open_top else None)


def stripes(first: Color, second: Color, count: int, *, seed: int = 0, bands: bool = True) -> Texture:
    """Gores around a balloon or a ball, with zigzag bands across."""
    y, x = np.mgrid[:256, :1024].astype(np.float32)
    around = np.mod(x / 1024 * count, 1)
    picture = mix(first, second, smoothstep(0.47, 0.53, np.abs(around - 0.5) * 2))
    if bands:
        wave = y / 256 + 0.035 * np.abs(np.mod(x / 1024 * count * 2, 1) - 0.5)
        for low, color in ((0.36, (0.95, 0.86, 0.62)), (0.44, (0.16, 0.3, 0.46)), (0.52, (0.95, 0.86, 0.62))):
            picture = mix(
                picture, color, smoothstep(low, low + 0.008, wave) * smoothstep(low + 0.05, low + 0.042, wave)
            )
    seams = 0.75 + 0.25 * smoothstep(0.0, 0.06, 0.5 - np.abs(around - 0.5))
    noise = fractal_noise((256, 1024), (8, 32), seed)
    return Texture(picture * (seams * (0.9 + 0.2 * noise))[..., None])


def polygon(color: Color, points: tuple[tuple[float, float], ...], *, seed: int = 0, size_px: int = 256) -> Texture:
    """A flat shape: corners in [0, 1], v downwards."""
    mask = np.zeros((size_px, size_px), np.float32)
    corners = np.rint(np.asarray(points) * size_px * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], 1.0, cv2.LINE_AA, 4)
    noise = fractal_noise((size_px, size_px), (5, 5), seed)
    return Texture(_tone(color, 0.85 + 0.3 * noise), mask)


def _tone(color: Color, tones: Array) -> Array:
    toned: Array = np.asarray(color, np.float32) * tones[..., None].astype(np.float32)
    return toned
