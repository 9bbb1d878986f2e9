"""What a training run is told; free of torch, so that the command line can show the defaults."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field

from vidstyle.errors import ConfigError


def check_seed(seed: int) -> None:
    """Refuse what torch's generators do not take, also one further on.

    Raises:
        ConfigError: it has more than 63 bits.
    """
    if not -(2**63) <= seed < 2**63:
        raise ConfigError(f"A seed has up to 18 digits, got {seed}; use a smaller one.")


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each loss counts; see ``vidstyle.training.losses`` and ``vidstyle.training.motion``."""

    content: float = 1.0
    style: float = 5.0
    total_variation: float = 0.05
    temporal: float = 12.0
    lattice: float = 60.0

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in astuple(self)) or self.style == 0:
            raise ConfigError(
                "Loss weights are numbers from zero up, and the style's is above it; change the one that is not."
            )


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a run goes, whatever it trains.

    Attributes:
        steps: optimiser steps.
        minutes: wall-clock limit; the learning rate's cosine ends at whichever of ``steps`` and ``minutes`` is first.
        batch_size: crops or pairs a step.
        learning_rate: Adam's peak rate.
        warmup_steps: steps of linear warm-up.
        ema_decay: decay of the averaged weights that are saved; less in the first steps, (1 + n) / (10 + n) after n.
        gradient_clip: largest gradient norm.
        checkpoint_every: steps between resumable checkpoints.
        seed: of weights, crops and motion.
        device: ``cpu``, ``cuda`` or ``mps``.
    """

    steps: int = 2400
    minutes: float | None = None
    batch_size: int = 4
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    ema_decay: float = 0.99
    gradient_clip: float = 1.0
    checkpoint_every: int = 100
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.checkpoint_every, self.warmup_steps) < 1:
            raise ConfigError(
                "Steps, batch size, warm-up and checkpoint interval must be at least 1; raise the one that is not."
            )
        check_seed(self.seed)
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"The learning rate must be above zero, got {self.learning_rate:g}; try 0.002.")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ConfigError(
                f"A run cannot last {self.minutes:g} minutes; give a number above zero or leave the limit out."
            )


@dataclass(frozen=True, slots=True)
class FeedforwardSettings(Schedule):
    """What the training of a feedforward style does; the defaults make the shipped styles.

    Attributes:
        crop_px: side of a crop.
        style_size_px: short side the painting is brought to; larger gives larger strokes.
        sample_every: steps between renewals of the sample sheet and the loss plot; 0 makes them at the end only.
        weights: of the losses.
    """

    crop_px: int = 224
    style_size_px: int = 480
    sample_every: int = 200
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        Schedule.__post_init__(self)  # a slotted dataclass is made anew, and super() would not know it
        if self.crop_px % 32 or self.crop_px < 64:
            raise ConfigError(f"crop_px must be a multiple of 32 and at least 64, got {self.crop_px}; try 224.")
        if self.sample_every < 0:
            raise ConfigError(f"Samples cannot be made every {self.sample_every} steps; use 0 for never.")
        if not 64 <= self.style_size_px <= 4096:
            raise ConfigError(f"The style's size goes from 64 to 4096 pixels, got {self.style_size_px}; try 480.")
