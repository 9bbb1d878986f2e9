"""What a steady clip must not have paid: limits that blur, ghosts and lost strokes fail."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidstyle.evaluation.meters import ComparisonSummary

#: Laplacian band energies over those of the frames painted alone.
BAND_RANGE = (0.9, 1.1)
#: Patch-SWD to the style over that of the frames painted alone.
MAX_SWD_RATIO = 1.05
#: PSNR in dB of the low-passed frames against those painted alone, at every frame.
MIN_LOW_PASS_PSNR = 30.0


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit and whether it is kept.

    Attributes:
        name: ``bands``, ``style`` or ``drift``.
        passed: None where it could not be measured.
        found: the figure, for people.
        limit: the limit, for people.
    """

    name: str
    passed: bool | None
    found: str
    limit: str


def judge(
    comparison: ComparisonSummary | None, swd: float | None = None, swd_per_frame: float | None = None
) -> tuple[Gate, ...]:
    """Hold a clip against every limit.

    Args:
        comparison: against the frames painted alone; None where those are not at hand.
        swd: patch-SWD of the clip to the style; None where no style picture is at hand.
        swd_per_frame: the same of the frames painted alone.
    """
    low, high = BAND_RANGE
    bands = comparison.band_energy_ratios if comparison else ()
    drift = comparison.low_pass_psnr_min if comparison else math.nan
    ratio = swd / swd_per_frame if swd is not None and swd_per_frame else math.nan
    return (
        Gate(
            "bands",
            all(low <= value <= high for value in bands) if bands else None,
            " ".join(f"{value:.2f}" for value in bands),
            f"each within {low:g} to {high:g}",
        ),
        Gate(
            "style",
            None if math.isnan(ratio) else ratio <= MAX_SWD_RATIO,
            "" if math.isnan(ratio) else f"{ratio:.3f}",
            f"at most {MAX_SWD_RATIO:g}",
        ),
        Gate(
            "drift",
            None if math.isnan(drift) else drift >= MIN_LOW_PASS_PSNR,
            "" if math.isnan(drift) else f"{drift:.1f} dB",
            f"at least {MIN_LOW_PASS_PSNR:g} dB at every frame",
        ),
    )
