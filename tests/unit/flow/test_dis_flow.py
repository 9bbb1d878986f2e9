from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vidstyle.flow import DisFlow
from vidstyle.flow.dis_search import luma8
from vidstyle.imaging.warp import backward_warp, pixel_grid, resize_flow, sample_at
from vidstyle.protocols import Motion

PRESETS = ("ultrafast", "fast", "medium")
#: Mean error in pixels of the frame that a preset may leave on half resolution; the faster two stop at an eighth of it.
TOLERANCE_PX = {"ultrafast": 0.7, "fast": 0.5, "medium": 0.25}


def texture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Coloured noise with detail of several sizes: (1, 3, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    picture = torch.zeros(1, 3, height, width)
    for step in (6, 12, 30):
        noise = torch.rand(1, 3, height // step + 2, width // step + 2, generator=generator)
        picture += F.interpolate(noise, (height, width), mode="bicubic")
    return (picture - picture.amin()) / (picture.amax() - picture.amin())


def pushed(first: torch.Tensor, second: torch.Tensor, **options: object) -> Motion:
    estimator = DisFlow(**options)  # type: ignore[arg-type]
    assert estimator.push(first) is None
    motion = estimator.push(second)
    assert motion is not None
    return motion


def inner(field: torch.Tensor, border: int = 24) -> torch.Tensor:
    return field[..., border:-border, border:-border]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize(("height", "width"), [(180, 240), (181, 243)])
def test_a_known_shift_is_recovered_in_pixels_of_the_frame(preset: str, scale: float, height: int, width: int) -> None:
    dx, dy = 6, -4
    big = texture(height + 20, width + 20)
    first = big[..., 10 : 10 + height, 10 : 10 + width]
    second = big[..., 10 - dy : 10 - dy + height, 10 - dx : 10 - dx + width]  # content moves by (dx, dy)
    motion = pushed(first, second, preset=preset, scale=scale)
    for flow, (x, y) in ((motion.flow_forward, (dx, dy)), (motion.flow_backward, (-dx, -dy))):
        error = (inner(resize_flow(flow, (height, width))) - torch.tensor([x, y]).view(1, 2, 1, 1)).norm(dim=1)
        assert error.mean() < TOLERANCE_PX[preset]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_known_zoom_is_recovered(preset: str) -> None:
    height, width, zoom = 200, 280, 1.04
    first = texture(height, width)
    centre = torch.tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    offset = pixel_grid(height, width) - centre
    second = sample_at(first, centre + offset / zoom)  # the picture grows: a point at o goes to zoom * o
    motion = pushed(first, second, preset=preset)
    for flow, exact in ((motion.flow_forward, (zoom - 1) * offset), (motion.flow_backward, (1 / zoom - 1) * offset)):
        error = inner(resize_flow(flow, (height, width)) - exact).norm(dim=1)
        assert error.mean() < TOLERANCE_PX[preset]


@pytest.mark.parametrize("preset", PRESETS)
def test_both_directions_warp_one_frame_onto_the_other(preset: str) -> None:
    height, width = 180, 240
    big = texture(height + 20, width + 20, seed=1)
    first, second = big[..., 10:-10, 10:-10], big[..., 6:-14, 15:-5]
    motion = pushed(first, second, preset=preset)
    unaligned = inner(first - second).abs().mean()
    backward, forward = (resize_flow(flow, (height, width)) for flow in (motion.flow_backward, motion.flow_forward))
    assert inner(backward_warp(first, backward) - second).abs().mean() < 0.1 * unaligned
    assert inner(backward_warp(second, forward) - first).abs().mean() < 0.1 * unaligned
    assert inner(backward_warp(first, -backward) - second).abs().mean() > unaligned


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("picture", [texture(120, 160), torch.full((1, 3, 60, 80), 0.4)], ids=["textured", "flat"])
def test_a_still_picture_does_not_move(preset: str, picture: torch.Tensor) -> None:
    motion = pushed(picture, picture.clone(), preset=preset)
    assert motion.flow_backward.abs().amax() < 0.02
    assert motion.flow_forward.abs().amax() < 0.02


def test_small_pictures_keep_their_resolution() -> None:
    assert pushed(texture(60, 80), texture(60, 80)).flow_backward.shape == (1, 2, 60, 80)
    assert pushed(texture(200, 300), texture(200, 300)).flow_backward.shape == (1, 2, 142, 213)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 80), width=st.integers(1, 600), preset=st.sampled_from(PRESETS))
@example(height=1, width=1, preset="medium")
@example(height=20, width=400, preset="fast")  # OpenCV by itself crashes here
def test_no_small_or_long_size_breaks_the_search(height: int, width: int, preset: str) -> None:
    generator = torch.Generator().manual_seed(height * 41 + width)
    first, second = torch.rand(2, 1, 3, height, width, generator=generator)
    motion = pushed(first, second, preset=preset)
    for flow in (motion.flow_backward, motion.flow_forward):
        assert flow.shape[2] <= height
        assert flow.shape[3] <= width
        assert torch.isfinite(flow).all()


def test_luma_weighs_red_green_and_blue() -> None:
    frame = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 1, 0]]).view(1, 3, 1, 5)
    expected = torch.tensor([[76, 150, 29, 255, 0]], dtype=torch.uint8)
    assert torch.equal(luma8(frame), expected)
    assert torch.equal(luma8((frame * 255).to(torch.uint8)), expected)
    assert torch.equal(luma8(frame * 3 - 1)[:, 3:], expected[:, 3:])  # beyond [0, 1] is clipped, never wrapped


@pytest.mark.parametrize("options", [{"preset": "slow"}, {"scale": 0.0}, {"scale": 1.5}, {"scale": -1.0}])
def test_options_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        DisFlow(**options)  # type: ignore[arg-type]
