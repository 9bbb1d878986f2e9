"""``vidstyle preview``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidstyle.cli.options import Moment, painting_settings

if TYPE_CHECKING:
    from vidstyle.api import PreviewCell


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
@painting_settings
def preview(
    *,
    source: Path,
    output: Path,
    times: tuple[float | str, ...],
    styles: tuple[str, ...],
    preset: str | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Show frames of INPUT as the full render would paint them, original beside stylized, in the picture OUTPUT."""
    from vidstyle.api import preview as run

    def on_cell(cell: PreviewCell) -> None:
        click.echo(
            f"{cell.style} at {cell.at_seconds:g} s: frame of {cell.shown_seconds:.3f} s, "
            f"warmed up over {cell.num_warmup_frames} frames"
        )

    report = run(
        source,
        output,
        at=times or (0.0,),
        style=styles or None,
        preset=preset,
        overwrite=overwrite,
        on_cell=on_cell,
        **settings,
    )
    if report.flow:
        click.echo(f"flow: {report.flow}")
    click.echo(f"wrote {report.output}")
