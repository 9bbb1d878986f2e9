from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from network_factory import photo_folder, picture
from torch import Tensor

from vidstyle.imaging.warp import backward_warp, pixel_grid
from vidstyle.media.stills import write_still
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.flow_layers import LayerMotion, random_motion, random_shapes
from vidstyle.training.flow_pairs import FlowPair, FlowPairs, crop_side

HEIGHT, WIDTH = 128, 144
SIDE = crop_side(HEIGHT, WIDTH)


def softened(image: Tensor) -> Tensor:
    """Without the grain of a test picture, which no interpolation reproduces."""
    return F.interpolate(F.avg_pool2d(image, 4), scale_factor=4, mode="bicubic", align_corners=False).clamp(0, 1)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> ContentCrops:
    folder = tmp_path_factory.mktemp("photos")
    for index in range(4):
        write_still(folder / f"{index}.png", (softened(picture(SIDE, SIDE + 4, seed=index))[0] * 255).round().byte())
    return ContentCrops(folder, SIDE)


def make(crops: ContentCrops, num: int = 6, seed: int = 0, *, max_px: float = 40.0, corrupt: bool = False) -> FlowPair:
    pairs = FlowPairs(crops, HEIGHT, WIDTH, max_px, corrupt=corrupt)
    return pairs.batch(num, torch.Generator().manual_seed(seed))


def motions(seed: int, num: int = 8, max_px: float = 40.0) -> tuple[LayerMotion, LayerMotion]:
    generator = torch.Generator().manual_seed(seed)
    shapes = random_shapes(num, (HEIGHT, WIDTH), generator)
    owners = torch.arange(num)
    return random_motion(num, shapes, owners, size=(HEIGHT, WIDTH), max_px=max_px, generator=generator)


def eroded(mask: Tensor, px: int) -> Tensor:
    return -F.max_pool2d(-mask.float(), 2 * px + 1, stride=1, padding=px) > 0.5


def interior(pair: FlowPair) -> Tensor:
    """Visible pixels away from motion boundaries, where outlines are mixed with what is behind them."""
    spread = F.max_pool2d(pair.flow, 5, 1, 2) + F.max_pool2d(-pair.flow, 5, 1, 2)
    return eroded(pair.visible, 2) & (spread.amax(1, keepdim=True) < 1.5)


def test_the_second_frame_warped_back_is_the_first(crops: ContentCrops) -> None:
    pair = make(crops, 10)
    error = (backward_warp(pair.second, pair.flow) - pair.first).abs().amax(1, keepdim=True)
    inside = interior(pair)
    assert inside.float().mean() > 0.5
    assert error[inside].mean() < 0.004
    assert error[inside].quantile(0.995) < 0.06
    # A tenth of a pixel of error would show.
    wrong = (backward_warp(pair.second, pair.flow + 0.3) - pair.first).abs().amax(1, keepdim=True)
    assert wrong[inside].mean() > 2 * error[inside].mean()


def test_hidden_pixels_do_not_match_and_there_are_some(crops: ContentCrops) -> None:
    pair = make(crops, 10)
    height, width = pair.flow.shape[-2:]
    target = pair.flow + pixel_grid(height, width)
    limit = torch.tensor([width - 1, height - 1]).view(1, 2, 1, 1)
    inside = ((target >= 0) & (target <= limit)).all(1, keepdim=True)
    assert not pair.visible[~inside].any()
    hidden = eroded(inside & ~pair.visible, 1)
    assert 0.001 < hidden.float().mean() < 0.4
    error = (backward_warp(pair.second, pair.flow) - pair.first).abs().mean(1, keepdim=True)
    assert error[hidden].mean() > 10 * error[interior(pair)].mean()


def test_the_reverse_of_what_is_visible_is_in_front(crops: ContentCrops) -> None:
    """No two visible pixels of the first frame land on the same place unless they move alike."""
    pair = make(crops, 6)
    height, width = pair.flow.shape[-2:]
    landed = (pair.flow + pixel_grid(height, width)).round().long()
    for flow, target, visible in zip(pair.flow, landed, interior(pair), strict=True):
        moved, places = flow[:, visible[0]], target[:, visible[0]]
        index = (places[1].clamp(0, height - 1) * width + places[0].clamp(0, width - 1))[None].expand(2, -1)
        low = torch.full((2, height * width), 1e6).scatter_reduce_(1, index, moved, "amin")
        high = torch.full((2, height * width), -1e6).scatter_reduce_(1, index, moved, "amax")
        assert ((high - low) <= 2).float().mean() > 0.998  # cells nothing lands on count as alike


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_motions_are_undone_by_their_inverse(seed: int) -> None:
    grid = pixel_grid(HEIGHT, WIDTH)
    for motion in motions(seed):
        origins = motion.origins(grid)
        assert (origins + motion.flow(origins) - grid).norm(dim=1).max() < 0.05


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), max_px=st.floats(1, 40))
def test_boxes_hold_things_before_and_after(seed: int, max_px: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    shapes = random_shapes(6, (HEIGHT, WIDTH), generator)
    _, motion = random_motion(6, shapes, torch.arange(6), size=(HEIGHT, WIDTH), max_px=max_px, generator=generator)
    wide = pixel_grid(HEIGHT + 160, WIDTH + 160) - 80
    for boxes, origins in ((shapes.boxes(), wide), (motion.moved_boxes(shapes.boxes()), motion.origins(wide))):
        covered = shapes.cover(origins.expand(6, -1, -1, -1))[:, 0] > 0
        (left, top), (right, bottom) = boxes[:, :2].unbind(1), boxes[:, 2:].unbind(1)
        x, y = wide[0]
        slack = 0.05  # of the inverse
        outside = (
            (x < left[:, None, None] - slack)
            | (x > right[:, None, None] + slack)
            | (y < top[:, None, None] - slack)
            | (y > bottom[:, None, None] + slack)
        )
        assert not (covered & outside).any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), max_px=st.floats(0.5, 60))
def test_no_pixel_moves_farther_than_told(seed: int, max_px: float, crops: ContentCrops) -> None:
    farthest = make(crops, 2, seed, max_px=max_px).flow.norm(dim=1).max()
    assert farthest <= max_px * 1.001


def test_small_motions_are_common_and_large_ones_occur(crops: ContentCrops) -> None:
    length = torch.cat([make(crops, 16, seed).flow.norm(dim=1).flatten() for seed in range(3)])
    assert (length < 8).float().mean() > 0.4
    assert (length < 0.5).float().mean() > 0.02
    assert length.max() > 30


def test_slowness_makes_large_motions_rare(crops: ContentCrops) -> None:
    quick, slow = (
        FlowPairs(crops, HEIGHT, WIDTH, slowness=slowness, corrupt=False).batch(16, torch.Generator().manual_seed(2))
        for slowness in (1.0, 6.0)
    )
    assert quick.flow.norm(dim=1).mean() > 1.5 * slow.flow.norm(dim=1).mean()


@pytest.mark.parametrize("corrupt", [False, True])
def test_the_same_generator_state_gives_the_same_pairs(crops: ContentCrops, corrupt: bool) -> None:
    before = torch.random.get_rng_state()
    one, same, other = (make(crops, 2, seed, corrupt=corrupt) for seed in (3, 3, 4))
    for name in ("first", "second", "flow", "visible"):
        assert torch.equal(getattr(one, name), getattr(same, name))
        assert not torch.equal(getattr(one, name), getattr(other, name))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_shapes_and_ranges(crops: ContentCrops) -> None:
    pair = make(crops, 3, corrupt=True)
    for frame in (pair.first, pair.second):
        assert frame.shape == (3, 3, HEIGHT, WIDTH)
        assert frame.min() >= 0
        assert frame.max() <= 1
        assert frame.isfinite().all()
    assert pair.flow.shape == (3, 2, HEIGHT, WIDTH)
    assert pair.flow.isfinite().all()
    assert pair.visible.shape == (3, 1, HEIGHT, WIDTH)
    assert pair.visible.dtype == torch.bool


def test_corruption_changes_the_frames_only(crops: ContentCrops) -> None:
    clean, corrupted = make(crops), make(crops, corrupt=True)
    assert torch.equal(clean.flow, corrupted.flow)
    assert torch.equal(clean.visible, corrupted.visible)
    assert (clean.first - corrupted.first).abs().mean() > 0.01
    # What the two frames share, they still share: neither is corrupted beyond recognition.
    inside = interior(corrupted)
    error = (backward_warp(corrupted.second, corrupted.flow) - corrupted.first).abs().mean(1, keepdim=True)
    assert 0.002 < error[inside].mean() < 0.08


def test_pictures_smaller_than_a_frame_and_its_margin_are_refused(tmp_path: Path) -> None:
    from vidstyle.errors import ConfigError

    with pytest.raises(ConfigError, match=f"{SIDE}x{SIDE}"):
        ContentCrops(photo_folder(tmp_path), SIDE)
