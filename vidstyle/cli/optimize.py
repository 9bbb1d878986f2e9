"""``vidstyle optimize``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from vidstyle.cli.terminal import printable, say
from vidstyle.training.optimize_settings import (
    DEFAULT_STYLE_WEIGHTS,
    MIN_SIDE_PX,
    OptimizationSettings,
    Optimizer,
    PoolingName,
    Statistics,
)

if TYPE_CHECKING:
    from tqdm import tqdm

    from vidstyle.training.optimize import OptimizationReport, ScaleStep

_DEFAULTS = OptimizationSettings()
_WEIGHT = click.FloatRange(min=0)
_SIDE = click.IntRange(min=MIN_SIDE_PX)
_STYLE_WEIGHTS = ", ".join(f"{weight:g} with {name}" for name, weight in DEFAULT_STYLE_WEIGHTS.items())
#: Stands for a picture whose weight is zero.
_NONE = "none"


@click.command(context_settings={"show_default": True})
@click.argument("content")
@click.argument("style")
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--content-weight", type=_WEIGHT, default=_DEFAULTS.content_weight, help="Alpha; 0 makes a texture of the style."
)
@click.option(
    "--style-weight",
    type=_WEIGHT,
    show_default=_STYLE_WEIGHTS,
    help="Beta; 0 inverts the network's features of the content.",
)
@click.option("--tv-weight", type=_WEIGHT, default=_DEFAULTS.tv_weight, help="Total variation; more is smoother.")
@click.option(
    "--statistics",
    type=click.Choice(get_args(Statistics)),
    default=_DEFAULTS.statistics,
    help="What style is: Gram matrices, or mean and covariance as 'train feedforward' learns them.",
)
@click.option("--optimizer", type=click.Choice(get_args(Optimizer)), default=_DEFAULTS.optimizer, help="Method.")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=_DEFAULTS.iterations,
    help="At the smallest scale; half as many at each larger one.",
)
@click.option(
    "--pooling",
    type=click.Choice(get_args(PoolingName)),
    show_default="the encoder's own",
    help="Between encoder stages.",
)
@click.option(
    "--init", show_default="content; noise where a weight is 0", help="Start from: content, noise, or a picture file."
)
@click.option("--size", "size_px", type=_SIDE, default=_DEFAULTS.size_px, help="Long side; content is not enlarged.")
@click.option(
    "--scales",
    type=click.IntRange(1, 8),
    default=_DEFAULTS.scales,
    help="Optimise small first, then at twice the size.",
)
@click.option(
    "--style-size",
    "style_size_px",
    type=_SIDE,
    show_default="as --size",
    help="Long side of the style picture; larger gives larger strokes.",
)
@click.option("--seed", type=int, default=_DEFAULTS.seed, help="Of the noise.")
@click.option("--encoder", help="vgg19, vgg16, squeezenet, builtin or a weight file: what judges the picture.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--allow-download", is_flag=True, help="Fetch the encoder's weights if they are not on this machine.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary.")
def optimize(
    *,
    content: str,
    style: str,
    output: Path,
    encoder: str | None,
    device: str,
    allow_download: bool,
    overwrite: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Paint the still CONTENT in the style of the picture STYLE into OUT, by optimising its pixels (Gatys et al. 2016).

    Slow and of the best quality; for clips, or in a hurry, see 'stylize'.

    With --style-weight 0 the features of CONTENT are inverted: what the network still knows of the picture is painted.
    With --content-weight 0 a texture of STYLE is made. The picture that is not used may be named 'none'.
    """
    from vidstyle.compose import choose_compute
    from vidstyle.config import make_config
    from vidstyle.training.optimize import optimize as run

    chosen = OptimizationSettings(**settings, device=str(choose_compute(make_config(device=device).device).device))
    progress = _Progress(output.name, quiet)
    try:
        report = run(
            None if content == _NONE else content,
            None if style == _NONE else style,
            output,
            settings=chosen,
            encoder=encoder,
            allow_download=allow_download,
            overwrite=overwrite,
            on_plan=progress.on_plan,
            on_step=progress.on_step,
        )
    finally:
        progress.close()
    if not quiet:
        _print_summary(report)


class _Progress:
    """A bar a scale, with the losses."""

    def __init__(self, label: str, quiet: bool) -> None:
        self._label = label
        self._quiet = quiet
        self._bar: tqdm[Any] | None = None
        self._scale: int | None = None

    def on_plan(self, lines: Sequence[str]) -> None:
        for line in () if self._quiet else lines:
            say(line)

    def on_step(self, at: ScaleStep) -> None:
        from tqdm import tqdm

        if self._quiet:
            return
        if self._bar is None or self._scale != at.scale:
            self.close()
            self._scale = at.scale
            self._bar = tqdm(
                total=at.iterations,
                desc=f"{printable(self._label)} {at.size[0]}x{at.size[1]}",
                unit="it",
                dynamic_ncols=True,
                leave=False,
                # In a log every renewal of the bar is a line of its own.
                mininterval=0.1 if sys.stderr.isatty() else 2.0,
            )
        losses = at.losses
        self._bar.set_postfix_str(
            f"loss {at.step.loss:.4g}, content {losses.content:.3f}, style {losses.style:.3g}", refresh=False
        )
        self._bar.update(at.step.iteration - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _print_summary(report: OptimizationReport) -> None:
    width, height = report.size
    losses = report.losses
    say(f"wrote {report.output}")
    say(
        f"  {width}x{height} after {report.num_iterations} iterations ({report.num_evaluations} evaluations) "
        f"in {report.wall_seconds:.1f} s"
    )
    say(
        f"  loss {report.loss:.4g}: content {losses.content:.3f}, style {losses.style:.3g}, "
        f"total variation {losses.total_variation:.3f}"
    )
    for line in report.notes:
        say(f"  note: {line}")
