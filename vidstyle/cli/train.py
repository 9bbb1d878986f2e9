"""``vidstyle train``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from vidstyle.cli.terminal import say
from vidstyle.cli.train_adain import adain
from vidstyle.cli.train_flow import flow
from vidstyle.cli.training_progress import say_result, shown
from vidstyle.training.settings import FeedforwardSettings, LossWeights

_DEFAULTS = FeedforwardSettings()
_WEIGHT = click.FloatRange(min=0)


@click.group()
def train() -> None:
    """Train your own style."""


train.add_command(adain)
train.add_command(flow)


@train.command(context_settings={"show_default": True})
@click.option("--style", "-s", required=True, type=click.Path(path_type=Path), help="The painting to learn from.")
@click.option("--content", required=True, type=click.Path(path_type=Path), help="Folder of photos to paint on.")
@click.option("--out", "-o", "output", required=True, type=click.Path(path_type=Path), help="Style file to write.")
@click.option(
    "--clips",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A clip, or a folder of clips, whose motion to train on as well; may be given several times.",
)
@click.option(
    "--encoder",
    show_default="vgg19 where it is on this machine or may be fetched, else builtin",
    help="What judges the painting: vgg19, vgg16, squeezenet, builtin or a weight file.",
)
@click.option("--start-from", help="A shipped style or a style file to go on from; needs fewer steps.")
@click.option("--steps", type=click.IntRange(min=1), default=_DEFAULTS.steps, help="Optimiser steps.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so long, if that is sooner.")
@click.option(
    "--style-size", type=int, default=_DEFAULTS.style_size_px, help="Painting's short side; more: larger strokes."
)
@click.option("--style-weight", type=_WEIGHT, default=_DEFAULTS.weights.style, help="How much the style counts.")
@click.option("--content-weight", type=_WEIGHT, default=_DEFAULTS.weights.content, help="How much the content counts.")
@click.option("--temporal-weight", type=_WEIGHT, default=_DEFAULTS.weights.temporal, help="How much steadiness counts.")
@click.option(
    "--tv-weight", type=_WEIGHT, default=_DEFAULTS.weights.total_variation, help="Total variation; more is smoother."
)
@click.option(
    "--lattice-weight",
    type=_WEIGHT,
    default=_DEFAULTS.weights.lattice,
    help="How much it counts that no pattern stands still on flat areas.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS.learning_rate,
    help="Peak rate; lower it where a run diverges.",
)
@click.option("--crop", type=int, default=_DEFAULTS.crop_px, help="Side of a training crop; a multiple of 32.")
@click.option("--batch-size", type=click.IntRange(min=1), default=_DEFAULTS.batch_size, help="Crops a step.")
@click.option(
    "--sample-every",
    type=click.IntRange(min=0),
    default=_DEFAULTS.sample_every,
    help="Steps between renewals of the sample sheet and loss plot; 0: only at the end.",
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(min=1),
    default=_DEFAULTS.checkpoint_every,
    help="Steps between renewals of the checkpoint.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, help="Of weights, crops and motion.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads to use; all by default.")
@click.option("--name", help="What the style is called; by default the output's name.")
@click.option("--title", default="", help="One line about it.")
@click.option("--allow-download", is_flag=True, help="Fetch the encoder's weights if they are not on this machine.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output.")
def feedforward(
    *,
    style: Path,
    content: Path,
    output: Path,
    clips: tuple[Path, ...],
    encoder: str | None,
    start_from: str | None,
    steps: int,
    minutes: float | None,
    style_size: int,
    style_weight: float,
    content_weight: float,
    temporal_weight: float,
    tv_weight: float,
    lattice_weight: float,
    learning_rate: float,
    crop: int,
    batch_size: int,
    sample_every: int,
    checkpoint_every: int,
    seed: int,
    device: str,
    threads: int | None,
    name: str | None,
    title: str,
    allow_download: bool,
    overwrite: bool,
) -> None:
    """Train a feedforward style from one painting.

    A run that was stopped goes on where it was when the same command is given again.
    """
    import torch

    from vidstyle.compose import choose_compute
    from vidstyle.config import make_config
    from vidstyle.training.run import train_feedforward

    settings = FeedforwardSettings(
        steps=steps,
        minutes=minutes,
        batch_size=batch_size,
        learning_rate=learning_rate,
        checkpoint_every=checkpoint_every,
        sample_every=sample_every,
        crop_px=crop,
        style_size_px=style_size,
        seed=seed,
        device=str(choose_compute(make_config(device=device).device).device),
        weights=LossWeights(
            content=content_weight,
            style=style_weight,
            total_variation=tv_weight,
            temporal=temporal_weight,
            lattice=lattice_weight,
        ),
    )
    if threads is not None:
        torch.set_num_threads(threads)
    with shown(output.stem, settings) as progress:
        result = train_feedforward(
            style,
            content,
            output,
            settings=settings,
            encoder=encoder,
            start_from=start_from,
            clips=clips,
            name=name,
            title=title,
            allow_download=allow_download,
            overwrite=overwrite,
            on_plan=progress.on_plan,
            on_step=progress.on_step,
        )

    say_result(result.style, result.final)
    say(f"  samples: {result.sheet}; losses: {result.plot}")
    say(f"  use it: vidstyle stylize INPUT OUTPUT --style {quote(str(result.style))}")
