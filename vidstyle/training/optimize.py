"""From a content and a style picture to a painted still, by optimising its pixels."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.errors import ConfigError, DeviceError, UnsupportedMediaError
from vidstyle.media.stills import Still, claim_output, is_still, read_still, read_style_image, write_still
from vidstyle.out_of_memory import is_out_of_memory
from vidstyle.stylizers.encoder import VggEncoder
from vidstyle.stylizers.perceptual import PerceptualEncoder
from vidstyle.training.encoders import choose_encoder
from vidstyle.training.losses import STYLE_LAYERS
from vidstyle.training.optimization import (
    CONTENT_LAYER,
    OptimizationStep,
    OptimizedImage,
    PerceptualLosses,
    PerceptualObjective,
    optimize_image,
    perceptual_layers,
)
from vidstyle.training.optimize_settings import MIN_SIDE_PX, OptimizationSettings

# L-BFGS remembers pairs of pictures; of large ones fewer, so that a picture of 4000 pixels a side fits.
_HISTORY_BYTES = 1 << 30
_MIN_HISTORY = 5


@dataclass(frozen=True, slots=True)
class ScaleStep:
    """Where an optimisation stands.

    Attributes:
        scale: zero-based, the smallest first.
        size: (width, height) in pixels.
        iterations: asked for at this scale.
        step: iteration, evaluation and weighted loss.
        losses: its parts, unweighted.
    """

    scale: int
    size: tuple[int, int]
    iterations: int
    step: OptimizationStep
    losses: PerceptualLosses


@dataclass(frozen=True, slots=True)
class OptimizationReport:
    """Result of ``vidstyle.optimize``.

    Attributes:
        output: the picture written.
        size: (width, height) in pixels.
        wall_seconds: from reading to the written file.
        num_iterations: at all scales.
        num_evaluations: of the objective, at all scales.
        loss: weighted, of the result.
        losses: its parts, unweighted.
        notes: one sentence for each thing worth knowing.
    """

    output: Path
    size: tuple[int, int]
    wall_seconds: float
    num_iterations: int
    num_evaluations: int
    loss: float
    losses: PerceptualLosses
    notes: tuple[str, ...]


def optimize(
    content: str | Path | None,
    style: str | Path | None,
    output: str | Path,
    *,
    settings: OptimizationSettings | None = None,
    encoder: str | Path | None = None,
    allow_download: bool = False,
    overwrite: bool = False,
    on_plan: Callable[[Sequence[str]], None] | None = None,
    on_step: Callable[[ScaleStep], None] | None = None,
    **options: Any,
) -> OptimizationReport:
    """Paint one still by optimising its pixels (Gatys et al. 2016); EXIF data, colour profile and alpha are kept.

    Args:
        content: picture to paint; None where ``content_weight`` is 0, which is texture synthesis: one that is named
            gives its shape alone, unless ``init`` starts from it.
        style: picture to take the style from; None where ``style_weight`` is 0, which is inversion of features.
        output: picture to write; it appears whole or not at all.
        settings: complete settings; without them they are made of ``options``.
        encoder: see ``vidstyle.training.encoders.choose_encoder``.
        allow_download: fetch the encoder's weights where they are not on this machine.
        overwrite: replace an existing output.
        on_plan: told what will be done (sentences), before the first iteration.
        on_step: told after every evaluation.
        **options: fields of ``OptimizationSettings``, such as ``style_weight=20, size_px=768``.

    Returns:
        What was done.

    Raises:
        ConfigError: a setting cannot be used, or the optimisation diverged.
        MediaError: a picture cannot be read, or the output cannot be written.
        ModelError: the encoder cannot be found or used.
        DeviceError: the device ran out of memory.
    """
    if settings is not None and options:
        raise ConfigError("Give either complete settings or single ones, not both.")
    settings = settings or _settings(options)
    started = time.perf_counter()
    output = Path(output)
    still, paint = _read_pictures(content, style, output, settings, overwrite)
    sizes = _sizes(paint, settings)
    first = _initial_image(paint, settings, sizes[0])
    choice = choose_encoder(encoder, allow_download)
    judge = choice.encoder.to(settings.device)
    notes = [*(() if still is None else still.notes), *_prepare(judge, settings)]
    if on_plan is not None:
        on_plan([_plan(sizes, settings), f"judged by {choice.reason}", *notes])
    try:
        results, losses = _optimize_scales(first, paint, judge, settings, on_step)
    except Exception as error:
        if is_out_of_memory(error):
            raise DeviceError(
                f"{settings.device} ran out of memory at up to {max(sizes[-1])} pixels a side; use a smaller --size."
            ) from error
        raise
    final = results[-1]
    data = final.image[0].mul(255).round().to("cpu", torch.uint8)
    notes += write_still(output, data, still, overwrite=overwrite)
    return OptimizationReport(
        output=output,
        size=(data.shape[2], data.shape[1]),
        wall_seconds=time.perf_counter() - started,
        num_iterations=sum(result.num_iterations for result in results),
        num_evaluations=sum(result.num_evaluations for result in results),
        loss=final.loss,
        losses=losses,
        notes=tuple(notes),
    )


def _settings(options: Mapping[str, Any]) -> OptimizationSettings:
    known = [field.name for field in fields(OptimizationSettings)]
    for name in options:
        if name not in known:
            raise ConfigError(f"There is no setting '{name}'; known are {', '.join(known)}.")
    try:
        return OptimizationSettings(**options)
    except TypeError as error:
        raise ConfigError(f"A setting is of the wrong kind ({error}); give numbers as numbers.") from error


@dataclass(frozen=True, slots=True, eq=False)
class _Pictures:
    """(1, 3, H, W) in [0, 1], at their own sizes; None where a picture has no part in it."""

    content: Tensor | None
    style: Tensor | None
    init: Tensor | None


def _read_pictures(
    content: str | Path | None, style: str | Path | None, output: Path, settings: OptimizationSettings, overwrite: bool
) -> tuple[Still | None, _Pictures]:
    if not is_still(output):
        raise UnsupportedMediaError(f"{output} is not named as a picture; write to .png or .jpg.", output)
    if content is None and (settings.content_weight != 0 or settings.init == "content"):
        raise ConfigError(
            "There is no content picture; name one, or set the content weight to zero and start from noise."
        )
    if style is None and settings.beta != 0:
        raise ConfigError("There is no style picture; name one, or set the style weight to zero.")
    init_path = None if settings.init in (None, "content", "noise") else Path(str(settings.init))
    for source in (content, style, init_path):
        claim_output(output, source=None if source is None else Path(source), overwrite=overwrite)
    still = None if content is None else read_still(content)
    # A content that gives the shape alone gives no opacity and no profile either.
    travelling = still if settings.content_weight or settings.init == "content" else None
    return travelling, _Pictures(
        content=None if still is None else still.data[None].float() / 255,
        style=None if style is None else read_style_image(style)[None],
        init=None if init_path is None else read_style_image(init_path)[None],
    )


def _sizes(paint: _Pictures, settings: OptimizationSettings) -> list[tuple[int, int]]:
    """(width, height) of every scale, the smallest first."""
    like = paint.content if paint.content is not None else paint.style
    if like is None:  # both weights are never zero
        raise ConfigError("There is neither a content nor a style picture; name one.")
    height, width = like.shape[-2:]
    longest = settings.size_px
    if paint.content is not None:
        longest = min(longest, max(width, height))
    sizes = []
    for scale in reversed(range(settings.scales)):
        factor = longest / 2**scale / max(width, height)
        sizes.append((max(round(width * factor), 1), max(round(height * factor), 1)))
    usable = [size for size in sizes if min(size) >= MIN_SIDE_PX]
    if not usable:
        raise ConfigError(
            f"The result would have {sizes[-1][0]}x{sizes[-1][1]} pixels, and a side needs {MIN_SIDE_PX}; "
            "use a larger picture or --size."
        )
    return usable


def _initial_image(paint: _Pictures, settings: OptimizationSettings, size: tuple[int, int]) -> Tensor:
    if paint.init is not None:
        return _resized(paint.init, size)
    from_content = settings.init == "content" or (
        settings.init is None and settings.content_weight != 0 and settings.beta != 0
    )
    if from_content and paint.content is not None:
        return _resized(paint.content, size)
    generator = torch.Generator().manual_seed(settings.seed)
    return (0.5 + 0.2 * torch.randn(1, 3, size[1], size[0], generator=generator)).clamp(0, 1)


def _prepare(encoder: PerceptualEncoder, settings: OptimizationSettings) -> list[str]:
    """Set the pooling; sentences about what is done otherwise than by Gatys et al."""
    encoder.pooling = settings.pooling or encoder.pooling
    content, style = perceptual_layers(encoder)
    notes = []
    if not isinstance(encoder, VggEncoder):
        notes.append(f"the encoder is no VGG: style is compared at {', '.join(style)}, content at {content}")
    if settings.beta == 0:
        notes.append(f"style weight 0: the features of the content at {content} are inverted, no style is taken")
    elif isinstance(encoder, VggEncoder) and (missing := [layer for layer in STYLE_LAYERS if layer not in style]):
        notes.append(f"the encoder lacks {', '.join(missing)}: style is compared at {', '.join(style)}")
    if settings.content_weight == 0:
        notes.append("content weight 0: a texture is made, the content is not looked at")
    elif isinstance(encoder, VggEncoder) and content != CONTENT_LAYER:
        notes.append(f"the encoder lacks {CONTENT_LAYER}: content is compared at {content}")
    return notes


def _plan(sizes: list[tuple[int, int]], settings: OptimizationSettings) -> str:
    steps = ", then ".join(
        f"{_iterations(settings, scale)} at {width}x{height}" for scale, (width, height) in enumerate(sizes)
    )
    return f"{settings.optimizer} iterations on {settings.device}: {steps}"


def _iterations(settings: OptimizationSettings, scale: int) -> int:
    return math.ceil(settings.iterations / (1 << scale))


def _optimize_scales(
    image: Tensor,
    paint: _Pictures,
    encoder: PerceptualEncoder,
    settings: OptimizationSettings,
    on_step: Callable[[ScaleStep], None] | None,
) -> tuple[list[OptimizedImage], PerceptualLosses]:
    """Coarse to fine, each scale starting from the one before (Gatys et al. 2017, sec. 6)."""
    results: list[OptimizedImage] = []
    sizes = _sizes(paint, settings)
    image = image.to(settings.device)
    for scale, size in enumerate(sizes):
        style = (
            None
            if paint.style is None or settings.beta == 0
            else _style_at(paint.style, max(size) / max(sizes[-1]), settings)
        )
        objective = PerceptualObjective(
            encoder,
            None if paint.content is None else _resized(paint.content, size).to(settings.device),
            None if style is None else style.to(settings.device),
            content_weight=settings.content_weight,
            style_weight=settings.beta,
            tv_weight=settings.tv_weight,
            statistics=settings.statistics,
        )
        iterations = _iterations(settings, scale)

        def report(step: OptimizationStep, at: tuple[Any, ...] = (scale, size, iterations, objective)) -> None:
            if on_step is not None:
                on_step(ScaleStep(at[0], at[1], at[2], step, at[3].latest))

        image = _resized(image, size)
        result = optimize_image(
            image,
            objective,
            optimizer=settings.optimizer,
            iterations=iterations,
            history_size=max(_MIN_HISTORY, min(100, _HISTORY_BYTES // (8 * image.numel()))),
            on_step=report,
        )
        results.append(result)
        image = result.image
    return results, objective.latest


def _style_at(style: Tensor, share: float, settings: OptimizationSettings) -> Tensor:
    """The style picture as large as its strokes should be at a scale that is ``share`` of the result's size."""
    height, width = style.shape[-2:]
    longest = settings.style_size_px or min(settings.size_px, max(width, height))
    factor = max(longest * share / max(width, height), MIN_SIDE_PX / min(width, height))
    return _resized(style, (round(width * factor), round(height * factor)))


def _resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    width, height = size
    if tuple(picture.shape[-2:]) == (height, width):
        return picture
    return F.interpolate(picture, size=(height, width), mode="bicubic", antialias=True).clamp(0, 1)
