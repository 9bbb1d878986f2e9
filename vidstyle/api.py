"""vidstyle from Python: paint a file, preview a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any

from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import RenderConfig, complete_config, make_config
from vidstyle.controls.clip import facts_of_picture
from vidstyle.errors import ConfigError, UnsupportedMediaError
from vidstyle.frames import VideoFrame
from vidstyle.media.comparisons import check_comparison
from vidstyle.media.sequence_names import is_sequence
from vidstyle.media.stills import claim_output, holds_sixteen_bits, is_still, read_still, write_still
from vidstyle.planning import plan_still, refuse_picture
from vidstyle.previewing.cells import CellMaker, PreviewCell, sheet_of
from vidstyle.previewing.estimate import Estimator
from vidstyle.previewing.proxy import render_proxy
from vidstyle.rendering import OnPlan, OnProgress, render_clip
from vidstyle.report import RenderEstimate, RenderReport
from vidstyle.sidecar import add_sidecar, claim_sidecar
from vidstyle.used_files import spare_used_files


def stylize(
    source: str | Path,
    output: str | Path,
    *,
    config: RenderConfig | None = None,
    preset: str | Path | None = None,
    overwrite: bool = False,
    on_plan: OnPlan | None = None,
    on_progress: OnProgress | None = None,
    command: Sequence[str] = (),
    **settings: Any,
) -> RenderReport:
    """Paint a clip, a GIF, a still, or a sequence of pictures.

    The output appears under its name when it is whole, and not before; on any failure nothing is left there, and a file
    that was there stays. Of a sequence every file is whole; those that are done stay on a failure, for ``continue_``.

    Args:
        source: video, GIF, still (JPEG, PNG, TIFF, WebP), or pattern of a sequence such as ``shot.%04d.exr``.
        output: where to; the suffix names the container. A pattern writes a sequence.
        config: complete settings; without it they are made of ``preset`` and ``settings``.
        preset: name of a shipped preset, or a TOML file.
        overwrite: replace an existing output.
        on_plan: told what will happen before the first frame.
        on_progress: told how far the render is.
        command: the command line, for the sidecar.
        **settings: fields of ``vidstyle.config.RenderConfig``, such as ``style="starry-night", consistency=0.9``.

    Returns:
        What was done.

    Raises:
        ConfigError: a setting cannot be used.
        MediaError: input or output cannot be used; see ``vidstyle.errors`` for the kinds.
        ModelError: the style cannot be found or loaded.
        DeviceError: the device is not there or too small.
    """
    config = complete_config(config, preset, settings)
    source, output = Path(source), Path(output)
    replaces = overwrite or config.continue_
    if replaces:
        spare_used_files(output, config)
    if config.sidecar:
        claim_sidecar(output, overwrite=replaces)
    report = _stylize(source, output, config, overwrite, on_plan=on_plan, on_progress=on_progress)
    if config.sidecar:
        return add_sidecar(report, source, config, command=command, overwrite=replaces)
    return report


def _stylize(
    source: Path,
    output: Path,
    config: RenderConfig,
    overwrite: bool,
    *,
    on_plan: OnPlan | None,
    on_progress: OnProgress | None,
) -> RenderReport:
    if is_still(source):
        return _stylize_still(source, output, config, overwrite, on_plan)
    refuse_picture(source, output)
    return render_clip(source, output, config, overwrite, on_plan=on_plan, on_progress=on_progress)


def _stylize_still(
    source: Path, output: Path, config: RenderConfig, overwrite: bool, on_plan: OnPlan | None
) -> RenderReport:
    still = read_still(source, deep=holds_sixteen_bits(output))
    plan = plan_still(source, output, (still.data.shape[-1], still.data.shape[-2]), config)
    claim_output(output, source=source, overwrite=overwrite)
    composition = Composition.load(config)
    if on_plan is not None:
        on_plan([composition.compute.reason, *plan.lines()])
    started = time.perf_counter()
    painted = _paint_picture(composition, still.data)
    notes = write_still(output, painted, still, overwrite=overwrite)
    return RenderReport(
        output=output,
        style=composition.name,
        num_frames=1,
        size=(painted.shape[-1], painted.shape[-2]),
        wall_seconds=time.perf_counter() - started,
        compute=composition.compute.reason,
        notes=(*still.notes, *notes),
        plan=plan,
    )


def _paint_picture(composition: Composition, picture: Tensor) -> Tensor:
    painter = composition.painter((picture.shape[-1], picture.shape[-2]), clip=facts_of_picture(picture))
    painter.output_dtype = picture.dtype
    return painter.paint([VideoFrame(picture, 0, Fraction(1))])[0].data


@dataclass(frozen=True, slots=True, eq=False)
class PreviewReport:
    """Result of ``vidstyle.preview``.

    Attributes:
        cells: one a style, strength and moment, in this order; none of a proxy clip.
        sheet: (3, H, W) uint8 RGB: one frame in its comparison, or a labelled contact sheet; None of a proxy clip.
        output: the file written; None where none was asked for.
        flow: flow estimator and why it was chosen, one sentence.
        clip: how a proxy clip was rendered; None of pictures.
        estimates: what the full render would take, for each style; none where that was not asked for, or of a still.
    """

    cells: tuple[PreviewCell, ...]
    sheet: Tensor | None
    output: Path | None
    flow: str
    clip: RenderReport | None = None
    estimates: tuple[RenderEstimate, ...] = ()


def preview(
    source: str | Path,
    output: str | Path | None = None,
    *,
    at: float | str | Sequence[float | str] = 0.0,
    style: str | Sequence[str] | None = None,
    strength: float | Sequence[float] | None = None,
    compare: str | None = None,
    clip_seconds: float | None = None,
    estimate: bool = False,
    preset: str | Path | None = None,
    overwrite: bool = False,
    on_cell: Callable[[PreviewCell], None] | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> PreviewReport:
    """Show frames, or a few seconds, as the full render would paint them, without rendering the clip.

    The temporal filter is warmed up over the frames before each moment, as many as β makes matter and never across a
    cut, so that a preview equals the render's frame before encoding (PSNR above 45 dB).

    Args:
        source: video, GIF, still, or pattern of a sequence.
        output: picture to write, or the video with ``clip_seconds``; None writes nothing.
        at: one or more moments, counted from the clip's first frame: seconds, or timecodes; a still ignores them.
        style: one or more styles.
        strength: one or more strengths. A frame is painted once a style and mixed with its source at each. More than
            one moment, style or strength makes a contact sheet: moments from left to right, and a row for each style
            at each strength.
        compare: ``side`` shows the original beside the stylized frame (the default of pictures), ``wipe`` its left half
            and the stylized right half, ``diff`` the amplified difference; a sheet shows it in every cell. A proxy clip
            shows the stylized frame alone by default.
        clip_seconds: render a proxy clip of so many seconds from ``at`` on, with sound, to ``output``: at ``size``, or
            with a shorter side of at most 360 pixels.
        estimate: measure what the full render would take. Up to two seconds are spent on frames behind a moment that
            has few before it.
        preset: name of a shipped preset, or a TOML file.
        overwrite: replace an existing output.
        on_cell: told about each cell as it is done.
        on_progress: told how far a proxy clip is.
        **settings: fields of ``vidstyle.config.RenderConfig``.

    Returns:
        The frames and the sheet, or how the proxy clip was rendered.

    Raises:
        ConfigError: a setting cannot be used.
        MediaError: input or output cannot be used, or a moment is past the end.
        ModelError: a style cannot be found or loaded.
        DeviceError: the device is not there or too small.
    """
    source, output = Path(source), None if output is None else Path(output)
    times: list[float | str] = _several(at)
    styles: list[str | None] = _several(style)
    strengths: list[float | None] = _several(strength)
    if not times or not styles or not strengths:
        raise ConfigError("A preview needs at least one moment, one style and one strength; leave out what is empty.")
    comparison = None if compare is None else check_comparison(compare)
    configs = [[make_config(preset, style=name, strength=value, **settings) for value in strengths] for name in styles]
    if output is not None and overwrite:
        for of_style in configs:
            spare_used_files(output, of_style[0])
    if clip_seconds is not None:
        if not isinstance(clip_seconds, Real):
            raise ConfigError(f"A proxy clip's length is a number of seconds, not {clip_seconds!r}; give one.")
        if output is None:
            raise ConfigError("A proxy clip needs a name to be written to; give an output, such as look.mp4.")
        if len(times) + len(styles) + len(strengths) > 3:
            raise ConfigError("A proxy clip shows one style at one strength, from one moment on; give one of each.")
        report, estimates = render_proxy(
            source,
            output,
            configs[0][0],
            at=times[0],
            seconds=clip_seconds,
            compare=comparison,
            estimates=estimate,
            overwrite=overwrite,
            on_progress=on_progress,
        )
        return PreviewReport((), None, output, report.flow, report, estimates)
    if output is not None:
        if not is_still(output):
            kind = "a sequence of many pictures" if is_sequence(output) else "not a picture"
            raise UnsupportedMediaError(
                f"{output} is {kind}; write the preview to .png or .jpg, or pass --clip for a video.", output
            )
        claim_output(output, source=source, overwrite=overwrite)
    times = times[:1] if is_still(source) else times
    with ExitStack() as stack:
        estimator = None
        if estimate and not is_still(source):
            estimator = stack.enter_context(Estimator(source, configs[0][0]))
        rows: list[list[PreviewCell]] = []
        for of_style in configs:
            composition = Composition.load(max(of_style, key=lambda config: config.strength))
            several = [config.strength for config in of_style] if len(of_style) > 1 else []
            maker = CellMaker(source, composition, composition.flow(), several, estimator)
            rows += maker.rows(times, on_cell)
        estimates = estimator.estimates() if estimator is not None else ()
    sheet = sheet_of(rows, comparison or "side")
    if output is not None:
        write_still(output, sheet, overwrite=overwrite)
    flow = "" if is_still(source) else maker.flow.reason
    return PreviewReport(tuple(cell for row in rows for cell in row), sheet, output, flow, None, estimates)


def _several(given: Any) -> list[Any]:
    """One number or text, of whatever kind, or each of several."""
    if getattr(given, "ndim", None) == 0:  # an array of one number, which looks like several
        return [given.item()]
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else [given]
