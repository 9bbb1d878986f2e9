"""Styles that go over into each other, with weight, brush size and colours that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
        styles: names, each with its share; shares add up to 1.
        weight: α of AdaIN styles.
        scale: brush size.
        colors: whose colours the styles take; None is their own.
    """

    styles: tuple[tuple[str, float], ...]
    weight: float = 1.0
    scale: float = 1.0
    colors: str | None = None


class ChangingStylizer:
    """Paints as it was turned last: a ``Stylizer``, but told beforehand how.

    Styles are mixed as ``A:0.6+B:0.4`` is: pictures in the features of the AdaIN model, others as light.

    Args:
        parts: stylizers, by the style's name and whose colours they take.
        turn: how to begin.
        style: the one that this paints in, whatever it is turned to; None goes by the turn.
    """

    def __init__(self, parts: Mapping[tuple[str, str | None], Stylizer], turn: Turn, style: str | None = None) -> None:
        self.parts = dict(parts)
        self.turn = turn
        self._style = style
        self.name = self._mixed().name

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        stylizer, scale = self._mixed(), self.turn.scale
        return (ScaledBrush(stylizer, scale) if scale != 1.0 else stylizer)(content)

    def to(self, device: str, dtype: torch.dtype) -> ChangingStylizer:
        """Move and cast all parts; returns itself."""
        self.parts = {key: part.to(device, dtype) for key, part in self.parts.items()}
        return self

    def _mixed(self) -> Stylizer:
        styles = self.turn.styles if self._style is None else ((self._style, 1.0),)
        names, shares = zip(*styles, strict=True)
        parts = [self.parts[name, self.turn.colors] for name in names]
        for stylizer in _of_pictures(parts):
            stylizer.style_weight = self.turn.weight
        if len(parts) == 1:
            return parts[0]
        pictures = [part for part in parts if isinstance(part, AdaInStylizer) and part.shares_net_with(parts[0])]
        if len(pictures) == len(parts):
            return AdaInStylizer.mixture(pictures, shares)
        return LightMixture(parts, shares)


def _of_pictures(stylizers: Sequence[Stylizer]) -> list[AdaInStylizer]:
    found: list[AdaInStylizer] = []
    for stylizer in stylizers:
        if isinstance(stylizer, AdaInStylizer):
            found.append(stylizer)
        elif isinstance(stylizer, Recolored):
            found += _of_pictures([stylizer.inner])
        elif isinstance(stylizer, LightMixture):
            found += _of_pictures(stylizer.parts)
    return found
