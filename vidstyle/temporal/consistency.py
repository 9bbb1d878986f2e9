"""The temporal consistency loss, and the frame that minimises it together with the distance to the style."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidstyle.imaging.pyramid import cell_means, enlarge, weigh_

#: β at ``consistency`` 1: beyond this a wrong flow vector outlives the shot.
MAX_BETA = 0.95
#: Brush strokes are finer than this, colour areas coarser.
DRIFT_CELL_PX = 8
#: β of a frame's mean colour: it settles within two frames, where single areas may take ten.
MEAN_COLOR_BETA = 0.6
#: Limits of the gain that restores the deviation of colour over a frame.
DEVIATION_GAIN_RANGE = (0.8, 1.25)


def beta_from_consistency(consistency: float) -> float:
    """Map the user's 0..1 to the blend's β, in [0, MAX_BETA].

    Raises:
        ValueError: ``consistency`` is outside 0..1.
    """
    if not 0.0 <= consistency <= 1.0:
        raise ValueError(f"consistency must be between 0 and 1, got {consistency}")
    return MAX_BETA * consistency


def temporal_loss(current: Tensor, warped_previous: Tensor, validity: Tensor, power: int = 2) -> Tensor:
    """L = mean M · |o_t − W o_{t−1}|ᵖ (Ruder et al. 2016, eq. 7, as a mean over pixels and channels).

    Args:
        current: (N, C, H, W) o_t.
        warped_previous: (N, C, H, W) W o_{t−1}.
        validity: (N, 1, H, W) M in [0, 1], the complement of ``occlusion_mask``.
        power: p; 2 in rendering and evaluation, 1 in training, where squares would leave small flicker alone.

    Returns:
        A scalar.
    """
    return (validity * (current - warped_previous).abs().pow(power)).mean()


def low_frequency_beta(beta: float) -> float:
    """β of what is coarser than brush strokes: half way to ``MAX_BETA``, as ratios go.

    Colour carried along wrong flow looks no different, so that it can be held for longer than strokes can.
    """
    return math.sqrt(beta * MAX_BETA)


def consistent_blend(
    stylized: Tensor,
    warped_previous: Tensor,
    validity: Tensor,
    beta: float,
    *,
    low_beta: float | None = None,
    max_drift: float = math.inf,
    keeps_palette: bool = False,
) -> Tensor:
    """The minimiser of |x − s|² + λ M |x − W o_{t−1}|² with β = λ / (1 + λ): x = s + β d, d = M (W o_{t−1} − s).

    Exact for binary M; for M between 0 and 1 the same x minimises the loss with λ M replaced by β M / (1 − β M). What
    is coarser than ``DRIFT_CELL_PX`` has a β of its own, which shrinks where colour would lag further behind than
    ``max_drift``: x = s + β (d − L d) + γ L d with γ = min(β_low, max_drift / ρ), L d the means of d over square cells,
    interpolated, and ρ their root mean square over the frame. One limit for the whole frame, because one for every
    pixel cuts into brush strokes long before the frame has drifted, and they flicker.

    Where a painting changes its colours steadily, as under a zoom, all of it lags behind in one direction, and means of
    the past have less contrast than each of them: the palette moves away from the style's. With ``keeps_palette`` L d's
    mean over the trusted area is held by no more than ``MEAN_COLOR_BETA``, and the deviation of L x over the frame
    comes half way back to that of L s, as ratios go, channel by channel: all the way would flicker more.

    Args:
        stylized: (N, C, H, W) s, this frame's own stylization.
        warped_previous: (N, C, H, W) W o_{t−1}.
        validity: (N, 1, H, W) M in [0, 1].
        beta: in [0, 1).
        low_beta: β_low in [0, 1); ``beta`` by default.
        max_drift: most that colour may lag behind, as root mean square.
        keeps_palette: stay near the frame's own mean and deviation of colour.

    Returns:
        (N, C, H, W).
    """
    difference = weigh_(warped_previous - stylized, validity)
    blended = stylized.add(difference, alpha=beta)
    if low_beta is None and math.isinf(max_drift):
        return blended
    cells = cell_means(difference, DRIFT_CELL_PX)
    low = beta if low_beta is None else low_beta
    lag = low * cells
    if keeps_palette:
        own, trusted = cell_means(stylized, DRIFT_CELL_PX), cell_means(validity, DRIFT_CELL_PX)
        lag = _within_palette(lag, own, trusted, MEAN_COLOR_BETA / max(low, MEAN_COLOR_BETA))
    lag *= (max_drift / lag.square().mean().sqrt().clamp(min=1e-6)).clamp(max=1.0)
    return blended.add_(enlarge(lag - beta * cells, (stylized.shape[-2], stylized.shape[-1])))


def _within_palette(lag: Tensor, own: Tensor, trusted: Tensor, mean_share: float) -> Tensor:
    """What colour may lag by so that the frame's mean and deviation stay near its own.

    Args:
        lag: (N, C, h, w) how far colour would be held back.
        own: (N, C, h, w) colour of this frame's own stylization.
        trusted: (N, 1, h, w) in [0, 1]; nothing is changed where it is 0.
        mean_share: of the mean of ``lag``, which is kept.

    Returns:
        (N, C, h, w).
    """
    over = (2, 3)
    area = trusted.sum(over, keepdim=True).clamp(min=1e-6)
    lag = lag - trusted * ((1.0 - mean_share) * lag.sum(over, keepdim=True) / area)
    deviation = own.std(over, correction=0, keepdim=True)
    found, mean = torch.std_mean(own + lag, over, correction=0, keepdim=True)
    gain = ((deviation + 1e-6) / (found + 1e-6)).clamp(*DEVIATION_GAIN_RANGE).sqrt()
    return lag + trusted * (gain - 1.0) * (own + lag - mean)
