"""What an optimisation is told; free of torch, so that the command line can show the defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vidstyle.errors import ConfigError
from vidstyle.training.settings import check_seed

Optimizer = Literal["lbfgs", "adam"]
Statistics = Literal["gram", "moments"]
PoolingName = Literal["max", "average"]

#: β where none is given.
DEFAULT_STYLE_WEIGHTS: dict[Statistics, float] = {"gram": 1000.0, "moments": 60.0}
#: Shortest side of a picture that still has features at conv51.
MIN_SIDE_PX = 32


@dataclass(frozen=True, slots=True)
class OptimizationSettings:
    """What ``vidstyle.optimize`` does.

    Attributes:
        content_weight: α of Gatys et al. 2016, eq. 7; 0 is texture synthesis (Gatys et al. 2015).
        style_weight: β; 0 is the inversion of a CNN's features (Mahendran & Vedaldi 2015). None is
            ``DEFAULT_STYLE_WEIGHTS`` of the statistics, whose losses differ in size.
        tv_weight: weight of the mean absolute difference of neighbouring pixels.
        statistics: what style is: ``gram`` matrices, or ``moments``, the mean and centred covariance that
            ``vidstyle train feedforward`` minimises.
        optimizer: ``lbfgs`` or ``adam``.
        iterations: at the smallest scale; each larger one takes half as many as the one before.
        pooling: between the encoder's stages; None is the encoder's own.
        init: ``content``, ``noise`` or a picture file; None is the content, and noise where a weight is 0.
        size_px: long side of the result; a smaller content picture is not enlarged.
        scales: how often the picture is optimised, each time at twice the size, ending with ``size_px``; scales
            below ``MIN_SIDE_PX`` are left out.
        style_size_px: long side the style picture is brought to; None is ``size_px``, without enlarging it.
        seed: of the noise.
        device: ``cpu``, ``cuda`` or ``mps``.
    """

    content_weight: float = 1.0
    style_weight: float | None = None
    tv_weight: float = 0.5
    statistics: Statistics = "gram"
    optimizer: Optimizer = "lbfgs"
    iterations: int = 200
    pooling: PoolingName | None = None
    init: str | Path | None = None
    size_px: int = 512
    scales: int = 2
    style_size_px: int | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, value, kind in (
            ("statistics", self.statistics, Statistics),
            ("optimizer", self.optimizer, Optimizer),
            ("pooling", self.pooling, PoolingName),
        ):
            if value is not None and value not in get_args(kind):
                raise ConfigError(f"{name} cannot be '{value}'; use {' or '.join(get_args(kind))}.")
        check_seed(self.seed)
        if not all(0 <= weight < math.inf for weight in (self.content_weight, self.beta, self.tv_weight)):
            raise ConfigError("A loss weight must be a number from zero up; change the one that is not.")
        if self.content_weight == 0 and self.beta == 0:
            raise ConfigError("Content weight and style weight are both zero, so nothing is asked for; raise one.")
        if self.iterations < 1 or self.scales < 1:
            raise ConfigError("Iterations and scales must be at least 1; raise the one that is not.")
        if self.size_px < MIN_SIDE_PX or (self.style_size_px is not None and self.style_size_px < MIN_SIDE_PX):
            raise ConfigError(f"A picture cannot be optimised below {MIN_SIDE_PX} pixels a side; raise the size.")

    @property
    def beta(self) -> float:
        """The style weight, by default that of the statistics."""
        return DEFAULT_STYLE_WEIGHTS[self.statistics] if self.style_weight is None else self.style_weight
