"""Outlines and motions of the layers that made-up pairs of frames consist of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

_NUM_WAVES = 3
#: A wave's largest slope. All waves together stay well below 1, which makes a motion invertible and its inverse quick.
_MAX_SLOPE = 0.08
_NUM_INVERSIONS = 3
_NUM_EDGES = 5
_NUM_BULGES = 3

_Layers = TypeVar("_Layers", "LayerMotion", "LayerShape")


@dataclass(frozen=True, slots=True, eq=False)
class LayerMotion:
    """Motions f of M layers: affine plus a few sine waves, f(x) = D (x − c) + t + Σ a sin(k·x + φ), in pixels.

    Attributes:
        deformation: D, (M, 2, 2): the affine part less the identity.
        center: c, (M, 2).
        shift: t, (M, 2).
        amplitude: a, (M, K, 2).
        frequency: k, (M, K, 2) radians a pixel.
        phase: φ, (M, K).
    """

    deformation: Tensor
    center: Tensor
    shift: Tensor
    amplitude: Tensor
    frequency: Tensor
    phase: Tensor

    def to(self, device: torch.device) -> LayerMotion:
        """The same on a device."""
        return _each(self, lambda value: value.to(device))

    def row(self, index: int) -> LayerMotion:
        """One of the layers, as the only one."""
        return _each(self, lambda value: value[index : index + 1])

    def flow(self, positions: Tensor) -> Tensor:
        """The motion at (M or 1, 2, H, W) positions: (M, 2, H, W)."""
        return self._affine(positions) + self._waves(positions)

    def origins(self, positions: Tensor) -> Tensor:
        """The inverse: x with x + f(x) = y for y at (M or 1, 2, H, W), to within a twentieth of a pixel: (M, 2, H, W).

        The affine part is inverted exactly; what the waves add is found by fixed-point iteration.
        """
        inverse = torch.linalg.inv(torch.eye(2, device=self.deformation.device) + self.deformation)
        fixed = _apply(self.deformation, self.center[..., None, None]) - self.shift[..., None, None]
        straight = _apply(inverse, positions + fixed)
        found = straight
        for _ in range(_NUM_INVERSIONS):
            found = straight - _apply(inverse, self._waves(found))
        return found

    def reach_px(self) -> Tensor:
        """(M,) farthest that the waves alone move anything."""
        reach: Tensor = torch.linalg.vector_norm(self.amplitude, dim=-1).sum(1)
        return reach

    def limited(self, max_px: float, boxes: Tensor) -> LayerMotion:
        """The same slowed down where anything inside its (M, 4) box could move farther than ``max_px``."""
        # The affine part moves a corner farthest.
        farthest = torch.linalg.vector_norm(self._affine(_corners(boxes)), dim=1).amax((-2, -1)) + self.reach_px()
        return self.scaled((max_px / farthest.clamp_min(1e-6)).clamp_max(1.0))

    def scaled(self, factor: Tensor) -> LayerMotion:
        """Each motion times its (M,) factor."""
        return replace(
            self,
            deformation=self.deformation * factor[:, None, None],
            shift=self.shift * factor[:, None],
            amplitude=self.amplitude * factor[:, None, None],
        )

    def moved_boxes(self, boxes: Tensor) -> Tensor:
        """(M, 4) boxes around where the motion takes everything inside (M, 4) boxes."""
        corners = _corners(boxes)
        reached = (corners + self._affine(corners)).flatten(2)
        reach = self.reach_px()[:, None]
        return torch.cat([reached.amin(2) - reach, reached.amax(2) + reach], 1)

    def _affine(self, positions: Tensor) -> Tensor:
        offset = self.shift[..., None, None] - _apply(self.deformation, self.center[..., None, None])
        return _apply(self.deformation, positions) + offset

    def _waves(self, positions: Tensor) -> Tensor:
        total = positions.new_zeros(len(self.phase), *positions.shape[1:])
        for index in range(self.phase.shape[1]):
            kx, ky = self.frequency[:, index, :, None, None].unbind(1)
            wave = torch.sin(kx * positions[:, 0] + ky * positions[:, 1] + self.phase[:, index, None, None])
            total.addcmul_(self.amplitude[:, index, :, None, None], wave[:, None])
        return total


@dataclass(frozen=True, slots=True, eq=False)
class LayerShape:
    """Outlines of M things: an ellipse with bulges, of which straight edges may cut pieces off.

    Attributes:
        center: (M, 2) pixels.
        axes: (M, 2, 2): a position less the centre to the ellipse's own coordinates, in which it is the unit circle.
        bulge: (M, B) relative height of the b-th harmonic, from the second on.
        bulge_phase: (M, B).
        edge: (M, E, 2) unit normals in those coordinates.
        edge_distance: (M, E) of the edges from the centre.
        pixels: (M,) shorter half axis.
    """

    center: Tensor
    axes: Tensor
    bulge: Tensor
    bulge_phase: Tensor
    edge: Tensor
    edge_distance: Tensor
    pixels: Tensor

    def to(self, device: torch.device) -> LayerShape:
        """The same on a device."""
        return _each(self, lambda value: value.to(device))

    def row(self, index: int) -> LayerShape:
        """One of the things, as the only one."""
        return _each(self, lambda value: value[index : index + 1])

    def boxes(self) -> Tensor:
        """(M, 4) left, top, right and bottom around each thing."""
        longest = 1 + self.bulge.abs().sum(1, keepdim=True) + 0.5 / self.pixels[:, None]  # the soft edge, too
        # Rows of the inverse of ``axes`` are how far the unit circle reaches along x and along y.
        extent = torch.linalg.vector_norm(torch.linalg.inv(self.axes), dim=2) * longest
        return torch.cat([self.center - extent, self.center + extent], 1)

    def cover(self, positions: Tensor) -> Tensor:
        """How much of the pixel at each of (M or 1, 2, H, W) positions is inside: (M, 1, H, W) in [0, 1]."""
        local = _apply(self.axes, positions - self.center[..., None, None])
        x, y = local.unbind(1)
        angle = torch.atan2(y, x)
        inside = 1 - torch.hypot(x, y)
        for index in range(self.bulge.shape[1]):
            phase = self.bulge_phase[:, index, None, None]
            inside.addcmul_(self.bulge[:, index, None, None], torch.cos((index + 2) * angle + phase))
        for index in range(self.edge.shape[1]):
            nx, ny = self.edge[:, index, :, None, None].unbind(1)
            inside = torch.minimum(inside, self.edge_distance[:, index, None, None] - nx * x - ny * y)
        return (inside * self.pixels[:, None, None] + 0.5).clamp_(0, 1)[:, None]


def random_motion(
    num: int,
    things: LayerShape,
    owners: Tensor,
    *,
    size: tuple[int, int],
    max_px: float,
    slowness: float = 3.0,
    generator: torch.Generator,
) -> tuple[LayerMotion, LayerMotion]:
    """Motions of ``num`` backgrounds and of the things in front of them.

    Most things go along with the camera before they move on their own.

    Args:
        num: pairs.
        things: outlines of M things.
        owners: (M,) the pair of each thing.
        size: (height, width) of the frames.
        max_px: how far a pixel may move.
        slowness: shifts are uniform in [0, 1] to this power, times ``max_px``.
        generator: source of randomness, on the CPU.

    Returns:
        Motions of the backgrounds and of the things, on the CPU.
    """
    last = torch.tensor([size[1] - 1.0, size[0] - 1.0])
    stands = torch.rand(num, generator=generator) < 0.1
    camera = _random_layers((last / 2).expand(num, 2), max_px, slowness, 0.08, generator).scaled((~stands).float())
    camera = camera.limited(max_px, torch.cat([torch.zeros(2), last]).expand(num, 4))
    own = _random_layers(things.center, max_px, slowness, 0.2, generator)
    follows = (torch.rand(len(owners), 1, generator=generator) < 0.8).float()
    carried = replace(own, shift=own.shift + follows * camera.shift[owners])
    return camera, carried.limited(max_px, things.boxes())


def _random_layers(
    center: Tensor, max_px: float, slowness: float, max_deformation: float, generator: torch.Generator
) -> LayerMotion:
    num = len(center)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(num, *shape, generator=generator)

    direction = 2 * math.pi * uniform()
    shift = max_px * uniform().pow(slowness)[:, None] * torch.stack([direction.cos(), direction.sin()], 1)
    zoom, turn, stretch, skew = ((2 * uniform(4) - 1) * uniform(1).pow(2) * max_deformation).unbind(1)
    stretch, skew = stretch / 3, skew / 3
    deformation = torch.stack([zoom + stretch, skew - turn, skew + turn, zoom - stretch], 1).view(num, 2, 2)

    heading = 2 * math.pi * uniform(_NUM_WAVES)
    length_px = 40 * 8 ** uniform(_NUM_WAVES)
    frequency = (2 * math.pi / length_px)[..., None] * torch.stack([heading.cos(), heading.sin()], -1)
    bearing = 2 * math.pi * uniform(_NUM_WAVES)
    height_px = _MAX_SLOPE * length_px / (2 * math.pi) * uniform(1).pow(2)
    amplitude = height_px[..., None] * torch.stack([bearing.cos(), bearing.sin()], -1)
    return LayerMotion(deformation, center, shift, amplitude, frequency, 2 * math.pi * uniform(_NUM_WAVES))


def random_shapes(num: int, size: tuple[int, int], generator: torch.Generator) -> LayerShape:
    """``num`` outlines: ellipses, blobs and polygons, from a tenth of a frame of (height, width) to most of it."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(num, *shape, generator=generator)

    height, width = size
    center = uniform(2) * torch.tensor([width - 1, height - 1])
    radius = min(size) * 0.06 * 7 ** uniform()
    slim = 3 ** -uniform().pow(2)
    angle = math.pi * uniform()
    turn = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).view(num, 2, 2)
    half_axes = torch.stack([radius, radius * slim], 1)
    kinds = torch.randint(0, 3, (num, 1), generator=generator)  # ellipse, blob, polygon
    bulge = torch.where(kinds == 1, uniform(_NUM_BULGES) * 0.25, 0.0)
    normal = 2 * math.pi * (torch.arange(_NUM_EDGES) + 0.8 * uniform(_NUM_EDGES)) / _NUM_EDGES
    distance = torch.where(kinds == 2, 0.4 + 0.5 * uniform(_NUM_EDGES), 9.0)
    return LayerShape(
        center=center,
        axes=turn / half_axes[..., None],
        bulge=bulge,
        bulge_phase=2 * math.pi * uniform(_NUM_BULGES),
        edge=torch.stack([normal.cos(), normal.sin()], -1),
        edge_distance=distance,
        pixels=half_axes.amin(1),
    )


def _apply(matrix: Tensor, vectors: Tensor) -> Tensor:
    """(M, 2, 2) times (M or 1, 2, H, W): (M, 2, H, W)."""
    x, y = vectors.unbind(1)
    a, b, c, d = (value[:, None, None] for value in matrix.flatten(1).unbind(1))
    return torch.stack([a * x + b * y, c * x + d * y], 1)


def _corners(boxes: Tensor) -> Tensor:
    """(M, 2, 2, 2) positions of the corners of (M, 4) boxes."""
    left, top, right, bottom = boxes.unbind(1)
    x = torch.stack([left, right, left, right], 1)
    y = torch.stack([top, top, bottom, bottom], 1)
    return torch.stack([x, y], 1).view(-1, 2, 2, 2)


def _each(layers: _Layers, change: Callable[[Tensor], Tensor]) -> _Layers:
    return type(layers)(**{field.name: change(getattr(layers, field.name)) for field in fields(layers)})
