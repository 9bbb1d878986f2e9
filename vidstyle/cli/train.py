"""``vidstyle train``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidstyle.training.settings import FeedforwardSettings, LossWeights

if TYPE_CHECKING:
    from tqdm import tqdm

    from vidstyle.training.run import TrainingPlan
    from vidstyle.training.trainer import StepReport

_DEFAULTS = FeedforwardSettings()
_WEIGHT = click.FloatRange(min=0)


@click.group()
def train() -> None:
    """Train your own style."""


@train.command(context_settings={"show_default": True})
@click.option("--style", "-s", required=True, type=click.Path(path_type=Path), help="The painting to learn from.")
@click.option("--content", required=True, type=click.Path(path_type=Path), help="Folder of photos to paint on.")
@click.option("--out", "-o", "output", required=True, type=click.Path(path_type=Path), help="Style file to write.")
@click.option("--encoder", default="vgg19", help="vgg19, vgg16 or a VGG weight file: what judges the painting.")
@click.option("--start-from", help="A shipped style or a style file to go on from; needs fewer steps.")
@click.option("--steps", type=click.IntRange(min=1), default=_DEFAULTS.steps, help="Optimiser steps.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so long, if that is sooner.")
@click.option(
    "--style-size", type=int, default=_DEFAULTS.style_size_px, help="Painting's short side; more: larger strokes."
)
@click.option("--style-weight", type=_WEIGHT, default=_DEFAULTS.weights.style, help="How much the style counts.")
@click.option("--content-weight", type=_WEIGHT, default=_DEFAULTS.weights.content, help="How much the content counts.")
@click.option("--temporal-weight", type=_WEIGHT, default=_DEFAULTS.weights.temporal, help="How much steadiness counts.")
@click.option("--crop", type=int, default=_DEFAULTS.crop_px, help="Side of a training crop; a multiple of 32.")
@click.option("--batch-size", type=click.IntRange(min=1), default=_DEFAULTS.batch_size, help="Crops a step.")
@click.option("--seed", type=int, default=_DEFAULTS.seed, help="Of weights, crops and motion.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads to use; all by default.")
@click.option("--name", help="What the style is called; by default the output's name.")
@click.option("--title", default="", help="One line about it.")
@click.option("--allow-download", is_flag=True, help="Fetch the encoder's weights if they are not on this machine.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output.")
def feedforward(
    *,
    style: Path,
    content: Path,
    output: Path,
    encoder: str,
    start_from: str | None,
    steps: int,
    minutes: float | None,
    style_size: int,
    style_weight: float,
    content_weight: float,
    temporal_weight: float,
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
        crop_px=crop,
        style_size_px=style_size,
        seed=seed,
        device=str(choose_compute(make_config(device=device).device).device),
        weights=LossWeights(content=content_weight, style=style_weight, temporal=temporal_weight),
    )
    if threads is not None:
        torch.set_num_threads(threads)
    progress = _Progress(output.stem, settings)
    try:
        result = train_feedforward(
            style,
            content,
            output,
            settings=settings,
            encoder=encoder,
            start_from=start_from,
            name=name,
            title=title,
            allow_download=allow_download,
            overwrite=overwrite,
            on_plan=progress.on_plan,
            on_step=progress.on_step,
        )
    except KeyboardInterrupt:
        progress.close()
        if progress.checkpoint is None or not progress.checkpoint.is_file():
            raise
        click.echo(f"vidstyle: interrupted; the same command goes on from {progress.checkpoint}.", err=True)
        sys.exit(130)
    finally:
        progress.close()

    final = result.final
    click.echo(f"wrote {result.style} ({result.style.stat().st_size / 1e6:.1f} MB)")
    click.echo(f"  {final.step} steps in {final.seconds / 60:.1f} min; losses of the result: {_listed(final.losses)}")
    click.echo(f"  samples: {result.sheet}")
    click.echo(f"  use it: vidstyle stylize INPUT OUTPUT --style {result.style}")


class _Progress:
    """A bar with losses and time left, from the first step on."""

    def __init__(self, label: str, settings: FeedforwardSettings) -> None:
        self.checkpoint: Path | None = None
        self._label = label
        self._settings = settings
        self._bar: tqdm[Any] | None = None
        self._losses: dict[str, float] = {}

    def on_plan(self, plan: TrainingPlan) -> None:
        from tqdm import tqdm

        self.checkpoint = plan.checkpoint
        click.echo(f"training on {plan.num_pictures} pictures, on {self._settings.device}")
        if plan.step:
            click.echo(f"resumed at step {plan.step} from {plan.checkpoint}; remove that file to start afresh")
        self._bar = tqdm(
            total=self._settings.steps,
            initial=plan.step,
            desc=self._label,
            unit="step",
            dynamic_ncols=True,
            leave=False,
        )

    def on_step(self, report: StepReport) -> None:
        if self._bar is None:
            return
        # Single steps jump with their crops, so the bar shows a moving average.
        self._losses = {name: 0.95 * self._losses.get(name, new) + 0.05 * new for name, new in report.losses.items()}
        # Whichever of steps and minutes ends the run, the bar's time left is right.
        self._bar.total = max(round(report.step / report.progress), report.step)
        self._bar.set_postfix_str(_listed(self._losses), refresh=False)
        self._bar.update(report.step - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _listed(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in losses.items())
