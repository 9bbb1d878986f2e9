"""Style pictures painted by program: `PAINTED_STYLES` maps a name to the function that paints it at any size."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from vidstyle.evaluation.painting_hatching import ink_hatching
from vidstyle.evaluation.painting_strokes import oil_strokes, pointillism
from vidstyle.evaluation.painting_tiles import mosaic, stained_glass
from vidstyle.evaluation.painting_washes import paper_cut, watercolour
from vidstyle.evaluation.painting_woodblock import woodblock

PAINTED_STYLES: dict[str, Callable[[int, int], Tensor]] = {
    "ink_hatching": ink_hatching,
    "mosaic": mosaic,
    "oil_strokes": oil_strokes,
    "paper_cut": paper_cut,
    "pointillism": pointillism,
    "stained_glass": stained_glass,
    "watercolour": watercolour,
    "woodblock": woodblock,
}
"""Name to painter.

A painter takes (width, height) in pixels and gives a (3, H, W) uint8 RGB tensor, the same one every time. Strokes are
some 10 to 40 pixels at a short side of 768 and scale with it.
"""


def painted_pictures(side_px: int = 768) -> list[Tensor]:
    """Every picture of ``PAINTED_STYLES``, square: (3, side, side) float32 RGB in [0, 1] each."""
    return [paint(side_px, side_px).float() / 255 for paint in PAINTED_STYLES.values()]
