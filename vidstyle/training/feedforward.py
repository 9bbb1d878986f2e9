"""Training one feedforward style from one painting and a folder of photos."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vidstyle.errors import CheckpointMismatchError, ConfigError, DeviceError
from vidstyle.stylizers.checkpoint import StyleCard, save_feedforward
from vidstyle.stylizers.encoder import VggEncoder
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.checkpoints import read_checkpoint, write_checkpoint
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
from vidstyle.training.settings import LossWeights, TrainingSettings

__all__ = ["FeedforwardTrainer", "LossWeights", "StepReport", "TrainingSettings"]

# A run may be made longer or shorter when it is resumed; what else is changed makes another run of it.
_FIXED = ("batch_size", "crop_px", "style_size_px", "seed", "weights")


@dataclass(frozen=True, slots=True)
class StepReport:
    """Where a run stands after a step: losses are unweighted."""

    step: int
    seconds: float
    progress: float
    content: float
    style: float
    temporal: float


@dataclass(frozen=True, slots=True, eq=False)
class _Losses:
    """Unweighted scalars with gradients."""

    content: Tensor
    style: Tensor
    temporal: Tensor
    total_variation: Tensor

    def weighted(self, weights: LossWeights) -> Tensor:
        return (
            weights.content * self.content
            + weights.style * self.style
            + weights.temporal * self.temporal
            + weights.total_variation * self.total_variation
        )

    def floats(self) -> tuple[float, float, float]:
        return float(self.content.detach()), float(self.style.detach()), float(self.temporal.detach())


class FeedforwardTrainer:
    """One run: a network, its optimiser and its place in the schedule.

    Args:
        style_image: (3, H, W) RGB in [0, 1].
        crops: content pictures.
        encoder: perceptual encoder with conv11 to conv51; moved to the device.
        settings: what to do.
        checkpoint: file the state is kept in; an existing one is resumed from.
        start_from: a trained network to go on from; a tenth of the steps then shows the new painting's strokes.

    Raises:
        ConfigError: the encoder is not deep enough.
        UnsupportedCheckpointError: the checkpoint is not a safe, readable file.
        CheckpointMismatchError: the checkpoint is another run's.
    """

    def __init__(
        self,
        style_image: Tensor,
        crops: ContentCrops,
        encoder: VggEncoder,
        settings: TrainingSettings,
        *,
        checkpoint: Path | None = None,
        start_from: BlurPoolNet | None = None,
    ) -> None:
        missing = {*STYLE_LAYERS, *CONTENT_LAYERS} - set(encoder.layer_names)
        if missing:
            raise ConfigError(f"the encoder lacks layers {', '.join(sorted(missing))}; use one that reaches conv51.")
        device = torch.device(settings.device)
        self.settings = settings
        self.step = 0
        self.seconds = 0.0
        with torch.random.fork_rng(devices=[]):  # the caller's seed is the caller's
            torch.manual_seed(settings.seed)
            net = BlurPoolNet()
        if start_from is not None:
            net.load_state_dict(start_from.state_dict())
        self.net = net.to(device).to(memory_format=torch.channels_last)
        average = cast("Callable[[float], Callable[..., None]]", get_ema_multi_avg_fn)  # torch leaves it untyped
        self.averaged = AveragedModel(self.net, multi_avg_fn=average(settings.ema_decay))
        self._device = device
        self._crops = crops
        self._encoder = encoder.to(device).to(memory_format=torch.channels_last)
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
        """Train until the schedule ends; a kill at any time loses no more than ``checkpoint_every`` steps.

        Args:
            on_step: told after every step.

        Raises:
            ConfigError: the losses are no longer finite; the checkpoint stays as it was before.
            DeviceError: the device ran out of memory.
        """
        every = self.settings.checkpoint_every
        while self.progress < 1.0:
            started = time.perf_counter()
            try:
                losses = self._train_step()
            except torch.OutOfMemoryError as error:
                raise DeviceError(
                    f"{self._device} ran out of memory at step {self.step + 1}; use a smaller batch size or crop."
                ) from error
            self.seconds += time.perf_counter() - started
            if not all(map(math.isfinite, losses)):
                raise ConfigError(f"The training diverged at step {self.step}; use a smaller style weight.")
            if on_step is not None:
                on_step(StepReport(self.step, self.seconds, self.progress, *losses))
            if self._checkpoint is not None and (self.step % every == 0 or self.progress == 1.0):
                self._save(self._checkpoint)

    def measure(self, num_batches: int = 4) -> StepReport:
        """Losses of the averaged network, the one that is saved, on crops of its own; the same at every call."""
        generator = torch.Generator().manual_seed(self.settings.seed + 1)
        with torch.no_grad():
            rows = [self._losses(self.averaged, generator).floats() for _ in range(num_batches)]
        means = [sum(column) / num_batches for column in zip(*rows, strict=True)]
        return StepReport(self.step, self.seconds, self.progress, *means)

    def _train_step(self) -> tuple[float, float, float]:
        settings = self.settings
        warm = min((self.step + 1) / settings.warmup_steps, 1.0)
        rate = settings.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self._optimizer.param_groups:
            group["lr"] = rate

        losses = self._losses(self.net, self._generator)
        self._optimizer.zero_grad(set_to_none=True)
        losses.weighted(settings.weights).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self.net.parameters(), settings.gradient_clip)
        self._optimizer.step()
        self.averaged.update_parameters(self.net)
        self.step += 1
        return losses.floats()

    def _losses(self, net: nn.Module, generator: torch.Generator) -> _Losses:
        """Paint fresh crops and a moved view of each, and judge them."""
        settings = self.settings
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
        return _Losses(
            content=content_loss(features, target),
            # Half of the style is asked of the half-size output: strokes twice as large, which survive at 720p.
            style=0.5 * (style_loss(features, self._style) + style_loss(features_halved, self._style)),
            temporal=stability_loss(painted, painted_moved, flow),
            total_variation=total_variation(painted),
        )

    @property
    def averaged_net(self) -> BlurPoolNet:
        """The network with averaged weights: the one to keep."""
        net = self.averaged.module
        if not isinstance(net, BlurPoolNet):  # AveragedModel hides the type it was given
            raise TypeError("the averaged model does not wrap a BlurPoolNet")
        return net

    def save_style(self, path: Path, card: StyleCard) -> None:
        """Write the averaged network as a style file (fp16 safetensors)."""
        save_feedforward(path, self.averaged_net, card)

    def _save(self, path: Path) -> None:
        state: dict[str, Any] = {
            "settings": asdict(self.settings),
            "step": self.step,
            "seconds": self.seconds,
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
        }
        write_checkpoint(path, state)

    def _resume(self, path: Path) -> None:
        state = read_checkpoint(path)
        mine, theirs = asdict(self.settings), state["settings"]
        different = [name for name in _FIXED if mine[name] != theirs.get(name)]
        if different:
            raise CheckpointMismatchError(
                f"{path} belongs to a run with other settings ({', '.join(different)}); "
                "use the same ones or remove it to start afresh."
            )
        try:
            self.net.load_state_dict(state["net"])
            self.averaged.load_state_dict(state["averaged"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._generator.set_state(state["generator"])
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise CheckpointMismatchError(
                f"{path} does not fit this version's network; remove it to start afresh."
            ) from error
        self.step, self.seconds = state["step"], state["seconds"]
