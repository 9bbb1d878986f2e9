"""What the training of an arbitrary-style model is told; free of torch, for the command line."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field

from vidstyle.errors import ConfigError
from vidstyle.training.settings import Schedule


@dataclass(frozen=True, slots=True)
class AdaInLossWeights:
    """How much each loss counts."""

    content: float = 1.0
    style: float = 10.0
    total_variation: float = 0.05
    temporal: float = 4.0
    shift: float = 2.0
    lattice: float = 40.0
    distillation: float = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= weight < math.inf for weight in astuple(self)):
            raise ConfigError("Loss weights are numbers from zero up; change the one that is not.")


@dataclass(frozen=True, slots=True)
class AdaInSettings(Schedule):
    """What the training of an arbitrary-style model does; the defaults are those of ``vidstyle train adain``.

    Attributes:
        crop_px: side of a content crop and of a style crop.
        style_size_px: short side the style pictures are brought to before they are cropped.
        halved_share: of the style loss, how much is judged on the output at half its size; 0 to 1. Less gives finer
            strokes.
        weights: of the losses.
    """

    steps: int = 3000
    learning_rate: float = 2e-3
    crop_px: int = 192
    style_size_px: int = 512
    halved_share: float = 0.5
    weights: AdaInLossWeights = field(default_factory=AdaInLossWeights)

    def __post_init__(self) -> None:
        Schedule.__post_init__(self)  # a slotted dataclass is made anew, and super() would not know it
        if self.crop_px % 32 or self.crop_px < 64:
            raise ConfigError(f"crop_px must be a multiple of 32 and at least 64, got {self.crop_px}; try 192.")
        if not self.crop_px <= self.style_size_px <= 4096:
            raise ConfigError(
                f"The styles' size goes from the crop's {self.crop_px} to 4096 pixels, got {self.style_size_px}; "
                "try 512."
            )
        if not 0.0 <= self.halved_share <= 1.0:
            raise ConfigError(f"The half-size output's share goes from 0 to 1, got {self.halved_share}; try 0.5.")
