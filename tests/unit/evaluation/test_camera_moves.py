"""Camera moves over a picture: frames, exact flow, and that the source itself hardly flickers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.evaluation.camera_moves import CAMERA_MOVES, CameraMove, PictureSequence, Pose, camera_move
from vidstyle.evaluation.metrics import gradient_energy, warping_error
from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.imaging.warp import backward_warp, pixel_grid

SIZE = (160, 90)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return PAINTED_STYLES["oil_strokes"](320, 180).float() / 255


def as_float(sequence: PictureSequence, index: int) -> torch.Tensor:
    return sequence.frame(index).float() / 255


@pytest.mark.parametrize("kind", CAMERA_MOVES)
def test_frames_are_uint8_pictures_without_cuts(kind: CameraMove, picture: torch.Tensor) -> None:
    sequence = camera_move(kind, SIZE, picture=picture)
    frame = sequence.frame(47)
    assert frame.shape == (3, 90, 160)
    assert frame.dtype == torch.uint8
    assert frame.float().std() > 30
    assert (sequence.num_frames, sequence.size, sequence.fps, sequence.cuts) == (48, SIZE, 24, ())
    assert torch.equal(frame, camera_move(kind, SIZE, picture=picture).frame(47))


@pytest.mark.parametrize("kind", CAMERA_MOVES)
@pytest.mark.parametrize("pair", [(1, 0), (20, 15), (15, 20), (47, 0), (60, 20)])
def test_warping_by_flow_explains_the_motion_to_the_rounding(
    kind: CameraMove, pair: tuple[int, int], picture: torch.Tensor
) -> None:
    sequence = camera_move(kind, SIZE, num_frames=61, picture=picture)
    source, target = pair
    flow, valid = sequence.flow(source, target)
    assert (flow.shape, flow.dtype) == ((2, 90, 160), torch.float32)
    assert (valid.shape, valid.dtype) == ((1, 90, 160), torch.bool)
    assert (flow.masked_select(~valid) == 0).all()
    assert valid.float().mean() > 0.6
    current, other = as_float(sequence, source), as_float(sequence, target)
    error = warping_error(current, other, flow, valid)
    # A zoom of a third loses detail that no warp brings back.
    assert error < (1e-3 if kind == "zoom" and abs(source - target) > 20 else 1.5e-4)
    assert error < 0.1 * warping_error(current, other, torch.zeros_like(flow), valid)


@pytest.mark.parametrize("kind", CAMERA_MOVES)
def test_flow_there_and_back_returns_to_the_same_point(kind: CameraMove, picture: torch.Tensor) -> None:
    sequence = camera_move(kind, SIZE, picture=picture)
    there, valid = sequence.flow(5, 30)
    back, valid_back = sequence.flow(30, 5)
    returned = backward_warp(back[None], there[None], mode="bilinear")[0]
    smooth = backward_warp(valid_back[None].float(), there[None], mode="bilinear")[0] > 0.999
    inside = (valid & smooth).expand_as(there)
    assert inside.float().mean() > 0.5
    assert (there + returned)[inside].abs().max() < 0.02


@settings(max_examples=10, deadline=None)
@given(source=st.integers(0, 99), target=st.integers(0, 99))
def test_valid_is_what_lands_inside(source: int, target: int) -> None:
    sequence = camera_move("rotation", (40, 30), num_frames=100, picture=torch.rand(3, 60, 80))
    flow, valid = sequence.flow(source, target)
    landed = (pixel_grid(30, 40)[0] + flow).masked_select(valid).reshape(2, -1)
    assert landed.min() > -1e-3
    assert landed[0].max() < 39.001
    assert landed[1].max() < 29.001
    if source == target:
        assert valid.all()
        assert flow.abs().max() < 1e-5


def test_the_camera_turns_back_after_48_frames(picture: torch.Tensor) -> None:
    sequence = camera_move("pan", SIZE, num_frames=96, picture=picture)
    assert torch.equal(sequence.frame(0), sequence.frame(94))
    assert torch.equal(sequence.frame(40), sequence.frame(54))
    steps = [sequence.flow(index + 1, index)[0].norm(dim=0).max() for index in (0, 46, 47, 93)]
    assert torch.allclose(torch.stack(steps), steps[0], atol=1e-4)


def test_flow_has_the_directions_of_its_move(picture: torch.Tensor) -> None:
    def flow(kind: CameraMove) -> torch.Tensor:
        return camera_move(kind, SIZE, picture=picture).flow(10, 9)[0][:, 40:50, 70:90]

    pan, zoom, rotation = map(flow, CAMERA_MOVES)
    # The camera goes right and down: what is seen was further right and down a frame before.
    assert torch.allclose(pan[0], torch.tensor(2.3 / 4), atol=1e-4)
    assert torch.allclose(pan[1], torch.tensor(0.7 / 4), atol=1e-4)
    # Towards the picture: it was nearer the centre.
    assert (zoom[0, :, 11:] < 0).all()
    assert (zoom[0, :, :9] > 0).all()
    # About the centre: along a row dy changes, dx does not.
    assert rotation[0].std(dim=1).max() < 1e-3
    assert rotation[1].std(dim=1).min() > 1e-2


def test_a_picture_of_any_size_is_fitted() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(3, 24, 32, generator=generator)
    for scale in (1, 4, 20):
        large = noise.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        frame = as_float(camera_move("pan", (40, 30), 2, large), 0)
        assert frame.mean() == pytest.approx(float(noise.mean()), abs=0.02)
        # Larger pictures show the same at the same place, without aliasing.
        assert gradient_energy(frame) < gradient_energy(noise)


def test_own_paths_can_be_given(picture: torch.Tensor) -> None:
    sequence = PictureSequence(picture, lambda index: Pose(offset=(3.0 * index, -index)), 4, (40, 30))
    flow, valid = sequence.flow(2, 0)
    seen = valid[0]
    assert torch.allclose(flow[:, seen].mean(1), torch.tensor([6.0, -2.0]), atol=1e-4)
    first, third = sequence.frame(0).int(), sequence.frame(2).int()
    assert (third[:, 2:, :34] - first[:, :-2, 6:]).abs().max() <= 1


def test_wrong_moves_frames_and_sizes_are_refused(picture: torch.Tensor) -> None:
    sequence = camera_move("zoom", SIZE, 3, picture)
    with pytest.raises(IndexError, match="frame 3 of a sequence of 3"):
        sequence.frame(3)
    with pytest.raises(IndexError):
        sequence.flow(0, -1)
    with pytest.raises(ValueError, match="one of pan, zoom, rotation, got 'shake'"):
        camera_move("shake", SIZE, picture=picture)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one frame"):
        camera_move("pan", SIZE, 0, picture)
    with pytest.raises(ValueError, match="at least 2x2"):
        camera_move("pan", (1, 90), picture=picture)


def test_without_a_picture_the_sample_scene_is_seen() -> None:
    sequence = camera_move("zoom", (64, 36), 2)
    assert sequence.frame(0).float().std() > 30
    flow, valid = sequence.flow(1, 0)
    assert warping_error(as_float(sequence, 1), as_float(sequence, 0), flow, valid) < 2e-4
