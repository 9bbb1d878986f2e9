"""Two versions of a clip against exact motion."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from vidstyle.evaluation.exact import SequenceEvaluator

HEIGHT, WIDTH = 48, 64


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*(shape or (3, HEIGHT, WIDTH)), generator=torch.Generator().manual_seed(seed))


class SlidingSequence:
    """A picture that slides one pixel to the left a frame, with a cut."""

    num_frames = 12
    size = (WIDTH, HEIGHT)
    fps = Fraction(24)
    cuts = (6,)

    def __init__(self) -> None:
        self._wide = noise(1, 3, HEIGHT, WIDTH + self.num_frames)

    def frame(self, index: int) -> torch.Tensor:
        return (self._wide[:, :, index : index + WIDTH] * 255).round().to(torch.uint8)

    def flow(self, source_index: int, target_index: int) -> tuple[torch.Tensor, torch.Tensor]:
        distance = float(source_index - target_index)
        x = torch.arange(WIDTH) + distance
        valid = ((x >= 0) & (x <= WIDTH - 1)).expand(1, HEIGHT, WIDTH).clone()
        if (source_index < self.cuts[0]) != (target_index < self.cuts[0]):
            valid[:] = False
        return torch.tensor([distance, 0.0])[:, None, None].expand(2, HEIGHT, WIDTH).contiguous(), valid


def clip() -> list[torch.Tensor]:
    sequence = SlidingSequence()
    return [sequence.frame(index).float() / 255 for index in range(sequence.num_frames)]


def test_a_steady_clip_scores_zero_and_flicker_does_not() -> None:
    frames = clip()
    flickering = [(f + 0.1 * (noise(20 + i) - 0.5)).clamp(0, 1) for i, f in enumerate(frames)]
    evaluator = SequenceEvaluator(SlidingSequence())
    for steady, per_frame in zip(frames, flickering, strict=True):
        evaluator.push(steady, per_frame)
    result = evaluator.result()
    assert result.num_frames == 12
    assert result.warping_error[1] < 1e-9
    assert result.warping_error[5] < 1e-9
    assert result.warping_error_content == {}
    assert result.warping_error_per_frame[1] == pytest.approx(2 * 0.01 / 12, rel=0.1)
    assert result.warping_error_per_frame[5] == pytest.approx(result.warping_error_per_frame[1], rel=0.1)
    assert result.normalized_error[1] < result.normalized_error_per_frame[1]
    assert 0.9 < result.gradient_ratio < 1
    assert result.low_pass_psnr_min > 30


def test_pairs_across_the_cut_do_not_count() -> None:
    evaluator = SequenceEvaluator(SlidingSequence(), gaps=(1, 7))
    dark = [frame if index < 6 else frame * 0.1 for index, frame in enumerate(clip())]
    for frame in dark:
        evaluator.push(frame, frame, frame)
    result = evaluator.result()
    assert result.warping_error[1] < 1e-9
    assert result.warping_error_content == pytest.approx(result.warping_error, nan_ok=True)
    assert math.isnan(result.warping_error[7])


def test_memory_stays_flat() -> None:
    evaluator = SequenceEvaluator(SlidingSequence(), gaps=(1, 3))
    for frame in clip():
        evaluator.push(frame, frame)
        assert all(len(track._recent) <= 3 for track in evaluator._tracks)


def test_wrong_frames_are_refused() -> None:
    evaluator = SequenceEvaluator(SlidingSequence())
    with pytest.raises(ValueError, match="frames must be"):
        evaluator.push(noise(1), noise(1, 3, 8, 8))
    with pytest.raises(ValueError, match="at least one frame"):
        SequenceEvaluator(SlidingSequence(), gaps=(0,))
    for frame in clip():
        evaluator.push(frame, frame)
    with pytest.raises(ValueError, match="only 12 frames"):
        evaluator.push(noise(1), noise(1))
