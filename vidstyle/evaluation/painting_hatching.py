"""A pen drawing: hatching in two inks which bends with the forms."""

from __future__ import annotations

import cv2
import numpy as np
from torch import Tensor

from vidstyle.evaluation.painting_tools import (
    Array,
    finished,
    fractal_noise,
    ramp,
    rgb,
    stroke_scale,
    unit_grid,
    voronoi_cells,
)

_SUPERSAMPLING = 2


def _hatch(
    rng: np.random.Generator,
    phase: Array,
    gradient: Array,
    tone: Array,
    *,
    period_px: float,
    pen_px: float,
    wobble: Array,
) -> Array:
    """Ink of one set of parallel pen lines, the level sets of a phase.

    Args:
        rng: source of randomness.
        phase: (H, W) in pixels across the lines.
        gradient: (H, W) slope of the phase; where it is steep two forms meet, and no line is drawn.
        tone: (H, W), 0 leaves lines out, 1 draws every one at full pressure.
        period_px: distance of neighbouring lines.
        pen_px: width of a line at full pressure.
        wobble: (H, W) noise which breaks lines where they thin out.

    Returns:
        (H, W) float32 ink cover in [0, 1].
    """
    position = phase / period_px
    line = np.floor(position).astype(np.int64)
    from_line_px = np.abs(position - line - 0.5) * period_px / np.clip(gradient, 0.3, 2.0)
    # each line has a pressure of its own and gives out at another tone
    strength = rng.random(4096).astype(np.float32)[line % 4096]
    pressure = np.clip(3.2 * (tone - 0.55 * strength) + 0.35 * wobble, 0, 1)
    half_width = 0.5 * pen_px * (0.35 + 0.65 * pressure) * np.minimum(pressure * 4, 1)
    cover = np.clip(half_width - from_line_px + 0.5, 0, 1) * np.minimum(pressure * 5, 1)
    return np.where(gradient < 4, cover, 0).astype(np.float32)


def _village(rng: np.random.Generator, width: int, height: int) -> tuple[Array, Array, Array, Array]:
    """Composition for the pen: darkness in [0, 1], bulge of the forms in pixels, warmth in [0, 1], outlines (bool)."""
    x, y = unit_grid(width, height)
    aspect, side = width / height, min(width, height)
    soft = fractal_noise(rng, width, height, 0.28 * side, 3)
    billow = fractal_noise(rng, width, height, 0.2 * side, 2, stretch=1.8)
    # sky: rolling clouds, lit from the left
    dark = 0.42 - 0.3 * y + 0.2 * np.tanh(1.4 * np.roll(billow, round(0.03 * side), axis=1) - billow) + 0.1 * billow
    bulge = 0.05 * side * billow
    warm = np.clip(0.35 + 0.25 * billow, 0, 1)
    part = np.where(billow > 0.3, 1, 0)
    sun = np.hypot((x - 0.74) * aspect, y - 0.19)
    disc = sun < 0.085
    dark, warm, part = np.where(disc, 0.22, dark), np.where(disc, 1, warm), np.where(disc, 2, part)
    bulge = np.where(disc, 0.5 * side * np.sqrt(np.maximum(0.085**2 - sun**2, 0)), bulge)

    for number, (base, swing, waves, phase) in enumerate(
        (
            (0.42, 0.05, 6.0, 0.3),
            (0.52, 0.05, 4.6, 2.4),
            (0.63, 0.055, 5.4, 4.2),
            (0.77, 0.05, 4.2, 0.9),
            (0.9, 0.03, 6.2, 3.0),
        )
    ):
        top = base + swing * np.sin(waves * x * aspect + phase) + 0.012 * np.sin(3 * waves * x + 5 * phase)
        below = y > top
        depth = (y - top) / 0.2
        slope = np.cos(waves * x * aspect + phase)
        dark = np.where(below, 0.42 - 0.24 * slope + 0.34 * np.exp(-3.5 * np.abs(depth)) + 0.08 * soft, dark)
        bulge = np.where(below, 0.16 * side * np.sqrt(np.maximum(depth, 0)) + 0.1 * side * slope, bulge)
        warm = np.where(below, np.clip(0.5 + 0.4 * np.sin(2.2 * number + 0.5) - 0.25 * depth + 0.15 * soft, 0, 1), warm)
        part = np.where(below, 10 + number, part)
        # round trees stand on the hill, drawn before the next hill hides their feet
        for index in range(6 - number // 2):
            cx = (index + rng.uniform(0.2, 0.8)) / (6 - number // 2)
            size = rng.uniform(0.028, 0.045) * (1 + 0.42 * number)
            foot = base + swing * np.sin(waves * cx * aspect + phase) + 0.012 * np.sin(3 * waves * cx + 5 * phase)
            # only the box around the tree is touched
            left, right = ((cx + sign * 1.3 * size / aspect) * width for sign in (-1, 1))
            rise, fall = (foot - 3.2 * size) * height, (foot + 0.02) * height
            box = np.s_[max(int(rise), 0) : max(int(fall) + 1, 0), max(int(left), 0) : max(int(right) + 1, 0)]
            dx, dy = (x[box] - cx) * aspect, y[box] - (foot - 1.7 * size)
            trunk = (np.abs(dx) < 0.1 * size) & (dy > 0.5 * size) & (y[box] < foot + 0.01)
            edge = size * (1 + 0.07 * np.sin(9 * np.arctan2(dy, dx) + 7 * cx) + 0.04 * soft[box])
            crown = np.hypot(dx, 0.85 * dy) < edge
            ball = np.sqrt(np.maximum(1 - (dx**2 + (0.85 * dy) ** 2) / edge**2, 0))
            light = 0.62 * (dx + dy) / size
            dark[box][trunk], part[box][trunk] = 0.95, 70 + index
            dark[box][crown] = np.clip(0.5 + 0.55 * light - 0.1 * ball, 0.12, 1)[crown]
            bulge[box][crown] = (0.75 * size * side * ball)[crown]
            warm[box][crown] = rng.choice([0.05, 0.25, 0.9])
            part[box][crown] = 100 + 10 * number + index
    outline = np.zeros(part.shape, bool)
    outline[1:, 1:] = (part[1:, 1:] != part[:-1, 1:]) | (part[1:, 1:] != part[1:, :-1])
    return np.clip(dark, 0.22, 1).astype(np.float32), bulge.astype(np.float32), warm.astype(np.float32), outline


def ink_hatching(width: int, height: int) -> Tensor:
    """Pen and two inks on cream paper: hills, round trees and clouds in hatching which bends with the forms."""
    rng = np.random.default_rng(5)
    wide, high = width * _SUPERSAMPLING, height * _SUPERSAMPLING
    scale = stroke_scale(width, height) * _SUPERSAMPLING
    dark, bulge, warm, outline = _village(rng, wide, high)
    bulge = cv2.GaussianBlur(bulge, (0, 0), 1.2 * scale)
    column, row = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    hand = 1.1 * scale * fractal_noise(rng, wide, high, 60 * scale, 3)
    # the draughtsman turns the wrist from patch to patch
    patches = voronoi_cells(rng, wide, high, 95 * scale)
    turns = rng.normal(0, 0.1, int(patches.max()) + 1).astype(np.float32)[patches]

    paper = ramp(("#e6d6b4", "#f2e6c8", "#f8f0da"), 0.5 + 0.2 * fractal_noise(rng, wide, high, 120 * scale, 5))
    paper *= (1 + 0.012 * fractal_noise(rng, wide, high, 3 * scale, 2))[..., None]
    # thin washes under the lines carry the colour
    wash = ramp(("#a9bfc4", "#c9c8a8", "#e6c190"), warm + 0.1 * fractal_noise(rng, wide, high, 30 * scale, 3))
    strength = np.clip(0.25 + 0.6 * dark, 0, 0.75)[..., None]
    picture = paper * (1 - strength + strength * wash / 255)

    blue, red = rgb("#15233f"), rgb("#8a3a1c")
    ink_colour = blue + (red - blue) * np.clip(2.4 * warm - 0.85, 0, 1)[..., None]
    # (direction, bend, tone from which the set is used, tone range, distance of lines, pen, colour)
    sets = (
        (0.9, 1.0, 0.05, 0.55, 6.2, 2.1, ink_colour),
        (0.25, -0.8, 0.32, 0.5, 6.6, 1.9, ink_colour),
        (1.75, 0.6, 0.5, 0.5, 6.0, 1.9, blue),
        (2.6, -0.5, 0.68, 0.45, 5.4, 1.9, blue),
    )
    for direction, bend, start, span, period, pen, colour in sets:
        angle = direction + turns
        flow = (1.6 * bend * bulge + hand).astype(np.float32)
        phase = column * np.cos(angle) + row * np.sin(angle) + flow
        slope_x = cv2.Sobel(flow, cv2.CV_32F, 1, 0, scale=0.125) + np.cos(angle)
        slope_y = cv2.Sobel(flow, cv2.CV_32F, 0, 1, scale=0.125) + np.sin(angle)
        tone = np.clip((dark - start) / span, 0, 1.2)
        wobble = fractal_noise(rng, wide, high, 26 * scale, 3)
        ink = _hatch(
            rng, phase, np.hypot(slope_x, slope_y), tone, period_px=period * scale, pen_px=pen * scale, wobble=wobble
        )
        blot = 0.88 + 0.08 * fractal_noise(rng, wide, high, 10 * scale, 2)
        picture += (colour - picture) * np.clip(ink * blot, 0, 1)[..., None]
    away = cv2.distanceTransform(1 - outline.astype(np.uint8), cv2.DIST_L2, 5)
    nib = 1.0 * scale * (1 + 0.35 * fractal_noise(rng, wide, high, 40 * scale, 3))
    line = np.clip(nib - away + 0.5, 0, 1)[..., None]
    return finished(picture + (blue - picture) * line * 0.92, width, height)
