"""Figures that need a network: distance of Gram matrices to the style, and of deep features between two frames."""

from __future__ import annotations

import torch
from torch import Tensor

from vidstyle.evaluation.metrics import batched
from vidstyle.evaluation.pair_motion import PairMotion
from vidstyle.imaging.warp import backward_warp
from vidstyle.stylizers.perceptual import PerceptualEncoder

_EPSILON = 1e-10


class GramDistance:
    """Distance of a picture's Gram matrices to a style picture's.

    For every style layer l of the encoder with Gram matrices G = F Fᵀ / positions of the picture and A of the style,
    mean (G - A)² / (4 mean A²), averaged over layers: Gatys, Ecker and Bethge, "Image Style Transfer Using
    Convolutional Neural Networks" (CVPR 2016), eq. 4 and 5, with layer weights that make layers and encoders weigh
    alike. Lower is nearer; no unit.

    Args:
        encoder: what looks.
        style: (3, H, W) in [0, 1].
    """

    def __init__(self, encoder: PerceptualEncoder, style: Tensor) -> None:
        self._encoder = encoder
        self._wanted = self._grams(style)

    def __call__(self, image: Tensor) -> float:
        """The distance of (3, H, W) in [0, 1]."""
        pairs = zip(self._grams(image), self._wanted, strict=True)
        distances = [float((g - a).square().mean() / (4 * a.square().mean() + 1e-8)) for g, a in pairs]
        return sum(distances) / len(distances)

    def _grams(self, image: Tensor) -> list[Tensor]:
        with torch.inference_mode():
            features = self._encoder(batched(image).float(), self._encoder.style_layers)
            flat = [features[layer].float().flatten(2) for layer in self._encoder.style_layers]
            return [values @ values.transpose(1, 2) / values.shape[2] for values in flat]


class FeaturePairDistance:
    """Distance of a frame to the frame before moved along the flow, in deep features: flicker as a viewer sees it.

    The form of LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR
    2018, eq. 1) **without its learnt channel weights, which are all 1 here**, and on whatever encoder there is: at
    every style layer features are scaled to unit length over channels, the squared difference is summed over channels
    and averaged over positions, and layers are added up. Compare figures of one encoder only, and none with LPIPS.
    Where the motion is not valid the moved frame is filled in from the frame itself, so that nothing differs there; the
    mean is over valid pixels.

    Args:
        encoder: what looks.
    """

    def __init__(self, encoder: PerceptualEncoder) -> None:
        self._encoder = encoder

    def __call__(self, current: Tensor, previous: Tensor, motion: PairMotion) -> float:
        """The distance for (3, H, W) pictures in [0, 1]; NaN where nothing is valid."""
        share = float(motion.valid.float().mean())
        if not share:
            return float("nan")
        with torch.inference_mode():
            now = batched(current).float()
            warped = backward_warp(batched(previous).float(), motion.flow).clamp(0, 1)
            moved = torch.where(motion.valid, warped, now)
            features = self._encoder(torch.cat([now, moved]), self._encoder.style_layers)
            total = 0.0
            for layer in self._encoder.style_layers:
                values = features[layer].float()
                unit = values / (values.square().sum(1, keepdim=True).sqrt() + _EPSILON)
                total += float((unit[0] - unit[1]).square().sum(0).mean())
        return total / share
