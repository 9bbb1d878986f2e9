"""Steadiness against exact motion: two versions of a clip on a sequence that knows its flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vidstyle.evaluation.meters import ComparisonMeter, TrackMeter
from vidstyle.evaluation.pair_motion import GAPS, ExactMotion
from vidstyle.evaluation.sequences import SyntheticSequence


@dataclass(frozen=True, slots=True)
class SequenceMetrics:
    """Steadiness and texture of a whole clip; pairs across cuts do not count.

    Attributes:
        num_frames: frames that were pushed.
        warping_error: E_warp of the steady frames by gap in frames, mean over pairs; NaN without a pair.
        warping_error_per_frame: the same of the frames painted alone.
        warping_error_content: the same of the source, a floor for the others; empty where it was not given.
        normalized_error: nE of the steady frames by gap; see ``vidstyle.evaluation.meters.TrackSummary``.
        normalized_error_per_frame: the same of the frames painted alone.
        normalized_error_content: the same of the source; empty where it was not given.
        gradient_ratio: gradient energy of all steady frames over that of all frames painted alone.
        band_energy_ratios: the same of the Laplacian bands, finest first.
        low_pass_psnr_min: dB, the worst frame's: drift.
        ghosting_psnr: dB, where ghosts would be.
    """

    num_frames: int
    warping_error: dict[int, float]
    warping_error_per_frame: dict[int, float]
    warping_error_content: dict[int, float]
    normalized_error: dict[int, float]
    normalized_error_per_frame: dict[int, float]
    normalized_error_content: dict[int, float]
    gradient_ratio: float
    band_energy_ratios: tuple[float, ...]
    low_pass_psnr_min: float
    ghosting_psnr: float


class SequenceEvaluator:
    """Takes a clip's frames one by one and keeps no more than the largest gap needs.

    Args:
        sequence: what the frames were painted from, with its exact flow.
        gaps: distances in frames at which steadiness is measured; flow is exact at each, never chained.
    """

    def __init__(self, sequence: SyntheticSequence, gaps: Sequence[int] = GAPS) -> None:
        self._size = sequence.size
        self._motion = ExactMotion(sequence, gaps)
        self._tracks = [TrackMeter(sequence.size, gaps) for _ in range(3)]
        self._comparison = ComparisonMeter()
        self._has_content = False

    def push(self, steady: Tensor, per_frame: Tensor, content: Tensor | None = None) -> None:
        """Take the next frame: (3, H, W) in [0, 1] or uint8 each; ``content`` in every call or in none.

        Raises:
            ValueError: shapes are not those of the sequence, or it has no more frames.
        """
        width, height = self._size
        given = (steady, per_frame) if content is None else (steady, per_frame, content)
        if any(tuple(image.shape) != (3, height, width) for image in given):
            raise ValueError(f"frames must be (3, {height}, {width}), got {[tuple(image.shape) for image in given]}")
        motions = self._motion.push(steady)
        for track, image in zip(self._tracks, given, strict=False):
            track.push(image, motions)
        self._comparison.push(steady, per_frame, motions.get(1))
        self._has_content = content is not None

    def result(self) -> SequenceMetrics:
        """What the frames so far amount to."""
        steady, per_frame, content = (track.summary() for track in self._tracks)
        compared = self._comparison.summary(steady, per_frame)
        return SequenceMetrics(
            num_frames=steady.num_frames,
            warping_error=steady.warping_error,
            warping_error_per_frame=per_frame.warping_error,
            warping_error_content=content.warping_error if self._has_content else {},
            normalized_error=steady.normalized_error,
            normalized_error_per_frame=per_frame.normalized_error,
            normalized_error_content=content.normalized_error if self._has_content else {},
            gradient_ratio=compared.gradient_ratio,
            band_energy_ratios=compared.band_energy_ratios,
            low_pass_psnr_min=compared.low_pass_psnr_min,
            ghosting_psnr=compared.ghosting_psnr,
        )
