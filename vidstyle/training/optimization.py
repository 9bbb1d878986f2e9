"""Optimising the pixels of one picture: any objective, and the perceptual one of Gatys et al. 2016."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.stylizers.perceptual import PerceptualEncoder
from vidstyle.training.losses import (
    StyleStatistics,
    content_loss,
    gram_loss,
    gram_matrix,
    style_loss,
    style_statistics,
    total_variation,
)
from vidstyle.training.optimize_settings import Optimizer, Statistics

#: Layer the content is compared at (Gatys et al. 2016, sec. 2.3) where an encoder has it.
CONTENT_LAYER = "conv42"
# Large enough that clamping the result to [0, 1] hardly changes it, small enough that L-BFGS does not stiffen.
_RANGE_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class OptimizationStep:
    """Where an optimisation stands after one evaluation of its objective.

    Attributes:
        iteration: iterations begun; L-BFGS evaluates the objective several times in some.
        evaluation: evaluations so far, this one included.
        loss: of the picture just tried.
    """

    iteration: int
    evaluation: int
    loss: float


@dataclass(frozen=True, slots=True, eq=False)
class OptimizedImage:
    """What an optimisation made.

    Attributes:
        image: as the initial image, in [0, 1].
        loss: objective of ``image``.
        num_iterations: iterations done.
        num_evaluations: evaluations of the objective with its gradient.
    """

    image: Tensor
    loss: float
    num_iterations: int
    num_evaluations: int


def optimize_image(
    initial: Tensor,
    objective: Callable[[Tensor], Tensor],
    *,
    optimizer: Optimizer = "lbfgs",
    iterations: int = 200,
    learning_rate: float = 0.02,
    history_size: int = 100,
    on_step: Callable[[OptimizationStep], None] | None = None,
) -> OptimizedImage:
    """Change the pixels of a picture until an objective is small.

    ``lbfgs`` is one call of ``torch.optim.LBFGS(max_iter=iterations, line_search_fn="strong_wolfe")``: colours are free
    until the end, where they are clamped. It stops after 1.25 evaluations an iteration. ``adam`` evaluates once an
    iteration and clamps after each.

    Args:
        initial: (N, 3, H, W) float32 RGB in [0, 1]; left as it is.
        objective: from a picture of that shape to a scalar with a gradient.
        optimizer: ``lbfgs`` or ``adam``.
        iterations: how many at most; L-BFGS ends sooner where it finds no descent.
        learning_rate: Adam's, in units of the whole range of colours.
        history_size: gradients L-BFGS remembers; each takes twice the picture's memory.
        on_step: told after every evaluation.

    Raises:
        ConfigError: the objective is no longer finite.
    """
    image = initial.detach().clone(memory_format=torch.contiguous_format).requires_grad_()  # LBFGS flattens by views
    evaluations = 0

    def evaluate(iteration: int) -> Tensor:
        nonlocal evaluations
        image.grad = None
        with torch.enable_grad():
            loss = objective(image)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        evaluations += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ConfigError(f"The optimisation diverged at iteration {iteration}; use smaller weights or Adam.")
        if on_step is not None:
            on_step(OptimizationStep(iteration, evaluations, value))
        return loss.detach()

    if optimizer == "lbfgs":
        # Objectives are means over pixels, so a gradient of 1e-7 a pixel (torch's default) is no sign of the end.
        lbfgs = torch.optim.LBFGS(
            [image],
            max_iter=iterations,
            history_size=history_size,
            tolerance_grad=1e-12,
            line_search_fn="strong_wolfe",
        )

        def begun() -> int:
            return int(lbfgs.state[image].get("n_iter", 0))

        lbfgs.step(lambda: evaluate(begun()))  # type: ignore[no-untyped-call]  # torch leaves it untyped
        done = begun()
    else:
        adam = torch.optim.Adam([image], lr=learning_rate)
        for iteration in range(1, iterations + 1):
            evaluate(iteration)
            adam.step()
            with torch.no_grad():
                image.clamp_(0, 1)
        done = iterations
    with torch.no_grad():
        result = image.detach().clamp(0, 1)
        return OptimizedImage(result, float(objective(result)), done, evaluations)


@dataclass(frozen=True, slots=True)
class PerceptualLosses:
    """Unweighted losses of one picture; 0 where a loss is not asked for."""

    content: float
    style: float
    total_variation: float


class PerceptualObjective:
    """α content + β style + γ total variation of a picture (Gatys et al. 2016, eq. 7), for ``optimize_image``.

    Colours outside [0, 1] cost as well: no file holds them, and features made of them are lost when they are clamped.

    Args:
        encoder: perceptual encoder, on the pictures' device.
        content: (1, 3, H, W) RGB in [0, 1], the size of the picture to be made; None where its weight is 0.
        style: (1, 3, H, W) RGB in [0, 1] of any size; None where its weight is 0.
        content_weight: α; 0 is texture synthesis (Gatys et al. 2015).
        style_weight: β; 0 is the inversion of features (Mahendran & Vedaldi 2015).
        tv_weight: γ.
        statistics: ``gram`` matrices, or ``moments`` as ``vidstyle train`` compares them.

    Attributes:
        latest: losses of the picture last judged.
        content_layer: layer the content is compared at.
        style_layers: layers the style is compared at.

    Raises:
        ConfigError: both weights are 0, or a picture is missing whose weight is not.
    """

    def __init__(
        self,
        encoder: PerceptualEncoder,
        content: Tensor | None,
        style: Tensor | None,
        *,
        content_weight: float = 1.0,
        style_weight: float = 1000.0,
        tv_weight: float = 0.0,
        statistics: Statistics = "gram",
    ) -> None:
        if content_weight == 0 and style_weight == 0:
            raise ConfigError("Content weight and style weight are both zero, so nothing is asked for; raise one.")
        for name, picture, weight in (("content", content, content_weight), ("style", style, style_weight)):
            if picture is None and weight != 0:
                raise ConfigError(f"A {name} weight of {weight:g} needs a {name} picture; name one or set it to zero.")
        self.content_layer, self.style_layers = perceptual_layers(encoder)
        self.latest = PerceptualLosses(0.0, 0.0, 0.0)
        self._encoder = encoder
        self._weights = (content_weight, style_weight, tv_weight)
        self._content: dict[str, Tensor] = {}
        self._grams: dict[str, Tensor] = {}
        self._moments: dict[str, StyleStatistics] = {}
        with torch.no_grad():
            if content is not None and content_weight != 0:
                self._content = encoder(content, (self.content_layer,))
            if style is not None and style_weight != 0:
                features = encoder(style, self.style_layers)
                if statistics == "gram":
                    self._grams = {layer: gram_matrix(value) for layer, value in features.items()}
                else:
                    self._moments = {layer: style_statistics(value) for layer, value in features.items()}

    def __call__(self, image: Tensor) -> Tensor:
        """The weighted sum, a scalar with a gradient; ``latest`` then holds its parts."""
        wanted = {*self._content, *self._grams, *self._moments}
        features: Mapping[str, Tensor] = self._encoder(image, wanted)
        zero = image.new_zeros(())
        content = content_loss(features, self._content) if self._content else zero
        style = zero
        if self._grams:
            style = gram_loss(features, self._grams)
        elif self._moments:
            style = style_loss(features, self._moments)
        variation = total_variation(image)
        self.latest = PerceptualLosses(*(float(part.detach()) for part in (content, style, variation)))
        alpha, beta, gamma = self._weights
        out_of_range = (image - image.clamp(0, 1)).square().mean()
        return alpha * content + beta * style + gamma * variation + _RANGE_WEIGHT * out_of_range


def perceptual_layers(encoder: PerceptualEncoder) -> tuple[str, tuple[str, ...]]:
    """The content layer and the style layers to use of those an encoder has: conv42 or its deepest content layer."""
    content = CONTENT_LAYER if CONTENT_LAYER in encoder.layer_names else encoder.content_layers[-1]
    return content, encoder.style_layers
