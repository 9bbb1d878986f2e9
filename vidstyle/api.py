"""vidstyle from Python: paint a file, preview a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import RenderConfig, make_config
from vidstyle.controls.clip import facts_of_picture
from vidstyle.errors import ConfigError, OpenError, UnsupportedMediaError
from vidstyle.flow.select import FlowChoice
from vidstyle.frames import VideoFrame
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.media.sequence_names import is_sequence
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.media.sheets import before_after, contact_sheet
from vidstyle.media.stills import claim_output, holds_sixteen_bits, is_still, read_still, write_still
from vidstyle.pipeline.preview import PreviewFrame, preview_frame
from vidstyle.planning import open_moment, open_source, plan_still, refuse_picture
from vidstyle.rendering import OnPlan, OnProgress, clip_facts, num_warmup, render_clip
from vidstyle.report import RenderReport
from vidstyle.sidecar import add_sidecar, claim_sidecar, settings_changed


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
    if config is not None and (preset is not None or settings):
        raise ConfigError("Give either complete settings as config, or a preset and single settings, not both.")
    config = config or make_config(preset, **settings)
    source, output = Path(source), Path(output)
    replaces = overwrite or config.continue_
    if config.sidecar:
        claim_sidecar(output, overwrite=replaces)
    others = settings_changed(output, config) if config.continue_ else []
    report = _stylize(source, output, config, overwrite, on_plan=on_plan, on_progress=on_progress)
    if others:
        note = f"The frames that were there were made with another {', '.join(others)}; --overwrite renders all anew."
        report = replace(report, notes=(*report.notes, note))
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
        style=composition.stylizer.name,
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
class PreviewCell:
    """One style at one moment.

    Attributes:
        style: name of the style.
        at_seconds: moment asked for, counted from the clip's first frame.
        shown_seconds: when the frame shown at that moment starts, likewise.
        original: (3, H, W) uint8 RGB, at the output size.
        stylized: (3, H, W) uint8 RGB, as the full render would deliver it to the encoder.
        num_warmup_frames: frames of the same shot before it that the filter saw.
    """

    style: str
    at_seconds: float
    shown_seconds: float
    original: Tensor
    stylized: Tensor
    num_warmup_frames: int


@dataclass(frozen=True, slots=True, eq=False)
class PreviewReport:
    """Result of ``vidstyle.preview``.

    Attributes:
        cells: one a style and moment, styles first.
        sheet: (3, H, W) uint8 RGB: before and after, or a labelled contact sheet.
        output: the picture written; None where none was asked for.
        flow: flow estimator and why it was chosen, one sentence.
    """

    cells: tuple[PreviewCell, ...]
    sheet: Tensor
    output: Path | None
    flow: str


def preview(
    source: str | Path,
    output: str | Path | None = None,
    *,
    at: float | str | Sequence[float | str] = 0.0,
    style: str | Sequence[str] | None = None,
    preset: str | Path | None = None,
    overwrite: bool = False,
    on_cell: Callable[[PreviewCell], None] | None = None,
    **settings: Any,
) -> PreviewReport:
    """Show frames as the full render would paint them, without rendering the clip.

    The temporal filter is warmed up over the frames before each moment, as many as β makes matter and never across a
    cut, so that a preview equals the render's frame before encoding (PSNR above 45 dB).

    Args:
        source: video, GIF, still, or pattern of a sequence.
        output: picture to write; None writes nothing.
        at: one or more moments, counted from the clip's first frame: seconds, or timecodes; a still ignores them.
        style: one or more styles; more than one moment or style makes a contact sheet.
        preset: name of a shipped preset, or a TOML file.
        overwrite: replace an existing output.
        on_cell: told about each cell as it is done.
        **settings: fields of ``vidstyle.config.RenderConfig``.

    Returns:
        The frames and the sheet.

    Raises:
        ConfigError: a setting cannot be used.
        MediaError: input or output cannot be used, or a moment is past the end.
        ModelError: a style cannot be found or loaded.
        DeviceError: the device is not there or too small.
    """
    source = Path(source)
    times = [at] if isinstance(at, int | float | str) else list(at)
    styles: list[str | None] = [style] if style is None or isinstance(style, str) else list(style)
    if not times or not styles:
        raise ConfigError("A preview needs at least one moment and one style; name them with 'at' and 'style'.")
    if output is not None:
        output = Path(output)
        if not is_still(output):
            raise UnsupportedMediaError(f"{output} is not a picture; write the preview to .png or .jpg.", output)
        claim_output(output, source=source, overwrite=overwrite)
    cells: list[PreviewCell] = []
    flow_reason = ""
    for name in styles:
        composition = Composition.load(make_config(preset, style=name, **settings))
        flow = composition.flow()
        for moment in times[:1] if is_still(source) else times:
            if is_still(source):
                cell = _still_cell(source, composition)
            elif is_sequence(source):
                cell = _sequence_cell(source, composition, flow, moment)
                flow_reason = flow.reason
            else:
                cell = _clip_cell(source, composition, flow, moment)
                flow_reason = flow.reason
            cells.append(cell)
            if on_cell is not None:
                on_cell(cell)
    sheet = _sheet(cells, len(styles))
    if output is not None:
        write_still(output, sheet, overwrite=overwrite)
    return PreviewReport(tuple(cells), sheet, output, flow_reason)


def _still_cell(source: Path, composition: Composition) -> PreviewCell:
    picture = read_still(source).data
    painted = _paint_picture(composition, picture)
    return PreviewCell(composition.stylizer.name, 0.0, 0.0, _fit(picture, painted), painted, 0)


def _clip_cell(source: Path, composition: Composition, flow: FlowChoice, at: float | str) -> PreviewCell:
    config = composition.config
    with open_moment(source, config, at, num_warmup(config)) as reader:
        info, at_seconds = reader.info, reader.moment(at)
        begin, end = (None if m is None else reader.moment(m) for m in (config.start_seconds, config.end_seconds))
        if at_seconds < (begin or 0) or (end is not None and at_seconds >= end):
            raise ConfigError(
                f"{float(at_seconds):g} s is outside the range to render; choose a moment between start and end."
            )
        if flow.estimator is not None:
            flow.estimator.reset()
        painter = composition.painter(info.upright_size, info.average_rate, flow, clip_facts(reader, config))
        found = preview_frame(reader, painter, float(reader.origin + at_seconds))
        if found is None:
            length = f", which is {info.duration_seconds:.2f} s long" if info.duration_seconds else ""
            raise OpenError(f"{float(at_seconds):g} s is outside {source}{length}; choose a moment within it.", source)
        return _cell(composition, found, float(at_seconds), reader.origin)


def _sequence_cell(source: Path, composition: Composition, flow: FlowChoice, at: float | str) -> PreviewCell:
    with open_source(source, None, composition.config, lambda _: None) as reader:
        if not isinstance(reader, SequenceReader):
            raise TypeError(f"{source} is no sequence")
        sequence = reader.sequence
    index = sequence.index_at(at)
    if flow.estimator is not None:
        flow.estimator.reset()
    config, info = composition.config, sequence.info
    with sequence.read(index, index + 1, num_warmup(config)) as part:
        painter = composition.painter(info.upright_size, info.average_rate, flow, clip_facts(part, config))
        found = preview_frame(part, painter, float((index + Fraction(1, 2)) * sequence.info.time_base))
    if found is None:
        raise OpenError(f"{source} has no frame at {at}; choose another moment.", source)
    return _cell(composition, found, float(index * sequence.info.time_base), Fraction(0))


def _cell(composition: Composition, found: PreviewFrame, at_seconds: float, origin: Fraction) -> PreviewCell:
    painted = found.painted
    return PreviewCell(
        style=composition.stylizer.name,
        at_seconds=at_seconds,
        shown_seconds=float(painted.source.pts * painted.source.time_base - origin),
        original=_fit(to_eight_bits(painted.source.data), painted.data),
        stylized=painted.data,
        num_warmup_frames=found.num_warmup_frames,
    )


def _fit(picture: Tensor, like: Tensor) -> Tensor:
    size = (like.shape[-2], like.shape[-1])
    if tuple(picture.shape[-2:]) == size:
        return picture
    return F.interpolate(picture[None], size=size, mode="bilinear", antialias=True)[0]


def _sheet(cells: Sequence[PreviewCell], num_styles: int) -> Tensor:
    if len(cells) == 1:
        return before_after(cells[0].original, cells[0].stylized, labels=("original", cells[0].style))
    num_times = len(cells) // num_styles
    rows = [[cell.original for cell in cells[:num_times]]]
    rows += [[cell.stylized for cell in cells[i * num_times : (i + 1) * num_times]] for i in range(num_styles)]
    names = ["original", *(cells[i * num_times].style for i in range(num_styles))]
    return contact_sheet(rows, names, [f"{cell.at_seconds:g} s" for cell in cells[:num_times]])
