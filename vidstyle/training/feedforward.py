"""Training one feedforward style from one painting and a folder of photos."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import ConfigError
from vidstyle.stylizers.encoder import VggEncoder
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.losses import (
    CONTENT_LAYERS,
    STYLE_LAYERS,
    StyleStatistics,
    content_loss,
    style_loss,
    style_statistics,
    total_variation,
)
from vidstyle.training.motion import moved_view, random_flow, stability_loss
from vidstyle.training.settings import FeedforwardSettings


class FeedforwardObjective:
    """Paint crops in the style of one painting, the same way wherever they move: an ``Objective``.

    Args:
        style_image: (3, H, W) RGB in [0, 1].
        crops: content pictures.
        encoder: perceptual encoder with conv11 to conv51; moved to the device.
        settings: what to do.
        start_from: a trained network to go on from; half of the steps then shows the new painting's strokes.

    Raises:
        ConfigError: the encoder is not deep enough.
    """

    def __init__(
        self,
        style_image: Tensor,
        crops: ContentCrops,
        encoder: VggEncoder,
        settings: FeedforwardSettings,
        start_from: BlurPoolNet | None = None,
    ) -> None:
        missing = {*STYLE_LAYERS, *CONTENT_LAYERS} - set(encoder.layer_names)
        if missing:
            raise ConfigError(f"the encoder lacks layers {', '.join(sorted(missing))}; use one that reaches conv51.")
        device = torch.device(settings.device)
        with torch.random.fork_rng(devices=[]):  # the caller's seed is the caller's
            torch.manual_seed(settings.seed)
            net = BlurPoolNet()
        if start_from is not None:
            net.load_state_dict(start_from.state_dict())
        self.net: BlurPoolNet = net.to(device).to(memory_format=torch.channels_last)
        self.weights: Mapping[str, float] = asdict(settings.weights)
        self.identity: Mapping[str, Any] = {
            "batch_size": settings.batch_size,
            "crop_px": settings.crop_px,
            "style_size_px": settings.style_size_px,
            "seed": settings.seed,
            "weights": asdict(settings.weights),
            "painting": hashlib.sha256(style_image.contiguous().numpy().tobytes()).hexdigest(),
        }
        self._settings = settings
        self._device = device
        self._crops = crops
        self._encoder = encoder.to(device).to(memory_format=torch.channels_last)
        self._style = self._style_targets(style_image.to(device))

    def _style_targets(self, image: Tensor) -> dict[str, StyleStatistics]:
        scale = self._settings.style_size_px / min(image.shape[-2:])
        size = [max(round(side * scale), 32) for side in image.shape[-2:]]
        resized = F.interpolate(image[None], size=size, mode="bicubic", antialias=True).clamp(0, 1)
        with torch.no_grad():
            features = self._encoder(resized, STYLE_LAYERS)
        return {layer: style_statistics(value) for layer, value in features.items()}

    def losses(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Paint fresh crops and a moved view of each, and judge them."""
        settings = self._settings
        content = self._crops.batch(settings.batch_size, generator).to(self._device)
        flow = random_flow(settings.batch_size, settings.crop_px, settings.crop_px, generator).to(self._device)
        moved = moved_view(content, flow, generator)
        views = torch.cat([content, moved]).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16):
            painted, painted_moved = net(views).chunk(2)
            halved = F.avg_pool2d(painted, 2)
            features = self._encoder(painted, STYLE_LAYERS)
            features_halved = self._encoder(halved, STYLE_LAYERS)
            with torch.no_grad():
                target = self._encoder(content, CONTENT_LAYERS)
        painted, painted_moved = painted.float(), painted_moved.float()
        return {
            "content": content_loss(features, target),
            # Half of the style is asked of the half-size output: strokes twice as large, which survive at 720p.
            "style": 0.5 * (style_loss(features, self._style) + style_loss(features_halved, self._style)),
            "temporal": stability_loss(painted, painted_moved, flow),
            "total_variation": total_variation(painted),
        }
