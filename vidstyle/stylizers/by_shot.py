"""A style for each shot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vidstyle.protocols import Stylizer


class ByShot:
    """Paints each frame in the style of its shot: a ``Stylizer``, but told beforehand which frames come.

    Args:
        otherwise: paints shots without a style of their own.
        parts: the other styles, by name.

    Attributes:
        styles: name of the style of each frame of the next batch; None is the usual one.
    """

    def __init__(self, otherwise: Stylizer, parts: Mapping[str, Stylizer]) -> None:
        self.otherwise = otherwise
        self.parts = dict(parts)
        self.name = otherwise.name
        self.styles: Sequence[float | str | None] = ()

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        styles = self.styles if len(self.styles) == len(content) else [None] * len(content)
        # The whole batch by each style it has, since what is told to single styles is told for the whole batch; only a
        # batch with a cut in it has more than one.
        painted = {style: self._part(style)(content) for style in set(styles)}
        return torch.cat([painted[style][index : index + 1] for index, style in enumerate(styles)])

    def to(self, device: str, dtype: torch.dtype) -> ByShot:
        """Move and cast all parts; returns itself."""
        self.otherwise = self.otherwise.to(device, dtype)
        self.parts = {style: part.to(device, dtype) for style, part in self.parts.items()}
        return self

    def _part(self, style: float | str | None) -> Stylizer:
        return self.parts.get(str(style), self.otherwise)
