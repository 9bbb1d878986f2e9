"""``vidstyle train adain``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from vidstyle.cli.terminal import say
from vidstyle.cli.training_progress import say_result, shown
from vidstyle.training.adain_settings import AdaInLossWeights, AdaInSettings

_DEFAULTS = AdaInSettings()
_WEIGHT = click.FloatRange(min=0)


@click.command(context_settings={"show_default": True})
@click.option("--content", required=True, type=click.Path(path_type=Path), help="Folder of photos to paint on.")
@click.option("--styles", required=True, type=click.Path(path_type=Path), help="Folder of paintings to learn from.")
@click.option("--out", "-o", "output", required=True, type=click.Path(path_type=Path), help="Model file to write.")
@click.option("--painted/--no-painted", default=True, help="Learn from pictures painted by program as well.")
@click.option(
    "--encoder",
    show_default="vgg19 where it is on this machine or may be fetched, else builtin",
    help="What judges and is learnt from: vgg19, vgg16, builtin or a VGG weight file.",
)
@click.option("--steps", type=click.IntRange(min=1), default=_DEFAULTS.steps, help="Optimiser steps.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so long, if that is sooner.")
@click.option("--style-size", type=int, default=_DEFAULTS.style_size_px, help="Short side of the paintings.")
@click.option("--style-weight", type=_WEIGHT, default=_DEFAULTS.weights.style, help="How much the style counts.")
@click.option("--content-weight", type=_WEIGHT, default=_DEFAULTS.weights.content, help="How much the content counts.")
@click.option("--temporal-weight", type=_WEIGHT, default=_DEFAULTS.weights.temporal, help="How much steadiness counts.")
@click.option(
    "--shift-weight",
    type=_WEIGHT,
    default=_DEFAULTS.weights.shift,
    help="How much it counts that strokes follow the picture, not the pixel grid.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS.learning_rate,
    help="Peak rate; lower it where a run diverges.",
)
@click.option("--crop", type=int, default=_DEFAULTS.crop_px, help="Side of a training crop; a multiple of 32.")
@click.option("--batch-size", type=click.IntRange(min=1), default=_DEFAULTS.batch_size, help="Crops a step.")
@click.option("--seed", type=int, default=_DEFAULTS.seed, help="Of weights, crops and motion.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads to use; all by default.")
@click.option("--name", help="What the model is called; by default the output's name.")
@click.option("--title", default="", help="One line about it.")
@click.option("--allow-download", is_flag=True, help="Fetch the encoder's weights if they are not on this machine.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output.")
def adain(
    *,
    content: Path,
    styles: Path,
    output: Path,
    painted: bool,
    encoder: str | None,
    steps: int,
    minutes: float | None,
    style_size: int,
    style_weight: float,
    content_weight: float,
    temporal_weight: float,
    shift_weight: float,
    learning_rate: float,
    crop: int,
    batch_size: int,
    seed: int,
    device: str,
    threads: int | None,
    name: str | None,
    title: str,
    allow_download: bool,
    overwrite: bool,
) -> None:
    """Train a model that paints in the style of any picture.

    A run that was stopped goes on where it was when the same command is given again.
    """
    import torch

    from vidstyle.compose import choose_compute
    from vidstyle.config import make_config
    from vidstyle.evaluation.painted import painted_pictures
    from vidstyle.training.run_adain import train_adain

    settings = AdaInSettings(
        steps=steps,
        minutes=minutes,
        batch_size=batch_size,
        learning_rate=learning_rate,
        crop_px=crop,
        style_size_px=style_size,
        seed=seed,
        device=str(choose_compute(make_config(device=device).device).device),
        weights=AdaInLossWeights(
            content=content_weight, style=style_weight, temporal=temporal_weight, shift=shift_weight
        ),
    )
    if threads is not None:
        torch.set_num_threads(threads)
    with shown(output.stem, settings) as progress:
        result = train_adain(
            content,
            styles,
            output,
            settings=settings,
            more_styles=painted_pictures() if painted else (),
            encoder=encoder,
            name=name,
            title=title,
            allow_download=allow_download,
            overwrite=overwrite,
            on_plan=progress.on_plan,
            on_step=progress.on_step,
        )

    say_result(result.style, result.final)
    say(f"  samples: {result.sheet}")
    say(f"  use it: vidstyle stylize INPUT OUTPUT --style PICTURE --adain-model {quote(str(result.style))}")
