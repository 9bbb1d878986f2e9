"""Perceptual losses: what makes an output keep the content and take on the style."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

#: Layers the style is compared at: one a stage, so that every stroke size counts.
STYLE_LAYERS = ("conv11", "conv21", "conv31", "conv41", "conv51")
#: Layers the content is compared at: deep enough to leave strokes free.
CONTENT_LAYERS = ("conv31", "conv41")


@dataclass(frozen=True, slots=True, eq=False)
class StyleStatistics:
    """Second-order statistics of one layer's features.

    Attributes:
        mean: (N, C).
        covariance: (N, C, C), centred.
    """

    mean: Tensor
    covariance: Tensor


def style_statistics(features: Tensor) -> StyleStatistics:
    """Mean and centred covariance of (N, C, H, W) features, in float32."""
    flat = features.float().flatten(2)
    mean = flat.mean(2, keepdim=True)
    centred = flat - mean
    return StyleStatistics(mean[..., 0], centred @ centred.transpose(1, 2) / flat.shape[2])


def style_loss(features: Mapping[str, Tensor], style: Mapping[str, StyleStatistics]) -> Tensor:
    """Distance of feature statistics to the style's, mean over layers; a scalar.

    The Gram loss of Gatys et al. 2016 (eq. 3 to 5), split into its two parts and made free of scale: with mean μ,
    centred covariance C and the style's channel deviation σ_s, each layer adds
    mean ((μ − μ_s) / σ_s)² + mean ((C − C_s) / (σ_s σ_sᵀ))². An uncentred Gram matrix is dominated by the means, which
    gives a palette but no strokes.
    """
    total = torch.zeros((), device=next(iter(features.values())).device)
    for layer, target in style.items():
        found = style_statistics(features[layer])
        variance = target.covariance.diagonal(dim1=1, dim2=2)
        # A channel the style hardly excites must not be divided by almost nothing.
        deviation = (variance + 1e-2 * variance.mean(1, keepdim=True) + 1e-8).sqrt()
        scale = deviation[:, :, None] * deviation[:, None, :]
        total = total + ((found.mean - target.mean) / deviation).square().mean()
        total = total + ((found.covariance - target.covariance) / scale).square().mean()
    return total / len(style)


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrix of (N, C, H, W) features over their positions: (N, C, C), float32 (Gatys et al. 2016, eq. 3).

    Divided by the number of positions, so that pictures of different sizes compare.
    """
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def gram_loss(features: Mapping[str, Tensor], style: Mapping[str, Tensor]) -> Tensor:
    """Squared distance of Gram matrices relative to the style's own, mean over layers of ``style``; a scalar.

    Gatys et al. 2016, eq. 4 and 5, with layer weights w_l = 1 / (L · mean A_l²): layers and encoders weigh alike.
    """
    total = torch.zeros((), device=next(iter(features.values())).device)
    for layer, target in style.items():
        distance = (gram_matrix(features[layer]) - target).square().mean()
        total = total + distance / (4 * target.square().mean() + 1e-8)
    return total / len(style)


def content_loss(features: Mapping[str, Tensor], content: Mapping[str, Tensor]) -> Tensor:
    """Squared distance of features relative to the content's own deviation, mean over layers of ``content``; a scalar.

    Johnson et al. 2016, eq. 2, divided by the features' variance so that layers and encoders weigh alike.
    """
    total = torch.zeros((), device=next(iter(features.values())).device)
    for layer, features_wanted in content.items():
        target = features_wanted.float()
        total = total + F.mse_loss(features[layer].float(), target) / (target.var() + 1e-8)
    return total / len(content)


def total_variation(image: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring pixels of (N, C, H, W), horizontally plus vertically; a scalar."""
    return (image[..., 1:] - image[..., :-1]).abs().mean() + (image[..., 1:, :] - image[..., :-1, :]).abs().mean()


def lattice_loss(image: Tensor, stride_px: int, region_px: int = 32) -> Tensor:
    """How much of (N, C, H, W) repeats with the network's stride and stands still on the screen; a scalar.

    The brightness's second differences, in which ramps vanish, are averaged over the tiles of each region, phase by
    phase: what is tied to the pixel grid adds up there, everything else cancels. The loss is the deviation over the
    phases, mean over regions and both directions. For outputs of smooth pictures, which have nothing of that period.

    Args:
        image: at least ``region_px`` plus 32 on each side; 16 pixels at the border do not count.
        stride_px: sides are multiples of it.
        region_px: side of a region; regions overlap by half.
    """
    brightness = image.mean(1, keepdim=True)
    kernel = torch.tensor([-0.5, 1.0, -0.5], device=image.device)
    deviations = []
    for shape in ((1, 1, 1, 3), (1, 1, 3, 1)):
        curvature = F.conv2d(brightness, kernel.view(shape), padding=(shape[2] // 2, shape[3] // 2))
        phases = F.pixel_unshuffle(curvature[..., 16:-16, 16:-16], stride_px)
        means = F.avg_pool2d(phases, region_px // stride_px, stride=region_px // stride_px // 2)
        # The root has no slope at zero.
        deviations.append((means.var(1, unbiased=False) + 1e-8).sqrt().mean())
    return torch.stack(deviations).sum()
