"""``vidstyle train flow``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import click

from vidstyle.cli.terminal import say
from vidstyle.cli.training_progress import say_result, shown
from vidstyle.training.flow_settings import FlowSettings

_DEFAULTS = FlowSettings()


@click.command(context_settings={"show_default": True})
@click.option("--content", required=True, type=click.Path(path_type=Path), help="Folder of photos to make pairs of.")
@click.option("--out", "-o", "output", required=True, type=click.Path(path_type=Path), help="Weight file to write.")
@click.option("--start-from", type=click.Path(path_type=Path), help="RAFT-small weights to go on from.")
@click.option("--steps", type=click.IntRange(min=1), default=_DEFAULTS.steps, help="Optimiser steps.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Stop after so long, if that is sooner.")
@click.option("--max-motion", type=float, default=_DEFAULTS.max_motion_px, help="Pixels that motions go up to.")
@click.option("--slowness", type=float, default=_DEFAULTS.slowness, help="How rare large motions are; 1: not at all.")
@click.option("--height", type=int, default=_DEFAULTS.height_px, help="Of a pair's frames; a multiple of 8.")
@click.option("--width", type=int, default=_DEFAULTS.width_px, help="Of a pair's frames; a multiple of 8.")
@click.option("--updates", type=click.IntRange(min=1), default=_DEFAULTS.num_updates, help="Refinements a pair.")
@click.option("--batch-size", type=click.IntRange(min=1), default=_DEFAULTS.batch_size, help="Pairs a step.")
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=_DEFAULTS.learning_rate,
    help="Adam's peak rate; lower where it goes on from trained weights.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, help="Of weights and pairs.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads to use; all by default.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output.")
def flow(
    *,
    content: Path,
    output: Path,
    start_from: Path | None,
    steps: int,
    minutes: float | None,
    max_motion: float,
    slowness: float,
    height: int,
    width: int,
    updates: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    device: str,
    threads: int | None,
    overwrite: bool,
) -> None:
    """Train an optical flow network (RAFT-small) on pairs made from photos.

    A run that was stopped goes on where it was when the same command is given again.
    """
    import torch

    from vidstyle.compose import choose_compute
    from vidstyle.config import make_config
    from vidstyle.training.run_flow import train_flow

    settings = FlowSettings(
        steps=steps,
        minutes=minutes,
        batch_size=batch_size,
        learning_rate=learning_rate,
        height_px=height,
        width_px=width,
        max_motion_px=max_motion,
        slowness=slowness,
        num_updates=updates,
        seed=seed,
        device=str(choose_compute(make_config(device=device).device).device),
    )
    if threads is not None:
        torch.set_num_threads(threads)
    with shown(output.stem, settings) as progress:
        result = train_flow(
            content,
            output,
            settings=settings,
            start_from=start_from,
            overwrite=overwrite,
            on_plan=progress.on_plan,
            on_step=progress.on_step,
        )

    say_result(result.weights, result.final)
    say(f"  use it: vidstyle stylize INPUT OUTPUT --flow raft --flow-weights {quote(str(result.weights))}")
