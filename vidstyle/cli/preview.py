"""``vidstyle preview``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidstyle.cli.options import Moment, Seconds, previewing_settings
from vidstyle.cli.progress import ForPeople

if TYPE_CHECKING:
    from vidstyle.previewing.cells import PreviewCell
    from vidstyle.report import RenderEstimate


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="INPUT")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--at",
    "times",
    multiple=True,
    type=Moment(),
    help="Moment to show, counted from the clip's first frame (seconds, h:mm:ss or a timecode); repeat it for a "
    "contact sheet.",
)
@click.option("--style", "-s", "styles", multiple=True, help="Style to show; repeat it for a contact sheet.")
@click.option(
    "--compare",
    metavar="side|wipe|diff",
    help="Original beside stylized (side; default of pictures), left half original and right half stylized (wipe), or "
    "the difference, amplified (diff).",
)
@click.option(
    "--clip",
    "clip_seconds",
    type=Seconds(),
    metavar="SECONDS",
    help="Render so many seconds from --at on instead, with sound, to a video: at --size, or with a shorter side of "
    "at most 360 pixels.",
)
@click.option(
    "--estimate/--no-estimate",
    "estimate",
    default=True,
    help="Measure what the full render would take (default), or leave that out.",
)
@previewing_settings
def preview(
    *,
    source: Path,
    output: Path,
    times: tuple[float | str, ...],
    styles: tuple[str, ...],
    strengths: tuple[float, ...],
    compare: str | None,
    clip_seconds: float | None,
    estimate: bool,
    preset: str | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Show frames of INPUT as the full render would paint them, original beside stylized, in the picture OUTPUT.

    More than one moment, style or strength makes a labelled sheet; --clip makes a video of a few seconds.
    """
    from vidstyle.api import preview as run

    def on_cell(cell: PreviewCell) -> None:
        click.echo(
            f"{cell.label} at {cell.at_seconds:g} s: frame of {cell.shown_seconds:.3f} s, "
            f"warmed up over {cell.num_warmup_frames} frames"
        )

    telling = ForPeople()
    with nullcontext() if clip_seconds is None else telling.render(source, output):
        report = run(
            source,
            output,
            at=times or (0.0,),
            style=styles or None,
            strength=strengths or None,
            compare=compare,
            clip_seconds=clip_seconds,
            estimate=estimate,
            preset=preset,
            overwrite=overwrite,
            on_cell=on_cell,
            on_progress=telling.progress,
            **settings,
        )
    if report.clip is not None:
        telling.done(report.clip)
    else:
        if report.flow:
            click.echo(f"flow: {report.flow}")
        click.echo(f"wrote {report.output}")
    for found in report.estimates:
        click.echo(_in_words(found, len(report.estimates)))


def _in_words(found: RenderEstimate, num_styles: int) -> str:
    return f"full render{f' in {found.style}' if num_styles > 1 else ''}: {found}"
