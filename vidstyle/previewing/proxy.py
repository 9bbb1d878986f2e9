"""A few seconds of a clip, small: a real render, from which the full one is estimated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.compose import choose_compute, frames_a_call
from vidstyle.config import RenderConfig, output_size
from vidstyle.errors import ConfigError, UnsupportedMediaError
from vidstyle.media.comparisons import Compare, compared, difference_gain
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.media.names import is_still
from vidstyle.media.sequence_names import is_sequence
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.pipeline.meter import Meter
from vidstyle.pipeline.painter import PaintedFrame
from vidstyle.planning import open_moment, open_source
from vidstyle.previewing.cells import fitted, moment_in_range
from vidstyle.previewing.estimate import Estimator
from vidstyle.rendering import OnProgress, render_clip
from vidstyle.report import RenderEstimate, RenderReport

#: Shorter side of a proxy that is given no size.
PROXY_SIDE_PX = 360


class _Comparison:
    """A comparison of each frame with its source; the plain painting goes to a meter."""

    def __init__(self, kind: Compare, style: str, meter: Meter | None) -> None:
        self._kind, self._style, self._meter = kind, style, meter
        self._gain: int | None = None

    def size(self, painted: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the comparison of paintings of a size."""
        blank = torch.zeros(3, painted[1], painted[0], dtype=torch.uint8)
        shown = compared(self._kind, blank, blank, "")
        return shown.shape[-1], shown.shape[-2]

    def __call__(self, painted: PaintedFrame) -> Tensor:
        """(3, H, W) uint8."""
        if self._meter is not None:
            self._meter.take(painted)
        original = fitted(to_eight_bits(painted.source.data), painted.data)
        if self._gain is None:  # held, or differences of different frames could not be compared
            self._gain = difference_gain([(original, painted.data)]) if self._kind == "diff" else 1
        return compared(self._kind, original, painted.data, self._style, self._gain)


def render_proxy(
    source: Path,
    output: Path,
    config: RenderConfig,
    *,
    at: float | str,
    seconds: float,
    compare: Compare | None = None,
    estimates: bool = False,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> tuple[RenderReport, tuple[RenderEstimate, ...]]:
    """Render a piece of a clip, at ``config.size`` or with a shorter side of ``PROXY_SIDE_PX``.

    Args:
        source: the clip, or the pattern of a sequence.
        output: a video.
        config: settings of the full render, but for their size.
        at: where it begins: with the frame shown at this moment.
        seconds: how long it is; what is left of the clip, where that is less.
        compare: show each frame beside its source; None shows the painting alone.
        estimates: measure what the full render would take.
        overwrite: replace an existing output.
        on_progress: told frames done, and frames expected.

    Returns:
        What was done, and the estimate.

    Raises:
        ConfigError: the length or a setting cannot be used.
        MediaError: input or output cannot be used, or the moment is past the end.
    """
    _check_names(source, output)
    if not seconds > 0:
        raise ConfigError(f"A proxy clip lasts longer than {seconds:g} s; give it some seconds, such as --clip 3.")
    piece = _piece(source, config, at, Fraction(str(seconds)))
    name = Path(config.style).stem if Path(config.style).is_file() else config.style

    def rendered(meter: Meter | None = None) -> RenderReport:
        def on_frame(done: int, expected: int | None) -> None:
            if meter is not None and compare is None:
                meter.tick()
            if on_progress is not None:
                on_progress(done, expected)

        show = None if compare is None else _Comparison(compare, name, meter)
        settings = piece.config if show is None else piece.config.model_copy(update={"alpha": "drop"})
        return render_clip(source, output, settings, overwrite, on_progress=on_frame, show=show)

    if not estimates:
        return piece.noted(rendered()), ()
    full = config.model_copy(update={"size": None})
    with Estimator(source, full, suffix=output.suffix.lower(), size=piece.size) as estimator:
        batch_size = frames_a_call(config, choose_compute(config.device, config.precision).device)
        with estimator.meter(name, batch_size, encodes=compare is not None) as meter:
            report = rendered(meter)
        if compare is None:
            estimator.count(name, output)
        return piece.noted(report), estimator.estimates()


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a proxy shows.

    Attributes:
        config: settings of its render.
        size: (width, height) of its frames.
        note: what is not as asked for; empty where all is.
    """

    config: RenderConfig
    size: tuple[int, int]
    note: str

    def noted(self, report: RenderReport) -> RenderReport:
        return replace(report, notes=(*report.notes, self.note)) if self.note else report


def _piece(source: Path, config: RenderConfig, at: float | str, seconds: Fraction) -> _Piece:
    if is_sequence(source):
        with open_source(source, None, config, lambda _: None) as reader:
            if not isinstance(reader, SequenceReader):
                raise TypeError(f"{source} is no sequence")
            info, start = reader.info, reader.sequence.index_at(at) / reader.info.average_rate
            end: Fraction | None = reader.num_frames_expected / reader.info.average_rate
            first = Fraction(0) if config.start_seconds is None else reader.moment(config.start_seconds)
    else:
        with open_moment(source, config, at, 0) as clip:
            info, _ = clip.info, moment_in_range(clip, config, at)
            start = Fraction(0) if clip.start is None else clip.start - clip.origin
            ends = [] if config.end_seconds is None else [clip.moment(config.end_seconds)]
            ends += [Fraction(str(info.duration_seconds))] if info.duration_seconds is not None else []
            first, end = Fraction(0), min(ends, default=None)
    note = ""
    if end is not None and start + seconds > end + 1 / info.average_rate:
        note = f"From {float(start):.2f} s on {float(end - start):.2f} s are left; the proxy is that long."
        seconds = end - start
    size = config.size
    if size is None and min(info.upright_size) > PROXY_SIDE_PX:
        size = f"{PROXY_SIDE_PX}{'p' if info.upright_size[0] >= info.upright_size[1] else 'w'}"
    changes = {
        "size": size,
        "start_seconds": _rounded_down(first + start),
        "end_seconds": _rounded_down(first + start + seconds),
        "frames": config.frames if is_sequence(source) else None,
        "handles": 0,
        "continue_": False,
        "sidecar": False,
    }
    return _Piece(config.model_copy(update=changes), output_size(size, info.upright_size), note)


def _rounded_down(seconds: Fraction) -> float:
    """To microseconds, so that the frame which begins there is not lost to rounding."""
    return int(seconds * 1_000_000) / 1_000_000


def _check_names(source: Path, output: Path) -> None:
    if is_still(source):
        raise UnsupportedMediaError(f"{source.name} is a picture, which has no seconds; leave --clip out.", source)
    if is_still(output) or is_sequence(output):
        raise UnsupportedMediaError(
            f"{output} is not a video, which --clip makes; write to .mp4, .mov, .mkv, .webm or .gif.", output
        )
