"""Training an arbitrary-style model: a light encoder distilled from a large one, and a decoder for its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidstyle.errors import ConfigError
from vidstyle.stylizers.adain import AdaInNet
from vidstyle.stylizers.adain_decoder import AdaInDecoder, Statistics
from vidstyle.stylizers.checkpoint import load_into
from vidstyle.stylizers.encoder import VggEncoder, imagenet_normalisation
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.adain_settings import AdaInSettings
from vidstyle.training.checkpoints import digest_of
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.losses import (
    CONTENT_LAYERS,
    STYLE_LAYERS,
    content_loss,
    lattice_loss,
    style_loss,
    style_statistics,
    total_variation,
)
from vidstyle.training.motion import SURROUND_PX, shift_loss, shifted_view, stability_loss, two_views
from vidstyle.training.style_crops import StyleCrops

#: Convolutions of the student: a stage of VGG-19 has up to four, which is what makes it slow.
STUDENT_LAYERS = ("conv11", "conv21", "conv31", "conv32", "conv41", "conv42", "conv51")
#: Stages the decoder gets back through; styles are exchanged at each.
_NUM_STAGES = 4
_STRETCH = 8.0
#: How often a picture is its own style, so that no style at all (alpha 0) gives the picture back.
_OWN_STYLE_SHARE = 0.25


def student_encoder(teacher: VggEncoder) -> VggEncoder:
    """A light encoder with the teacher's widths at its first layer of each stage, so that it can learn its features.

    It pools behind a low-pass: what other pooling gives depends on the pixel grid, and strokes hang on it.
    """
    convolutions, channels = {}, 3
    for name in STUDENT_LAYERS:
        width = teacher.num_channels(f"{name[:5]}1")
        weight = 0.3 * nn.init.kaiming_normal_(torch.empty(width, channels, 3, 3))
        # Above zero, so that no unit starts out silent: one that is never fires again where its teacher's does.
        convolutions[name], channels = (weight, torch.ones(width)), width
    # Neighbouring pixels differ little, and the teacher's finest features are their differences: with stretched pixels
    # the weights that find them are of ordinary size.
    convolutions[STUDENT_LAYERS[0]][0].div_(_STRETCH)
    color_weight, color_bias = imagenet_normalisation()
    color = color_weight * _STRETCH, color_bias * _STRETCH
    student = VggEncoder(convolutions, color, pooling="blur")
    student.layers.requires_grad_(True)
    return student


class AdaInObjective:
    """Paint content crops in the style of any crop: an ``Objective``.

    The student learns the teacher's features at the first layer of each stage, every channel brought to unit deviation,
    and nothing else, so that it can stand in for the teacher in perceptual losses; the decoder learns content and style
    as the teacher judges them, smoothness and steadiness.

    Args:
        crops: content pictures.
        styles: style pictures.
        teacher: perceptual encoder with conv11 to conv51; moved to the device.
        settings: what to do.
        start_from: a model to go on from, trained with the same teacher.
        decoder_from: a network of one style for the decoder to begin as; replaces that of ``start_from``.

    Raises:
        ConfigError: the teacher is not deep enough.
    """

    def __init__(
        self,
        crops: ContentCrops,
        styles: StyleCrops,
        teacher: VggEncoder,
        settings: AdaInSettings,
        *,
        start_from: AdaInNet | None = None,
        decoder_from: BlurPoolNet | None = None,
    ) -> None:
        missing = {*STYLE_LAYERS, *CONTENT_LAYERS} - set(teacher.layer_names)
        if missing:
            raise ConfigError(f"the encoder lacks layers {', '.join(sorted(missing))}; use one that reaches conv51.")
        device = torch.device(settings.device)
        with torch.random.fork_rng(devices=[]):  # the caller's seed is the caller's
            torch.manual_seed(settings.seed)
            student = student_encoder(teacher)
            widths = tuple(student.num_channels(layer) for layer in STYLE_LAYERS[:_NUM_STAGES])
            decoder = AdaInDecoder(widths)
            net = AdaInNet(student, decoder)
        if start_from is not None:
            load_into(net, deepcopy(start_from).state_dict(), "What is started from")
        if decoder_from is not None:
            decoder.start_from(decoder_from)
        self.net: AdaInNet = net.to(device).to(memory_format=torch.channels_last)
        self.weights: Mapping[str, float] = asdict(settings.weights)
        self.identity: Mapping[str, Any] = {
            "batch_size": settings.batch_size,
            "crop_px": settings.crop_px,
            "style_size_px": settings.style_size_px,
            "halved_share": settings.halved_share,
            "seed": settings.seed,
            "weights": asdict(settings.weights),
            "styles": styles.digest,
            "encoder": digest_of(teacher.state_dict().values()),
        }
        for name, before in (("start_from", start_from), ("decoder_from", decoder_from)):
            if before is not None:
                self.identity = {**self.identity, name: digest_of(before.state_dict().values())}
        self._settings = settings
        self._device = device
        self._crops = crops
        self._styles = styles
        self._teacher = teacher.to(device).to(memory_format=torch.channels_last)
        self._deviations = self._teacher_deviations(torch.Generator().manual_seed(settings.seed))

    def _teacher_deviations(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The spread of each channel of the teacher, (1, C, 1, 1) by layer: raw features reach far beyond 1."""
        shown = torch.cat([self._crops.batch(8, generator), self._styles.batch(8, generator)]).to(self._device)
        with torch.no_grad():
            features = self._teacher(shown, STYLE_LAYERS)
        deviations = {layer: value.std((0, 2, 3), keepdim=True) for layer, value in features.items()}
        return {layer: value.clamp_min(0.05 * float(value.mean())) for layer, value in deviations.items()}

    def losses(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Paint fresh crops in a fresh style each, and moved views of them and one that is shifted, and judge these."""
        num = self._settings.batch_size
        model = cast("AdaInNet", getattr(net, "module", net))  # the averaged network comes wrapped
        wide = self._crops.batch(num, generator, surround_px=SURROUND_PX).to(self._device)
        content, moved, flow = two_views(wide, generator)
        style = self._styles.batch(num, generator).to(self._device)
        if torch.rand((), generator=generator) < _OWN_STYLE_SHARE:
            style[0] = content[0]
        smooth = self._crops.smooth(generator)[None].to(self._device)
        shifted, shift = shifted_view(wide[-1:], model.multiple_of, generator)
        shown = torch.cat([content, style]).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16):
            with torch.no_grad():
                taught = self._teacher(shown, {*STYLE_LAYERS, *CONTENT_LAYERS})
                statistics = model.statistics(style)
            painted = _paint(model, content, statistics)
            painted_moved = _paint(model, moved, statistics)
            with torch.set_grad_enabled(self.weights["shift"] > 0):
                painted_shifted = _paint(model, shifted, _of_one(-1, statistics))
            found = self._teacher(painted, {*STYLE_LAYERS, *CONTENT_LAYERS})
            found_halved = self._teacher(F.avg_pool2d(painted, 2), STYLE_LAYERS)
            with torch.set_grad_enabled(self.weights["distillation"] > 0):
                learnt = model.encoder(shown, STYLE_LAYERS)
        # In full precision: what it looks for is smaller than a step of bfloat16.
        smooth_painted = _paint(model, smooth, _of_one(0, statistics))
        target = {layer: taught[layer][:num] for layer in CONTENT_LAYERS}
        wanted = {layer: taught[layer][num:] for layer in STYLE_LAYERS}
        as_it_is, halved = (_robust_style_loss(each, wanted) for each in (found, found_halved))
        return {
            "content": content_loss(found, target),
            "style": torch.lerp(as_it_is, halved, self._settings.halved_share),
            "temporal": stability_loss(painted, painted_moved, flow),
            "shift": shift_loss(painted[-1:], painted_shifted, shift),
            "total_variation": total_variation(painted),
            "lattice": lattice_loss(smooth_painted, model.multiple_of),
            "distillation": self._distillation(learnt, taught),
        }

    def _distillation(self, learnt: Mapping[str, Tensor], taught: Mapping[str, Tensor]) -> Tensor:
        """Mean squared error in units of the teacher's channel deviation, mean over layers."""
        errors = [
            F.mse_loss(learnt[layer].float(), taught[layer].float() / self._deviations[layer]) for layer in STYLE_LAYERS
        ]
        return torch.stack(errors).mean()


def _paint(model: AdaInNet, content: Tensor, style: Sequence[Statistics]) -> Tensor:
    """As the model does, but without a gradient for the student: it is to see what its teacher sees, not what suits."""
    with torch.no_grad():
        recolored = model.recolored(content, style).contiguous(memory_format=torch.channels_last)
        features = model.encode(recolored)
    return model.decode(recolored, features, style)


def _of_one(index: int, statistics: Sequence[Statistics]) -> list[Statistics]:
    return [(mean[[index]], deviation[[index]]) for mean, deviation in statistics]


def _robust_style_loss(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Tensor:
    """Mean over pictures of log(1 + style loss).

    The loss is in units of the style's deviation, so that a nearly flat crop of a painting would outweigh all others.
    """
    losses = []
    for index in range(next(iter(found.values())).shape[0]):
        one = slice(index, index + 1)
        target = {layer: style_statistics(value[one]) for layer, value in wanted.items()}
        losses.append(style_loss({layer: value[one] for layer, value in found.items()}, target))
    return torch.stack(losses).log1p().mean()
