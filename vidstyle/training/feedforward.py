"""Training one feedforward style from one painting and a folder of photos."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.errors import CheckpointMismatchError, ConfigError
from vidstyle.stylizers.checkpoint import StyleCard, save_feedforward
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


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each loss counts."""

    content: float = 1.0
    style: float = 1.5
    total_variation: float = 0.05
    temporal: float = 4.0


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What a training run does; the defaults make the shipped styles.

    Attributes:
        steps: optimiser steps.
        minutes: wall-clock limit; the learning rate's cosine ends at whichever of ``steps`` and ``minutes`` is first.
        batch_size: crops a step.
        crop_px: side of a crop.
        style_size_px: short side the painting is brought to; larger gives larger strokes.
        learning_rate: Adam's peak rate.
        warmup_steps: steps of linear warm-up.
        ema_decay: decay of the averaged weights that are saved.
        gradient_clip: largest gradient norm.
        checkpoint_every: steps between resumable checkpoints.
        seed: of weights, crops and motion.
        device: ``cpu``, ``cuda`` or ``mps``.
        weights: of the losses.
    """

    steps: int = 3000
    minutes: float | None = None
    batch_size: int = 4
    crop_px: int = 192
    style_size_px: int = 320
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    ema_decay: float = 0.99
    gradient_clip: float = 1.0
    checkpoint_every: int = 100
    seed: int = 0
    device: str = "cpu"
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or (self.minutes is not None and self.minutes <= 0):
            raise ConfigError("steps, batch size and minutes must be above zero; raise the one that is not.")
        if self.crop_px % 32 or self.crop_px < 64:
            raise ConfigError(f"crop_px must be a multiple of 32 and at least 64, got {self.crop_px}; try 192.")


@dataclass(frozen=True, slots=True)
class StepReport:
    """Where a run stands after a step: losses are unweighted."""

    step: int
    seconds: float
    progress: float
    content: float
    style: float
    temporal: float


class FeedforwardTrainer:
    """One run: a network, its optimiser and its place in the schedule.

    Args:
        style_image: (3, H, W) RGB in [0, 1].
        crops: content pictures.
        encoder: perceptual encoder with conv11 to conv51.
        settings: what to do.
        checkpoint: file the state is kept in; an existing one is resumed from.
    """

    def __init__(
        self,
        style_image: Tensor,
        crops: ContentCrops,
        encoder: VggEncoder,
        settings: TrainingSettings,
        checkpoint: Path | None = None,
    ) -> None:
        missing = {*STYLE_LAYERS, *CONTENT_LAYERS} - set(encoder.layer_names)
        if missing:
            raise ConfigError(f"the encoder lacks layers {', '.join(sorted(missing))}; use one that reaches conv51.")
        torch.manual_seed(settings.seed)
        device = torch.device(settings.device)
        self.settings = settings
        self.step = 0
        self.seconds = 0.0
        self.net = BlurPoolNet().to(device, memory_format=torch.channels_last)
        self.averaged = torch.optim.swa_utils.AveragedModel(
            self.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(settings.ema_decay)
        )
        self._device = device
        self._crops = crops
        self._encoder = encoder.to(device, memory_format=torch.channels_last)
        self._optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.learning_rate)
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._checkpoint = checkpoint
        self._style = self._style_targets(style_image.to(device))
        if checkpoint is not None and checkpoint.is_file():
            self._resume(checkpoint)

    def _style_targets(self, image: Tensor) -> dict[str, StyleStatistics]:
        scale = self.settings.style_size_px / min(image.shape[-2:])
        size = [max(round(side * scale), 32) for side in image.shape[-2:]]
        resized = F.interpolate(image[None], size=size, mode="bicubic", antialias=True).clamp(0, 1)
        with torch.no_grad():
            features = self._encoder(resized, STYLE_LAYERS)
        return {layer: style_statistics(value) for layer, value in features.items()}

    @property
    def progress(self) -> float:
        """Share of the schedule that is done, 0 to 1."""
        by_time = self.seconds / (self.settings.minutes * 60) if self.settings.minutes else 0.0
        return min(max(self.step / self.settings.steps, by_time), 1.0)

    def run(self, on_step: Callable[[StepReport], None] | None = None) -> None:
        """Train until the schedule ends; a kill at any time loses no more than ``checkpoint_every`` steps."""
        while self.progress < 1.0:
            started = time.perf_counter()
            losses = self._train_step()
            self.seconds += time.perf_counter() - started
            if on_step is not None:
                on_step(StepReport(self.step, self.seconds, self.progress, *losses))
            if self._checkpoint is not None and (self.step % self.settings.checkpoint_every == 0 or self.progress == 1.0):
                self._save(self._checkpoint)

    def _train_step(self) -> tuple[float, float, float]:
        settings, weights = self.settings, self.settings.weights
        warm = min((self.step + 1) / settings.warmup_steps, 1.0)
        rate = settings.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self._optimizer.param_groups:
            group["lr"] = rate

        content = self._crops.batch(settings.batch_size, self._generator).to(self._device)
        flow = random_flow(settings.batch_size, settings.crop_px, settings.crop_px, self._generator).to(self._device)
        moved = moved_view(content, flow, self._generator)
        views = torch.cat([content, moved]).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16):
            painted, painted_moved = self.net(views).chunk(2)
            halved = F.avg_pool2d(painted, 2)
            features = self._encoder(painted, STYLE_LAYERS)
            features_halved = self._encoder(halved, STYLE_LAYERS)
            with torch.no_grad():
                target = self._encoder(content, CONTENT_LAYERS)
        losses_content = content_loss(features, target)
        # Half of the style is asked of the half-size output: strokes twice as large, which survive at 720p.
        losses_style = 0.5 * (style_loss(features, self._style) + style_loss(features_halved, self._style))
        painted, painted_moved = painted.float(), painted_moved.float()
        losses_temporal = stability_loss(painted, painted_moved, flow)
        loss = (
            weights.content * losses_content
            + weights.style * losses_style
            + weights.temporal * losses_temporal
            + weights.total_variation * total_variation(painted)
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), settings.gradient_clip)
        self._optimizer.step()
        self.averaged.update_parameters(self.net)
        self.step += 1
        return float(losses_content.detach()), float(losses_style.detach()), float(losses_temporal.detach())

    def save_style(self, path: Path, card: StyleCard) -> None:
        """Write the averaged network as a style file (fp16 safetensors)."""
        net = self.averaged.module
        if not isinstance(net, BlurPoolNet):  # AveragedModel hides the type it was given
            raise TypeError("the averaged model does not wrap a BlurPoolNet")
        save_feedforward(path, net, card)

    def _save(self, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        state: dict[str, Any] = {
            "settings": asdict(self.settings),
            "step": self.step,
            "seconds": self.seconds,
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
        }
        torch.save(state, part)
        part.replace(path)

    def _resume(self, path: Path) -> None:
        state = torch.load(path, map_location=self._device, weights_only=True)
        fixed = ("batch_size", "crop_px", "style_size_px", "seed")
        mine, theirs = asdict(self.settings), state["settings"]
        different = [name for name in fixed if mine[name] != theirs[name]]
        if different:
            raise CheckpointMismatchError(
                f"{path} belongs to a run with other settings ({', '.join(different)}); "
                "use the same ones or remove it to start afresh."
            )
        self.step, self.seconds = state["step"], state["seconds"]
        self.net.load_state_dict(state["net"])
        self.averaged.load_state_dict(state["averaged"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
