"""``vidstyle stylize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidstyle.cli.options import KeyValue, Moment, as_mapping, painting_settings, telling_options
from vidstyle.cli.progress import Quiet, told
from vidstyle.cli.terminal import say
from vidstyle.errors import OpenError, VidstyleError

if TYPE_CHECKING:
    from vidstyle.report import RenderReport


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT... [OUTPUT]")
@click.option(
    "--style",
    "-s",
    help="A shipped style (see 'vidstyle styles'), a weight file, 'identity', or a mixture: A:0.6+B:0.4.",
)
@click.option(
    "--out-dir", type=click.Path(path_type=Path), help="Folder for the results of several inputs or a folder."
)
@click.option(
    "--start",
    "start_seconds",
    type=Moment(),
    help="First moment to render, counted from the clip's first frame: seconds, h:mm:ss, or a timecode (hh:mm:ss:ff, "
    "or hh:mm:ss;ff for drop-frame), which counts from the clip's own.",
)
@click.option("--end", "end_seconds", type=Moment(), help="Moment to stop before, written alike.")
@click.option(
    "--frames",
    metavar="A-B",
    help="First and last frame to render: counted from 0 in a clip, by their numbers in a sequence.",
)
@click.option("--handles", type=click.IntRange(0), help="So many frames more on both sides of the range.")
@click.option(
    "--codec",
    help="Video encoder by FFmpeg's name, such as libx265, prores_ks or hevc_nvenc; where the hardware is missing, "
    "software stands in.",
)
@click.option("--crf", type=int, help="Constant quality; lower is better and larger.")
@click.option("--bitrate", metavar="RATE", help="Bits a second, such as 8M or 600k, instead of a constant quality.")
@click.option("--encoder-preset", help="Speed preset of the encoder, such as fast.")
@click.option("--pix-fmt", "pixel_format", help="Pixel format of the output, such as yuv420p.")
@click.option(
    "-x",
    "encoder_options",
    multiple=True,
    type=KeyValue(),
    callback=as_mapping,
    help="An option of the encoder, such as -x g=24; repeat it for more.",
)
@click.option(
    "--audio",
    type=click.Choice(["copy", "transcode", "drop"]),
    help="Copy the sound (default; converted only where it must be), convert all of it, or leave it out.",
)
@click.option("--sound", type=click.Path(path_type=Path), help="Sound of a sequence; else a WAV of its name beside it.")
@click.option(
    "--continue",
    "continue_",
    is_flag=True,
    default=None,
    help="Keep the frames of an output sequence that are there, and render the others.",
)
@click.option("--sidecar", is_flag=True, default=None, help="Write OUT.json too: settings, versions, hashes, figures.")
@telling_options
@painting_settings
def stylize(
    *,
    paths: tuple[Path, ...],
    out_dir: Path | None,
    preset: str | None,
    overwrite: bool,
    progress: str,
    quiet: bool,
    **settings: Any,
) -> int:
    """Paint INPUT into OUTPUT: a clip, a GIF or a still. Sound, subtitles and timing are kept.

    Either may be a sequence of pictures, written shot.%04d.exr, shot.####.png or shot.1001-1100#.dpx (EXR, DPX, PNG,
    TIFF, JPEG).

    Several inputs, or a folder, go to --out-dir; one that fails does not stop the others. The pictures in a folder are
    painted one by one, numbered ones too: name a sequence by its pattern to keep it steady.
    """
    with told(progress, quiet=quiet) as telling:
        return _stylize_all(paths, out_dir, preset, settings, overwrite=overwrite, telling=telling)


def _stylize_all(
    paths: tuple[Path, ...],
    out_dir: Path | None,
    preset: str | None,
    settings: dict[str, Any],
    *,
    overwrite: bool,
    telling: Quiet,
) -> int:
    from vidstyle.config import make_config

    jobs = _single_job(paths) if out_dir is None else _jobs(paths, out_dir, telling)
    config = make_config(preset, **settings)
    if out_dir is not None:
        _make_folder(out_dir)
    failures = 0
    for source, output in jobs:
        try:
            report = _run(source, output, config, overwrite, telling)
        except (VidstyleError, OSError) as error:
            if out_dir is None:
                raise
            telling.failed(error)
            failures += 1
            continue
        telling.done(report)
    if failures:
        rest = f"; the others are in {out_dir}" if failures < len(jobs) else ""
        say(f"vidstyle: {failures} of {len(jobs)} inputs failed{rest}.", err=True)
    return 1 if failures else 0


def _single_job(paths: tuple[Path, ...]) -> list[tuple[Path, Path]]:
    if len(paths) != 2:
        raise click.UsageError("Give one INPUT and one OUTPUT, or any number of inputs with --out-dir.")
    if paths[0].is_dir():
        raise click.UsageError(f"{paths[0]} is a folder; name a folder for the results with --out-dir.")
    return [(paths[0], paths[1])]


def _jobs(paths: tuple[Path, ...], out_dir: Path, telling: Quiet) -> list[tuple[Path, Path]]:
    from vidstyle.media.names import output_name, paintable_files
    from vidstyle.media.sequence_names import find_sequences

    sources = [file for path in paths for file in (paintable_files(path) if path.is_dir() else [path])]
    for pattern in find_sequences(sources):
        telling.note(f"{pattern} looks like a sequence; its pictures are painted one by one.")
    if not sources:
        raise click.UsageError("There are no clips or pictures in the folder; name another.")
    jobs = [(source, out_dir / output_name(source)) for source in sources]
    seen: dict[Path, Path] = {}
    for source, output in jobs:
        if output in seen:
            raise click.UsageError(f"{seen[output]} and {source} would both become {output}; render them apart.")
        seen[output] = source
    return jobs


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise click.UsageError(f"{path} is no folder, nor can be; name another with --out-dir.") from error
    except OSError as error:
        raise OpenError(
            f"The folder {path} cannot be made ({error.strerror}); name another with --out-dir.", path
        ) from error


def _run(source: Path, output: Path, config: Any, overwrite: bool, telling: Quiet) -> RenderReport:
    from vidstyle.api import stylize as run

    with telling.render(source, output):
        return run(
            source,
            output,
            config=config,
            overwrite=overwrite,
            on_plan=telling.plan,
            on_progress=telling.progress,
            command=click.get_current_context().obj or (),
        )
