"""``vidstyle evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidstyle.cli.options import Seconds
from vidstyle.cli.terminal import printable, say

if TYPE_CHECKING:
    from vidstyle.evaluation.clip_report import ClipReport
    from vidstyle.evaluation.clips import Judge

_PATH = click.Path(path_type=Path)
_TITLES = {"source": "source", "per_frame": "per frame", "stylized": "stylized"}


@click.command()
@click.argument("source", type=_PATH)
@click.argument("stylized", type=_PATH)
@click.option("--per-frame", type=_PATH, help="The same style, every frame painted alone ('stylize --consistency 0').")
@click.option("--style", type=_PATH, help="The style picture, for distances to it.")
@click.option(
    "--flow",
    type=click.Choice(["auto", "farneback", "dis", "raft", "raft-small", "raft-large"]),
    default="auto",
    show_default=True,
    help="What judges motion; best not what rendered. auto: farneback.",
)
@click.option("--flow-weights", type=_PATH, help="Local RAFT weights.")
@click.option("--encoder", help="vgg19, vgg16, squeezenet, builtin, a weight file or none; default: what is at hand.")
@click.option("--size", help="Compare at this size: 1280x720, 720p, 640w or 50%; default: STYLIZED's.")
@click.option("--start", type=Seconds(), help="Moment of SOURCE that STYLIZED begins at.")
@click.option("--end", type=Seconds(), help="Moment of SOURCE to stop before.")
@click.option("--json", "json_file", type=_PATH, help="Write every figure here.")
@click.option("--report", "report_folder", type=_PATH, help="Write a page to look at, index.html, into this folder.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--allow-download", is_flag=True, help="Fetch weights that are not on this machine.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace existing results.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no table.")
def evaluate(
    *,
    source: Path,
    stylized: Path,
    per_frame: Path | None,
    style: Path | None,
    flow: str,
    flow_weights: Path | None,
    encoder: str | None,
    size: str | None,
    start: float | None,
    end: float | None,
    json_file: Path | None,
    report_folder: Path | None,
    device: str,
    allow_download: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Measure how steady STYLIZED is, a stylized version of the clip SOURCE by any tool, and what that cost.

    Frames are matched by their times. What every figure means is in docs/evaluate.md.
    """
    from tqdm import tqdm

    from vidstyle.evaluation.clips import evaluate as run
    from vidstyle.evaluation.report_files import ResultFiles

    files = ResultFiles.claim(json_file, report_folder, (source, stylized, per_frame, style), overwrite=overwrite)
    judging = _choose_judge(flow, flow_weights, encoder, device, allow_download)
    if not quiet:
        say(f"judged with {judging.flow.reason}")
        say(f"deep features: {judging.encoder_reason}")
    every_seconds = 0.1 if sys.stderr.isatty() else 2.0
    with tqdm(
        unit=" frames",
        disable=quiet,
        dynamic_ncols=True,
        desc=printable(stylized.name),
        leave=False,
        mininterval=every_seconds,
    ) as bar:

        def on_progress(done: int, expected: int | None) -> None:
            if bar.total is None and expected is not None:
                bar.reset(total=expected)
            bar.update(done - bar.n)

        report = run(
            source,
            stylized,
            per_frame,
            style=style,
            size=size,
            start_seconds=start,
            end_seconds=end,
            judging=judging,
            on_progress=on_progress,
        )
    if not quiet:
        _print_table(report)
    for path in files.write(report):
        say(f"wrote {path}")


def _choose_judge(
    flow: str, flow_weights: Path | None, encoder: str | None, device: str, allow_download: bool
) -> Judge:
    from vidstyle.compose import choose_compute
    from vidstyle.config import make_config
    from vidstyle.errors import WeightsNotFoundError
    from vidstyle.evaluation.clips import Judge
    from vidstyle.flow.judge import choose_judge
    from vidstyle.training.encoders import choose_encoder

    place = str(choose_compute(make_config(device=device).device).device)
    judge = choose_judge(flow, place, allow_download=allow_download, weights=flow_weights)  # type: ignore[arg-type]  # click checks it
    if encoder == "none":
        return Judge(judge, None, "left out, as asked", place)
    try:
        choice = choose_encoder(encoder, allow_download)
    except WeightsNotFoundError:
        if encoder is not None:
            raise
        return Judge(judge, None, "left out, no encoder is on this machine; --allow-download fetches one", place)
    return Judge(judge, choice.encoder.to(place), choice.reason, place)


def _print_table(report: ClipReport) -> None:
    width, height = report.size
    cuts = f", cuts at {', '.join(f'{second:.2f} s' for second in report.cut_seconds)}" if report.cut_seconds else ""
    say(f"{report.num_frames} frames at {width}x{height}{cuts}")
    gaps = sorted(report.judged_share)
    say(f"{'':<10}" + "".join(f"{f'E_warp k={k} x1000':>20}{f'nE k={k}':>12}" for k in gaps))
    for name in [name for name in _TITLES if name in report.tracks]:
        track = report.tracks[name]
        cells = (f"{1000 * track.warping_error[k]:>20.3f}{track.normalized_error[k]:>12.4f}" for k in gaps)
        say(f"{_TITLES[name]:<10}" + "".join(cells))
    if report.comparison is not None:
        found = report.comparison
        bands = " ".join(f"{value:.3f}" for value in found.band_energy_ratios)
        say(f"band energies, finest first, over per frame: {bands}; gradient ratio {found.gradient_ratio:.3f}")
        say(f"drift {found.low_pass_psnr_min:.1f} dB at worst; ghosting {found.ghosting_psnr:.1f} dB")
    for name in [name for name in _TITLES if name in report.styles]:
        figures = report.styles[name]
        known = {
            "patch-SWD to style": figures.patch_swd,
            "Gram distance": figures.gram_distance,
            "feature pair distance": figures.feature_pair_distance,
        }
        line = ", ".join(f"{title} {value:.4f}" for title, value in known.items() if value is not None)
        if line:
            say(f"{_TITLES[name]:<10}{line}")
    for gate in report.gates:
        verdict = {None: "not measured", True: "passed", False: "FAILED"}[gate.passed]
        say(f"gate {gate.name:<6} {verdict}{f': {gate.found}' if gate.found else ''} ({gate.limit})")
    for note in report.notes:
        say(f"note: {note}")
