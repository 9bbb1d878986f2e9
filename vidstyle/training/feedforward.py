"""Training one feedforward style from one painting and a folder of photos."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import ConfigError
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.stylizers.checkpoint import load_into
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.stylizers.perceptual import PerceptualEncoder
from vidstyle.training.checkpoints import digest_of
from vidstyle.training.clips import ClipPairs, clip_stability_loss
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.losses import (
    STYLE_LAYERS,
    StyleStatistics,
    content_loss,
    lattice_loss,
    style_loss,
    style_statistics,
    total_variation,
)
from vidstyle.training.motion import SURROUND_PX, stability_loss, two_views
from vidstyle.training.settings import FeedforwardSettings

#: An encoder with fewer stages sees a palette, but no strokes.
_MIN_STYLE_LAYERS = 3


class FeedforwardObjective:
    """Paint crops in the style of one painting, the same way wherever they move: an ``Objective``.

    Args:
        style_image: (3, H, W) RGB in [0, 1].
        crops: content pictures.
        encoder: perceptual encoder with three style layers or more; moved to the device.
        settings: what to do.
        start_from: a trained network to go on from; half of the steps then shows the new painting's strokes.
        clips: pairs of real frames; half of a batch's crops are then theirs.

    Raises:
        ConfigError: the encoder is not deep enough, or a batch too small to be halved.
    """

    def __init__(
        self,
        style_image: Tensor,
        crops: ContentCrops,
        encoder: PerceptualEncoder,
        settings: FeedforwardSettings,
        start_from: BlurPoolNet | None = None,
        *,
        clips: ClipPairs | None = None,
    ) -> None:
        if len(encoder.style_layers) < _MIN_STYLE_LAYERS:
            raise ConfigError(
                f"The encoder has {', '.join(encoder.style_layers)} to compare styles at, which is not enough for "
                "strokes; use one that reaches conv31 or, better, conv51."
            )
        if clips is not None and settings.batch_size < 2:
            raise ConfigError(
                "Clips take half of a batch, and a batch of 1 has no half; use a batch size of 2 or more."
            )
        device = torch.device(settings.device)
        with torch.random.fork_rng(devices=[]):  # the caller's seed is the caller's
            torch.manual_seed(settings.seed)
            net = BlurPoolNet()
        if start_from is not None:
            load_into(net, deepcopy(start_from).state_dict(), "What is started from")
        self.net: BlurPoolNet = net.to(device).to(memory_format=torch.channels_last)
        self.weights: Mapping[str, float] = asdict(settings.weights)
        self.identity: Mapping[str, Any] = {
            "batch_size": settings.batch_size,
            "crop_px": settings.crop_px,
            "style_size_px": settings.style_size_px,
            "seed": settings.seed,
            "weights": asdict(settings.weights),
            "painting": digest_of([style_image]),
            "encoder": digest_of(encoder.state_dict().values()),
        }
        # What the defaults leave out, checkpoints made with them lack.
        if encoder.style_layers != STYLE_LAYERS:
            self.identity = {**self.identity, "style_layers": list(encoder.style_layers)}
        if start_from is not None:
            self.identity = {**self.identity, "start_from": digest_of(start_from.state_dict().values())}
        if clips is not None:
            self.identity = {**self.identity, "clips": [*clips.names, clips.digest]}
        self._settings = settings
        self._clips = clips
        self._device = device
        self._crops = crops
        self._encoder = encoder.to(device).to(memory_format=torch.channels_last)
        self._style = self._style_targets(style_image.to(device))

    def _style_targets(self, image: Tensor) -> dict[str, StyleStatistics]:
        scale = self._settings.style_size_px / min(image.shape[-2:])
        size = [max(round(side * scale), 32) for side in image.shape[-2:]]
        resized = F.interpolate(image[None], size=size, mode="bicubic", antialias=True).clamp(0, 1)
        with torch.no_grad():
            features = self._encoder(resized, self._encoder.style_layers)
        return {layer: style_statistics(value) for layer, value in features.items()}

    def losses(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Paint fresh crops and another view of each, and judge them.

        The other view of a photo is moved by made-up motion; that of a clip's frame is the frame before it.
        """
        settings, encoder = self._settings, self._encoder
        num_pairs = 0 if self._clips is None else settings.batch_size // 2
        num_photos = settings.batch_size - num_pairs
        wide = self._crops.batch(num_photos, generator, surround_px=SURROUND_PX).to(self._device)
        content, other, flow = two_views(wide, generator)
        pairs = None if self._clips is None else self._clips.batch(num_pairs, generator).to(self._device)
        if pairs is not None:
            content, other = torch.cat([content, pairs.frames]), torch.cat([other, pairs.previous])
        views = torch.cat([content, other])
        with torch.autocast(self._device.type, torch.bfloat16):
            painted, painted_other = paint(net, views).chunk(2)
            halved = F.avg_pool2d(painted, 2)
            features = encoder(painted, {*encoder.style_layers, *encoder.content_layers})
            features_halved = encoder(halved, encoder.style_layers)
            with torch.no_grad():
                target = encoder(content, encoder.content_layers)
        painted, painted_other = painted.float(), painted_other.float()
        temporal = stability_loss(painted[:num_photos], painted_other[:num_photos], flow)
        if pairs is not None:
            real = clip_stability_loss(painted[num_photos:], painted_other[num_photos:], pairs)
            temporal = (num_photos * temporal + num_pairs * real) / settings.batch_size
        # In full precision: what it looks for is smaller than a step of bfloat16.
        smooth = net(self._crops.smooth(generator)[None].to(self._device))
        return {
            "content": content_loss(features, target),
            # Half of the style is asked of the half-size output: strokes twice as large, which survive at 720p.
            "style": 0.5 * (style_loss(features, self._style) + style_loss(features_halved, self._style)),
            "temporal": temporal,
            "total_variation": total_variation(painted),
            "lattice": lattice_loss(smooth, BlurPoolNet.multiple_of),
        }


def paint(net: nn.Module, content: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] by a ``BlurPoolNet``, with the margin of ``FeedforwardStylizer``, which is cut off."""
    padded, crop = pad_to_multiple(content, BlurPoolNet.multiple_of, BlurPoolNet.minimum_size, BlurPoolNet.margin_px)
    return crop(net(padded.contiguous(memory_format=torch.channels_last)))
