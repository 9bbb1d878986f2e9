"""Made-up pairs of frames with exact flow: photos as a background and as cut-out things that move in front of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.warp import pixel_grid, sample_at
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.flow_layers import LayerMotion, LayerShape, random_motion, random_shapes

#: How much wider than a frame the crops are: what comes into view. Beyond that a crop goes on mirrored.
MARGIN_PX = 32
_MAX_THINGS = 5
_SOLID = 0.5  # cover from which a pixel belongs to a thing
_KERNEL_PX = 7


@dataclass(frozen=True, slots=True, eq=False)
class FlowPair:
    """A batch of pairs.

    Attributes:
        first: (N, 3, H, W) RGB in [0, 1].
        second: the same a moment later.
        flow: (N, 2, H, W) float32 pixels (dx, dy); first(x) is at second(x + flow). Known where it is hidden, too.
        visible: (N, 1, H, W) bool; False where the point is hidden or outside the second frame.
    """

    first: Tensor
    second: Tensor
    flow: Tensor
    visible: Tensor


class FlowPairs:
    """Endless random pairs; the same generator state gives the same pairs.

    Every layer, the background and one to five things in front of it, has a smooth invertible motion that is given at
    the pixels of the first frame. The second frame is rendered through its inverse, so the flow is exact.

    Args:
        crops: pictures of ``crop_side(height, width)``.
        height: of a frame, in pixels.
        width: of a frame, in pixels.
        max_motion_px: no pixel moves farther.
        slowness: shifts are uniform in [0, 1] to this power, times ``max_motion_px``: at 3, half are below an eighth.
        device: where frames are rendered.
        corrupt: blur, expose and add noise to the frames; without, they agree up to resampling.
    """

    def __init__(
        self,
        crops: ContentCrops,
        height: int,
        width: int,
        max_motion_px: float = 40.0,
        *,
        slowness: float = 3.0,
        device: torch.device | str = "cpu",
        corrupt: bool = True,
    ) -> None:
        self._crops = crops
        self._size = (height, width)
        self._max_motion_px = max_motion_px
        self._slowness = slowness
        self._device = torch.device(device)
        self._corrupt = corrupt

    def batch(self, num: int, generator: torch.Generator) -> FlowPair:
        """``num`` fresh pairs; randomness comes from a generator on the CPU, whatever the device."""
        counts = torch.randint(1, _MAX_THINGS + 1, (num,), generator=generator)
        owners = torch.repeat_interleave(torch.arange(num), counts)
        shapes = random_shapes(len(owners), self._size, generator)
        camera, own = random_motion(
            num,
            shapes,
            owners,
            size=self._size,
            max_px=self._max_motion_px,
            slowness=self._slowness,
            generator=generator,
        )
        pictures = self._crops.batch(2 * num, generator, smooth_share=0.0).to(self._device)
        others = torch.randint(1, 2 * num, owners.shape, generator=generator)  # a thing never looks like its background

        scene = self._scene(pictures[:num], camera.to(self._device))
        boxes, boxes_later = shapes.boxes(), own.moved_boxes(shapes.boxes())
        shapes, own = shapes.to(self._device), own.to(self._device)
        depths = torch.arange(len(owners)) - torch.cumsum(counts, 0)[owners] + counts[owners]
        for index, (owner, depth) in enumerate(zip(owners.tolist(), depths.tolist(), strict=True)):
            picture = pictures[(owner + int(others[index])) % (2 * num)][None]
            thing = _Thing(picture, shapes.row(index), own.row(index), boxes[index], boxes_later[index])
            self._put(thing, scene, owner, depth)
        targets = scene.flow + pixel_grid(*self._size, self._device)
        pair = FlowPair(scene.first, scene.second, scene.flow, _visible(targets, scene.covers, scene.top))
        return _corrupted(pair, generator) if self._corrupt else pair

    def _scene(self, backgrounds: Tensor, camera: LayerMotion) -> _Scene:
        num, (height, width) = len(backgrounds), self._size
        grid = pixel_grid(height, width, self._device)
        return _Scene(
            first=self._still(backgrounds, slice(0, height), slice(0, width)).clone(),
            second=self._look(backgrounds, camera.origins(grid)),
            flow=camera.flow(grid),
            covers=torch.zeros(num, _MAX_THINGS, height, width, device=self._device),
            top=torch.zeros(num, 1, height, width, dtype=torch.uint8, device=self._device),
        )

    def _put(self, thing: _Thing, scene: _Scene, owner: int, depth: int) -> None:
        """Put a thing in front of what is in a scene; only its surroundings are rendered."""
        rows, columns, grid = self._window(thing.box)
        cover = thing.shape.cover(grid)[0]
        scene.first[owner, :, rows, columns].lerp_(self._still(thing.picture, rows, columns)[0], cover)
        solid = cover >= _SOLID
        behind = scene.flow[owner, :, rows, columns]
        behind.copy_(torch.where(solid, thing.motion.flow(grid)[0], behind))
        scene.top[owner, :, rows, columns].masked_fill_(solid, depth + 1)

        rows, columns, grid = self._window(thing.box_later)
        if grid.numel():  # otherwise it has left the picture
            origins = thing.motion.origins(grid)
            cover = thing.shape.cover(origins)[0]
            scene.second[owner, :, rows, columns].lerp_(self._look(thing.picture, origins)[0], cover)
            scene.covers[owner, depth, rows, columns] = cover[0]

    def _window(self, box: Tensor) -> tuple[slice, slice, Tensor]:
        """Rows and columns of the pixels in a box, and their (1, 2, h, w) positions."""
        height, width = self._size
        (left, top), (right, bottom) = box[:2].floor().int().tolist(), box[2:].ceil().int().tolist()
        top, bottom = (min(max(side, 0), height) for side in (top, bottom + 1))
        left, right = (min(max(side, 0), width) for side in (left, right + 1))
        origin = torch.tensor([left, top], device=self._device).view(1, 2, 1, 1)
        return slice(top, bottom), slice(left, right), pixel_grid(bottom - top, right - left, self._device) + origin

    def _still(self, pictures: Tensor, rows: slice, columns: slice) -> Tensor:
        """What layers show at pixels of the first frame: (N, 3, h, w), a view."""
        left, top = self._offset(pictures)
        return pictures[..., top + rows.start : top + rows.stop, left + columns.start : left + columns.stop]

    def _look(self, pictures: Tensor, origins: Tensor) -> Tensor:
        """What layers show at fractional positions of the first frame: (N, 3, h, w)."""
        side = pictures.shape[-1]
        offset = torch.tensor(self._offset(pictures), device=self._device).view(1, 2, 1, 1)
        return sample_at(pictures, _mirrored(origins + offset, side)).clamp_(0, 1)

    def _offset(self, pictures: Tensor) -> tuple[int, int]:
        """(x, y) of the first frame's corner on the pictures it is cut from."""
        side, (height, width) = pictures.shape[-1], self._size
        return (side - width) // 2, (side - height) // 2


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """Pairs that are being put together."""

    first: Tensor  # (N, 3, H, W)
    second: Tensor  # (N, 3, H, W)
    flow: Tensor  # (N, 2, H, W)
    covers: Tensor  # (N, K, H, W) of the thing at each depth in the second frame
    top: Tensor  # (N, 1, H, W) depth of what the first frame shows, plus one; 0 is the background


@dataclass(frozen=True, slots=True, eq=False)
class _Thing:
    picture: Tensor  # (1, 3, side, side)
    shape: LayerShape
    motion: LayerMotion
    box: Tensor  # (4,) around it in the first frame
    box_later: Tensor  # (4,) around it in the second


def crop_side(height: int, width: int) -> int:
    """Side of the square crops that frames of a size are cut from."""
    return max(height, width) + MARGIN_PX


def _mirrored(positions: Tensor, side: int) -> Tensor:
    """Fold positions outside a picture back into it."""
    last = side - 1
    return last - (positions.remainder(2 * last) - last).abs()


def _visible(targets: Tensor, covers: Tensor, top: Tensor) -> Tensor:
    """Where the second frame shows what the first does; see ``_Scene``. ``targets`` is where each pixel goes."""
    height, width = targets.shape[-2:]
    limit = torch.tensor([width - 1, height - 1], device=targets.device).view(1, 2, 1, 1)
    inside = ((targets >= 0) & (targets <= limit)).all(1, keepdim=True)
    covered = sample_at(covers, targets, "bilinear") >= _SOLID
    in_front = torch.arange(covers.shape[1], device=top.device).view(1, -1, 1, 1) >= top
    return inside & ~(covered & in_front).any(1, keepdim=True)


def _corrupted(pair: FlowPair, generator: torch.Generator) -> FlowPair:
    """The pair as a camera sees it: defocused or shaken, not quite equally exposed, with sensor noise."""
    num = len(pair.first)
    device = pair.first.device
    frames = torch.cat([pair.first, pair.second])
    # A camera blurs both frames nearly alike; one pair in six changes focus or shakes in between.
    kernels = _blur_kernels(num, generator)
    others = _blur_kernels(num, generator)
    changes = _uniform((num, 1, 1), 0, 1, generator) < 1 / 6
    kernels = torch.cat([kernels, torch.where(changes, others, kernels)]).to(device)
    frames = _blurred(frames, kernels)
    frames = _exposed(frames, num, generator)
    sigma = (0.04 * torch.rand(num, 1, 1, 1, generator=generator).pow(2)).repeat(2, 1, 1, 1).to(device)
    noise = torch.randn(frames.shape, generator=generator).to(device)
    first, second = frames.addcmul_(noise, sigma).clamp_(0, 1).chunk(2)
    return FlowPair(first, second, pair.flow, pair.visible)


def _exposed(frames: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """Vary contrast and colour over pairs, and exposure between their frames; ``frames`` is 2 ``num`` long."""
    shape = (num, 3, 1, 1)
    grey = frames.mean(1, keepdim=True)
    saturation = _uniform((num, 1, 1, 1), 0.5, 1.2, generator).repeat(2, 1, 1, 1)
    gain = _uniform((num, 1, 1, 1), 0.6, 1.15, generator)
    lift = _uniform((num, 1, 1, 1), -0.05, 0.15, generator)
    # Mostly a breath, as of an automatic exposure; now and then as strong as a flash.
    strength = 0.15 * torch.rand(num, 1, 1, 1, generator=generator).pow(3)
    tint = torch.randn(shape, generator=generator) * 0.3 + torch.randn(num, 1, 1, 1, generator=generator)
    log_gamma = torch.randn(num, 1, 1, 1, generator=generator) * strength
    gains = torch.cat([gain.expand(shape), gain * (1 + strength * tint)])
    gammas = torch.cat([torch.ones(num, 1, 1, 1), log_gamma.exp()])
    device = frames.device
    colored = torch.lerp(grey, frames, saturation.to(device))
    lit = colored.mul_(gains.to(device)).add_(lift.repeat(2, 1, 1, 1).to(device))
    return lit.clamp_(1e-4, 1).pow_(gammas.to(device))


def _blur_kernels(num: int, generator: torch.Generator) -> Tensor:
    """(num, k, k) Gaussians, some of them drawn out in one direction as by a shake."""
    sharp = _uniform((num, 1, 1), 0.35, 0.6, generator)
    wide = _uniform((num, 1, 1), 0.6, 1.6, generator)
    along = torch.where(_uniform((num, 1, 1), 0, 1, generator) < 0.3, wide, sharp)
    across = torch.where(_uniform((num, 1, 1), 0, 1, generator) < 0.5, along, sharp)
    angle = _uniform((num, 1, 1), 0, math.pi, generator)
    x, y = (pixel_grid(_KERNEL_PX, _KERNEL_PX)[0] - _KERNEL_PX // 2).unbind(0)
    ahead, aside = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernels = torch.exp(-0.5 * ((ahead / along) ** 2 + (aside / across) ** 2))
    return kernels / kernels.sum((-2, -1), keepdim=True)


def _blurred(frames: Tensor, kernels: Tensor) -> Tensor:
    num, channels, height, width = frames.shape
    edge = _KERNEL_PX // 2
    padded = F.pad(frames, (edge,) * 4, mode="replicate").view(1, num * channels, height + 2 * edge, width + 2 * edge)
    weights = kernels[:, None].repeat_interleave(channels, 0)
    return F.conv2d(padded, weights, groups=num * channels).view_as(frames)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape).uniform_(low, high, generator=generator)
