"""What the painted style pictures share: noise, colour ramps, streamlines, cells, relief.

Pictures are numpy arrays, (H, W, 3) RGB; positions are (x, y) in pixels, angles radians with y pointing down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array: TypeAlias = npt.NDArray[Any]

# Stroke sizes are given for a picture whose short side has this many pixels, and scaled to the one asked for.
REFERENCE_SIDE_PX = 768


def stroke_scale(width: int, height: int) -> float:
    """Factor on stroke sizes; bounded below, since a stroke under a few pixels is no stroke any more."""
    return max(min(width, height) / REFERENCE_SIDE_PX, 0.25)


def unit_grid(width: int, height: int) -> tuple[Array, Array]:
    """Pixel centres as two (H, W) float32 arrays x, y in (0, 1)."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return x.astype(np.float32), y.astype(np.float32)


def fractal_noise(
    rng: np.random.Generator, width: int, height: int, feature_px: float, num_octaves: int = 4, *, stretch: float = 1.0
) -> Array:
    """Smooth noise, zero mean and unit variance.

    Args:
        rng: source of randomness.
        width: in pixels.
        height: in pixels.
        feature_px: size of the coarsest features.
        num_octaves: each next octave has half the size and about half the strength.
        stretch: how many times longer than high the features are.

    Returns:
        (H, W) float32.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(num_octaves):
        size = max(feature_px / 2**octave, 1.0)
        # two grid cells of margin keep the interpolation's flat border out of the picture
        grid = rng.standard_normal((int(height / size) + 5, int(width / (size * stretch)) + 5)).astype(np.float32)
        wide, high = round(grid.shape[1] * size * stretch), round(grid.shape[0] * size)
        layer = cv2.resize(grid, (wide, high), interpolation=cv2.INTER_CUBIC)
        left, top = round(2 * size * stretch), round(2 * size)
        total += 0.52**octave * layer[top : top + height, left : left + width]
    total -= total.mean()
    return total / max(float(total.std()), 1e-6)


def rgb(code: str) -> Array:
    """Colour code such as ``#e8b04a`` as (3,) float32 in [0, 255]."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32)


def ramp(codes: Sequence[str], position: Array) -> Array:
    """Colours along evenly spaced stops.

    Args:
        codes: colour codes of the stops, from position 0 to position 1.
        position: any shape; held to [0, 1].

    Returns:
        position's shape + (3,), float32 in [0, 255].
    """
    stops = np.stack([rgb(code) for code in codes])
    scaled = np.clip(position, 0, 1) * (len(stops) - 1)
    low = np.minimum(scaled.astype(np.int32), len(stops) - 2)
    part = (scaled - low)[..., None].astype(np.float32)
    mixed: Array = stops[low] * (1 - part) + stops[low + 1] * part
    return mixed


def sample(field: Array, points: Array) -> Array:
    """Values of an (H, W, ...) field at (..., 2) positions, nearest pixel, held to the border."""
    columns = np.clip(points[..., 0], 0, field.shape[1] - 1).astype(np.int32)
    rows = np.clip(points[..., 1], 0, field.shape[0] - 1).astype(np.int32)
    values: Array = field[rows, columns]
    return values


def scattered_points(rng: np.random.Generator, width: int, height: int, spacing_px: float) -> Array:
    """One random point in every cell of a grid that reaches past the border, shuffled: (N, 2) float32."""
    columns, rows = np.meshgrid(np.arange(-1, width / spacing_px + 1), np.arange(-1, height / spacing_px + 1))
    cells = np.stack([columns.ravel(), rows.ravel()], axis=1)
    points = (cells + rng.random(cells.shape)) * spacing_px
    return rng.permutation(points).astype(np.float32)


def streamlines(angle: Array, seeds: Array, num_points: int, step_px: float) -> Array:
    """Follow a direction field both ways from each seed.

    Args:
        angle: (H, W) radians.
        seeds: (N, 2).
        num_points: points per line; made odd, with the seed in the middle.
        step_px: distance of neighbouring points.

    Returns:
        (N, num_points, 2) float32.
    """
    half = max(num_points // 2, 1)
    sides: list[list[Array]] = []
    for sign in (-1.0, 1.0):
        position, side = seeds, []
        for _ in range(half):
            direction = sample(angle, position)
            position = position + sign * step_px * np.stack([np.cos(direction), np.sin(direction)], axis=-1)
            side.append(position)
        sides.append(side)
    return np.stack([*reversed(sides[0]), seeds, *sides[1]], axis=1).astype(np.float32)


def voronoi_cells(rng: np.random.Generator, width: int, height: int, spacing_px: float) -> Array:
    """Cells around randomly placed centres: (H, W) int32 labels from 1."""
    centres = scattered_points(rng, width, height, spacing_px).astype(np.int32)
    inside = (centres >= 0).all(axis=1) & (centres[:, 0] < width) & (centres[:, 1] < height)
    background = np.full((height, width), 255, np.uint8)
    background[centres[inside, 1], centres[inside, 0]] = 0
    if background.all():
        return np.ones((height, width), np.int32)
    return cv2.distanceTransformWithLabels(background, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]


def cell_edges(labels: Array) -> Array:
    """Pixels whose right or lower neighbour has another label: (H, W) bool."""
    edges = np.zeros(labels.shape, bool)
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edges[:-1] |= labels[:-1] != labels[1:]
    return edges


def relief(surface: Array, strength: float) -> Array:
    """Light from the upper left on a height field: (H, W) float32 brightness factor around 1."""
    slope = cv2.Sobel(surface, cv2.CV_32F, 1, 0, scale=0.125) + cv2.Sobel(surface, cv2.CV_32F, 0, 1, scale=0.125)
    # a soft limit: paint has no black cliffs
    light: Array = 1 + 0.45 * np.tanh(strength * slope)
    return light


def jittered(rng: np.random.Generator, colours: Array, hue: float, saturation: float, value: float) -> Array:
    """Vary colours one by one.

    Args:
        rng: source of randomness.
        colours: (N, 3) in [0, 255].
        hue: spread in degrees.
        saturation: relative spread.
        value: relative spread.

    Returns:
        (N, 3) float32 in [0, 255].
    """
    hsv = cv2.cvtColor((np.clip(colours, 0, 255) / 255).astype(np.float32)[None], cv2.COLOR_RGB2HSV)[0]
    spread = rng.standard_normal(hsv.shape).astype(np.float32)
    hsv[:, 0] = (hsv[:, 0] + hue * spread[:, 0]) % 360
    hsv[:, 1:] *= 1 + np.array([saturation, value], np.float32) * spread[:, 1:]
    hsv[:, 1:] = np.clip(hsv[:, 1:], 0, 1)
    varied: Array = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0] * 255
    return varied


def bezier(*control: tuple[float, float], num_points: int = 24) -> Array:
    """Points on the cubic Bézier curve of four control points: (num_points, 2)."""
    t = np.linspace(0, 1, num_points)[:, None]
    a, b, c, d = (np.array(point) for point in control)
    curve: Array = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    return curve


def fixed_point(points: Array) -> Array:
    """Positions in the 1/16 pixel units of cv2's ``shift=4``."""
    return np.round(points * 16).astype(np.int32)


def fill(picture: Array, polygon: Array, colour: Any) -> None:
    """Fill a closed (N, 2) polygon, with smooth edges where the picture is 8-bit."""
    line = cv2.LINE_AA if picture.dtype == np.uint8 else cv2.LINE_8
    cv2.fillPoly(picture, [fixed_point(polygon)], scalar(colour), line, shift=4)


def scalar(colour: Any) -> tuple[float, ...]:
    """A colour or a label as cv2 takes it."""
    return tuple(float(part) for part in np.atleast_1d(colour))


def finished(picture: Array, width: int, height: int) -> Tensor:
    """Picture in [0, 255], of this size or supersampled, as a (3, H, W) uint8 tensor."""
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    pixels = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
