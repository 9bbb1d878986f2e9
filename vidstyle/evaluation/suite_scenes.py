"""The layered scenes of the exact-flow suite: strips of plants and posts in parallax, things that pass by."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vidstyle.evaluation import paint
from vidstyle.evaluation.camera_moves import Pose, there_and_back
from vidstyle.evaluation.layers import Layer, LayeredSequence, Placement
from vidstyle.evaluation.lens import SUPERSAMPLING
from vidstyle.evaluation.texture import Array, Texture, fractal_noise, mix

_TURN = 47  # frames between two turns of the camera


def parallax(picture: Tensor, size: tuple[int, int], num_frames: int) -> LayeredSequence:
    """A ride past four depths: the picture, woods, posts as thin as 3 pixels, and grass, 0.6 to 6 px a frame."""
    width, height = size
    unit = width / 640

    def sliding(speed_px: float, down: float) -> tuple[float, float]:
        return speed_px * unit, down * height

    woods = paint.conifers(3, size_px=(2048, 224), count=150, color=(0.16, 0.24, 0.14), light=(0.5, 0.52, 0.2))
    colors = ((0.3, 0.36, 0.1), (0.85, 0.74, 0.3))
    grass = paint.grass(5, size_px=(2048, 192), count=420, colors=colors, flowers=(0.9, 0.42, 0.3), repeat=1)
    layers = [_backdrop(picture, size, 0.6 * unit)]
    for rgba, aspect, (speed_px, down) in (
        (_raster(woods), 9.0, sliding(1.7, 0.16)),
        (_posts(), 7.0, sliding(3.1, 0.2)),
        (_raster(grass), 10.0, sliding(5.3, 0.42)),
    ):
        layers.append(_strip(rgba, size, aspect, speed_px, down))
    return LayeredSequence(layers, num_frames, size)


def foreground(picture: Tensor, size: tuple[int, int], num_frames: int) -> LayeredSequence:
    """Three things cross a picture that hardly moves, 4 to 7 px a frame, and uncover what was behind them."""
    width, height = size
    unit = width / 640
    ball = _cut_out(paint.stripes((0.82, 0.2, 0.16), (0.96, 0.82, 0.4), 8, seed=3), _disc)
    leaf = _cut_out(paint.plain((0.36, 0.5, 0.2), seed=4, variation=0.4, size_px=256), _leaf)
    hoop = _cut_out(paint.planks(9, (0.62, 0.42, 0.24)), _ring)

    def passing(
        rgba: Tensor, across: float, start: tuple[float, float], step: tuple[float, float], turn: float
    ) -> Layer:
        """A thing ``across`` frame heights wide; start in frame sizes from the centre, step in px, turn in degrees."""

        def placement(index: int) -> Placement:
            steps = there_and_back(index)
            x = start[0] * width + step[0] * unit * steps
            y = start[1] * height + step[1] * unit * steps
            angle = math.radians(turn * steps)
            sine, cosine = math.sin(angle), math.cos(angle)
            matrix = ((cosine, sine), (-sine, cosine))
            return Pose(matrix, (-(cosine * x + sine * y), sine * x - cosine * y))

        rgba = _sized(rgba, across * height * SUPERSAMPLING)
        return Layer(rgba, SUPERSAMPLING, placement)

    layers = [
        _backdrop(picture, size, 0.25 * unit),
        passing(leaf, 0.5, (0.42, -0.28), (-5.2, 1.3), 1.2),
        passing(hoop, 0.62, (-0.1, 0.3), (3.4, -2.4), -0.7),
        passing(ball, 0.42, (-0.46, 0.05), (6.8, 0.4), 0.9),
    ]
    return LayeredSequence(layers, num_frames, size)


def _backdrop(picture: Tensor, size: tuple[int, int], speed_px: float) -> Layer:
    """The picture behind everything, large enough for the whole way."""
    room = speed_px * _TURN + 8
    scale = min(picture.shape[-1] / (size[0] + room), picture.shape[-2] / (size[1] + 8.0))
    if scale > SUPERSAMPLING:  # reading with gaps would alias
        sides = [max(round(side * SUPERSAMPLING / scale), 2) for side in picture.shape[-2:]]
        picture = torch.nn.functional.interpolate(picture[None], sides, mode="bicubic", antialias=True)[0].clamp(0, 1)
        scale = SUPERSAMPLING
    return Layer(picture, scale, lambda index: Pose(offset=(speed_px * (there_and_back(index) - _TURN / 2), 0.0)))


def _strip(rgba: Tensor, size: tuple[int, int], aspect: float, speed_px: float, down_px: float) -> Layer:
    """A strip ``aspect`` times as wide as high that the camera passes; its middle lies ``down_px`` below the centre."""
    across = size[0] + speed_px * _TURN + 16
    rgba = _sized(rgba, max(across, aspect * 0.14 * size[1]) * SUPERSAMPLING, max(across / aspect, 0.3 * size[1]) * 2)

    def placement(index: int) -> Placement:
        return Pose(offset=(speed_px * (there_and_back(index) - _TURN / 2), -down_px))

    return Layer(rgba, SUPERSAMPLING, placement)


def _sized(rgba: Tensor, width: float, height: float | None = None) -> Tensor:
    """(4, H, W) brought to a width, and to a height where one is given; colours do not bleed out of what is opaque."""
    size = (max(round(height or width * rgba.shape[-2] / rgba.shape[-1]), 2), max(round(width), 2))
    premultiplied = torch.cat([rgba[:3] * rgba[3:], rgba[3:]])[None]
    scaled = torch.nn.functional.interpolate(premultiplied, size, mode="bilinear", antialias=True)[0]
    return torch.cat([(scaled[:3] / scaled[3:].clamp(min=1e-3)).clamp(0, 1), scaled[3:].clamp(0, 1)])


def _raster(texture: Texture) -> Tensor:
    """A texture's own pixels: (4, H, W) RGB and opacity in [0, 1]."""
    width, height = texture.size_px
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    points = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    found = texture.sample(points, np.zeros(len(points), np.float32)).reshape(height, width, 4)
    return torch.from_numpy(found).permute(2, 0, 1).contiguous()


def _posts() -> Tensor:
    """A fence: (4, 300, 2100), posts some 10 pixels wide, wires between them."""
    height, width = 300, 2100
    grain = fractal_noise((height, width), (8, 160), 17)
    color = mix((0.3, 0.22, 0.16), (0.72, 0.6, 0.44), grain)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    post = (np.abs((x % 150) - 75) < 6) & (y > 20)
    wire = np.any([np.abs(y - level - 5 * np.sin(x * np.pi / 150) ** 2) < 3 for level in (70, 140, 210)], axis=0)
    return _rgba(color, post | wire)


def _cut_out(texture: Texture, inside: Callable[[Array, Array], Array]) -> Tensor:
    """A texture's picture (4, 512, 512) cut to a shape: ``inside`` says of (x, y) in [-1, 1] what belongs to it."""
    raster = _raster(texture)[:3]
    color = torch.nn.functional.interpolate(raster[None], (512, 512), mode="bilinear", antialias=True)[0]
    y, x = np.mgrid[:512, :512] / 255.5 - 1
    shade = torch.from_numpy((0.75 + 0.25 * np.clip(1 - (x**2 + y**2), 0, 1)).astype(np.float32))
    return torch.cat([color * shade, torch.from_numpy(np.asarray(inside(x, y), np.float32))[None]])


def _disc(x: Array, y: Array) -> Array:
    inside: Array = x**2 + y**2 < 0.94
    return inside


def _leaf(x: Array, y: Array) -> Array:
    inside: Array = np.abs(y) < 0.55 * np.clip(1 - x**2, 0, None) * (1 + 0.25 * np.sin(9 * x))
    return inside


def _ring(x: Array, y: Array) -> Array:
    distance = np.sqrt(x**2 + y**2)
    inside: Array = (distance < 0.96) & (distance > 0.8) | (np.abs(x) < 0.03) & (distance < 0.9)
    return inside


def _rgba(color: Array, mask: Array) -> Tensor:
    return torch.from_numpy(np.dstack([color, mask]).astype(np.float32)).permute(2, 0, 1).contiguous()
