"""What an evaluation found, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vidstyle.evaluation.gates import Gate
from vidstyle.evaluation.highlights import Moment, TimeSlice
from vidstyle.evaluation.meters import ComparisonSummary, TrackSummary
from vidstyle.evaluation.series import TimeSeries

#: Names of the clips compared.
SOURCE, STYLIZED, PER_FRAME = "source", "stylized", "per_frame"
#: Raised whenever a key of the JSON goes or changes its meaning; new keys may come without.
JSON_VERSION = 1
#: dB that stand for "no difference at all" in JSON, which knows no infinity.
NO_DIFFERENCE_DB = 100.0


@dataclass(frozen=True, slots=True)
class StyleFigures:
    """One clip's distances; None where there is no style picture or no encoder, or the clip is too short.

    Attributes:
        patch_swd: to the style picture; see ``vidstyle.evaluation.metrics.PatchSwd``.
        gram_distance: to the style picture; see ``vidstyle.evaluation.perceptual.GramDistance``.
        feature_pair_distance: to the frame before; see ``vidstyle.evaluation.perceptual.FeaturePairDistance``.
    """

    patch_swd: float | None
    gram_distance: float | None
    feature_pair_distance: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ClipReport:
    """Result of ``vidstyle.evaluation.clips.evaluate``.

    Attributes:
        clips: file names by ``source``, ``stylized`` and, where given, ``per_frame``.
        style: file name of the style picture.
        size: (width, height) in pixels at which clips were compared.
        num_frames: frames compared.
        rate: the source's frames per second.
        flow: estimator that judged.
        flow_reason: why, one sentence.
        encoder: what deep features were taken of and why; None without them.
        cut_seconds: where new shots start; pairs across do not count.
        judged_share: share of pixels that counted, by gap.
        tracks: steadiness by clip.
        comparison: cost against the frames painted alone; None where those were not given.
        styles: distances by clip, the source left out.
        gates: limits a steady clip should keep.
        series: figures over time: ``warping_error_K_CLIP``, ``band_LEVEL`` (0 is finest), ``drift`` in dB.
        moments: the worst first.
        time_slice: a row of pixels over time, by clip.
        notes: a sentence each.
    """

    clips: dict[str, str]
    style: str | None
    size: tuple[int, int]
    num_frames: int
    rate: float
    flow: str
    flow_reason: str
    encoder: str | None
    cut_seconds: tuple[float, ...]
    judged_share: dict[int, float]
    tracks: dict[str, TrackSummary]
    comparison: ComparisonSummary | None
    styles: dict[str, StyleFigures]
    gates: tuple[Gate, ...]
    series: TimeSeries
    moments: tuple[Moment, ...]
    time_slice: TimeSlice | None
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool | None:
        """Whether every gate that could be measured is kept; None where none could be."""
        known = [gate.passed for gate in self.gates if gate.passed is not None]
        return all(known) if known else None

    def to_json(self) -> dict[str, Any]:
        """A document for ``json.dumps``; docs/evaluate.md says what every key means.

        NaN becomes null (not measurable), infinite dB become 100 (no difference).
        """
        document = {
            "version": JSON_VERSION,
            "clips": self.clips,
            "style": self.style,
            "width": self.size[0],
            "height": self.size[1],
            "num_frames": self.num_frames,
            "rate": self.rate,
            "flow": self.flow,
            "encoder": self.encoder,
            "cut_seconds": self.cut_seconds,
            "judged_share": self.judged_share,
            "tracks": {name: asdict(track) for name, track in self.tracks.items()},
            "comparison": asdict(self.comparison) if self.comparison else None,
            "styles": {name: asdict(figures) for name, figures in self.styles.items()},
            "gates": [asdict(gate) for gate in self.gates],
            "passed": self.passed,
            "series": {
                "frames_per_point": self.series.frames_per_point,
                "seconds": self.series.seconds,
                **{name: self.series.values(name) for name in self.series.names()},
            },
            "worst_moments": [
                {
                    "index": moment.index,
                    "seconds": moment.seconds,
                    "warping_error": moment.error,
                    "warping_error_floor": moment.floor,
                }
                for moment in self.moments
            ],
            "notes": self.notes,
        }
        plain: dict[str, Any] = _plain(document)
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return None if math.isnan(value) else min(value, NO_DIFFERENCE_DB) if math.isinf(value) else value
    return value
