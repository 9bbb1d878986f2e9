"""The temporal filter: warp the previous result, blend it in where motion is trusted, keep colour and texture."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vidstyle.imaging.occlusion import occlusion_mask, soft_validity
from vidstyle.imaging.opencv import interleaved
from vidstyle.imaging.pyramid import cell_means, channel_mean, enlarge, laplacian_bands, tent_blur, weigh
from vidstyle.imaging.warp import resize_flow, swift_warp
from vidstyle.protocols import Motion
from vidstyle.temporal.consistency import beta_from_consistency, consistent_blend, low_frequency_beta
from vidstyle.temporal.refinement import refine_flow

#: Limits of the gain that restores a band's energy.
GAIN_RANGE = (0.7, 1.5)
#: Most that colour may lag behind the stylization, as RMS over the frame: 30.5 dB.
MAX_DRIFT = 0.03
_ENERGY_FLOOR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class FilterState:
    """What the filter remembers of the frame before: (1, 3, H, W) float32 each."""

    remembered: Tensor
    content: Tensor


class ConsistencyFilter:
    """Recursive warp-and-blend along refined flow, with limited drift, and energy matching on the way out.

    x_t = s_t + β M (W r_{t−1} − s_t) is the closed-form minimiser of the temporal consistency loss
    (``vidstyle.temporal.consistency``), W being the warp along flow that ``refine_flow`` sharpened; low frequencies are
    held for longer, and let go where colour lags behind. o_t = match(x_t, s_t) is what is shown: a gain on the two
    finest Laplacian bands restores the local energy of the per-frame stylization, which repeated resampling and the
    averaging of uncorrelated strokes take away. What is remembered is half way between: r_t = (x_t + o_t) / 2.
    Remembering o_t alone makes up for the fading of the past, so that a wrong stroke stays for hundreds of frames; x_t
    alone loses more texture than a bounded gain brings back.

    Args:
        consistency: 0 (each frame on its own) to 1 (steadiest).
        photometric_weight: how fast trust falls where the warped source frame does not look like this one.
    """

    def __init__(self, consistency: float, photometric_weight: float = 60.0) -> None:
        self.beta = beta_from_consistency(consistency)
        self._low_beta = low_frequency_beta(self.beta)
        self._photometric_weight = photometric_weight

    def at(self, consistency: float) -> Self:
        """The same filter with another consistency; see ``vidstyle.protocols.TemporalFilter``."""
        other = copy(self)
        other.beta = beta_from_consistency(consistency)
        other._low_beta = low_frequency_beta(other.beta)
        return other

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: FilterState | None
    ) -> tuple[Tensor, FilterState | None]:
        """Filter one frame; see ``vidstyle.protocols.TemporalFilter``.

        Args:
            content: (1, 3, H, W) source frame in [0, 1], float32.
            stylized: (1, 3, H, W) painted frame in [0, 1], float32.
            motion: flow against the frame before; None restarts the recursion.
            state: from the previous call; None restarts the recursion.

        Returns:
            The steady frame (1, 3, H, W) float32 in [0, 1], and the state for the next call.
        """
        if self.beta == 0.0:
            return stylized, None
        # Copied: a view would keep the whole batch it was cut from in memory. Interleaved, which OpenCV wants.
        content, stylized = (interleaved(image) for image in (content, stylized))
        if motion is None or state is None:
            return stylized, FilterState(stylized, content)
        flow = self.refined(content, state.content, motion)
        warped = swift_warp(state.remembered, flow).clamp_(0.0, 1.0)
        validity = self.validity(content, state.content, motion, flow)
        blended = consistent_blend(stylized, warped, validity, self.beta, low_beta=self._low_beta, max_drift=MAX_DRIFT)
        output = match_band_energy(blended, stylized).clamp_(0.0, 1.0)
        return output, FilterState(torch.lerp(blended, output, 0.5), content)

    def refined(self, content: Tensor, previous: Tensor, motion: Motion) -> Tensor:
        """(1, 2, H, W) ``motion.flow_backward`` at the frame's own size, sharpened; the same at every consistency."""
        size = (content.shape[-2], content.shape[-1])
        return refine_flow(content, previous, resize_flow(motion.flow_backward, size))

    def validity(self, content: Tensor, previous: Tensor, motion: Motion, flow: Tensor) -> Tensor:
        """How far the moved past is trusted; the same at every consistency.

        Args:
            content: (1, 3, H, W) source frame.
            previous: (1, 3, H, W) the source frame before it.
            motion: between them.
            flow: (1, 2, H, W) ``motion.flow_backward`` at full size, refined.

        Returns:
            (1, 1, H, W) in [0, 1].
        """
        size = (content.shape[-2], content.shape[-1])
        occluded = occlusion_mask(motion.flow_backward, motion.flow_forward, size)
        return enlarge(soft_validity(occluded), size) * self._photometric_trust(
            content, swift_warp(previous, flow, "bilinear")
        )

    def _photometric_trust(self, content: Tensor, warped: Tensor) -> Tensor:
        """exp(−α max(|I_t − W I_{t−1}|² − noise, 0)) as (1, 1, H, W), with the frame's own median as its noise.

        ``warped`` is overwritten.
        """
        difference = channel_mean(warped.sub_(content).square_())
        noise = 4.0 * difference[..., ::8, ::8].median()
        return difference.sub_(noise).clamp_(min=0.0).mul_(-self._photometric_weight).exp_()


def match_band_energy(image: Tensor, reference: Tensor, gain_range: tuple[float, float] = GAIN_RANGE) -> Tensor:
    """Give the two finest Laplacian bands of ``image`` the local energy they have in ``reference``.

    Each band is multiplied by clip(sqrt((E_ref + ε) / (E_img + ε)), *gain_range), E being the band's energy averaged
    over channels and over about 20 pixels around, by a tent: a single box rings, and where it does specks grow.

    Args:
        image: (1, C, H, W).
        reference: (1, C, H, W).
        gain_range: smallest and largest gain.

    Returns:
        (1, C, H, W), not clamped.
    """
    size = (image.shape[-2], image.shape[-1])
    if min(size) < 8:  # no room for two bands
        return image
    fine, middle = laplacian_bands(image, 2)
    fine_wanted, middle_wanted = laplacian_bands(reference, 2)
    correction = weigh(middle, _band_gain(middle, middle_wanted, 2, gain_range) - 1.0)
    corrected = weigh(fine, _band_gain(fine, fine_wanted, 4, gain_range) - 1.0).add_(image)
    return corrected.add_(enlarge(correction, size))


def _band_gain(band: Tensor, wanted: Tensor, cell_px: int, gain_range: tuple[float, float]) -> Tensor:
    found, target = (tent_blur(cell_means(channel_mean(each * each), cell_px)) for each in (band, wanted))
    gain = ((target + _ENERGY_FLOOR) / (found + _ENERGY_FLOOR)).sqrt_().clamp_(*gain_range)
    return enlarge(gain, (band.shape[-2], band.shape[-1]))


def warmup_frames(consistency: float) -> int:
    """How many frames before a given one the filter must see for its result to be the full render's.

    A frame n steps back weighs about β^(0.8 n) in strokes, where the energy gain slows the fading βⁿ of the blend down:
    below 2 % of the stylization's own frame-to-frame difference, what remains is more than 45 dB down. In colour it
    weighs β_lowⁿ of what ``MAX_DRIFT`` allows two pasts to differ by.
    """
    beta = beta_from_consistency(consistency)
    if beta == 0.0:
        return 0
    strokes = math.log(0.02) / (0.8 * math.log(beta))
    colour = math.log(10 ** (-45 / 20) / (2 * MAX_DRIFT)) / math.log(low_frequency_beta(beta))
    return math.ceil(max(strokes, colour))
