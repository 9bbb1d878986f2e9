"""Meters that take a clip's frames one by one, keep no more of them than the largest gap needs, and sum up."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidstyle.evaluation.metrics import (
    band_energies,
    difference_map,
    energy_ratio,
    ghosting_error,
    gradient_energy,
    low_pass_psnr,
    to_decibels,
)
from vidstyle.evaluation.pair_motion import GAPS, PairMotion, checked_gaps

#: Laplacian bands compared; fewer where the picture is too small for them.
NUM_BANDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class TrackFigures:
    """What one frame of a clip adds.

    Attributes:
        errors: E_warp by gap, where there is such a frame in the shot and a pixel both show.
        gradients: mean |∇o|² over the pixels of the same pair, by gap.
        gradient: mean |∇o|² over the whole frame.
        bands: mean squares of the luma's Laplacian bands, finest first.
        differences: (1, 1, H, W) squared differences to the frame before, 0 where not valid; None without one.
    """

    errors: dict[int, float]
    gradients: dict[int, float]
    gradient: float
    bands: tuple[float, ...]
    differences: Tensor | None


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """How steady one clip is; pairs across cuts do not count.

    Attributes:
        num_frames: frames that were pushed.
        warping_error: E_warp by gap in frames, mean over pairs, on [0, 1] squared; NaN without a pair.
        normalized_error: nE by gap: that mean over the mean of |∇o|² over the same pairs and pixels, in squared pixels.
        gradient_energy: mean |∇o|² over all frames.
        band_energies: mean squares of the luma's Laplacian bands over all frames, finest first.
    """

    num_frames: int
    warping_error: dict[int, float]
    normalized_error: dict[int, float]
    gradient_energy: float
    band_energies: tuple[float, ...]


class TrackMeter:
    """Measures one clip against itself.

    Args:
        size: (width, height) of its frames in pixels.
        gaps: distances in frames.
    """

    def __init__(self, size: tuple[int, int], gaps: Sequence[int] = GAPS) -> None:
        self._gaps = checked_gaps(gaps)
        self._num_bands = max(min(NUM_BANDS, int(math.log2(min(size)))), 1)
        self._recent: deque[Tensor] = deque(maxlen=self._gaps[-1])
        self._errors = {gap: Mean() for gap in self._gaps}
        self._gradients = {gap: Mean() for gap in self._gaps}
        self._gradient = Mean()
        self._bands = [Mean() for _ in range(self._num_bands)]

    def push(self, image: Tensor, motions: Mapping[int, PairMotion]) -> TrackFigures:
        """Take the next frame.

        Args:
            image: (3, H, W), uint8, uint16 or floating in [0, 1]; kept as it is.
            motions: of the source, by gap; what is not there is not measured.
        """
        now = as_float(image)
        errors: dict[int, float] = {}
        gradients: dict[int, float] = {}
        differences = None
        for gap, motion in motions.items():
            squares = difference_map(now, as_float(self._recent[-gap]), motion.flow) * motion.valid
            if gap == 1:
                differences = squares
            count, gradient = float(motion.valid.sum()), gradient_energy(now, motion.valid)
            if count and not math.isnan(gradient):
                errors[gap], gradients[gap] = float(squares.sum()) / count, gradient
                self._errors[gap].add(errors[gap])
                self._gradients[gap].add(gradient)
        figures = TrackFigures(
            errors, gradients, gradient_energy(now), band_energies(now, self._num_bands), differences
        )
        self._gradient.add(figures.gradient)
        for mean, energy in zip(self._bands, figures.bands, strict=True):
            mean.add(energy)
        self._recent.append(image.detach())
        return figures

    @property
    def previous(self) -> Tensor | None:
        """The last frame that was pushed, as it was."""
        return self._recent[-1] if self._recent else None

    def summary(self) -> TrackSummary:
        """What the frames so far amount to."""
        errors = {gap: mean.value for gap, mean in self._errors.items()}
        return TrackSummary(
            num_frames=self._gradient.count,
            warping_error=errors,
            normalized_error={gap: energy_ratio(errors[gap], self._gradients[gap].value) for gap in self._gaps},
            gradient_energy=self._gradient.value,
            band_energies=tuple(mean.value for mean in self._bands),
        )


@dataclass(frozen=True, slots=True)
class ComparisonFigures:
    """What one pair of frames adds: ``low_pass_psnr`` in dB and the mean square where ghosts would be."""

    low_pass_psnr: float
    ghosting_error: float


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """What steadiness cost, against the same frames painted alone.

    Attributes:
        gradient_ratio: mean |∇o|² of all frames over that of the frames painted alone.
        band_energy_ratios: the same of the Laplacian bands, finest first; gate [0.9, 1.1].
        low_pass_psnr_min: drift in dB, the worst frame's; gate at least 30.
        low_pass_psnr_mean: drift in dB, mean over frames.
        ghosting_psnr: dB, of the mean square over all frames where ghosts would be; infinite where nothing was hidden.
    """

    gradient_ratio: float
    band_energy_ratios: tuple[float, ...]
    low_pass_psnr_min: float
    low_pass_psnr_mean: float
    ghosting_psnr: float


class ComparisonMeter:
    """Measures a steady clip against the same frames painted alone."""

    def __init__(self) -> None:
        self._drift, self._drift_min, self._ghosts = Mean(), math.inf, Mean()

    def push(self, steady: Tensor, per_frame: Tensor, motion: PairMotion | None) -> ComparisonFigures:
        """Take the next frame of each, (3, H, W), and the source's motion to the frame before."""
        first, second = as_float(steady), as_float(per_frame)
        drift = low_pass_psnr(first, second)
        ghosts = ghosting_error(first, second, motion.valid) if motion is not None else math.nan
        self._drift_min = min(self._drift_min, drift)
        self._drift.add(min(drift, 100.0))  # equal frames are infinitely alike, which has no mean
        self._ghosts.add(ghosts)
        return ComparisonFigures(drift, ghosts)

    def summary(self, steady: TrackSummary, per_frame: TrackSummary) -> ComparisonSummary:
        """What the frames so far amount to, with what was measured of each clip alone."""
        bands = zip(steady.band_energies, per_frame.band_energies, strict=True)
        return ComparisonSummary(
            gradient_ratio=energy_ratio(steady.gradient_energy, per_frame.gradient_energy),
            band_energy_ratios=tuple(energy_ratio(a, b) for a, b in bands),
            low_pass_psnr_min=self._drift_min,
            low_pass_psnr_mean=self._drift.value,
            ghosting_psnr=to_decibels(self._ghosts.value) if self._ghosts.count else math.inf,
        )


@dataclass(slots=True)
class Mean:
    """A running mean; NaN counts nowhere."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        """Take one value."""
        if not math.isnan(value):
            self.total += value
            self.count += 1

    @property
    def value(self) -> float:
        """The mean so far; NaN where there is none."""
        return self.total / self.count if self.count else math.nan


def as_float(image: Tensor) -> Tensor:
    """uint8 or uint16 over its whole range, or floating in [0, 1], as float32 in [0, 1]."""
    if image.is_floating_point():
        return image.float()
    return image.to(torch.float32) / (255.0 if image.dtype == torch.uint8 else 65535.0)
