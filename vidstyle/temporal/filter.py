"""The temporal filter: warp the previous result, blend it in where motion is trusted, keep colour and texture."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from vidstyle.imaging.occlusion import occlusion_mask, soft_validity
from vidstyle.imaging.opencv import interleaved
from vidstyle.imaging.pyramid import cell_means, channel_mean, enlarge, laplacian_bands, tent_blur, weigh_
from vidstyle.imaging.warp import points_inside, resize_flow, swift_samples, swift_warp
from vidstyle.protocols import LOOK_BACK, Motion
from vidstyle.temporal.consistency import beta_from_consistency, consistent_blend, low_frequency_beta
from vidstyle.temporal.refinement import refine_flow

#: Limits of the gain that restores a band's energy.
GAIN_RANGE = (0.7, 1.5)
#: Most that colour may lag behind the stylization, as RMS over the frame: 30.5 dB.
MAX_DRIFT = 0.03
ENERGY_FLOOR = 1e-6
#: Squared difference that counts as noise at most in an older frame, where nothing but looks tells wrong from right.
MOST_NOISE = 2e-3
#: Gaps that an older frame would fill by less are left: most pixels have none, and need not be looked up.
LEAST_SHARE = 1 / 64


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What the filter remembers of a frame further back, to fill gaps with; half precision is enough for that.

    Attributes:
        remembered: (1, 3, H, W) float16; where it was filled itself, as it was painted, or else what is a gap again and
            again would be held by frames further and further back.
        content: (1, 3, ceil(H / 2), ceil(W / 2)) float16 source frame.
    """

    remembered: Tensor
    content: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class FilterState:
    """What the filter remembers.

    Attributes:
        remembered: (1, 3, H, W) float32 of the frame before.
        content: (1, 3, H, W) float32 the source frame before.
        past: that frame and those before it, oldest first, up to ``LOOK_BACK``.
    """

    remembered: Tensor
    content: Tensor
    past: tuple[Past, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Another frame as a source for this one.

    Attributes:
        flow: (1, 2, H, W) float32 pixels, from this frame to that one.
        trust: (1, 1, H, W) in [0, 1].
    """

    flow: Tensor
    trust: Tensor


class ConsistencyFilter:
    """Recursive warp-and-blend along refined flow, with limited drift, and energy matching on the way out.

    x_t = s_t + β M (W r_{t−1} − s_t) is the closed-form minimiser of the temporal consistency loss
    (``vidstyle.temporal.consistency``), W being the warp along flow that ``refine_flow`` sharpened; low frequencies are
    held for longer, and let go where colour lags behind or the frame's palette would change. o_t = match(x_t, s_t) is
    what is shown: a gain on the two finest Laplacian bands restores the local energy of the per-frame stylization,
    which repeated resampling and the averaging of uncorrelated strokes take away. What is remembered is half way
    between: r_t = (x_t + o_t) / 2. Remembering o_t alone makes up for the fading of the past, so that a wrong stroke
    stays for hundreds of frames; x_t alone loses more texture than a bounded gain brings back.

    What was hidden in the frame before may have been seen some frames earlier: where that one, moved here, looks like
    this frame, it stands in for as much trust as is missing.

    Args:
        consistency: 0 (each frame on its own) to 1 (steadiest).
        photometric_weight: how fast trust falls where the warped source frame does not look like this one.
        looks_back: keep frames further back; in vain where motion never leads there.
    """

    def __init__(self, consistency: float, photometric_weight: float = 60.0, *, looks_back: bool = True) -> None:
        self.beta = beta_from_consistency(consistency)
        self._low_beta = low_frequency_beta(self.beta)
        self._photometric_weight = photometric_weight
        self._num_past = LOOK_BACK if looks_back else 1

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
        small = cell_means(content, 2)
        if motion is None or state is None:
            return stylized, FilterState(stylized, content, (Past(stylized.half(), small.half()),))
        flow = self.refined(content, state.content, motion)
        warped = swift_warp(state.remembered, flow).clamp_(0.0, 1.0)
        validity = self.validity(content, state.content, motion, flow)
        older = self.older_reference(small, state, motion)
        gaps = None if older is None else _fill(warped, validity, state.past[0].remembered, older)
        blended = consistent_blend(
            stylized, warped, validity, self.beta, low_beta=self._low_beta, max_drift=MAX_DRIFT, keeps_palette=True
        )
        output = match_band_energy(blended, stylized).clamp_(0.0, 1.0)
        remembered = torch.lerp(blended, output, 0.5)
        kept = remembered.half()
        if gaps is not None:
            mixed = torch.lerp(_at(remembered, gaps.where), _at(stylized, gaps.where), gaps.share)
            _put(kept, gaps.where, mixed.half())
        past = (*state.past, Past(kept, small.half()))[-self._num_past :]
        return output, FilterState(remembered, content, past)

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
        trust = self._photometric_trust(content, swift_warp(previous, flow, "bilinear"))
        return trust.mul_(enlarge(soft_validity(occluded), size))

    def older_reference(self, small: Tensor, state: FilterState, motion: Motion) -> Reference | None:
        """The oldest frame of the past, trusted by looks alone.

        Args:
            small: (1, 3, ceil(H / 2), ceil(W / 2)) source frame.
            state: with its past.
            motion: of this frame.

        Returns:
            None where motion does not lead there, or the past is shorter.
        """
        if motion.flow_older is None or len(state.past) < LOOK_BACK:
            return None
        size, half = ((each.shape[-2], each.shape[-1]) for each in (state.content, small))
        steps = resize_flow(motion.flow_older, half) / 2
        moved = swift_warp(state.past[0].content.float(), steps, "bilinear")
        trust = self._photometric_trust(small, moved, MOST_NOISE) * points_inside(steps, slack_px=0.5)
        return Reference(resize_flow(motion.flow_older, size), enlarge(trust, size))

    def _photometric_trust(self, content: Tensor, warped: Tensor, most_noise: float = math.inf) -> Tensor:
        """exp(−α max(|I_t − W I_{t−1}|² − noise, 0)) as (1, 1, H, W), with the frame's own median as its noise.

        ``warped`` is overwritten. Noise counts up to ``most_noise``.
        """
        difference = channel_mean(warped.sub_(content).square_())
        noise = (4.0 * difference[..., ::8, ::8].median()).clamp(max=most_noise)
        return difference.sub_(noise).clamp_(min=0.0).mul_(-self._photometric_weight).exp_()


class _Gaps(NamedTuple):
    """What was filled: n pixels, counted row by row, and (n, 1) how far."""

    where: Tensor
    share: Tensor


def _fill(warped: Tensor, validity: Tensor, remembered: Tensor, older: Reference) -> _Gaps | None:
    """Fill gaps of the moved past with an older one, and add the trust in it; both are overwritten where they are."""
    share = older.trust * (1.0 - validity)
    index = _true_at(share > LEAST_SHARE)
    if not len(index):
        return None
    share = _at(share, index)
    trusted = _at(validity, index) + share
    points = torch.stack((index % validity.shape[-1], index // validity.shape[-1]), 1) + _at(older.flow, index)
    moved = swift_samples(remembered.float(), points).clamp_(0.0, 1.0)
    _put(warped, index, torch.lerp(_at(warped, index), moved, share / trusted))
    _put(validity, index, trusted)
    return _Gaps(index, share)


def _at(image: Tensor, index: Tensor) -> Tensor:
    """(n, C) some pixels of (1, C, H, W), counted row by row."""
    return image.permute(0, 2, 3, 1).flatten(0, 2).index_select(0, index)


def _put(image: Tensor, index: Tensor, pixels: Tensor) -> None:
    """Overwrite some pixels of (1, C, H, W), counted row by row, with (n, C)."""
    num_channels = image.shape[1]
    if image.is_contiguous():
        image.view(num_channels, -1).index_copy_(1, index, pixels.T)
    else:
        image.permute(0, 2, 3, 1).view(-1, num_channels).index_copy_(0, index, pixels)


def _true_at(mask: Tensor) -> Tensor:
    """Where a mask is true, counted row by row: (n,) int64."""
    if mask.device.type == "cpu":  # where torch takes several times as long
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.flatten().nonzero()[:, 0]


def match_band_energy(image: Tensor, reference: Tensor) -> Tensor:
    """Give the two finest Laplacian bands of ``image`` the local energy they have in ``reference``.

    Each band is multiplied by clip(sqrt((E_ref + ε) / (E_img + ε)), *GAIN_RANGE), E being the band's energy averaged
    over channels and over about 20 pixels around, by a tent: a single box rings, and where it does specks grow.

    Args:
        image: (1, C, H, W).
        reference: (1, C, H, W).

    Returns:
        (1, C, H, W), not clamped.
    """
    size = (image.shape[-2], image.shape[-1])
    if min(size) < 8:  # no room for two bands
        return image
    fine, middle = laplacian_bands(image, 2)
    fine_wanted, middle_wanted = laplacian_bands(reference, 2)
    correction = weigh_(middle, _band_gain(middle, middle_wanted, 2).sub_(1.0))
    corrected = weigh_(fine, _band_gain(fine, fine_wanted, 4).sub_(1.0)).add_(image)
    return corrected.add_(enlarge(correction, size))


def _band_gain(band: Tensor, wanted: Tensor, cell_px: int) -> Tensor:
    """(1, 1, H, W); ``wanted`` is overwritten."""
    squares = band * band, wanted.square_()
    found, target = (tent_blur(cell_means(channel_mean(each), cell_px)) for each in squares)
    gain = ((target + ENERGY_FLOOR) / (found + ENERGY_FLOOR)).sqrt_().clamp_(*GAIN_RANGE)
    return enlarge(gain, (band.shape[-2], band.shape[-1]))


def warmup_frames(consistency: float) -> int:
    """How many frames before a given one the filter must see for its result to be the full render's.

    A frame n steps back weighs about β^(0.8 n) in strokes, where the energy gain slows the fading βⁿ of the blend down:
    below 2 % of the stylization's own frame-to-frame difference, what remains is more than 45 dB down. In colour it
    weighs β_lowⁿ of what ``MAX_DRIFT`` allows two pasts to differ by. Where gaps are filled the past lies ``LOOK_BACK``
    frames further off; they are rarely more than a tenth of a frame, so that three times as much is as little.
    """
    beta = beta_from_consistency(consistency)
    if beta == 0.0:
        return 0
    strokes = math.log(0.02) / (0.8 * math.log(beta))
    colour = math.log(10 ** (-45 / 20) / (2 * MAX_DRIFT)) / math.log(low_frequency_beta(beta))
    filled = LOOK_BACK + math.log(0.06) / (0.8 * math.log(beta))
    return math.ceil(max(strokes, colour, filled))
