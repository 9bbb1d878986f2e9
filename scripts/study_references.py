"""What else the temporal filter could look at: a second frame of the past, or one of the future.

    python scripts/study_references.py --style mosaic --sequences parallax foreground scene pan --frames 24

The filter as it is, beside two that it is not: "second reference" fills what is hidden in the frame before with the
result of six frames earlier; "look-ahead" aims at the mean of this painting and the next one, moved back onto it. Each
runs along DIS flow and along the suite's exact motion, which shows how much could be gained with better flow. nE_k is
the warping error per gradient energy over k frames, along exact motion; "factor" how many times lower nE_5 is than that
of frames painted alone. The filter that ships has neither yet; see docs/consistency.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import torch
from consistency_runs import Clip, Frames, Track, painted, suite_clip
from torch import Tensor
from train_builtin import WEIGHTS

from vidstyle.config import RenderConfig, output_size
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.pair_motion import ExactMotion
from vidstyle.evaluation.sequences import shot_start
from vidstyle.evaluation.synthetic import SUITE, SyntheticSequence, suite_sequence
from vidstyle.flow.dis import DisFlow
from vidstyle.imaging.pyramid import weigh
from vidstyle.imaging.warp import points_inside, resize_flow, swift_warp
from vidstyle.protocols import Motion
from vidstyle.temporal.consistency import consistent_blend
from vidstyle.temporal.filter import MAX_DRIFT, ConsistencyFilter, match_band_energy

LAG = 6
OLDER_SCALE = 0.5  # of the search for what only fills gaps


@dataclass(frozen=True)
class Moved:
    """How a frame lies in another: flow (1, 2, H, W) in pixels, and how far it is trusted (1, 1, H, W)."""

    flow: Tensor
    trust: Tensor


@dataclass(frozen=True)
class Around:
    """Motion from a frame to those around it, where there are such frames of its shot."""

    previous: Moved | None
    older: Moved | None
    following: Moved | None


class WiderFilter(ConsistencyFilter):
    """The filter with references it does not have."""

    def __init__(self, *, second: bool = False, ahead: float = 0.0) -> None:
        super().__init__(RenderConfig.model_fields["consistency"].default)
        self._second, self._ahead = second, ahead
        self._past: deque[Tensor] = deque(maxlen=LAG)

    def paint(self, stylized: Tensor, following: Tensor | None, around: Around) -> Tensor:
        """One frame; ``following`` is the next one's painting."""
        if around.previous is None:
            self._past.clear()
            self._past.append(stylized)
            return stylized
        warped, trust = swift_warp(self._past[-1], around.previous.flow).clamp_(0.0, 1.0), around.previous.trust
        if self._second and around.older is not None:
            older = swift_warp(self._past[0], around.older.flow).clamp_(0.0, 1.0)
            share = around.older.trust * (1.0 - trust)
            warped = (warped * trust + older * share) / (trust + share).clamp(min=1e-6)
            trust = trust + share
        target = stylized
        if self._ahead and around.following is not None and following is not None:
            difference = swift_warp(following, around.following.flow).clamp_(0.0, 1.0) - stylized
            target = stylized + self._ahead * weigh(difference, around.following.trust)
        blended = consistent_blend(target, warped, trust, self.beta, low_beta=self._low_beta, max_drift=MAX_DRIFT)
        output = match_band_energy(blended, stylized).clamp_(0.0, 1.0)
        self._past.append(torch.lerp(blended, output, 0.5))
        return output

    def moved(self, content: Tensor, other: Tensor, motion: Motion) -> Moved:
        """As the filter takes its past."""
        flow = self.refined(content, other, motion)
        return Moved(flow, self.validity(content, other, motion, flow))

    def moved_one_way(self, content: Tensor, other: Tensor, flow: Tensor) -> Moved:
        """Trusted by looks alone."""
        trust = self._photometric_trust(content, swift_warp(other, flow, "bilinear"))
        return Moved(flow, trust * points_inside(flow, slack_px=0.5))


VARIANTS = {
    "as it is": partial(WiderFilter),
    "second reference": partial(WiderFilter, second=True),
    "look-ahead": partial(WiderFilter, ahead=0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", default="mosaic")
    parser.add_argument("--sequences", nargs="+", default=list(SUITE), metavar="NAME", help=", ".join(SUITE))
    parser.add_argument("--frames", type=int, default=48, help="of every sequence")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--cache", type=Path, default=Path("out/consistency"), help="folder of painted frames")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
    try:
        size = output_size(options.size, (640, 360))
        print(f"{options.style:<12} {'':<30} {'nE_1':>8} {'nE_5':>8} {'factor':>6}")
        with torch.inference_mode():
            for name in options.sequences:
                sequence = suite_sequence(name, size, options.frames)
                clip = suite_clip(name, sequence, options.cache, "scene")
                compare(options.style, sequence, clip, options.cache)
    except (VidstyleError, OSError) as error:
        sys.exit(f"study_references: {error}")


def compare(style: str, sequence: SyntheticSequence, clip: Clip, cache: Path) -> None:
    """Every variant on one sequence."""
    paintings = painted(WEIGHTS / f"{style}.safetensors", clip, cache)
    judging, measured = ExactMotion(sequence), Measured(clip)
    filters = {(name, exact): make() for exact in (False, True) for name, make in VARIANTS.items()}
    tracks = {key: Track(sequence.size, None) for key in filters}
    alone = Track(sequence.size, None)
    for index in range(sequence.num_frames):
        picture = painting(paintings, index)
        motions = judging.push(torch.from_numpy(clip.frames[index].copy()))
        alone.push(index, alone.filter(picture, picture, None), None, motions)
        is_last = index + 1 == sequence.num_frames or shot_start(sequence, index + 1) == index + 1
        following = None if is_last else painting(paintings, index + 1)
        around = {
            True: exact_motion(sequence, index, is_last),
            False: measured.motion(index, shot_start(sequence, index), is_last),
        }
        for (name, exact), wider in filters.items():
            steady = wider.paint(picture, following, around[exact])
            track = tracks[name, exact]
            track.push(index, track.filter(picture, steady, None), None, motions)
    before = alone.meter.summary().normalized_error
    for (name, exact), track in tracks.items():
        found = track.meter.summary().normalized_error
        label = name + (", exact motion" if exact else "")
        print(f"{clip.name:<12} {label:<30} {found[1]:8.4f} {found[5]:8.4f} {before[5] / found[5]:6.2f}", flush=True)


def painting(paintings: Frames, index: int) -> Tensor:
    return torch.from_numpy(paintings[index].copy())[None].float()


def exact_motion(sequence: SyntheticSequence, index: int, is_last: bool) -> Around:
    first = shot_start(sequence, index)

    def to(other: int) -> Moved:
        flow, valid = sequence.flow(index, other)
        return Moved(flow[None], valid[None].float())

    return Around(
        previous=to(index - 1) if index > first else None,
        older=to(index - LAG) if index - LAG >= first else None,
        following=None if is_last else to(index + 1),
    )


class Measured:
    """Motion as DIS finds it between the frames of a clip."""

    def __init__(self, clip: Clip) -> None:
        self._clip, self._filter = clip, WiderFilter()
        self._search, self._coarse = DisFlow(), DisFlow(scale=OLDER_SCALE)
        self._pair: tuple[int, Motion] | None = None  # the last, which the next frame asks for again

    def motion(self, index: int, first: int, is_last: bool) -> Around:
        """Around frame ``index`` of a shot that begins at ``first``."""
        content = self._content(index)
        older = None
        if index - LAG >= first:
            other = self._content(index - LAG)
            flow = between(self._coarse, other, content).flow_backward
            older = self._filter.moved_one_way(
                content, other, resize_flow(flow, (content.shape[-2], content.shape[-1]))
            )
        return Around(
            previous=self._previous(index, content) if index > first else None,
            older=older,
            following=None if is_last else self._following(index, content),
        )

    def _previous(self, index: int, content: Tensor) -> Moved:
        return self._filter.moved(content, self._content(index - 1), self._to_previous(index))

    def _following(self, index: int, content: Tensor) -> Moved:
        pair = self._to_previous(index + 1)
        return self._filter.moved(
            content, self._content(index + 1), Motion(flow_backward=pair.flow_forward, flow_forward=pair.flow_backward)
        )

    def _to_previous(self, index: int) -> Motion:
        if self._pair is None or self._pair[0] != index:
            self._pair = index, between(self._search, self._content(index - 1), self._content(index))
        return self._pair[1]

    def _content(self, index: int) -> Tensor:
        return torch.from_numpy(self._clip.frames[index].copy())[None].float() / 255


def between(search: DisFlow, other: Tensor, content: Tensor) -> Motion:
    search.reset()
    search.push(other)
    motion = search.push(content)
    if motion is None:
        raise RuntimeError("no motion for a second frame")
    return motion


if __name__ == "__main__":
    main()
