"""What the training of a flow network is told; free of torch, for the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidstyle.errors import ConfigError
from vidstyle.training.settings import Schedule


@dataclass(frozen=True, slots=True)
class FlowSettings(Schedule):
    """What the training of RAFT-small does.

    Attributes:
        height_px: of a pair's frames.
        width_px: of a pair's frames.
        max_motion_px: no pixel moves farther; most move far less.
        slowness: how rare large motions are; 1 makes all equally likely, which is learnt soonest.
        num_updates: refinements a pair. The network may be run with more later.
        gamma: what each refinement counts relative to the one after it.
    """

    steps: int = 12_000
    learning_rate: float = 4e-4
    warmup_steps: int = 100
    ema_decay: float = 0.995
    height_px: int = 192
    width_px: int = 256
    max_motion_px: float = 40.0
    slowness: float = 3.0
    num_updates: int = 6
    gamma: float = 0.8

    def __post_init__(self) -> None:
        Schedule.__post_init__(self)  # a slotted dataclass is made anew, and super() would not know it
        for side in (self.height_px, self.width_px):
            if side % 8 or side < 128:
                raise ConfigError(
                    f"A side of RAFT's frames is a multiple of 8 and at least 128, got {side}; try 192 or 256."
                )
        if not 0 < self.max_motion_px <= min(self.height_px, self.width_px) / 2:
            raise ConfigError(
                "The largest motion goes up to half of a frame's shorter side, "
                f"got {self.max_motion_px:g} pixels; try 40."
            )
        if not 0 < self.slowness < math.inf:
            raise ConfigError(f"The motions' slowness is above 0, got {self.slowness:g}; try 3.")
        if self.num_updates < 1 or not 0 < self.gamma <= 1:
            raise ConfigError("RAFT wants at least one update and a gamma above 0 and up to 1; try 6 and 0.8.")
