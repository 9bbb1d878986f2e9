"""Evaluation of a finished clip, whoever made it: every figure in one pass over the files, in flat memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.clip_report import PER_FRAME, SOURCE, STYLIZED, ClipReport, StyleFigures
from vidstyle.evaluation.gates import judge
from vidstyle.evaluation.highlights import TimeSlices, WorstMoments
from vidstyle.evaluation.meters import (
    ComparisonFigures,
    ComparisonMeter,
    Mean,
    TrackFigures,
    TrackMeter,
    as_float,
)
from vidstyle.evaluation.metrics import PatchSwd, energy_ratio
from vidstyle.evaluation.pair_motion import GAPS, EstimatedMotion, PairMotion
from vidstyle.evaluation.pairing import MatchedClips, MatchedFrames
from vidstyle.evaluation.perceptual import FeaturePairDistance, GramDistance
from vidstyle.evaluation.series import TimeSeries
from vidstyle.flow.judge import choose_judge
from vidstyle.flow.select import FlowChoice
from vidstyle.frames import VideoInfo
from vidstyle.media.stills import read_style_image
from vidstyle.stylizers.perceptual import PerceptualEncoder
from vidstyle.temporal.shots import CutDetector

#: Style distances and deep features are taken of one frame in so many, from the fifth on: neighbours are alike.
SAMPLE_EVERY = 12
_SAMPLE_FIRST = 4

#: Told how many frames are done and how many are expected (None where unknown).
OnProgress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """What judges.

    Attributes:
        flow: the flow estimator and why it was chosen.
        encoder: what deep features are taken of; None leaves those figures out.
        encoder_reason: one clause for people.
        device: where pictures are compared.
    """

    flow: FlowChoice
    encoder: PerceptualEncoder | None = None
    encoder_reason: str = ""
    device: str = "cpu"


@torch.inference_mode()
def evaluate(
    source: str | Path,
    stylized: str | Path,
    per_frame: str | Path | None = None,
    *,
    style: str | Path | None = None,
    size: str | None = None,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
    judging: Judge | None = None,
    on_progress: OnProgress | None = None,
) -> ClipReport:
    """Measure how steady a stylized clip is and what that cost; see docs/evaluate.md for every figure.

    Args:
        source: the unpainted clip: flow is measured on it, and its own warping error is the floor.
        stylized: the clip to judge, of any tool; frames are matched by their times.
        per_frame: the same style with every frame painted on its own; texture, drift and ghosts need it.
        style: the style picture, for distances to it.
        size: compare at this size (``1280x720``, ``720p``, ``640w``, ``50%``); None is that of ``stylized``.
        start_seconds: moment of the source that the stylized clip begins at.
        end_seconds: moment of the source to stop before.
        judging: flow and encoder; None is Farnebäck and no encoder.
        on_progress: told how far it is.

    Raises:
        MediaError: a clip or the style picture cannot be read, or the clips do not match.
        ConfigError: a setting cannot be used.
    """
    judging = judging or Judge(choose_judge())
    paths = {SOURCE: Path(source), STYLIZED: Path(stylized)}
    if per_frame is not None:
        paths[PER_FRAME] = Path(per_frame)
    picture = read_style_image(style) if style is not None else None
    with MatchedClips(*paths.values(), size=size, start_seconds=start_seconds, end_seconds=end_seconds) as clips:
        run = _Run(clips, list(paths), picture, judging)
        expected = _expected_frames(clips.info, start_seconds, end_seconds)
        for moment in clips:
            run.push(moment)
            if on_progress is not None:
                on_progress(moment.index + 1, expected)
        return run.report({name: path.name for name, path in paths.items()}, Path(style).name if style else None)


def _expected_frames(info: VideoInfo, start_seconds: float | None, end_seconds: float | None) -> int | None:
    if start_seconds is None and end_seconds is None:
        return info.num_frames_from_header
    end = end_seconds if end_seconds is not None else info.duration_seconds
    return max(round((end - (start_seconds or 0.0)) * float(info.average_rate)), 1) if end is not None else None


class _Run:
    """One evaluation in progress."""

    def __init__(self, clips: MatchedClips, names: list[str], style: Tensor | None, judging: Judge) -> None:
        if judging.flow.estimator is None:
            raise ValueError("judging needs a flow estimator")
        self._clips, self._judging = clips, judging
        self._motion = EstimatedMotion(judging.flow.estimator, GAPS)
        self._cuts = CutDetector(clips.info.average_rate)
        self._tracks = {name: TrackMeter(clips.size, GAPS) for name in names}
        self._comparison = ComparisonMeter() if PER_FRAME in names else None
        self._style = _StyleMeter([name for name in names if name != SOURCE], style, clips.size, judging)
        self._series, self._moments, self._slices = TimeSeries(), WorstMoments(), TimeSlices()
        self._cut_seconds: list[float] = []
        self._valid = {gap: Mean() for gap in GAPS}

    def push(self, moment: MatchedFrames) -> None:
        device = self._judging.device
        frames = (picture.to(device) for picture in (moment.source, *moment.others))
        decoded = dict(zip(self._tracks, frames, strict=True))
        pictures = {name: as_float(picture) for name, picture in decoded.items()}
        starts_shot = self._cuts.push(_as_bytes(moment.raw))
        if starts_shot:
            self._cut_seconds.append(moment.seconds)
        motions = self._motion.push(_as_bytes(decoded[SOURCE]), starts_shot)
        for gap, motion in motions.items():
            self._valid[gap].add(float(motion.valid.float().mean()))
        self._style.push(moment.index, pictures, {n: t.previous for n, t in self._tracks.items()}, motions.get(1))
        figures = {name: self._tracks[name].push(picture, motions) for name, picture in decoded.items()}
        compared = None
        if self._comparison is not None:
            compared = self._comparison.push(pictures[STYLIZED], pictures[PER_FRAME], motions.get(1))
        self._series.add(moment.seconds, _values(figures, compared))
        self._look(moment, pictures, figures)

    def _look(self, moment: MatchedFrames, pictures: Mapping[str, Tensor], figures: Mapping[str, TrackFigures]) -> None:
        # The frames painted alone show best where there was something to calm.
        restless = figures[PER_FRAME if PER_FRAME in figures else STYLIZED].differences
        self._slices.push(moment.seconds, pictures, restless)
        differences = figures[STYLIZED].differences
        error, floor = figures[STYLIZED].errors.get(1, math.nan), _floor_at_contrast(figures)
        if differences is not None and not math.isnan(error + floor):
            at, shown = (moment.index, moment.seconds), (pictures[SOURCE], pictures[STYLIZED])
            self._moments.push(at, error, floor, shown, differences)

    def report(self, names: dict[str, str], style: str | None) -> ClipReport:
        tracks = {name: track.summary() for name, track in self._tracks.items()}
        compared = None
        if self._comparison is not None:
            compared = self._comparison.summary(tracks[STYLIZED], tracks[PER_FRAME])
        styles = self._style.result()
        swd = {name: figures.patch_swd for name, figures in styles.items()}
        return ClipReport(
            clips=names,
            style=style,
            size=self._clips.size,
            num_frames=tracks[SOURCE].num_frames,
            rate=float(self._clips.info.average_rate),
            flow=self._judging.flow.name,
            flow_reason=self._judging.flow.reason,
            encoder=self._judging.encoder_reason if self._judging.encoder is not None else None,
            cut_seconds=tuple(self._cut_seconds),
            judged_share={gap: mean.value for gap, mean in self._valid.items()},
            tracks=tracks,
            comparison=compared,
            styles=styles,
            gates=judge(compared, swd.get(STYLIZED), swd.get(PER_FRAME)),
            series=self._series,
            moments=tuple(self._moments.result()),
            time_slice=self._slices.result(),
            notes=tuple(self._clips.notes()),
        )


class _StyleMeter:
    """Distances to the style picture, and of deep features to the frame before, of a frame now and then."""

    def __init__(self, names: list[str], style: Tensor | None, size: tuple[int, int], judging: Judge) -> None:
        self._figures = {name: {kind: Mean() for kind in ("patch_swd", "gram", "pairs")} for name in names}
        encoder = judging.encoder
        self._pairs = FeaturePairDistance(encoder) if encoder is not None else None
        self._swd: PatchSwd | None = None
        self._gram: GramDistance | None = None
        if style is not None:
            picture = at_short_side(style, min(size)).to(judging.device)
            # Three scales of 7x7 patches; a smaller picture has fewer.
            num_scales = max(min(3, int(math.log2(max(min(*size, *picture.shape[-2:]) / 7, 1))) + 1), 1)
            self._swd = PatchSwd(picture, num_scales=num_scales)
            self._gram = GramDistance(encoder, picture) if encoder is not None else None

    def push(
        self,
        index: int,
        pictures: Mapping[str, Tensor],
        previous: Mapping[str, Tensor | None],
        motion: PairMotion | None,
    ) -> None:
        if index % SAMPLE_EVERY != _SAMPLE_FIRST:
            return
        for name, means in self._figures.items():
            if self._swd is not None:
                means["patch_swd"].add(self._swd(pictures[name]))
            if self._gram is not None:
                means["gram"].add(self._gram(pictures[name]))
            before = previous[name]
            if self._pairs is not None and motion is not None and before is not None:
                means["pairs"].add(self._pairs(pictures[name], as_float(before), motion))

    def result(self) -> dict[str, StyleFigures]:
        def known(mean: Mean) -> float | None:
            return mean.value if mean.count else None

        return {
            name: StyleFigures(known(means["patch_swd"]), known(means["gram"]), known(means["pairs"]))
            for name, means in self._figures.items()
        }


def at_short_side(picture: Tensor, side_px: int) -> Tensor:
    """Bring the shorter side of (3, H, W) in [0, 1] to ``side_px``: strokes have the size then that frames show."""
    scale = side_px / min(picture.shape[-2:])
    size = [max(round(side * scale), 1) for side in picture.shape[-2:]]
    resized = F.interpolate(picture[None], size=size, mode="bicubic", antialias=True)
    return resized[0].clamp(0, 1)


def _floor_at_contrast(figures: Mapping[str, TrackFigures]) -> float:
    """The source's error as it would be at the stylized frame's gradient energy: a bolder picture errs by more."""
    source, steady = figures[SOURCE], figures[STYLIZED]
    if 1 not in source.errors or 1 not in steady.errors:
        return math.nan
    return source.errors[1] * energy_ratio(steady.gradients[1], source.gradients[1])


def _values(figures: Mapping[str, TrackFigures], compared: ComparisonFigures | None) -> dict[str, float]:
    """One frame's figures by the names they have in the report's time series."""
    values = {
        f"warping_error_{gap}_{name}": error for name, found in figures.items() for gap, error in found.errors.items()
    }
    if compared is not None:
        pairs = zip(figures[STYLIZED].bands, figures[PER_FRAME].bands, strict=True)
        values |= {f"band_{level}": energy_ratio(a, b) for level, (a, b) in enumerate(pairs)}
        values["drift"] = min(compared.low_pass_psnr, 100.0)
    return values


def _as_bytes(frame: Tensor) -> Tensor:
    return frame if frame.dtype == torch.uint8 else as_float(frame).mul(255).round().to(torch.uint8)
