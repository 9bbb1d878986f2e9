"""Pictures put together from pieces: a mosaic of glass tesserae, and a leaded window."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from torch import Tensor

from vidstyle.evaluation.painting_tools import (
    Array,
    bezier,
    cell_edges,
    fill,
    finished,
    fractal_noise,
    jittered,
    ramp,
    relief,
    rgb,
    sample,
    stroke_scale,
    unit_grid,
    voronoi_cells,
)

_SUPERSAMPLING = 2


def _leaf(centre: Array, turn: float, length: float, breadth: float) -> Array:
    """Outline of a pointed leaf which starts at a point: (N, 2)."""
    side = bezier((0, 0), (0.25, 1), (0.7, 0.8), (1, 0), num_points=12) * (length, breadth)
    outline = np.concatenate([side, side[::-1] * (1, -1)])
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    turned: Array = outline @ rotation + centre
    return turned


# Glass the mosaic's tiles are picked from, by what they show.
_GLASS = {
    "gold": ("#f4cf62", "#e3b040", "#cf932c", "#f0dc9a", "#b87a24", "#dba83c"),
    "amber": ("#e8903a", "#d0702c", "#f0b860", "#b85a28"),
    "deep": ("#123a7a", "#1b4790", "#0f2d66", "#1f5fa8"),
    "blue": ("#2f8fc0", "#1f5fa8", "#3f9fd0", "#2878b0"),
    "foam": ("#b8e0dc", "#6fc0d0", "#e8f4ec", "#8fd0d0"),
    "bark": ("#5a2f20", "#7f4528", "#a8683a", "#3f2218", "#8f5530"),
    "leaf": ("#2f7a3f", "#3f8f48", "#1f5a3a", "#256b45"),
    "young leaf": ("#8fc050", "#a8cc58", "#6fa848", "#c0d870"),
    "sea leaf": ("#1f7f7f", "#2f9a98", "#1f5f80", "#5fb8a8"),
    "fruit": ("#c02f28", "#e0503a", "#8f1f28", "#f0805a"),
    "ruby": ("#8f2430", "#b03038", "#741c2c", "#9f2838"),
    "pearl": ("#f8f4e4", "#e8e0f0", "#c8d8f0", "#ffffff"),
}


class _Regions:
    """A picture cut into regions, each with a glass of its own."""

    def __init__(self, width: int, height: int, glass: str) -> None:
        self.labels = np.zeros((height, width), np.int32)
        self.glass = [glass]

    def add(self, glass: str) -> int:
        """Number of a new region."""
        self.glass.append(glass)
        return len(self.glass) - 1


def _tree_of_life(rng: np.random.Generator, width: int, height: int) -> _Regions:
    """A fruit tree on gold within a halo, above a sea, in a border."""
    regions = _Regions(width, height, "gold")
    labels = regions.labels
    x, y = unit_grid(width, height)
    side = min(width, height)
    middle = (round(width / 2), round(0.4 * height))
    for radius, glass in ((0.445, "deep"), (0.415, "foam"), (0.385, "amber"), (0.325, "gold")):
        cv2.circle(labels, middle, round(radius * side), regions.add(glass), -1)
    for strip, glass in enumerate(("foam", "blue", "deep", "blue", "foam", "deep")):
        wave = 0.012 * np.sin(16 * x + 1.7 * strip) + 0.008 * np.sin(37 * x + strip)
        labels[y > 0.775 + 0.03 * strip + wave] = regions.add(glass)

    bark = regions.add("bark")
    leaves: list[tuple[Array, str]] = []

    def grow(start: Array, turn: float, length: float, thickness: float, depth: int) -> None:
        bend = turn + rng.normal(0, 0.12)
        half = start + 0.5 * length * np.array([np.cos(turn), np.sin(turn)])
        end = half + 0.5 * length * np.array([np.cos(bend), np.sin(bend)])
        stem = bezier(tuple(start), tuple(half), tuple(half), tuple(end))
        for point, size in zip(stem, np.linspace(thickness, 0.68 * thickness, len(stem)), strict=True):
            cv2.circle(labels, (round(point[0]), round(point[1])), max(round(size / 2), 1), bark, -1)
        for offset in (-1.5, 1.5) if depth == 1 else (-0.85, 0.0, 0.85) if depth == 0 else ():
            size = side * rng.uniform(0.11, 0.135)
            glass = ("leaf", "young leaf", "sea leaf")[len(leaves) % 3]
            leaves.append((_leaf(end - 0.25 * abs(offset) * (end - start), bend + offset, size, 0.4 * size), glass))
        spread = {3: (-0.8, 0.02, 0.8), 2: (-0.42, 0.45), 1: (-0.5, 0.5), 0: ()}[depth]
        for offset in spread:
            grow(end, bend + offset, 0.72 * length, 0.62 * thickness, depth - 1)

    grow(np.array([width / 2, 0.83 * height]), -np.pi / 2, 0.24 * side, 0.085 * side, 3)
    for outline, glass in leaves:
        fill(labels, outline, regions.add(glass))
    for outline, _ in leaves[::3]:
        tip = outline.mean(axis=0) + rng.normal(0, 0.02 * side, 2)
        cv2.circle(labels, (round(tip[0]), round(tip[1])), max(round(0.027 * side), 1), regions.add("fruit"), -1)

    # the border: pearls between two ropes
    edge = np.minimum(np.minimum(x, 1 - x) * width, np.minimum(y, 1 - y) * height) / side
    for inset, glass in ((0.105, "deep"), (0.075, "ruby")):
        labels[edge < inset] = regions.add(glass)
    blocks = (np.floor((x * width - y * height) / (0.062 * side)) % 3).astype(int)
    for block, glass in enumerate(("ruby", "pearl", "gold")):
        labels[(edge < 0.045) & (blocks == block)] = regions.add(glass)
    return regions


def _row_points(contour: Array, steps: Array) -> Array:
    """Points along a closed pixel contour at distances steps: (N, 2)."""
    loop = np.concatenate([contour[:, 0], contour[:1, 0]]).astype(np.float64)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1))])
    steps = steps[steps < along[-1]]
    return np.stack([np.interp(steps, along, loop[:, axis]) for axis in (0, 1)], axis=1)


def _lay_rows(rng: np.random.Generator, tiles: Array, regions: Array, tile_px: float) -> list[Array]:
    """Set tiles in rows parallel to the outlines of the regions; numbers them in tiles, returns their centres."""
    centres: list[Array] = []
    height, width = regions.shape
    grout = 0.08 * tile_px
    for region in np.unique(regions):
        mask = (regions == region).astype(np.uint8)
        left, top, wide, high = cv2.boundingRect(mask)
        # a rim of other regions round the box, of the same region past the picture's border
        rim = [max(top - 2, 0), min(top + high + 2, height), max(left - 2, 0), min(left + wide + 2, width)]
        inside = np.pad(mask[rim[0] : rim[1], rim[2] : rim[3]], 1, mode="edge")
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
        depth = cv2.GaussianBlur(depth, (0, 0), 0.12 * tile_px)
        corner = np.array([rim[2], rim[0]])
        for level in np.arange(0.55 * tile_px, float(depth.max()), tile_px):
            contours, _ = cv2.findContours((depth > level).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            for contour in contours:
                steps = np.cumsum(tile_px * rng.uniform(0.8, 1.35, len(contour)))
                points = _row_points(contour, steps) + corner
                for start, end in pairwise(points):
                    length = float(np.linalg.norm(end - start))
                    border = min(start[0], start[1], width - 1 - start[0], height - 1 - start[1])
                    centre = (start + end) / 2
                    taken = border < 1 or sample(tiles, centre) > 0
                    if taken or length < 0.5 * tile_px:
                        continue
                    tangent = (end - start) / length
                    normal = np.array([-tangent[1], tangent[0]]) * (0.5 * tile_px - grout)
                    a, b = start + grout * tangent, end - grout * tangent
                    corners = np.array([a + normal, b + normal, b - normal, a - normal])
                    corners += rng.normal(0, 0.035 * tile_px, (4, 2))
                    centres.append(centre)
                    fill(tiles, corners, len(centres))
    return centres


def _fill_gaps(rng: np.random.Generator, tiles: Array, centres: list[Array], tile_px: float) -> None:
    """Set small odd tiles where the rows have left room."""
    for share in (0.5, 0.42, 0.42, 0.32, 0.25):
        room = cv2.distanceTransform((tiles == 0).astype(np.uint8), cv2.DIST_L2, 5)
        peak = (room >= cv2.dilate(room, np.ones((3, 3), np.uint8))) & (room > share * tile_px)
        rows, columns = np.nonzero(peak)
        for row, column in zip(rows, columns, strict=True):
            if tiles[row, column]:
                continue
            radius = min(1.15 * room[row, column], 0.62 * tile_px) - 0.05 * tile_px
            angles = rng.uniform(0, 2 * np.pi) + np.arange(5) * 2 * np.pi / 5 + rng.normal(0, 0.2, 5)
            corners = np.array([column, row]) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            centres.append(np.array([column, row], np.float64))
            fill(tiles, corners, len(centres))


def mosaic(width: int, height: int) -> Tensor:
    """Byzantine mosaic: a tree of life in glass tesserae whose rows flow round every form."""
    rng = np.random.default_rng(7)
    wide, high = width * _SUPERSAMPLING, height * _SUPERSAMPLING
    tile_px = 11.5 * stroke_scale(width, height) * _SUPERSAMPLING
    regions = _tree_of_life(rng, wide, high)
    tiles = np.zeros((high, wide), np.int32)
    centres = _lay_rows(rng, tiles, regions.labels, tile_px)
    _fill_gaps(rng, tiles, centres, tile_px)

    places = np.array(centres, np.float32).reshape(-1, 2)
    glasses = np.array(regions.glass)[sample(regions.labels, places)]
    patch = sample(fractal_noise(rng, wide, high, 5 * tile_px, 2), places)
    colours = np.zeros((len(places) + 1, 3), np.float32)
    for glass, codes in _GLASS.items():
        chosen = np.nonzero(glasses == glass)[0]
        # neighbours mostly share a glass pot, some tiles come from another one
        pot = (np.floor(1.1 * patch[chosen] + 0.7 * rng.standard_normal(len(chosen)) + 50)).astype(int) % len(codes)
        colours[chosen + 1] = np.stack([rgb(code) for code in codes])[pot]
    colours[1:] = jittered(rng, colours[1:], 4, 0.1, 0.09)
    colours[0] = rgb("#4a4038")

    # every piece lies at its own tilt and so takes the light its own way
    tilt = np.concatenate([np.zeros((1, 2)), rng.normal(0, 0.2 / tile_px, (len(places), 2))]).astype(np.float32)
    origin = np.concatenate([np.zeros((1, 2), np.float32), places])
    column, row = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    light = 1 + tilt[tiles, 0] * (column - origin[tiles, 0]) + tilt[tiles, 1] * (row - origin[tiles, 1])
    thick = np.minimum(cv2.distanceTransform((tiles > 0).astype(np.uint8), cv2.DIST_L2, 5), 0.22 * tile_px)
    surface = cv2.GaussianBlur(thick / tile_px, (0, 0), 0.05 * tile_px) * 160
    grain = fractal_noise(rng, wide, high, 0.4 * tile_px, 3)
    picture = colours[tiles] * (light * relief(surface, 0.07) * (1 + 0.035 * grain))[..., None]
    return finished(picture, width, height)


def _without_slivers(panes: Array, min_area: float) -> Array:
    """Give panes too small to be cut from glass to their neighbours; numbers the rest from 0 without gaps."""
    large = np.bincount(panes.ravel())[panes] >= min_area
    if large.any() and not large.all():
        nearest = cv2.distanceTransformWithLabels(
            (~large).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )[1]
        owner = np.zeros(int(nearest.max()) + 1, np.int32)
        owner[nearest[large]] = panes[large]
        panes = owner[nearest]
    return np.unique(panes, return_inverse=True)[1].reshape(panes.shape).astype(np.int32)


def _window_panes(rng: np.random.Generator, width: int, height: int) -> tuple[Array, Array]:
    """Composition of the window: pane number (H, W) from 0, and the colour (H, W, 3) panes are cut from."""
    x, y = unit_grid(width, height)
    aspect, side = width / height, min(width, height)
    sun = (0.5, 0.3)
    dx, dy = (x - sun[0]) * aspect, y - sun[1]
    # angles from straight up, so that the seam of the polar cells hangs down like a glazing bar
    distance, around = np.hypot(dx, dy), np.arctan2(dx, -dy)

    # sky: shards between rays, cut in polar coordinates
    polar = voronoi_cells(rng, 2880, 1440, 96)
    map_x = ((around + np.pi) / (2 * np.pi) * 2879).astype(np.float32)
    map_y = np.minimum(np.log1p(5 * distance) / np.log1p(7) * 1439, 1439)
    panes = cv2.remap(polar.astype(np.float32), map_x, map_y.astype(np.float32), cv2.INTER_NEAREST).astype(np.int64)
    sky = ("#fff2a0", "#ffd23c", "#ff9a20", "#f0582f", "#d82f5f", "#8f2f9f", "#4a35b0", "#2447b8", "#1a6fc8", "#28a0d0")
    colour = ramp(sky, 1.25 * distance + 0.06 * np.cos(14 * around))
    rays = (np.cos(14 * around) > 0.6) & (distance > 0.13)
    colour = np.where(
        rays[..., None], ramp(("#fff0b0", "#ffc84a", "#ff8fa0", "#b890f0", "#70c8f0"), 1.2 * distance), colour
    )
    panes += 1000 * rays
    disc = distance < 0.105
    panes[disc] = 1000 * 90 + np.floor((around[disc] + np.pi) / (2 * np.pi) * 9).astype(np.int64)
    panes[distance < 0.045] = 1000 * 91
    colour = np.where(disc[..., None], ramp(("#fffce0", "#ffe060", "#ffb030"), distance / 0.105), colour)

    # hills and a river, cut into bent strips
    bands = (
        (0.60, 0.05, 5.0, 0.4, ("#1f8f6a", "#7fc848", "#0f6f5a", "#c8d850")),
        (0.69, 0.04, 6.5, 2.0, ("#0f5f4a", "#2fa85a", "#98c83a", "#0f7f78")),
        (0.78, 0.03, 7.5, 4.1, ("#1f6fd0", "#38b8e0", "#2050b8", "#80e0e0")),
        (0.87, 0.025, 8.5, 0.9, ("#2038a0", "#2f78d8", "#5f48c0", "#40c0d8")),
    )
    shards = voronoi_cells(rng, width, height, 0.075 * side)
    wander = fractal_noise(rng, width, height, 0.3 * side, 2)
    for number, (base, swing, waves, phase, codes) in enumerate(bands):
        top = base + swing * np.sin(waves * x * aspect + phase)
        below = y > top
        strip = np.floor((y - top) / 0.045).astype(np.int64)
        colour = np.where(below[..., None], ramp(codes, 0.5 + 0.35 * wander + 0.15 * np.sin(2.4 * strip)), colour)
        panes = np.where(below, 1000 * (100 + 20 * number + strip) + shards, panes)

    # lilies: petals round a heart, on the near bank
    layer = np.zeros((height, width), np.int32)
    petal_colours: list[Array] = [np.zeros(3, np.float32)]
    flowers = (
        (0.13, 0.74, 0.15),
        (0.87, 0.72, 0.16),
        (0.33, 0.9, 0.12),
        (0.66, 0.91, 0.13),
        (0.02, 0.96, 0.11),
        (0.98, 0.97, 0.1),
    )
    tints = ("#ff4f70", "#ffb030", "#e83fa0", "#ff7038", "#ffd850", "#d83850")
    for (cx, cy, size), tint in zip(flowers, tints, strict=True):
        heart = np.array([cx * width, cy * height])
        for kind, count, length, breadth in (("leaf", 5, 1.25, 0.3), ("petal", 7, 1.0, 0.34)):
            for index in range(count):
                turn = 2 * np.pi * (index + 0.5 * (kind == "leaf")) / count + 3 * cx
                fill(layer, _leaf(heart, turn, length * size * side, breadth * size * side), len(petal_colours))
                petal_colours.append(rgb(tint) if kind == "petal" else rgb(("#2fa848", "#88c838")[index % 2]))
        cv2.circle(layer, (round(heart[0]), round(heart[1])), max(round(0.24 * size * side), 1), len(petal_colours), -1)
        petal_colours.append(rgb("#ffe878"))
    colour = np.where((layer > 0)[..., None], np.stack(petal_colours)[layer], colour)
    panes = np.where(layer > 0, 1000 * 900 + layer, panes)
    panes = np.unique(panes, return_inverse=True)[1].reshape(height, width).astype(np.int32)
    return _without_slivers(panes, (0.024 * side) ** 2), colour.astype(np.float32)


def stained_glass(width: int, height: int) -> Tensor:
    """A leaded window: sun, rays, hills, river and lilies in streaky, glowing panes."""
    rng = np.random.default_rng(17)
    wide, high = width * _SUPERSAMPLING, height * _SUPERSAMPLING
    scale = stroke_scale(width, height) * _SUPERSAMPLING
    panes, colour = _window_panes(rng, wide, high)
    num_panes = int(panes.max()) + 1
    counts = np.maximum(np.bincount(panes.ravel(), minlength=num_panes), 1)
    cut = np.stack([np.bincount(panes.ravel(), colour[..., c].ravel(), num_panes) / counts for c in range(3)], axis=1)
    glass = jittered(rng, cut.astype(np.float32), 9, 0.1, 0.1)[panes]

    # each pane is cut from its own sheet: streaks and a gradient in a direction of its own
    streaks = [
        fractal_noise(rng, wide, high, 14 * scale, 4, stretch=5),
        fractal_noise(rng, high, wide, 14 * scale, 4, stretch=5).T,
        fractal_noise(rng, wide, high, 26 * scale, 5),
    ]
    choice = rng.integers(0, 3, num_panes)[panes]
    streak = np.choose(choice, streaks)
    bubbles = fractal_noise(rng, wide, high, 4 * scale, 2)
    slope = rng.normal(0, 1, (num_panes, 2)).astype(np.float32)
    column, row = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    middle_x = np.bincount(panes.ravel(), column.ravel(), num_panes) / counts
    middle_y = np.bincount(panes.ravel(), row.ravel(), num_panes) / counts
    fall = slope[panes, 0] * (column - middle_x[panes]) + slope[panes, 1] * (row - middle_y[panes])
    away = cv2.distanceTransform(1 - cell_edges(panes).astype(np.uint8), cv2.DIST_L2, 5)
    glow = 1 - np.exp(-away / (9 * scale))
    light = (0.7 + 0.45 * glow) * np.exp(0.13 * streak + 0.008 / scale * fall + 0.03 * bubbles)
    milk = np.clip(0.14 * streak + 0.1 * (glow - 0.4), 0, 0.4)[..., None]
    glass = (glass * (1 - milk) + 255 * milk) * light[..., None]

    # the lead: a dark rounded bar with a thread of light on its back
    lead_px = 2.6 * scale * (1 + 0.15 * fractal_noise(rng, wide, high, 40 * scale, 2))
    across = away / lead_px
    cover = np.clip((1 - across) * 3, 0, 1)[..., None]
    bar = 26 + 46 * np.exp(-((across / 0.35) ** 2)) * (1 + 0.4 * bubbles)
    lead = bar[..., None] * np.array((0.95, 1.0, 1.1), np.float32)
    return finished(glass * (1 - cover) + lead * cover, width, height)
