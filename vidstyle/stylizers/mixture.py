"""Several styles as one look: ``A:0.6+B:0.4``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.imaging.linear_light import blend_light
from vidstyle.protocols import Stylizer

_PART = re.compile(r"(?P<style>.+?)(?::(?P<weight>[^:/\\+]*))?")


def parse_mixture(style: str) -> list[tuple[str, float]]:
    """Read a style, or several with weights.

    A name without ``+`` and an existing file are one style, whatever else is in the name.

    Args:
        style: such as ``starry-night:0.6+great-wave:0.4``; a part without weight has weight 1.

    Returns:
        Each style with its share; shares add up to 1.

    Raises:
        ConfigError: a part has no name or no weight above 0.
    """
    if "+" not in style or Path(style).is_file():
        return [(style, 1.0)]
    parts: dict[str, float] = {}
    for text in _split(style):
        match = _PART.fullmatch(text.strip())
        weight = _weight(match["weight"]) if match is not None else None
        if match is None or weight is None:
            raise ConfigError(f"'{text}' in the style '{style}' cannot be read; write A:0.6+B:0.4, weights above 0.")
        name = match["style"].strip()
        parts[name] = parts.get(name, 0.0) + weight
    total = sum(parts.values())
    return [(name, weight / total) for name, weight in parts.items()]


def _split(style: str) -> list[str]:
    """Parts between plus signs; a plus sign inside the name of an existing file does not part it."""
    pieces, parts = style.split("+"), []
    while pieces:
        longest = 1
        for num in range(len(pieces), 1, -1):
            match = _PART.fullmatch("+".join(pieces[:num]).strip())
            if match is not None and Path(match["style"]).is_file():
                longest = num
                break
        parts.append("+".join(pieces[:longest]))
        pieces = pieces[longest:]
    return parts


def _weight(text: str | None) -> float | None:
    if text is None:
        return 1.0
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0 < weight < float("inf") else None


class LightMixture:
    """Results of several stylizers, added as light: a ``Stylizer``.

    Args:
        parts: the stylizers.
        shares: of each, adding up to 1.
    """

    def __init__(self, parts: Sequence[Stylizer], shares: Sequence[float]) -> None:
        self.parts = list(parts)
        self.shares = list(shares)
        self.name = mixture_name([part.name for part in parts], shares)

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        return blend_light([part(content) for part in self.parts], self.shares)

    def to(self, device: str, dtype: torch.dtype) -> LightMixture:
        """Move and cast the parts; returns itself."""
        self.parts = [part.to(device, dtype) for part in self.parts]
        return self


def mixture_name(names: Sequence[str], shares: Sequence[float]) -> str:
    """``A:0.6+B:0.4``."""
    return "+".join(f"{name}:{round(share, 3):g}" for name, share in zip(names, shares, strict=True))
