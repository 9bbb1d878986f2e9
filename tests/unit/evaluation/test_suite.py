"""The exact-flow suite: every sequence's motion reproduces its frames, both ways, and its masks are right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from vidstyle.evaluation.metrics import difference_map, warping_error
from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.evaluation.synthetic import SUITE, SyntheticSequence, suite_sequence, walk
from vidstyle.imaging.warp import backward_warp

SIZE = (160, 90)
#: E_warp over one frame on visible pixels at most, and the same away from outlines; at 160x90, a quarter of the usual
#: size, strokes and outlines take a larger share of the picture.
BOUNDS = {
    "pan": (1.5e-4, 1.5e-4),
    "zoom": (1.5e-4, 1.5e-4),
    "rotation": (1.5e-4, 1.5e-4),
    "parallax": (4e-3, 3e-4),
    "foreground": (1.5e-3, 2e-4),
    "nonrigid": (2e-4, 2e-4),
    "blur": (2e-4, 2e-4),
    "cut": (1.5e-4, 1.5e-4),
}
MADE = [name for name in SUITE if name != "scene"]  # that one has its own tests: test_synthetic


@pytest.fixture(scope="module")
def pictures() -> list[torch.Tensor]:
    return [PAINTED_STYLES[name](320, 180).float() / 255 for name in ("oil_strokes", "watercolour")]


@pytest.fixture(scope="module")
def sequences(pictures: list[torch.Tensor]) -> dict[str, SyntheticSequence]:
    return {name: suite_sequence(name, SIZE, 48, pictures) for name in MADE}


def as_float(sequence: SyntheticSequence, index: int) -> torch.Tensor:
    return sequence.frame(index).float() / 255


def test_there_are_enough_and_they_are_as_long_and_large_as_promised(sequences: dict[str, SyntheticSequence]) -> None:
    assert len(SUITE) >= 8
    for sequence in sequences.values():
        assert (sequence.num_frames, sequence.size, sequence.fps) == (48, SIZE, 24)
    assert {name: sequence.cuts for name, sequence in sequences.items() if sequence.cuts} == {"cut": (24,)}


@pytest.mark.parametrize("name", MADE)
def test_frames_are_the_same_every_time_and_no_two_are_alike(
    name: str, sequences: dict[str, SyntheticSequence], pictures: list[torch.Tensor]
) -> None:
    frame = sequences[name].frame(11)
    assert (frame.shape, frame.dtype) == ((3, 90, 160), torch.uint8)
    assert frame.float().std() > 20
    assert torch.equal(frame, suite_sequence(name, SIZE, 48, pictures).frame(11))
    assert not torch.equal(frame, sequences[name].frame(12))


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize(("source", "target"), [(9, 8), (40, 41)])
def test_the_frame_before_moved_by_the_flow_is_the_frame(
    name: str, source: int, target: int, sequences: dict[str, SyntheticSequence]
) -> None:
    sequence = sequences[name]
    flow, valid = sequence.flow(source, target)
    assert (flow.shape, flow.dtype) == ((2, 90, 160), torch.float32)
    assert (valid.shape, valid.dtype) == ((1, 90, 160), torch.bool)
    assert (flow.masked_select(~valid) == 0).all()
    assert valid.float().mean() > 0.8
    current, other = as_float(sequence, source), as_float(sequence, target)
    error = warping_error(current, other, flow, valid)
    bound, inner_bound = BOUNDS[name]
    assert error < bound
    assert error < 0.5 * warping_error(current, other, torch.zeros_like(flow), valid)
    squares = difference_map(current, other, flow)[0]
    inner = valid & ~near_outlines(flow, valid)
    assert inner.float().mean() > 0.3
    assert squares[inner].mean() < inner_bound


def near_outlines(flow: torch.Tensor, valid: torch.Tensor, step_px: float = 0.2) -> torch.Tensor:
    """(1, H, W) within three pixels of a step of the flow or of what is not valid."""
    across = F.pad(flow.diff(dim=2).norm(dim=0, keepdim=True), (0, 1))
    down = F.pad(flow.diff(dim=1).norm(dim=0, keepdim=True), (0, 0, 0, 1))
    edge = ((across + down) > step_px) | ~valid
    return F.max_pool2d(edge.float()[None], 7, 1, 3)[0] > 0


@pytest.mark.parametrize("name", ["parallax", "foreground", "nonrigid", "blur", "cut"])
def test_the_way_back_leads_to_the_same_point(name: str, sequences: dict[str, SyntheticSequence]) -> None:
    sequence = sequences[name]
    there, valid = sequence.flow(12, 7)
    back, valid_back = sequence.flow(7, 12)
    returned = backward_warp(back[None], there[None], mode="bilinear")[0]
    # Where the four neighbours of the point moved alike, what is interpolated between them is the point's own motion.
    smooth = ~near_outlines(back, valid_back, step_px=1.0)
    even = backward_warp(smooth[None].float(), there[None], mode="bilinear")[0] > 0.999
    inside = valid & even
    assert inside.float().mean() > 0.2
    assert (there + returned).norm(dim=0, keepdim=True)[inside].max() < 0.05


def test_noise_is_the_size_it_says_and_lies_still_beneath(sequences: dict[str, SyntheticSequence]) -> None:
    noisy = sequences["noise"]
    flow, valid = noisy.flow(9, 8)
    error = warping_error(as_float(noisy, 9), as_float(noisy, 8), flow, valid)
    # Noise of both frames, the moved one's smoothed a little by the warp.
    assert 1.2 * 0.025**2 < error < 2.1 * 0.025**2
    clean = noisy.inner  # type: ignore[attr-defined]
    assert warping_error(as_float(clean, 9), as_float(clean, 8), flow, valid) < 1.5e-4


def test_changing_light_is_a_gain_on_frames_that_move_exactly(sequences: dict[str, SyntheticSequence]) -> None:
    lit = sequences["lighting"]
    gains = {index: torch.tensor(lit.light(index))[:, None, None] for index in (20, 15)}  # type: ignore[attr-defined]
    assert (gains[20] - gains[15]).abs().min() > 0.02
    flow, valid = lit.flow(20, 15)
    evened = [as_float(lit, index) / gain for index, gain in gains.items()]
    assert warping_error(evened[0], evened[1], flow, valid) < 1.5e-4
    assert warping_error(as_float(lit, 20), as_float(lit, 15), flow, valid) > 3e-4


def test_nothing_is_valid_across_the_cut(sequences: dict[str, SyntheticSequence]) -> None:
    flow, valid = sequences["cut"].flow(24, 23)
    assert not valid.any()
    assert not flow.any()
    assert sequences["cut"].flow(25, 24)[1].any()


def test_walking_makes_a_frame_when_it_is_asked_for(pictures: list[torch.Tensor]) -> None:
    made: list[int] = []
    sequence = suite_sequence("cut", (48, 32), 12, pictures)

    class Counted:
        num_frames, size, fps, cuts = sequence.num_frames, sequence.size, sequence.fps, sequence.cuts

        def frame(self, index: int) -> torch.Tensor:
            made.append(index)
            return sequence.frame(index)

        def flow(self, source_index: int, target_index: int) -> tuple[torch.Tensor, torch.Tensor]:
            return sequence.flow(source_index, target_index)

    steps = walk(Counted(), gaps=(1, 3))
    assert isinstance(steps, Iterator)
    assert made == []
    first = next(steps)
    assert made == [0]
    assert first.backward == first.forward == {}
    rest = list(steps)
    assert [step.index for step in rest] == list(range(1, 12))
    assert [sorted(step.backward) for step in rest[:6]] == [[1], [1], [1, 3], [1, 3], [1, 3], []]  # a cut at 6
    for gap in (1, 3):
        assert torch.equal(rest[3].backward[gap][0], sequence.flow(4, 4 - gap)[0])
        assert torch.equal(rest[3].forward[gap][0], sequence.flow(4 - gap, 4)[0])


def test_a_sequence_may_be_as_long_as_one_likes(pictures: list[torch.Tensor]) -> None:
    for name in ("pan", "foreground"):
        sequence = suite_sequence(name, (48, 32), 1500, pictures)
        assert torch.equal(sequence.frame(0), sequence.frame(2 * 47 * 10))
        assert sequence.flow(1499, 1498)[1].any()


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="no sequence 'shake' in the suite; there are pan, zoom"):
        suite_sequence("shake")
    with pytest.raises(ValueError, match="at least two frames of 2x2"):
        suite_sequence("pan", (1, 9))
