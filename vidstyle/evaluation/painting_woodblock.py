"""A woodblock print: breaking waves in a few flat inks."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from torch import Tensor

from vidstyle.evaluation.painting_tools import (
    Array,
    bezier,
    fill,
    finished,
    fractal_noise,
    ramp,
    rgb,
    stroke_scale,
    unit_grid,
)

_SUPERSAMPLING = 2
_KEY = rgb("#142a52")
_FOAM = rgb("#f3ead2")
_BODY = ("#1d3f78", "#2f67a0", "#16305f", "#6f9fbe", "#1d3f78", "#b9d0cc", "#24528c", "#3f7fae", "#16305f", "#8fb8c4")

_SWELL = ("#dfe3d0", "#2f67a0", "#1d3f78", "#6f9fbe", "#16305f", "#24528c", "#a8c6c8")


class _Print:
    """A sheet being printed: flat shapes with a key-block outline."""

    def __init__(self, width: int, height: int, line_px: float) -> None:
        self.picture = np.zeros((height, width, 3), np.uint8)
        self.line_px = line_px

    def shape(self, polygon: Array, colour: Array, outline: float = 1.0) -> None:
        fill(self.picture, polygon, colour)
        thickness = max(round(self.line_px * outline), 1)
        points = np.round(polygon * 16).astype(np.int32)
        cv2.polylines(self.picture, [points], True, tuple(float(c) for c in _KEY), thickness, cv2.LINE_AA, shift=4)

    def discs(self, centres: Array, radii: Array, colour: Array) -> None:
        """Discs which melt into one outlined shape."""
        for extra, ink in ((self.line_px, _KEY), (0.0, colour)):
            for centre, radius in zip(centres, radii, strict=True):
                place = np.round(centre * 16).astype(int).tolist()
                size = max(round(16 * (radius + extra)), 8)
                cv2.circle(self.picture, place, size, tuple(float(c) for c in ink), -1, cv2.LINE_AA, shift=4)


def _claw(root: Array, turn: float, size: float, sense: float) -> tuple[Array, Array]:
    """A curled finger of foam as discs along a tightening arc."""
    steps = np.linspace(0, 1, 9)
    bend = turn + sense * 2.6 * steps**1.3
    path = np.cumsum(np.stack([np.cos(bend), np.sin(bend)], axis=1), axis=0) * size * 0.2
    return root + path, size * (0.3 - 0.22 * steps)


def _wave(rng: np.random.Generator, sheet: _Print, foot: Array, size: float, mirrored: bool) -> None:
    """One breaking wave: striped body, lip of foam, fingers and spray."""
    flip = -1.0 if mirrored else 1.0
    back = np.concatenate(
        [
            bezier((-1.9, 0.12), (-0.8, 0.0), (-0.55, 1.12), (0.05, 1.0)),
            bezier((0.05, 1.0), (0.4, 0.94), (0.66, 0.8), (0.62, 0.52)),
        ]
    )
    face = np.concatenate(
        [
            bezier((1.7, -0.06), (0.3, -0.02), (-0.28, 0.28), (0.02, 0.62)),
            bezier((0.02, 0.62), (0.2, 0.86), (0.5, 0.78), (0.62, 0.52)),
        ]
    )

    def placed(points: Array) -> Array:
        moved: Array = points * (size * flip, -size) + foot
        return moved

    sheet.shape(placed(np.concatenate([back, face[::-1]])), rgb(_BODY[0]))
    edges = np.linspace(0, 1, 12) + np.concatenate([[0], rng.normal(0, 0.012, 10), [0]])
    curves = [back * (1 - edge) + face * edge for edge in edges]
    for index, (one, two) in enumerate(pairwise(curves)):
        sheet.shape(placed(np.concatenate([one, two[::-1]])), rgb(_BODY[index % len(_BODY)]), 0.5)

    # foam: scallops over the crest, then down inside the lip
    crest = np.concatenate([back[16:], face[:26:-1]])
    along = np.linspace(3, len(crest) - 1, 34).astype(int)
    grow = np.sin(np.linspace(0.25, np.pi * 0.86, len(along)))
    radii = size * (0.026 + 0.034 * grow) * rng.uniform(0.8, 1.2, len(along))
    spots = placed(crest[along] + rng.normal(0, 0.008, (len(along), 2)))
    fingers = list(range(6, len(along), 2))
    for finger in fingers:
        inward = finger > 17
        turn = (1.15 if inward else -0.5) + rng.normal(0, 0.25)
        turn = turn if flip > 0 else np.pi - turn
        sense = flip * (1.0 if rng.random() < 0.72 else -1.0)
        centres, sizes = _claw(spots[finger], turn, size * rng.uniform(0.12, 0.17), sense)
        sheet.discs(centres, sizes * 0.85, _FOAM)
    sheet.discs(spots, radii, _FOAM)
    for spot, radius in zip(spots, radii, strict=True):
        place = np.round(spot * 16).astype(int).tolist()
        axes = [max(round(16 * radius * 0.6), 8)] * 2
        cv2.ellipse(
            sheet.picture,
            place,
            axes,
            float(rng.uniform(0, 360)),
            0,
            200,
            (124.0, 164.0, 190.0),
            max(round(0.8 * sheet.line_px), 1),
            cv2.LINE_AA,
            shift=4,
        )
    spray = placed(np.array([0.55, 0.75]) + rng.normal(0, 1, (26, 2)) * (0.32, 0.17))
    sheet.discs(spray, size * rng.uniform(0.006, 0.016, 26), _FOAM)


def _sky(rng: np.random.Generator, sheet: _Print) -> None:
    """Graded sky with ruled cloud bars, a red sun and a snow peak."""
    height, width = sheet.picture.shape[:2]
    y = unit_grid(width, height)[1]
    side = min(width, height)
    # the grading is cut in steps, as by several blocks
    tone = 1.9 * y + 0.05 * fractal_noise(rng, width, height, 0.16 * side, 3, stretch=3)
    steps = np.floor(tone * 26) / 26
    grading = ramp(("#43587a", "#8a96a0", "#e0c8a4", "#f2d49a", "#eda873", "#e08a68", "#e8bf98"), steps)
    grading *= 1 + 0.05 * np.sin(steps * 26 * 2.4)[..., None]
    lines = np.abs(tone * 26 - np.round(tone * 26)) < 0.08
    grading[lines] = 0.7 * grading[lines] + 0.3 * _KEY
    sheet.picture[:] = grading.astype(np.uint8)
    sun = (round(0.3 * width), round(0.2 * height))
    cv2.circle(sheet.picture, sun, round(0.105 * side), tuple(float(c) for c in rgb("#cc4630")), -1, cv2.LINE_AA)
    for top in np.arange(0.0, 0.56, 0.042):
        for _ in range(3):
            start, length = rng.uniform(-0.1, 1.0) * width, rng.uniform(0.06, 0.2) * width
            ends = np.linspace(0, length, 80)
            thick = rng.uniform(0.005, 0.0095) * side * np.sin(np.pi * np.linspace(0.12, 0.88, 80)) ** 0.5
            middle = np.stack(
                [start + ends, np.full(80, top * height) + 0.008 * side * np.sin(ends / side * 14)], axis=1
            )
            tint = rgb(("#f6ead0", "#e39c78", "#7f93a8", "#f0d2a4", "#cc7860")[rng.integers(5)])
            sheet.discs(middle, thick, tint)
    peak = np.array([0.5 * width, 0.36 * height])
    slope = bezier((0, 0), (0.06, 0.12), (0.2, 0.22), (0.42, 0.27)) * side
    sheet.shape(np.concatenate([(peak + slope * (-1, 1))[::-1], peak + slope]), rgb("#3a5f8c"))
    tips = peak + slope[:11]
    left = peak + slope[:11] * (-1, 1)
    zigzag = np.stack(
        [np.linspace(tips[-1, 0], left[-1, 0], 11), np.full(11, tips[-1, 1]) - 0.03 * side * (np.arange(11) % 2)],
        axis=1,
    )
    sheet.shape(np.concatenate([left[::-1], tips, zigzag]), _FOAM)


def _swell(rng: np.random.Generator, sheet: _Print, top: float, size: float) -> None:
    """One row of pointed ripples across the sheet, with contour lines below each crest."""
    height, width = sheet.picture.shape[:2]
    side = min(width, height)
    turn = np.linspace(-2, width / (size * side) * 2 * np.pi + 2, 400)
    heave = 0.35 * size * side * fractal_noise(rng, 400, 1, 60, 2)[0]
    phase = rng.uniform(0, 2 * np.pi)
    for index in range(6):
        swing = 0.2 * size * side * (1 - 0.1 * index)
        across = turn / (2 * np.pi) * size * side + 0.12 * size * side * np.sin(turn + phase)
        down = top * height + heave + swing * np.cos(turn + phase) + index * 0.17 * size * side
        outline = np.stack([across, down], axis=1)
        floor = np.array([(across[-1], height + 9.0 * sheet.line_px), (across[0], height + 9.0 * sheet.line_px)])
        sheet.shape(np.concatenate([outline, floor]), rgb(_SWELL[(index + int(rng.integers(2))) % len(_SWELL)]), 0.6)


def woodblock(width: int, height: int) -> Tensor:
    """Woodblock print: breaking waves with fingers of foam under a graded sky, in a few flat inks on grained paper."""
    rng = np.random.default_rng(36)
    wide, high = width * _SUPERSAMPLING, height * _SUPERSAMPLING
    scale = stroke_scale(width, height) * _SUPERSAMPLING
    sheet = _Print(wide, high, 1.5 * scale)
    _sky(rng, sheet)
    side = min(wide, high)
    # (x, foot, size, mirrored), back to front, with ripples between them
    waves = (
        (0.66, 0.63, 0.13, False),
        (0.33, 0.65, 0.12, True),
        (0.97, 0.82, 0.5, True),
        (0.6, 0.8, 0.17, False),
        (0.12, 0.9, 0.55, False),
        (0.78, 1.0, 0.26, True),
        (0.5, 1.04, 0.2, False),
    )
    top = 0.57
    for cx, foot, size, mirrored in waves:
        while top < foot - 0.06:
            _swell(rng, sheet, top, 0.1 + 0.3 * (top - 0.55))
            top += 0.05
        _wave(rng, sheet, np.array([cx * wide, foot * high]), size * side, mirrored)

    picture = sheet.picture.astype(np.float32)
    # the plank's grain, printed with the ink: rings cut lengthwise
    rings = fractal_noise(rng, wide, high, 90 * scale, 3, stretch=6)
    row = np.arange(high, dtype=np.float32)[:, None]
    taken = 0.5 + 0.5 * fractal_noise(rng, wide, high, 20 * scale, 2, stretch=8)
    grain = np.sin(row / (1.5 * scale) + 7 * rings) * taken
    worn = fractal_noise(rng, wide, high, 50 * scale, 5)
    fibres = fractal_noise(rng, wide, high, 2.5 * scale, 2, stretch=5)
    ink = 1 - picture / 255
    ink *= (1 + 0.13 * grain + 0.09 * worn + 0.06 * fibres)[..., None]
    paper = rgb("#f5ecd6") * (1 + 0.012 * fibres + 0.01 * worn)[..., None]
    return finished(paper * np.clip(1 - ink * 0.98, 0, 1) ** 0.98, width, height)
