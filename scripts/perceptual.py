"""One perceptual loss for everything the scripts compare: that of the trainer, layer for layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from held_out import at_short_side
from recipes import RECIPES, Recipe
from torch import Tensor
from train_builtin import ENCODER

from vidstyle.errors import WeightsNotFoundError
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.encoder import VggEncoder, load_encoder
from vidstyle.training.losses import (
    CONTENT_LAYERS,
    STYLE_LAYERS,
    content_loss,
    style_loss,
    style_statistics,
    total_variation,
)
from vidstyle.training.settings import LossWeights

#: Side of the held-out photos that feedforward styles are judged on.
SIDE_PX = 256


@dataclass(frozen=True, slots=True, eq=False)
class JudgedLosses:
    """Unweighted scalars.

    Attributes:
        content: at conv31 and conv41.
        style: at conv11 to conv51, of the picture as it is.
        style_halved: the same of the picture at half its size.
        total_variation: of the picture.
    """

    content: Tensor
    style: Tensor
    style_halved: Tensor
    total_variation: Tensor

    def total(self, weights: LossWeights) -> Tensor:
        """What the trainer minimises of a still picture."""
        return (
            weights.content * self.content
            + weights.style * 0.5 * (self.style + self.style_halved)
            + weights.total_variation * self.total_variation
        )


class PerceptualJudge:
    """Compares pictures with one content and one style picture.

    Args:
        encoder: with conv11 to conv51.
        style_picture: (3, H, W) in [0, 1].
        style_size_px: short side the style picture is brought to.
    """

    def __init__(self, encoder: VggEncoder, style_picture: Tensor, style_size_px: int) -> None:
        self._encoder = encoder
        with torch.no_grad():
            features = encoder(at_short_side(style_picture, style_size_px)[None], STYLE_LAYERS)
        self._style = {layer: style_statistics(value) for layer, value in features.items()}

    def content_features(self, content: Tensor) -> dict[str, Tensor]:
        """Of a (1, 3, H, W) content picture in [0, 1]."""
        with torch.no_grad():
            return dict(self._encoder(content, CONTENT_LAYERS))

    def losses(self, painted: Tensor, content_features: Mapping[str, Tensor]) -> JudgedLosses:
        """Of a (1, 3, H, W) picture."""
        features = self._encoder(painted, STYLE_LAYERS)
        halved = self._encoder(F.avg_pool2d(painted, 2), STYLE_LAYERS)
        return JudgedLosses(
            content=content_loss(features, content_features),
            style=style_loss(features, self._style),
            style_halved=style_loss(halved, self._style),
            total_variation=total_variation(painted),
        )


@torch.inference_mode()
def total_losses(
    stylizer: Stylizer, judge: PerceptualJudge, weights: LossWeights, pictures: Sequence[Tensor]
) -> Tensor:
    """Total loss of each (1, 3, H, W) picture in [0, 1], painted by a stylizer."""
    found = []
    for content in pictures:
        painted = stylizer(content).clamp(0, 1)
        found.append(judge.losses(painted, judge.content_features(content)).total(weights))
    return torch.stack(found)


def pruned_encoder(data: Path) -> VggEncoder:
    """The encoder of all shipped weights."""
    return load_encoder(data / ENCODER)


def recipe_of(style: str) -> Recipe:
    """How a shipped style is trained.

    Raises:
        WeightsNotFoundError: there is no recipe of that name.
    """
    for recipe in RECIPES:
        if recipe.name == style:
            return recipe
    names = ", ".join(recipe.name for recipe in RECIPES)
    raise WeightsNotFoundError(f"There is no recipe for a style '{style}'; there are {names}.")
