"""A style whose weight, brush size and colours change."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

import torch
from torch import Tensor

from vidstyle.protocols import Stylizer
from vidstyle.stylizers.adain import AdaInStylizer
from vidstyle.stylizers.brush import ScaledBrush
from vidstyle.stylizers.mixture import LightMixture
from vidstyle.stylizers.recolored import Recolored


@dataclass(frozen=True, slots=True)
class Turn:
    """How pictures are painted for as long as nothing changes.

    Attributes:
        style_weight: α of AdaIN styles.
        style_scale: brush size.
        takes_colors: the style takes the clip's colours.
        seen_through: then, the look-up table that they are seen through.
    """

    style_weight: float = 1.0
    style_scale: float = 1.0
    takes_colors: bool = False
    seen_through: Path | None = None


class ChangingStylizer:
    """Paints as it was turned last: a ``Stylizer``, but told beforehand how.

    Args:
        inner: the style; left as it is.
        recolored: gives it in the clip's colours, seen through a look-up table; asked when that is first painted.
        turn: how to begin.
    """

    def __init__(self, inner: Stylizer, recolored: Callable[[Path | None], Stylizer], turn: Turn) -> None:
        self.inner = inner
        self.name = inner.name
        self._recolored = cache(recolored)
        self._measuring = Lock()  # a render paints on several threads
        self.turn = turn

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        return self._turned()(content)

    def to(self, device: str, dtype: torch.dtype) -> ChangingStylizer:
        """Move and cast the style; returns itself."""
        self.inner = self.inner.to(device, dtype)
        return self

    def _turned(self) -> Stylizer:
        turn, stylizer = self.turn, self.inner
        if turn.takes_colors:
            with self._measuring:
                stylizer = self._recolored(turn.seen_through)
        stylizer = weighted(stylizer, turn.style_weight)
        return ScaledBrush(stylizer, turn.style_scale) if turn.style_scale != 1.0 else stylizer


def weighted(stylizer: Stylizer, style_weight: float) -> Stylizer:
    """The same with another style weight, where it has one."""
    if isinstance(stylizer, AdaInStylizer):
        stylizer = copy(stylizer)
        stylizer.style_weight = style_weight
    elif isinstance(stylizer, Recolored):
        return Recolored(weighted(stylizer.inner, style_weight), stylizer.colors)
    elif isinstance(stylizer, LightMixture):
        return LightMixture([weighted(part, style_weight) for part in stylizer.parts], stylizer.shares)
    return stylizer


def has_weight(stylizer: Stylizer) -> bool:
    """Whether a style weight means anything to it."""
    if isinstance(stylizer, LightMixture):
        return any(map(has_weight, stylizer.parts))
    return isinstance(stylizer, AdaInStylizer)
