"""Layers and what cameras add: masks against what must be there, and inverses against themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.evaluation.camera_moves import PictureSequence, Pose
from vidstyle.evaluation.degradations import Joined, MotionBlurred, Noisy
from vidstyle.evaluation.layers import Layer, LayeredSequence, Ripple
from vidstyle.evaluation.painted import PAINTED_STYLES

WIDTH, HEIGHT = 64, 40


def flat(color: tuple[float, float, float], width: int, height: int) -> torch.Tensor:
    return torch.tensor(color)[:, None, None].expand(3, height, width).contiguous()


def passing_square() -> LayeredSequence:
    """A red square of 16x16 pixels passes a grey ground, 4 pixels a frame to the right; the ground stands still."""
    square = torch.cat([flat((1, 0, 0), 32, 32), torch.ones(1, 32, 32)])
    return LayeredSequence(
        [
            Layer(flat((0.5, 0.5, 0.5), 2 * WIDTH, 2 * HEIGHT), 2, lambda _index: Pose()),
            Layer(square, 2, lambda index: Pose(offset=(16.0 - 4 * index, 0.0))),
        ],
        9,
        (WIDTH, HEIGHT),
    )


def columns_of_the_square(index: int) -> slice:
    left = WIDTH // 2 - 16 + 4 * index - 8
    return slice(left, left + 16)


ROWS = slice(HEIGHT // 2 - 8, HEIGHT // 2 + 8)


def test_a_passing_square_is_where_it_must_be() -> None:
    frame = passing_square().frame(2)
    square = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    square[ROWS, columns_of_the_square(2)] = True
    middle = torch.zeros_like(square)
    middle[HEIGHT // 2 - 5 : HEIGHT // 2 + 5, WIDTH // 2 - 13 : WIDTH // 2 - 3] = True
    assert (frame[0][middle] == 255).all()
    assert (frame[1][middle] == 0).all()
    assert ((frame[0] > 191) == square).all()  # half of an outline pixel belongs to it


def test_what_is_uncovered_is_not_valid_and_all_else_is() -> None:
    sequence = passing_square()
    flow, valid = sequence.flow(3, 2)
    expected_flow, expected = torch.zeros(2, HEIGHT, WIDTH), torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
    expected_flow[0, ROWS, columns_of_the_square(3)] = -4
    uncovered = slice(columns_of_the_square(2).start, columns_of_the_square(3).start)
    expected[ROWS, uncovered] = False
    assert torch.equal(valid[0], expected)
    assert torch.allclose(flow, expected_flow, atol=1e-5)
    # The other way what is going to be covered has no counterpart.
    _, valid = sequence.flow(2, 3)
    covered = slice(columns_of_the_square(2).stop, columns_of_the_square(3).stop)
    assert not valid[0, ROWS, covered].any()
    assert int((~valid).sum()) == 16 * 4


def test_what_leaves_the_picture_is_not_valid() -> None:
    flow, valid = passing_square().flow(0, 8)
    assert valid[0, ROWS, columns_of_the_square(0)].all()
    picture = flat((0.5, 0.5, 0.5), 4 * WIDTH, 2 * HEIGHT)
    panning = LayeredSequence([Layer(picture, 2, lambda index: Pose(offset=(3.0 * index, 0)))], 3, (WIDTH, HEIGHT))
    flow, valid = panning.flow(0, 2)
    assert not valid[..., :6].any()
    assert valid[..., 6:].all()
    assert flow[0, :, 6:] == pytest.approx(-6.0, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    amplitude=st.floats(0.0, 8.0),
    length=st.floats(11.0, 30.0),
    phase=st.floats(-7.0, 7.0),
    seed=st.integers(0, 99),
)
def test_a_ripple_finds_what_it_placed(amplitude: float, length: float, phase: float, seed: int) -> None:
    ripple = Ripple(amplitude, max(amplitude * length, 5.0), phase, (3.0, -2.0))
    positions = np.random.default_rng(seed).uniform(-400, 400, (50, 2))
    assert np.abs(ripple.find(ripple.place(positions)) - positions).max() < 1e-9
    assert np.abs(ripple.place(ripple.find(positions)) - positions).max() < 1e-9


def test_waves_that_fold_over_are_refused() -> None:
    with pytest.raises(ValueError, match="fold over"):
        Ripple(5.0, 40.0, 0.0)
    with pytest.raises(ValueError, match="opaque"):
        LayeredSequence([Layer(torch.ones(4, 8, 8), 2, lambda _index: Pose())])
    with pytest.raises(ValueError, match="at least one frame"):
        LayeredSequence([Layer(torch.ones(3, 8, 8), 2, lambda _index: Pose())], 0)
    with pytest.raises(IndexError, match="frame 9 of a sequence of 9"):
        passing_square().frame(9)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return PAINTED_STYLES["mosaic"](256, 160).float() / 255


def test_motion_blur_smears_along_the_motion_only(picture: torch.Tensor) -> None:
    def path(index: float) -> Pose:
        return Pose(offset=(6.0 * index, 0.0))

    blurred = MotionBlurred(picture, path, 6, (WIDTH, HEIGHT)).frame(3).float()
    sharp = MotionBlurred(picture, path, 6, (WIDTH, HEIGHT), num_samples=1).frame(3).float()

    def roughness(frame: torch.Tensor, dim: int) -> float:
        return float(frame.diff(dim=dim).square().mean())

    along, across = (roughness(blurred, dim) / roughness(sharp, dim) for dim in (2, 1))
    assert along < 0.6 * across < 0.6


def test_motion_blur_keeps_the_flow_of_the_middle(picture: torch.Tensor) -> None:
    sequence = MotionBlurred(picture, lambda index: Pose(offset=(6.0 * index, -index)), 6, (WIDTH, HEIGHT))
    flow, valid = sequence.flow(4, 2)
    assert torch.allclose(flow[:, valid[0]].mean(1), torch.tensor([12.0, -2.0]), atol=1e-4)
    with pytest.raises(ValueError, match="odd"):
        MotionBlurred(picture, lambda _index: Pose(), num_samples=4)
    with pytest.raises(IndexError):
        sequence.flow(0, 6)


def test_noise_depends_on_seed_and_frame_alone(picture: torch.Tensor) -> None:
    still = PictureSequence(picture, lambda _index: Pose(), 3, (WIDTH, HEIGHT))
    noisy = Noisy(still, 0.02, seed=4)
    assert torch.equal(noisy.frame(1), Noisy(still, 0.02, seed=4).frame(1))
    assert not torch.equal(noisy.frame(1), noisy.frame(2))
    assert not torch.equal(noisy.frame(1), Noisy(still, 0.02, seed=5).frame(1))
    difference = noisy.frame(1).float() - still.frame(1).float()
    assert difference.std() / 255 == pytest.approx(0.02, rel=0.1)


def test_joined_sequences_keep_their_own_motion_and_cuts(picture: torch.Tensor) -> None:
    part = PictureSequence(picture, lambda index: Pose(offset=(float(index), 0.0)), 3, (WIDTH, HEIGHT))
    joined = Joined([Joined([part, part]), part])
    assert (joined.num_frames, joined.cuts) == (9, (3, 6))
    assert torch.equal(joined.frame(7), part.frame(1))
    assert torch.equal(joined.flow(8, 7)[0], part.flow(2, 1)[0])
    assert not joined.flow(6, 5)[1].any()
    assert not joined.flow(3, 2)[1].any()
    with pytest.raises(ValueError, match="one size and one rate"):
        Joined([part, PictureSequence(picture, lambda _index: Pose(), 3, (32, 32))])
    with pytest.raises(IndexError):
        joined.frame(9)
