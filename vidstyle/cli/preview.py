"""``vidstyle preview``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidstyle.cli.options import Moment, Seconds, previewing_settings, telling_options
from vidstyle.cli.progress import told


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
@telling_options
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
    progress: str,
    quiet: bool,
    **settings: Any,
) -> None:
    """Show frames of INPUT as the full render would paint them, original beside stylized, in the picture OUTPUT.

    More than one moment, style or strength makes a labelled sheet; --clip makes a video of a few seconds.
    """
    from vidstyle.api import preview as run

    with told(progress, quiet=quiet, has_bar=clip_seconds is not None) as telling:
        with telling.render(source, output):
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
                on_cell=telling.cell,
                on_progress=telling.progress,
                **settings,
            )
        telling.previewed(report)
