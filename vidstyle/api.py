"""vidstyle from Python: paint a file, preview a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import RenderConfig, make_config
from vidstyle.errors import ConfigError, OpenError, UnsupportedMediaError
from vidstyle.flow.select import FlowChoice
from vidstyle.frames import VideoFrame, VideoInfo
from vidstyle.media.gif import GifWriter
from vidstyle.media.reader import VideoReader, open_video
from vidstyle.media.sheets import before_after, contact_sheet
from vidstyle.media.stills import claim_output, is_still, read_still, write_still
from vidstyle.media.writer import VideoWriter, open_writer
from vidstyle.pipeline.painter import Painter
from vidstyle.pipeline.preview import preview_frame
from vidstyle.pipeline.render import render
from vidstyle.protocols import MediaSink
from vidstyle.report import RenderReport
from vidstyle.temporal.filter import warmup_frames

#: Settings of video encoders, which a GIF has not.
_VIDEO_SETTINGS = ("codec", "crf", "encoder_preset", "pixel_format", "encoder_options")

#: Told what is about to happen (sentences), before the first frame.
OnPlan = Callable[[Sequence[str]], None]
#: Told frames done and frames expected (None where unknown).
OnProgress = Callable[[int, int | None], None]


def stylize(
    source: str | Path,
    output: str | Path,
    *,
    config: RenderConfig | None = None,
    preset: str | Path | None = None,
    overwrite: bool = False,
    on_plan: OnPlan | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> RenderReport:
    """Paint a clip, a GIF or a still.

    The output appears under its name when it is whole, and not before; on any failure nothing is left there, and a file
    that was there stays.

    Args:
        source: video, GIF or still (JPEG, PNG, TIFF, WebP).
        output: where to; the suffix names the container.
        config: complete settings; without it they are made of ``preset`` and ``settings``.
        preset: name of a shipped preset, or a TOML file.
        overwrite: replace an existing output.
        on_plan: told what will happen before the first frame.
        on_progress: told how far the render is.
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
    if is_still(source):
        return _stylize_still(source, output, config, overwrite, on_plan)
    if is_still(output):
        raise UnsupportedMediaError(
            f"{output} is a picture but {source.name} is a clip; write to .mp4, or see 'vidstyle preview'.",
            output,
        )
    return _stylize_clip(source, output, config, overwrite, on_plan=on_plan, on_progress=on_progress)


def _stylize_clip(
    source: Path,
    output: Path,
    config: RenderConfig,
    overwrite: bool,
    *,
    on_plan: OnPlan | None,
    on_progress: OnProgress | None,
) -> RenderReport:
    warnings: list[str] = []
    with open_video(
        source, start_seconds=config.start_seconds, end_seconds=config.end_seconds, on_warning=warnings.append
    ) as reader:
        composition = Composition.load(config)
        flow = composition.flow()
        painter = composition.painter(reader.info.upright_size, reader.info.average_rate, flow)
        size = painter.size or reader.info.upright_size
        sink, streams = _open_sink(output, reader, size, config, overwrite)
        try:
            if on_plan is not None:
                on_plan([composition.compute.reason, flow.reason, *streams])
            expected = _expected_frames(reader.info, config)
            stats = render(reader, sink, painter, on_progress and (lambda done: on_progress(done, expected)))
        finally:
            sink.abort()
    return RenderReport(
        output=output,
        style=composition.stylizer.name,
        num_frames=stats.num_frames,
        size=size,
        wall_seconds=stats.wall_seconds,
        stage_seconds=stats.stage_seconds,
        compute=composition.compute.reason,
        flow=flow.reason,
        streams=tuple(streams),
        cut_seconds=tuple(stats.cut_seconds),
        notes=(*warnings, *painter.fallbacks, *_sink_notes(sink, config)),
    )


def _sink_notes(sink: MediaSink, config: RenderConfig) -> list[str]:
    if isinstance(sink, VideoWriter):
        return sink.notes
    notes = []
    if isinstance(sink, GifWriter) and sink.num_frames_merged:
        notes.append(f"{sink.num_frames_merged} frames closer than a GIF can show (2/100 s) were merged.")
    ignored = [name for name in _VIDEO_SETTINGS if getattr(config, name) not in (None, {})]
    if ignored:
        notes.append(f"A GIF has no use for {', '.join(ignored)}.")
    return notes


def _open_sink(
    output: Path, reader: VideoReader, size: tuple[int, int], config: RenderConfig, overwrite: bool
) -> tuple[MediaSink, list[str]]:
    if output.suffix.lower() == ".gif":
        lines = [f"{stream.describe()}: dropped, a GIF has no place for it" for stream in reader.other_streams]
        return GifWriter(output, source=reader.path, overwrite=overwrite), lines
    writer = open_writer(
        output,
        reader,
        size=size,
        codec=config.codec,
        crf=config.crf,
        preset=config.encoder_preset,
        pixel_format=config.pixel_format,
        encoder_options=config.encoder_options,
        audio=config.audio,
        overwrite=overwrite,
    )
    return writer, [str(plan) for plan in writer.plan]


def _expected_frames(info: VideoInfo, config: RenderConfig) -> int | None:
    if config.start_seconds is None and config.end_seconds is None and info.num_frames_from_header:
        return info.num_frames_from_header
    end = min((value for value in (config.end_seconds, info.duration_seconds) if value is not None), default=None)
    if end is None:
        return None
    return max(round((end - (config.start_seconds or 0.0)) * float(info.average_rate)), 1)


def _stylize_still(
    source: Path, output: Path, config: RenderConfig, overwrite: bool, on_plan: OnPlan | None
) -> RenderReport:
    if not is_still(output):
        raise UnsupportedMediaError(f"{source.name} is a picture and {output} is not; write to .png or .jpg.", output)
    still = read_still(source)
    claim_output(output, source=source, overwrite=overwrite)
    composition = Composition.load(config)
    if on_plan is not None:
        on_plan([composition.compute.reason])
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
    )


def _paint_picture(composition: Composition, picture: Tensor) -> Tensor:
    painter = composition.painter((picture.shape[-1], picture.shape[-2]))
    return painter.paint([VideoFrame(picture, 0, Fraction(1))])[0].data


@dataclass(frozen=True, slots=True, eq=False)
class PreviewCell:
    """One style at one moment.

    Attributes:
        style: name of the style.
        at_seconds: moment asked for, on the clip's own clock.
        shown_seconds: when the frame shown at that moment starts.
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
    at: float | Sequence[float] = 0.0,
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
        source: video, GIF or still.
        output: picture to write; None writes nothing.
        at: one or more moments in seconds, on the clip's own clock; a still ignores them.
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
    times = [at] if isinstance(at, int | float) else list(at)
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
            else:
                cell = _clip_cell(source, composition, flow, float(moment))
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


def _clip_cell(source: Path, composition: Composition, flow: FlowChoice, at_seconds: float) -> PreviewCell:
    config = composition.config
    begin, end = config.start_seconds or 0.0, config.end_seconds
    if at_seconds < begin or (end is not None and at_seconds >= end):
        raise ConfigError(f"{at_seconds:g} s is outside the range to render; choose a moment between start and end.")

    def open_from(start_seconds: float) -> VideoReader:
        return open_video(source, start_seconds=start_seconds or None, shift_to_zero=False)

    def make_painter() -> Painter:
        if flow.estimator is not None:
            flow.estimator.reset()
        return composition.painter(info.upright_size, info.average_rate, flow)

    with open_from(at_seconds) as reader:  # a moment past the end is refused here, before anything is painted
        info = reader.info
    num_warmup = warmup_frames(config.consistency) if flow.estimator is not None else 0
    found = preview_frame(open_from, make_painter, at_seconds, num_warmup, begin_seconds=begin)
    if found is None:
        length = f", which is {info.duration_seconds:.2f} s long" if info.duration_seconds else ""
        raise OpenError(f"{at_seconds:g} s is outside {source}{length}; choose a moment within it.", source)
    painted = found.painted
    return PreviewCell(
        style=composition.stylizer.name,
        at_seconds=at_seconds,
        shown_seconds=painted.source.seconds,
        original=_fit(painted.source.data, painted.data),
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
