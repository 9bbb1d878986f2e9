"""The temporal consistency loss, and the frame that minimises it together with the distance to the style."""

from __future__ import annotations

from torch import Tensor

#: β at ``consistency`` 1: beyond this a wrong flow vector outlives the shot.
MAX_BETA = 0.95


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


def consistent_blend(stylized: Tensor, warped_previous: Tensor, validity: Tensor, beta: float) -> Tensor:
    """The minimiser of |x − s|² + λ M |x − W o_{t−1}|² with β = λ / (1 + λ): x = s + β M (W o_{t−1} − s).

    Exact for binary M; for M between 0 and 1 the same x minimises the loss with λ M replaced by β M / (1 − β M).

    Args:
        stylized: (N, C, H, W) s, this frame's own stylization.
        warped_previous: (N, C, H, W) W o_{t−1}.
        validity: (N, 1, H, W) M in [0, 1].
        beta: in [0, 1).

    Returns:
        (N, C, H, W).
    """
    return stylized + (beta * validity) * (warped_previous - stylized)
