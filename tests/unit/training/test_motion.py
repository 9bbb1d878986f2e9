from __future__ import annotations

import pytest
import torch
from network_factory import picture

from vidstyle.imaging.warp import backward_warp, points_inside
from vidstyle.training.motion import (
    SURROUND_PX,
    moved_view,
    random_flow,
    shift_loss,
    shifted_view,
    stability_loss,
    two_views,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_other_flow_is_a_shift_in_whole_pixels() -> None:
    flow = random_flow(6, 64, 96, generator())
    assert flow.shape == (6, 2, 64, 96)
    rigid, warped = flow[::2], flow[1::2]
    assert torch.equal(rigid, rigid[..., :1, :1].expand_as(rigid))
    assert torch.equal(rigid, rigid.round())
    assert rigid.abs().max() <= 8
    assert (warped.std((2, 3)) > 0.3).all()
    assert rigid[..., 0, 0].unique(dim=0).shape[0] > 1


def test_flow_is_smooth_and_bounded() -> None:
    flow = random_flow(8, 128, 128, generator(3))
    assert flow.abs().max() < 40
    assert (flow[..., 1:] - flow[..., :-1]).abs().max() < 1


def test_the_same_generator_gives_the_same_flow() -> None:
    assert torch.equal(random_flow(2, 64, 64, generator(5)), random_flow(2, 64, 64, generator(5)))
    assert not torch.equal(random_flow(2, 64, 64, generator(5)), random_flow(2, 64, 64, generator(6)))


def test_a_view_is_the_warp_a_little_brighter_or_darker_and_noisier() -> None:
    content = 0.3 + 0.3 * picture(96, 96, num=8)  # away from black and white, where nothing is cut off
    flow = random_flow(8, 96, 96, generator(1))
    warped = backward_warp(content, flow)
    moved = moved_view(content, flow, generator(2))
    gains, deviations = [], []
    for one, other in zip(moved, warped, strict=True):
        gain = (one * other).sum() / other.square().sum()
        gains.append(float(gain))
        deviations.append(float((one - gain * other).std()))
    assert all(0.945 < gain < 1.055 for gain in gains)
    assert all(deviation < 0.021 for deviation in deviations)
    assert max(gains) - min(gains) > 0.01
    assert max(deviations) - min(deviations) > 0.002


def test_a_shift_shows_what_was_that_far_away() -> None:
    content = picture(64, 64)
    flow = torch.tensor([5.0, -3.0]).view(1, 2, 1, 1).expand(1, 2, 64, 64)
    moved = backward_warp(content, flow)
    torch.testing.assert_close(moved[..., 8:-8, 8:-8], content[..., 5:-11, 13:-3], atol=1e-4, rtol=0)


def test_a_view_stays_in_range() -> None:
    content = (picture(64, 64, num=4) > 0.5).float()
    moved = moved_view(content, random_flow(4, 64, 64, generator()), generator())
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_stability_is_zero_for_what_moves_along_and_not_for_what_stays() -> None:
    painted, flow = picture(96, 96, num=2), random_flow(2, 96, 96, generator())
    along = backward_warp(painted, flow)
    assert stability_loss(painted, along, flow).item() == 0
    assert stability_loss(painted, painted, flow).item() > 0.01
    assert (
        stability_loss(painted, along * points_inside(flow), flow).item() == 0
    )  # the other view cannot know what came in
    assert points_inside(flow)[..., 0, :].any()  # but the border that both show counts


def test_what_moves_into_view_is_real() -> None:
    wide = 0.3 + 0.3 * picture(96 + 2 * SURROUND_PX, 96 + 2 * SURROUND_PX, num=2)
    content, moved, flow = two_views(wide, generator(1))
    assert content.shape == moved.shape == (2, 3, 96, 96)
    assert flow.shape == (2, 2, 96, 96)
    dx, dy = (int(shift) for shift in flow[0, :, 0, 0])
    expected = wide[:1, :, SURROUND_PX + dy : SURROUND_PX + dy + 96, SURROUND_PX + dx : SURROUND_PX + dx + 96]
    gain = (moved[:1] * expected).sum() / expected.square().sum()
    assert (dx, dy) != (0, 0)
    torch.testing.assert_close(moved[:1], gain * expected, atol=0.1, rtol=0)  # noise and light change
    assert (moved[:1] - gain * expected).std() < 0.021


def test_a_shifted_view_is_the_scene_from_another_phase_of_the_grid() -> None:
    wide = picture(64 + 2 * SURROUND_PX, 96 + 2 * SURROUND_PX, num=2)
    shifts, draws = set(), generator(2)
    for _ in range(200):
        shifted, (y, x) = shifted_view(wide, 4, draws)
        expected = wide[..., SURROUND_PX + y : SURROUND_PX + y + 64, SURROUND_PX + x : SURROUND_PX + x + 96]
        assert torch.equal(shifted, expected)
        shifts.add((y, x))
    assert shifts == {(y, x) for y in range(-1, 3) for x in range(-1, 3)} - {(0, 0)}


def test_the_shift_loss_is_the_share_of_the_deviation_that_stays_behind() -> None:
    wide = picture(72, 72, num=2)
    painted, along = wide[..., 4:68, :64], wide[..., 1:65, 5:69]
    assert shift_loss(painted, along, (-3, 5)).item() < 0.01
    deviation = painted.std((1, 2, 3), keepdim=True)
    assert shift_loss(painted, along + 0.2 * deviation, (-3, 5)).item() == pytest.approx(0.2, rel=0.05)
    for side in range(4):
        changed = painted.clone()
        changed.rot90(side, (2, 3))[..., :7] = 0.0
        assert shift_loss(painted, changed, (0, 0)).item() < 0.01
    flat = torch.full((1, 3, 64, 64), 0.5, requires_grad=True)
    shift_loss(flat, flat * 1.0, (1, 0)).backward()  # type: ignore[no-untyped-call]
    assert flat.grad is not None
    assert flat.grad.isfinite().all()


def test_contrast_buys_no_lower_shift_loss() -> None:
    painted = picture(64, 64).requires_grad_()
    shift_loss(painted, painted.detach() + 0.1, (0, 0)).backward()  # type: ignore[no-untyped-call]
    assert painted.grad is not None
    inside = painted.grad[..., 8:-8, 8:-8]
    torch.testing.assert_close(inside, inside.mean().expand_as(inside))
    assert inside.mean() < 0
