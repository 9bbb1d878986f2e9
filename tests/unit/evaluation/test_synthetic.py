"""The rendered sample scene: its frames, and that its flow really is exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidstyle.evaluation.soundtrack import SAMPLE_RATE, sample_sound
from vidstyle.evaluation.synthetic import RenderedSequence, sample_scene
from vidstyle.imaging.warp import backward_warp

CUT = 72


@pytest.fixture(scope="module")
def scene() -> RenderedSequence:
    return sample_scene(160, 90)


def as_float(scene: RenderedSequence, index: int) -> torch.Tensor:
    return scene.frame(index).float()[None] / 255


def test_frames_are_uint8_pictures_of_the_size_asked_for(scene: RenderedSequence) -> None:
    frame = scene.frame(3)
    assert frame.shape == (3, 90, 160)
    assert frame.dtype == torch.uint8
    assert (scene.num_frames, scene.size, scene.fps, scene.cuts) == (144, (160, 90), 24, (CUT,))


def test_frames_are_detailed_and_every_pixel_shows_something(scene: RenderedSequence) -> None:
    for index in (0, CUT):
        frame = scene.frame(index).float()
        assert frame.std() > 40
        assert (frame.sum(0) == 0).float().mean() < 0.001


def test_rendering_twice_gives_the_same_bytes(scene: RenderedSequence) -> None:
    assert torch.equal(scene.frame(80), sample_scene(160, 90).frame(80))


def test_the_cut_changes_the_picture_more_than_a_step_does(scene: RenderedSequence) -> None:
    step = (as_float(scene, CUT - 1) - as_float(scene, CUT - 2)).abs().mean()
    jump = (as_float(scene, CUT) - as_float(scene, CUT - 1)).abs().mean()
    assert jump > 4 * step


@pytest.mark.parametrize(
    ("source", "target", "bound"),
    [(21, 20, 8e-4), (25, 20, 1.5e-3), (30, 35, 1.5e-3), (101, 100, 1.5e-3), (105, 100, 2.5e-3)],
)
def test_warping_by_flow_explains_the_motion(scene: RenderedSequence, source: int, target: int, bound: float) -> None:
    flow, valid = scene.flow(source, target)
    assert flow.shape == (2, 90, 160)
    assert flow.dtype == torch.float32
    assert valid.shape == (1, 90, 160)
    assert valid.dtype == torch.bool
    assert valid.float().mean() > 0.8
    first, second = as_float(scene, source), as_float(scene, target)
    seen = valid[None].expand_as(first)
    explained = (first - backward_warp(second, flow[None])).square()[seen].mean()
    still = (first - second).square()[seen].mean()
    mirrored = (first - backward_warp(second, -flow[None])).square()[seen].mean()
    assert explained < bound
    assert explained < 0.45 * still
    assert explained < 0.25 * mirrored


def test_flow_there_and_back_returns_to_the_same_point(scene: RenderedSequence) -> None:
    there, valid = scene.flow(104, 100)
    back, valid_back = scene.flow(100, 104)
    returned = backward_warp(back[None], there[None], mode="bilinear")[0]
    smooth = backward_warp(valid_back[None].float(), there[None], mode="bilinear")[0] > 0.999
    distance = (there + returned).norm(dim=0, keepdim=True)[valid & smooth]
    # Only where the four neighbours lie on different surfaces is the interpolated way back not that of the point.
    assert distance.median() < 1e-2
    assert (distance < 0.05).float().mean() > 0.85


def test_flow_to_the_frame_itself_is_zero(scene: RenderedSequence) -> None:
    for index in (10, 90):
        flow, valid = scene.flow(index, index)
        assert flow.abs().max() < 1e-6
        assert valid.float().mean() > 0.999


def test_what_leaves_the_picture_or_hides_is_not_valid(scene: RenderedSequence) -> None:
    flow, valid = scene.flow(0, 40)
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(160.0), indexing="ij")
    seen = valid[0]
    landed_x, landed_y = (x + flow[0])[seen], (y + flow[1])[seen]
    assert landed_x.min() > -1e-3
    assert landed_x.max() < 159.001
    assert landed_y.min() > -1e-3
    assert landed_y.max() < 89.001
    assert 0.05 < (~valid).float().mean() < 0.6
    assert (flow[:, ~seen] == 0).all()


def test_nothing_is_valid_across_the_cut(scene: RenderedSequence) -> None:
    for source, target in ((CUT, CUT - 1), (CUT - 1, CUT), (140, 3)):
        flow, valid = scene.flow(source, target)
        assert not valid.any()
        assert not flow.any()


def test_flow_scales_with_the_picture(scene: RenderedSequence) -> None:
    small = sample_scene(80, 46)
    ratio = scene.flow(30, 25)[0].abs().mean() / small.flow(30, 25)[0].abs().mean()
    assert 1.7 < ratio < 2.3


def test_wrong_frames_and_sizes_are_refused(scene: RenderedSequence) -> None:
    with pytest.raises(IndexError, match="frame 144 of a sequence of 144"):
        scene.frame(144)
    with pytest.raises(IndexError):
        scene.flow(0, -1)
    with pytest.raises(ValueError, match="at least 2x2"):
        sample_scene(1, 90)
    with pytest.raises(ValueError, match="at least two frames"):
        sample_scene(num_frames=1)


def test_sound_is_stereo_reproducible_and_changes_at_the_cut() -> None:
    sound = sample_sound(1.0, 2.0)
    assert sound.shape == (2, 2 * SAMPLE_RATE)
    assert sound.dtype == np.float32
    assert 0.1 < np.abs(sound).max() <= 1
    assert not np.allclose(sound[0], sound[1], atol=0.01)
    assert np.array_equal(sound, sample_sound(1.0, 2.0))
    later = sample_sound(1.5, 2.0)
    assert np.array_equal(sound[:, :40_000], later[:, :40_000])
    assert not np.allclose(sound[:, 55_000:65_000], later[:, 55_000:65_000], atol=0.01)
