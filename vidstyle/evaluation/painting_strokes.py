"""Pictures made of separate touches of paint: brush strokes along a flow field, and dots of pure colour."""

from __future__ import annotations

import cv2
import numpy as np
from torch import Tensor

from vidstyle.evaluation.painting_tools import (
    Array,
    finished,
    fixed_point,
    fractal_noise,
    jittered,
    ramp,
    relief,
    sample,
    scalar,
    scattered_points,
    streamlines,
    stroke_scale,
    unit_grid,
)


def _turn(x: Array, y: Array, centre: tuple[float, float], aspect: float) -> tuple[Array, Array]:
    """Distance from a centre (in picture heights) and polar angle around it."""
    dx, dy = (x - centre[0]) * aspect, y - centre[1]
    return np.hypot(dx, dy), np.arctan2(dy, dx)


def _ridge(rng: np.random.Generator, width: int, base: float, swing: float, feature: float) -> Array:
    """Skyline of a hill: (1, W) height in (0, 1), 0 at the top."""
    return base + swing * fractal_noise(rng, width, 1, max(feature * width, 2.0), 3)


def _evening_fields(rng: np.random.Generator, width: int, height: int) -> tuple[Array, Array]:
    """Composition for the oil picture: colour (H, W, 3) and stroke direction (H, W)."""
    x, y = unit_grid(width, height)
    aspect = width / height
    sun = (0.66, 0.27)
    distance, around = _turn(x, y, sun, aspect)
    scale = min(width, height)
    drift = fractal_noise(rng, width, height, 0.3 * scale, 3)

    # sky: rings round the sun, and eddies which turn both the colour bands and the strokes
    flow_x, flow_y = np.full_like(x, 0.55), 0.12 * drift
    tone = 0.1 + 0.92 * distance + 0.06 * drift
    weight = np.exp(-((distance / 0.3) ** 2)) * 2.2
    flow_x, flow_y = flow_x - weight * np.sin(around), flow_y + weight * np.cos(around)
    for cx, cy, radius, sense in (
        (0.2, 0.2, 0.17, 1),
        (0.4, 0.4, 0.11, -1),
        (0.93, 0.12, 0.12, -1),
        (0.44, 0.07, 0.1, -1),
    ):
        near, turn = _turn(x, y, (cx, cy), aspect)
        weight = 2.4 * np.exp(-((near / radius) ** 2))
        flow_x, flow_y = flow_x - sense * weight * np.sin(turn), flow_y + sense * weight * np.cos(turn)
        spiral = np.sin(2 * turn - sense * 5.5 * np.log(near / radius + 0.25))
        tone = tone + 0.22 * np.exp(-((near / (1.15 * radius)) ** 2)) * spiral
    tone = tone + 0.05 * np.sin(46 * distance + 1.5 * drift)
    sky = ("#fff6b8", "#ffd84f", "#ffab3d", "#f0785a", "#c7849c", "#6fa8b8", "#2f8fb0", "#2a62a8", "#28418c", "#1e2a66")
    colour = ramp(sky, tone)
    angle = np.arctan2(flow_y, flow_x)

    # hills, each darker and greener than the one behind it
    hills = (
        (0.52, 0.025, 0.35, ("#8f7fc0", "#5f6fb5", "#4a5aa0", "#c98fa8")),
        (0.58, 0.022, 0.25, ("#3f7fa8", "#2f6f8f", "#58a08f", "#d9a05a")),
        (0.64, 0.018, 0.3, ("#2f7f6a", "#4f9f58", "#98b84a", "#1f5f68")),
    )
    slope_noise = fractal_noise(rng, width, height, 0.07 * scale, 3)
    for base, swing, feature, codes in hills:
        skyline = _ridge(rng, width, base, swing, feature)
        below = y > skyline
        colour = np.where(below[..., None], ramp(codes, 0.5 + 0.3 * slope_noise + 1.8 * (y - skyline)), colour)
        slope = np.gradient(skyline[0] * height)[None]
        angle = np.where(below, np.arctan(slope) + 0.5 * np.sin(2.5 * slope_noise), angle)

    # a field whose rows run to one vanishing point
    skyline = _ridge(rng, width, 0.7, 0.012, 0.5)
    below = y > skyline
    vanishing = (0.6, 0.6)
    depth = np.maximum(y - vanishing[1], 1e-3)
    row = (x - vanishing[0]) * aspect / depth
    stripe = 0.5 + 0.5 * np.sin(5.2 * row + 0.5 * drift)
    field = ("#3a2f7a", "#7a4fa8", "#3f7f4a", "#a8b83f", "#f0c040", "#f09038", "#d8502f")
    blend = 0.08 + 0.84 * stripe + 0.07 * slope_noise
    colour = np.where(below[..., None], ramp(field, blend), colour)
    angle = np.where(below, np.arctan2(depth, (x - vanishing[0]) * aspect) + 0.1 * drift, angle)

    # round trees, lit from the sun's side
    for cx, cy, radius in (
        (0.1, 0.66, 0.085),
        (0.21, 0.7, 0.06),
        (0.86, 0.67, 0.06),
        (0.95, 0.71, 0.085),
        (0.42, 0.65, 0.035),
    ):
        near, turn = _turn(x, y, (cx, cy), aspect)
        leaf = near < radius * (1 + 0.12 * np.sin(5 * turn + 9 * cx) + 0.06 * slope_noise)
        light = 0.45 + 0.9 * ((sun[0] - cx) * aspect * (x - cx) * aspect + (sun[1] - cy) * (y - cy)) / (radius * 0.5)
        tree = ramp(("#14304f", "#1f5a50", "#3f8f4a", "#9fb840", "#f0c850"), 0.8 * light + 0.12 * slope_noise)
        colour = np.where(leaf[..., None], tree, colour)
        angle = np.where(leaf, turn + np.pi / 2 + 0.35, angle)
    return colour.astype(np.float32), angle.astype(np.float32)


def _brush(
    rng: np.random.Generator,
    canvas: Array,
    colour: Array,
    angle: Array,
    *,
    width_px: float,
    length_px: float,
    cover: float,
) -> None:
    """Lay one coat of strokes on a canvas (H, W, 4) of RGB and paint height.

    A stroke is a bundle of bristles, each a thin line with a colour and height of its own.
    """
    height, width = angle.shape
    seeds = scattered_points(rng, width, height, float(np.sqrt(width_px * length_px / cover)))
    num_points = 9
    paths = streamlines(angle, seeds, num_points, length_px / num_points)
    colours = jittered(rng, sample(colour, seeds), 9, 0.14, 0.1)
    num_bristles = max(4, round(width_px / 1.5))
    across = np.linspace(-0.5, 0.5, num_bristles)
    thickness = max(1, round(1.5 * width_px / num_bristles))
    # paint piles up where the brush's flanks push it
    flank = 45 * (2 * np.abs(across)) ** 6
    for path, base in zip(paths, colours, strict=True):
        tangent = np.gradient(path, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
        lines = path[None] + across[:, None, None] * width_px * normal[None]
        lines = (
            lines + rng.normal(0, 0.1 * length_px, (num_bristles, 1, 1)) * (tangent / (length_px / num_points))[None]
        )
        tint = base + 11 * rng.standard_normal((num_bristles, 1)) + 7 * rng.standard_normal((num_bristles, 3))
        load = 90 + flank + 26 * rng.standard_normal(num_bristles) + 16 * rng.standard_normal()
        inks = np.clip(np.concatenate([tint, load[:, None]], axis=1), 0, 255)
        points = fixed_point(lines)
        for line, ink in zip(points, inks.tolist(), strict=True):
            cv2.polylines(canvas, [line], False, ink, thickness, cv2.LINE_AA, shift=4)


def oil_strokes(width: int, height: int) -> Tensor:
    """Thick oil paint: evening sky with eddies, hills and a striped field, in strokes which follow the forms."""
    rng = np.random.default_rng(11)
    scale = stroke_scale(width, height)
    colour, angle = _evening_fields(rng, width, height)
    ground = np.full((height, width, 1), 90, np.float32)
    canvas = np.clip(np.concatenate([0.8 * colour, ground], axis=2), 0, 255).astype(np.uint8)
    for width_px, length_px, cover in ((46, 170, 3.0), (28, 120, 2.6), (18, 84, 0.8), (10, 52, 0.4)):
        _brush(rng, canvas, colour, angle, width_px=width_px * scale, length_px=length_px * scale, cover=cover)
    paint = canvas[..., :3].astype(np.float32)
    surface = cv2.GaussianBlur(canvas[..., 3].astype(np.float32), (0, 0), max(0.8 * scale, 0.3))
    return finished(paint * relief(surface, 0.028)[..., None], width, height)


def _harbour(rng: np.random.Generator, width: int, height: int) -> Array:
    """Composition for the dots: sails on water at noon, a meadow in front; (H, W, 3)."""
    x, y = unit_grid(width, height)
    scale = min(width, height)
    soft = fractal_noise(rng, width, height, 0.25 * scale, 3)
    fine = fractal_noise(rng, width, height, 0.06 * scale, 2, stretch=3)
    colour = ramp(("#3f6fc0", "#5f9fd8", "#9fb8e0", "#e8b8c0", "#ffc890", "#ffe0a0"), 2.5 * y + 0.14 * soft)
    shore = 0.36 + 0.03 * fractal_noise(rng, width, 1, max(0.2 * width, 2), 3)
    colour = np.where(
        (y > shore)[..., None], ramp(("#7f6fb8", "#5f9f9f", "#8fb870", "#e0b070"), 0.5 + 0.3 * soft), colour
    )
    water = ramp(("#ffc880", "#7fc0c0", "#3f98b8", "#2f6fa8", "#303f88"), 2.6 * (y - 0.42) + 0.18 * fine)
    colour = np.where((y > 0.43)[..., None], water, colour)
    for cx, base, size in ((0.22, 0.56, 0.3), (0.63, 0.5, 0.17), (0.8, 0.62, 0.36), (0.45, 0.47, 0.1)):
        rise = (base - y) / size
        left, right = cx - 0.34 * size * (1 - rise), cx + 0.22 * size * np.clip(1 - rise, 0, 1) ** 1.5
        sail = (rise > 0.06) & (rise < 1) & (x > left) & (x < right)
        colour = np.where(
            sail[..., None], ramp(("#fff8e0", "#fff0c8", "#f8a050", "#d84f4f"), (x - left) / (0.56 * size)), colour
        )
        hull = (np.abs(x - cx) < 0.3 * size - 0.1 * np.maximum(y - base, 0)) & (np.abs(y - base) < 0.05 * size)
        colour = np.where(hull[..., None], np.array((60, 40, 110), np.float32), colour)
        echo = (y > base + 0.05 * size) & (y < base + 0.65 * size) & (np.abs(x - cx + 0.02 * fine) < 0.16 * size)
        colour = np.where(echo[..., None], 0.3 * colour + 0.7 * np.array((244, 150, 80), np.float32), colour)
    bank = 0.76 + 0.12 * (x - 0.5) ** 2 - 0.1 * (x - 0.7) + 0.015 * soft
    grass = ramp(("#f8e060", "#a8c840", "#4f9f48", "#2f6f60", "#3f3f88"), 2.6 * (y - bank) + 0.15 + 0.2 * soft)
    colour = np.where((y > bank)[..., None], grass, colour)
    flowers = (y > bank + 0.02) & (fractal_noise(rng, width, height, 0.035 * scale, 2) > 1.1)
    colour = np.where(flowers[..., None], ramp(("#ff5f6f", "#ff8fb0", "#fff0f0", "#ffb040"), 0.5 + 0.4 * fine), colour)
    return colour.astype(np.float32)


def _complement(colours: Array) -> Array:
    """The opposite hues at the same lightness, well saturated: (N, 3)."""
    hls = cv2.cvtColor((np.clip(colours, 0, 255) / 255).astype(np.float32)[None], cv2.COLOR_RGB2HLS)
    hls[..., 0] = (hls[..., 0] + 180) % 360
    hls[..., 2] = np.maximum(hls[..., 2], 0.6)
    opposite: Array = cv2.cvtColor(hls, cv2.COLOR_HLS2RGB)[0] * 255
    return opposite


def pointillism(width: int, height: int) -> Tensor:
    """Dots of pure, divided colour: sails on bright water behind a meadow."""
    rng = np.random.default_rng(29)
    scale = stroke_scale(width, height)
    colour = _harbour(rng, width, height)
    canvas = cv2.GaussianBlur(colour, (0, 0), 12 * scale).astype(np.uint8)
    angle = 0.7 * fractal_noise(rng, width, height, 200 * scale, 2)
    for radius_px, spacing_px, spread in ((9.0, 9.0, 9.0), (7.0, 8.5, 15.0), (5.0, 8.5, 22.0)):
        seeds = scattered_points(rng, width, height, spacing_px * scale)
        dots = jittered(rng, sample(colour, seeds), spread, 0.15, 0.07)
        # a part of the dots takes the complementary colour, which makes the others ring
        opposite = rng.random(len(dots)) < 0.09
        dots[opposite] = _complement(dots[opposite])
        # less grey, more pigment
        dots = np.clip(dots + 0.2 * (dots - dots.mean(axis=1, keepdims=True)), 0, 255)
        turns = np.degrees(sample(angle, seeds))
        sizes = np.maximum(radius_px * scale * rng.uniform(0.75, 1.2, len(seeds)), 0.8)
        for seed, dot, turn, size in zip(seeds, dots, turns, sizes, strict=True):
            centre, axes = fixed_point(seed).tolist(), fixed_point(np.array([size * 1.2, size * 0.85])).tolist()
            cv2.ellipse(canvas, centre, axes, float(turn), 0, 360, scalar(dot), -1, cv2.LINE_AA, shift=4)
    canvas_weave = relief(cv2.GaussianBlur(fractal_noise(rng, width, height, 3 * scale + 1, 2), (0, 0), 0.7), 0.25)
    return finished(canvas * canvas_weave[..., None], width, height)
