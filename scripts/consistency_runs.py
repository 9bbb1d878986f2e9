"""Clips painted once and kept, and many ways to steady them measured side by side."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vidstyle.evaluation.gates import Gate, judge
from vidstyle.evaluation.meters import ComparisonMeter, ComparisonSummary, Mean, TrackMeter, TrackSummary
from vidstyle.evaluation.metrics import PatchSwd
from vidstyle.evaluation.pair_motion import GAPS, EstimatedMotion, ExactMotion, MotionSource
from vidstyle.evaluation.synthetic import SyntheticSequence
from vidstyle.flow.select import FlowChoice
from vidstyle.frames import VideoFrame
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.media.reader import open_video
from vidstyle.protocols import LOOK_BACK, FlowEstimator, TemporalFilter
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.temporal.filter import ConsistencyFilter, FilterState, Reference
from vidstyle.temporal.shots import CutDetector

SWD_EVERY, SWD_FIRST = 12, 4
PER_FRAME, UNTRAINED, SOURCE = "per frame", "per frame, no temporal loss", "source"
Frames = NDArray[Any]


@dataclass(frozen=True)
class Clip:
    """What is painted.

    Attributes:
        name: for tables.
        frames: (N, 3, H, W) uint8, on disk.
        rate: frames a second.
        motion: makes what judges it.
        is_exact: its motion is known.
        key: of the cache.
    """

    name: str
    frames: Frames
    rate: Fraction
    motion: Callable[[], MotionSource]
    is_exact: bool
    key: str


@dataclass(frozen=True)
class Result:
    """One method on one clip in one style."""

    style: str
    clip: str
    method: str
    is_exact: bool
    track: TrackSummary
    comparison: ComparisonSummary | None
    swd: float | None
    gates: tuple[Gate, ...]

    @property
    def failed(self) -> list[str]:
        return [gate.name for gate in self.gates if gate.passed is False]


def kept(
    path: Path, num: int, size: tuple[int, int], dtype: type[np.generic], make: Callable[[], Iterator[Tensor]]
) -> Frames:
    """Frames out of a file, made and written before where it is not there; only what is read is in memory.

    Args:
        path: of the .npy file.
        num: most frames; a clip may have fewer.
        size: (width, height).
        dtype: uint8, or float16 in [0, 1].
        make: gives (3, H, W) frames.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        store = np.lib.format.open_memmap(part, "w+", dtype, (num, 3, size[1], size[0]))
        count = 0
        for count, frame in enumerate(islice(make(), num), 1):
            store[count - 1] = frame.numpy().astype(dtype)
            print(f"\r\033[K{path.stem} {count}", end="", file=sys.stderr, flush=True)
        print("\r\033[K", end="", file=sys.stderr)
        store.flush()
        if count < num:
            np.save(part, store[:count])
        part.replace(path)
    frames: Frames = np.load(path, mmap_mode="r")
    return frames


def suite_clip(name: str, sequence: SyntheticSequence, cache: Path, source: str, gaps: Sequence[int] = GAPS) -> Clip:
    """A sequence of the suite; ``source`` tells apart the pictures it shows, ``gaps`` are how far motion leads back."""
    width, height = sequence.size
    key = f"{name}-{source}-{width}x{height}-{sequence.num_frames}"
    frames = kept(
        cache / f"{key}.npy",
        sequence.num_frames,
        sequence.size,
        np.uint8,
        lambda: (sequence.frame(index) for index in range(sequence.num_frames)),
    )
    return Clip(name, frames, sequence.fps, lambda: ExactMotion(sequence, gaps), True, key)


def file_clip(path: Path, num: int, width: int, cache: Path, judge: Callable[[], FlowChoice]) -> Clip:
    """A real clip, brought to a width; judged with motion that ``judge``'s estimator measures."""
    with open_video(path) as reader:
        full, rate = reader.info.upright_size, reader.info.average_rate
    scale = min(1.0, width / full[0])
    size = (round(full[0] * scale), round(full[1] * scale))

    def pictures() -> Iterator[Tensor]:
        with open_video(path) as reader:
            for item in reader:
                if isinstance(item, VideoFrame):
                    picture = to_eight_bits(item.data)[None].float()
                    resized = F.interpolate(picture, (size[1], size[0]), mode="bicubic", antialias=True)
                    yield resized[0].round().clamp(0, 255)

    key = f"{path.stem}-{size[0]}x{size[1]}-{num}"
    frames = kept(cache / f"{key}.npy", num, size, np.uint8, pictures)

    def motion() -> MotionSource:
        estimator = judge().estimator
        if estimator is None:
            sys.exit("measure_consistency: --judge must measure motion")
        return EstimatedMotion(estimator)

    return Clip(path.stem, frames, rate, motion, False, key)


def painted(weights: Path, clip: Clip, cache: Path) -> Frames:
    """A clip painted frame by frame: (N, 3, H, W) float16, on disk."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:10]

    def pictures() -> Iterator[Tensor]:
        network = load_feedforward(weights)
        for frame in clip.frames:
            yield network(torch.from_numpy(frame.copy())[None].float() / 255).clamp(0, 1)[0]

    num, _, height, width = clip.frames.shape
    return kept(cache / f"{weights.stem}-{digest}-{clip.key}.npy", num, (width, height), np.float16, pictures)


class AlongExactMotion(ConsistencyFilter):
    """The filter as it would be if motion and occlusion were known: takes what ``ExactMotion`` gives for motion."""

    def refined(self, content: Tensor, previous: Tensor, motion: Any) -> Tensor:
        """Nothing to sharpen."""
        del content, previous
        return cast("Tensor", motion[1].flow)

    def validity(self, content: Tensor, previous: Tensor, motion: Any, flow: Tensor) -> Tensor:
        """Nothing to guess."""
        del content, previous, flow
        return cast("Tensor", motion[1].valid.float())

    def older_reference(self, small: Tensor, state: FilterState, motion: Any) -> Reference | None:
        """Likewise."""
        del small
        found = motion.get(LOOK_BACK)
        return None if found is None or len(state.past) < LOOK_BACK else Reference(found.flow, found.valid.float())


class Track:
    """One method's meters on one clip."""

    def __init__(self, size: tuple[int, int], swd: PatchSwd | None, method: TemporalFilter | None = None) -> None:
        self.method, self._state = method, None
        self.meter, self.comparison, self.swd, self._measure = TrackMeter(size), ComparisonMeter(), Mean(), swd

    def filter(self, content: Tensor, stylized: Tensor, motion: Any) -> Tensor:
        """The frame as an encoder gets it: (3, H, W) uint8."""
        steady = stylized
        if self.method is not None:
            if motion is None:
                self._state = None
            steady, self._state = self.method.step(content, stylized, motion, self._state)
        return steady[0].mul(255).round().clamp(0, 255).to(torch.uint8)

    def push(self, index: int, image: Tensor, alone: Tensor | None, motions: Mapping[int, Any]) -> None:
        self.meter.push(image, motions)
        if alone is not None:
            self.comparison.push(image, alone, motions.get(1))
        if self._measure is not None and index % SWD_EVERY == SWD_FIRST:
            self.swd.add(self._measure(image.float() / 255))


@dataclass(frozen=True)
class Paintings:
    """A clip in one style.

    Attributes:
        style: shipped name.
        stylized: the clip painted frame by frame.
        untrained: by a network trained without temporal loss, where there is one.
        swd: distance to the style's picture.
    """

    style: str
    stylized: Frames
    untrained: Frames | None
    swd: PatchSwd | None

    def tracks(self, size: tuple[int, int], methods: Mapping[str, Callable[[], TemporalFilter]]) -> dict[str, Track]:
        """Meters for the frames as they are and for every method."""
        as_they_are = [PER_FRAME] if self.untrained is None else [PER_FRAME, UNTRAINED]
        return {name: Track(size, self.swd) for name in as_they_are} | {
            name: Track(size, self.swd, make()) for name, make in methods.items()
        }


def measure(
    clip: Clip,
    paintings: Sequence[Paintings],
    methods: Mapping[str, Callable[[], TemporalFilter]],
    flow: FlowEstimator,
) -> list[Result]:
    """Every method in every style on one clip, in one pass: the same motion for all, found once."""
    height, width = clip.frames.shape[-2:]
    size = (int(width), int(height))
    source = Track(size, None)
    of_styles = [(each, each.tracks(size, methods)) for each in paintings]
    judging, cuts = clip.motion(), CutDetector(clip.rate)
    flow.reset()
    for index in range(len(clip.frames)):
        frame = torch.from_numpy(clip.frames[index].copy())
        content = frame[None].float() / 255
        is_cut = cuts.push(frame)
        if is_cut:
            flow.reset()
        motion = flow.push(content)
        known = judging.push(frame, is_cut)
        motions = {gap: found for gap, found in known.items() if gap in GAPS}
        exact = known if 1 in known else None
        source.push(index, frame, None, motions)
        for each, tracks in of_styles:
            picture = torch.from_numpy(each.stylized[index].copy())[None].float()
            alone = tracks[PER_FRAME].filter(content, picture, None)
            for name, track in tracks.items():
                if name == PER_FRAME:
                    track.push(index, alone, None, motions)
                elif name == UNTRAINED and each.untrained is not None:
                    other = torch.from_numpy(each.untrained[index].copy())[None].float()
                    track.push(index, track.filter(content, other, None), None, motions)
                else:
                    used = exact if isinstance(track.method, AlongExactMotion) else motion
                    track.push(index, track.filter(content, picture, used), alone, motions)
        print(f"\r\033[K{clip.name} {index + 1}", end="", file=sys.stderr, flush=True)
    print("\r\033[K", end="", file=sys.stderr)
    return [
        result
        for each, tracks in of_styles
        for result in _results(each.style, clip, {SOURCE: source, **tracks}, list(methods))
    ]


def _results(style: str, clip: Clip, tracks: Mapping[str, Track], methods: list[str]) -> list[Result]:
    alone = tracks[PER_FRAME]
    alone_summary, alone_swd = alone.meter.summary(), _known(alone.swd)
    results = []
    for name, track in tracks.items():
        summary, swd = track.meter.summary(), _known(track.swd)
        compared = track.comparison.summary(summary, alone_summary) if name in methods else None
        gates = judge(compared, swd, alone_swd) if name in methods else ()
        results.append(Result(style, clip.name, name, clip.is_exact, summary, compared, swd, gates))
    return results


def _known(mean: Mean) -> float | None:
    return None if math.isnan(mean.value) else mean.value
