"""Pictures of thin layers: watercolour washes, and sheets of cut paper."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from vidstyle.evaluation.painting_tools import (
    Array,
    finished,
    fractal_noise,
    jittered,
    ramp,
    relief,
    rgb,
    scattered_points,
    stroke_scale,
    unit_grid,
)


class _Sheet:
    """Watercolour paper which takes up pigment.

    Pigment is an optical density per channel (Beer-Lambert law), so that glazes darken and mix as washes do.
    """

    def __init__(self, rng: np.random.Generator, width: int, height: int, scale: float) -> None:
        self.rng, self.scale = rng, scale
        self.density = np.zeros((height, width, 3), np.float32)
        # cold-pressed paper: pits that hold the grains of the pigment
        self.tooth = 0.7 * fractal_noise(rng, width, height, 3.2 * scale, 2)
        self.tooth += 0.5 * fractal_noise(rng, width, height, 9 * scale, 2)
        self.flow = [fractal_noise(rng, width, height, size * scale, 5) for size in (70, 36)]

    def wash(
        self, cover: Array, colour: Array, strength: float | Array, edge: float = 0.5, *, top: int = 0, left: int = 0
    ) -> None:
        """Lay one wash.

        Args:
            cover: (h, w) in [0, 1], where the water stands.
            colour: (3,) or (h, w, 3) colour of the pigment at full strength.
            strength: amount of pigment.
            edge: how much pigment the drying edge draws.
            top: first row of cover on the sheet.
            left: first column of cover on the sheet.
        """
        window = np.s_[top : top + cover.shape[0], left : left + cover.shape[1]]
        soft = cv2.GaussianBlur(cover, (0, 0), max(4.0 * self.scale, 0.6))
        rim = np.clip(cover - soft, 0, 1) * cover
        grains = 1 + 0.2 * self.tooth[window] + 0.16 * self.flow[1][window]
        amount = (cover * 0.8 + 2.4 * edge * rim) * np.maximum(grains, 0.1) * strength
        self.density[window] -= np.log(np.clip(colour, 10, 252) / 255) * amount[..., None]

    def blot(
        self,
        centre: Array,
        radius: float,
        colour: Array,
        strength: float,
        ragged: float = 0.16,
        *,
        stretch: float = 1.0,
        turn: float = 0.0,
    ) -> None:
        """A drop of colour with a ragged, dried edge."""
        height, width = self.density.shape[:2]
        reach = int(radius * max(stretch, 1) * 1.6) + 3
        left, top = max(int(centre[0]) - reach, 0), max(int(centre[1]) - reach, 0)
        right, bottom = min(int(centre[0]) + reach, width), min(int(centre[1]) + reach, height)
        if right - left < 3 or bottom - top < 3:
            return
        column, row = np.meshgrid(np.arange(left, right) - centre[0], np.arange(top, bottom) - centre[1])
        along = (column * np.cos(turn) + row * np.sin(turn)) / stretch
        across = -column * np.sin(turn) + row * np.cos(turn)
        wander = ragged * radius * (self.flow[0][top:bottom, left:right] + 0.6 * self.flow[1][top:bottom, left:right])
        inside = radius - np.hypot(along, across) + wander
        cover = np.clip(inside / max(1.2 * self.scale, 0.6), 0, 1).astype(np.float32)
        # pigment pools to one side, as the sheet lies at a slope
        pool = np.clip(0.75 + 0.35 * across / radius - 0.2 * along / radius, 0.25, 1.3).astype(np.float32)
        self.wash(cover, colour, strength * pool, 0.75, top=top, left=left)

    def lift(self, centre: Array, radius: float) -> None:
        """Take up most of the pigment around a point, as with a thirsty brush."""
        height, width = self.density.shape[:2]
        column, row = np.meshgrid(np.arange(width) - centre[0], np.arange(height) - centre[1])
        near = np.hypot(column, row) + 0.14 * radius * self.flow[0] < radius
        taken = cv2.GaussianBlur(near.astype(np.float32), (0, 0), max(1.5 * self.scale, 0.5))
        self.density *= (1 - 0.66 * taken)[..., None]

    def picture(self) -> Array:
        """The dry sheet, (H, W, 3) in [0, 255]."""
        pits = cv2.GaussianBlur(self.tooth, (0, 0), max(0.8 * self.scale, 0.3))
        paper = rgb("#fcf8ee") * relief(pits, 0.2)[..., None]
        dried: Array = paper * np.exp(-self.density)
        return dried


# Colours the brush is charged with.
_GROUND = ("#7fb0e8", "#a9c8f0", "#f4c8c0", "#f8d890", "#b8cf78", "#6fae70", "#3f8f78", "#2f6f78")
_TREES = ("#5f8fb0", "#4f8f8f", "#6fa060", "#a0709f")
_CLOUDS = ("#5f90e0", "#88a8e8", "#c090d0", "#f0a8a0", "#60b8d8")
_LEAVES = ("#3f8f4f", "#6fae3f", "#2f7f78", "#b0b838", "#2f5f70", "#4f9f88")
_SPLASHES = ("#f0502c", "#4f78e0", "#ffb828", "#50a070", "#d060a0")
_PETALS = ("#f0402c", "#ff7838", "#4f68e0", "#f078a8", "#ffc028", "#9058d0")
_HEARTS = ("#c01838", "#e02f30", "#6030b8", "#c83088", "#f08018", "#4038b0")


def _pick(rng: np.random.Generator, codes: Sequence[str]) -> Array:
    return rgb(codes[int(rng.integers(len(codes)))])


def _ground(sheet: _Sheet) -> None:
    """Wet in wet: sky over a distant wood runs into grass, with back-runs."""
    rng = sheet.rng
    height, width = sheet.density.shape[:2]
    side = min(width, height)
    x, y = unit_grid(width, height)
    tone = 1.02 * y + 0.07 * sheet.flow[0]
    sheet.wash(np.ones((height, width), np.float32), ramp(_GROUND, tone), 0.6 + 0.12 * sheet.flow[1], 0)
    for _ in range(34):
        place = rng.random(2)
        pool = np.hypot((x - place[0]) * width, (y - place[1]) * height) / side
        level = pool + 0.035 * sheet.flow[0] + 0.02 * sheet.flow[1]
        front = np.clip((rng.uniform(0.05, 0.13) - level) * side / (1.5 * sheet.scale), 0, 1).astype(np.float32)
        sheet.wash(front, ramp(_GROUND, np.array(place[1] + rng.normal(0, 0.12))), 0.17, 1.7)
    for seed in scattered_points(rng, width, height, 0.075 * side):
        if 0.3 < seed[1] / height < 0.5:
            size = side * rng.uniform(0.03, 0.06)
            sheet.blot(seed, size, _pick(rng, _TREES), 0.36, 0.22, stretch=1.4, turn=np.pi / 2)
    for seed in scattered_points(rng, width, height, 0.06 * side):
        if seed[1] < 0.34 * height:
            size, stretch, turn = side * rng.uniform(0.03, 0.07), rng.uniform(1, 2), rng.normal(0, 0.3)
            sheet.blot(seed, size, _pick(rng, _CLOUDS), 0.2, 0.3, stretch=stretch, turn=turn)


def _flower(sheet: _Sheet, centre: Array, size: float) -> None:
    """Five wide petals, charged with a second colour while wet."""
    rng = sheet.rng
    kind = rng.integers(len(_PETALS))
    first = rng.uniform(0, 2 * np.pi)
    sheet.lift(centre, 1.75 * size)
    for turn in first + np.arange(5) * 2 * np.pi / 5:
        reach = np.array([np.cos(turn), np.sin(turn)]) * size * 0.85
        tint = jittered(rng, rgb(_PETALS[kind])[None], 8, 0.1, 0.06)[0]
        sheet.blot(centre + reach, size * 0.72, tint, 0.62, 0.1, stretch=1.25, turn=turn)
    sheet.blot(centre, size * 0.75, rgb(_HEARTS[kind]), 0.55, 0.3)
    sheet.blot(centre, size * 0.26, rgb("#2f2448"), 1.0, 0.2)


def watercolour(width: int, height: int) -> Tensor:
    """Watercolour: a summer border in flower, wet in wet, with hard dried edges, grain and splashes."""
    rng = np.random.default_rng(23)
    side = min(width, height)
    sheet = _Sheet(rng, width, height, stroke_scale(width, height))
    _ground(sheet)

    def from_far_to_near(spacing: float, horizon: float) -> list[Array]:
        seeds = [seed for seed in scattered_points(rng, width, height, spacing * side) if seed[1] > horizon * height]
        return sorted(seeds, key=lambda seed: float(seed[1]))

    for seed in from_far_to_near(0.04, 0.46):
        size, stretch, turn = side * rng.uniform(0.007, 0.013), rng.uniform(4, 7), -np.pi / 2 + rng.normal(0, 0.4)
        sheet.blot(seed, size, _pick(rng, _LEAVES), 0.75, 0.12, stretch=stretch, turn=turn)
    for seed in from_far_to_near(0.105, 0.43):
        _flower(sheet, seed, side * (0.012 + 0.035 * (seed[1] / height)) * rng.uniform(0.8, 1.25))
    for seed in scattered_points(rng, width, height, 0.05 * side):
        sheet.blot(seed, side * 0.0022 * rng.lognormal(0.4, 0.6), _pick(rng, _SPLASHES), 0.7, 0.05)
    return finished(sheet.picture(), width, height)


def _shadow(picture: Array, mask: Array, offset_px: float, blur_px: float) -> Array:
    """Darken what lies below a sheet by the shadow the sheet throws."""
    shift = np.array([[1, 0, offset_px], [0, 1, offset_px]], np.float32)
    moved = cv2.warpAffine(mask, shift, (mask.shape[1], mask.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    dark = cv2.GaussianBlur(moved, (0, 0), max(blur_px, 0.5))
    shaded: Array = picture * (1 - 0.5 * dark)[..., None]
    return shaded


def _lay(picture: Array, mask: Array, colour: Array, fibres: Array, scale: float) -> Array:
    """Glue a sheet of paper on the picture: shadow, then the sheet with a bright cut edge."""
    below = _shadow(picture, mask, 3.5 * scale, 3.0 * scale)
    rim = np.clip(mask - np.roll(mask, (round(2 * scale), round(2 * scale)), (0, 1)), 0, 1)
    sheet = colour * (1 + 0.045 * fibres)[..., None] + 34 * rim[..., None]
    laid: Array = below * (1 - mask[..., None]) + sheet * mask[..., None]
    return laid


def _holes(level: Array, column: Array, column_width: Array, size: float) -> Array:
    """Signed distance (negative inside) to staggered rows of punched holes along a sheet's edge.

    Args:
        level: (H, W) distance from the edge.
        column: (H, W) position along the edge, in columns of holes.
        column_width: (H, W) width of a column.
        size: half length of a hole; all in picture heights.

    Returns:
        (H, W), positive on the paper.
    """
    pitch = 3.6 * size
    row = np.floor((level - pitch) / pitch)
    across = level - pitch - (row + 0.5) * pitch
    stagger = column + 0.5 * (row % 2)
    along = (stagger - np.floor(stagger) - 0.5) * column_width
    distance: Array = np.hypot(across * 0.8, along * 1.25) - size
    return np.where(row >= 0, distance, size)


def paper_cut(width: int, height: int) -> Tensor:
    """Layered cut paper: scalloped clouds, hills and leaves in coral, teal and plum with soft shadows."""
    rng = np.random.default_rng(41)
    scale = stroke_scale(width, height)
    side = min(width, height)
    x, y = unit_grid(width, height)
    aspect = width / height
    fibres = fractal_noise(rng, width, height, 5 * scale, 3)
    picture = np.array((26, 34, 66), np.float32) * (1 + 0.05 * fibres)[..., None]

    def cut(level: Array) -> Array:
        return np.clip(level * side / (1.2 * scale) + 0.5, 0, 1).astype(np.float32)

    # sky: rings of paper round the moon, each with a scalloped edge
    distance, around = np.hypot((x - 0.68) * aspect, y - 0.26), np.arctan2(y - 0.26, (x - 0.68) * aspect)
    sky: Sequence[str] = (
        "#232f5f",
        "#2f3f7f",
        "#4f4a94",
        "#7f4f98",
        "#b0558f",
        "#dc6a80",
        "#f28a70",
        "#f9b070",
        "#fdd488",
        "#fff0c0",
    )
    for index, radius in enumerate(np.linspace(1.05, 0.1, 24)):
        petals = max(round(radius * 62), 9)
        scallop = 0.017 * np.abs(np.sin(0.5 * petals * around + 1.57 * (index % 2)))
        tint = ramp(sky, np.array(index / 23 + rng.normal(0, 0.03)))
        level = radius + scallop - distance
        holes = _holes(level, petals * around / np.pi + 0.5, np.pi * distance / petals, 0.0048)
        picture = _lay(picture, cut(np.minimum(level, holes)), tint, fibres, scale)

    # hills: folded strips, from coral to deep teal
    land = (
        "#f49a78",
        "#e87878",
        "#c85f88",
        "#8f5090",
        "#4f5a98",
        "#2f78a0",
        "#2090a0",
        "#18807f",
        "#125f68",
        "#0d4450",
        "#0a3040",
    )
    num_hills = 17
    for index in range(num_hills):
        part = index / (num_hills - 1)
        base = 0.5 + 0.5 * part
        wave = 0.05 * np.sin((4 + 3 * rng.random()) * x * aspect + 6.28 * rng.random()) + 0.018 * np.sin(
            11 * x * aspect + 6.28 * rng.random()
        )
        count = (34, 24, 42)[index % 3]
        teeth = 0.009 * np.abs(np.sin(count * x * aspect)) if index % 2 else 0.008 * np.sin(2 * count * x * aspect)
        tint = ramp(land, np.array(part + rng.normal(0, 0.035)))
        level = y - base - wave * (1 - 0.4 * part) + teeth
        holes = _holes(level, 1.4 * count * x * aspect / np.pi, np.full_like(x, np.pi / (1.4 * count)), 0.0042)
        picture = _lay(picture, cut(np.minimum(level, holes)), tint, fibres, scale)
    return finished(picture, width, height)
