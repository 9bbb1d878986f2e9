"""Motion for judging: measured between the very frames, masked as the literature does."""

from __future__ import annotations

import pytest
import torch
from clip_factory import sliding

from vidstyle.errors import ConfigError
from vidstyle.evaluation.camera_moves import camera_move
from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.evaluation.pair_motion import EstimatedMotion, ExactMotion, reliable_motion
from vidstyle.flow.farneback import FarnebackFlow
from vidstyle.flow.judge import choose_judge
from vidstyle.protocols import Motion


def test_exact_motion_is_the_sequence_s_own() -> None:
    picture = PAINTED_STYLES["oil_strokes"](96, 64).float() / 255
    sequence = camera_move("pan", (48, 32), 8, picture)
    source = ExactMotion(sequence, (1, 3))
    found = [source.push(sequence.frame(index)) for index in range(8)]
    assert [sorted(pairs) for pairs in found[:5]] == [[], [1], [1], [1, 3], [1, 3]]
    flow, valid = sequence.flow(6, 3)
    assert torch.equal(found[6][3].flow[0], flow)
    assert torch.equal(found[6][3].valid[0], valid)
    with pytest.raises(ValueError, match="only 8 frames"):
        source.push(sequence.frame(0))


def test_measured_motion_spans_the_gap_in_one_step_and_stops_at_cuts() -> None:
    frames = list(sliding(12))
    source = EstimatedMotion(FarnebackFlow(), (1, 5))
    found = [source.push(frame, starts_shot=index == 6) for index, frame in enumerate(frames)]
    assert [sorted(pairs) for pairs in found] == [[]] + [[1]] * 4 + [[1, 5], []] + [[1]] * 4 + [[1, 5]]
    for gap in (1, 5):
        pair = found[11][gap]
        inner = pair.flow[0, :, 16:-16, 16:-16]
        # What moves to the left was further right before.
        assert inner[0].median() == pytest.approx(gap, abs=0.15)
        assert inner[1].abs().median() < 0.1
        assert pair.valid.dtype == torch.bool
        assert pair.valid[..., 16:-16, 16:-16].float().mean() > 0.8
        assert not pair.valid[..., -gap:].any()  # came into view on the right


def test_what_is_remembered_does_not_share_memory_with_what_was_pushed() -> None:
    source = EstimatedMotion(FarnebackFlow(), (1,))
    frames = list(sliding(2))
    source.push(frames[0])
    frames[0].zero_()
    assert source.push(frames[1])[1].flow[0, 0, 16:-16, 16:-16].median() == pytest.approx(1, abs=0.15)


def uniform(dx: float, dy: float) -> torch.Tensor:
    return torch.tensor([dx, dy])[None, :, None, None].expand(1, 2, 24, 32).contiguous()


def test_consistent_motion_is_reliable_inside_the_picture() -> None:
    valid = reliable_motion(Motion(uniform(3.0, 0), uniform(-3.0, 0)), (24, 32))
    assert valid[..., :29].all()
    assert not valid[..., 29:].any()


def test_disagreeing_directions_and_motion_boundaries_are_not() -> None:
    # |F + r|² = 4, above 0.01 (9 + 1) + 0.5.
    assert not reliable_motion(Motion(uniform(3.0, 0), uniform(-1.0, 0)), (24, 32)).any()
    backward, forward = uniform(0.0, 0), uniform(0.0, 0)
    backward[:, 0, :, 16:] = 0.3
    valid = reliable_motion(Motion(backward, forward), (24, 32))
    # A step of 0.3 px: |∇u|² = 0.09, above 0.01 |F|² + 0.002; everywhere else the two directions agree well enough.
    assert not valid[..., 15].any()
    assert valid[..., :15].all()
    assert valid[..., 16:31].all()


def test_a_coarse_grid_is_brought_to_the_frame_s() -> None:
    coarse = Motion(torch.full((1, 2, 6, 8), 1.0), torch.full((1, 2, 6, 8), -1.0))
    assert reliable_motion(coarse, (24, 32))[..., 2:-2, 2:-2].all()


def test_judges_are_chosen_by_name() -> None:
    assert choose_judge().name == "farneback"
    assert "renders nothing" in choose_judge("auto").reason
    assert choose_judge("dis").name == "dis-medium"
    with pytest.raises(ConfigError, match="no judging flow 'none'"):
        choose_judge("none")  # type: ignore[arg-type]
