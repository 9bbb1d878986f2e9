"""What the temporal filter looks at, and what else it could: an older frame of the past, or one of the future.

    python scripts/study_references.py --style mosaic --sequences parallax foreground scene pan --frames 24

The filter as it is, which fills what is hidden in the frame before with the result of an older frame; without that; and
with "look-ahead", which it does not have: it aims at the mean of this painting and the next, moved back onto it. Each
runs along DIS flow and along the suite's exact motion, which shows how much could be gained with better flow. nE_k is
the warping error per gradient energy over k frames, along exact motion; "factor" how many times lower nE_5 is than that
of frames painted alone. See docs/consistency.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import torch
from consistency_runs import AlongExactMotion, Clip, Frames, Track, painted, suite_clip
from torch import Tensor
from train_builtin import WEIGHTS

from vidstyle.config import RenderConfig, output_size
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.pair_motion import GAPS, ExactMotion
from vidstyle.evaluation.sequences import shot_start
from vidstyle.evaluation.synthetic import SUITE, SyntheticSequence, suite_sequence
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.imaging.pyramid import weigh_
from vidstyle.imaging.warp import swift_warp
from vidstyle.protocols import LOOK_BACK, Motion
from vidstyle.temporal.filter import ConsistencyFilter, Reference

AS_IT_IS, WITHOUT, AHEAD = "as it is", "without the older frame", "look-ahead"
DEFAULT = RenderConfig.model_fields["consistency"].default


class WithoutOlder(ConsistencyFilter):
    """The filter with the frame before for all its past."""

    def older_reference(self, *_: object) -> None:
        """None."""


class ExactWithoutOlder(AlongExactMotion):
    """The same along exact motion."""

    def older_reference(self, *_: object) -> None:
        """None."""


FILTERS = {
    (AS_IT_IS, False): ConsistencyFilter,
    (WITHOUT, False): WithoutOlder,
    (AHEAD, False): ConsistencyFilter,
    (AS_IT_IS, True): AlongExactMotion,
    (WITHOUT, True): ExactWithoutOlder,
    (AHEAD, True): AlongExactMotion,
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
        print(f"{options.style:<12} {'':<38} {'nE_1':>8} {'nE_5':>8} {'factor':>6}")
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
    judging, measured = ExactMotion(sequence, (*GAPS, LOOK_BACK)), Measured(clip, sequence)
    tracks = {key: Track(sequence.size, None, make(DEFAULT)) for key, make in FILTERS.items()}
    alone = Track(sequence.size, None)
    for index in range(sequence.num_frames):
        content, picture = measured.content(index), painting(paintings, index)
        known = judging.push(content[0])
        motions = {gap: found for gap, found in known.items() if gap in GAPS}
        alone.push(index, alone.filter(content, picture, None), None, motions)
        motion, aims = measured.motion(index), {False: picture, True: picture}
        is_last = index + 1 == sequence.num_frames or shot_start(sequence, index + 1) == index + 1
        if not is_last:
            following = painting(paintings, index + 1)
            flow, valid = sequence.flow(index, index + 1)
            aims = {
                False: between(picture, following, measured.following(index)),
                True: between(picture, following, Reference(flow[None], valid[None].float())),
            }
        for (name, is_exact), track in tracks.items():
            used = motion if not is_exact else known if 1 in known else None
            aim = aims[is_exact] if name == AHEAD else picture
            track.push(index, track.filter(content, aim, used), None, motions)
    before = alone.meter.summary().normalized_error
    for (name, is_exact), track in tracks.items():
        found = track.meter.summary().normalized_error
        label = name + (", exact motion" if is_exact else "")
        print(f"{clip.name:<12} {label:<38} {found[1]:8.4f} {found[5]:8.4f} {before[5] / found[5]:6.2f}", flush=True)


def painting(paintings: Frames, index: int) -> Tensor:
    return torch.from_numpy(paintings[index].copy())[None].float()


def between(painting: Tensor, following: Tensor, moved: Reference) -> Tensor:
    """The mean of a painting and the next one, where that is seen."""
    difference = swift_warp(following, moved.flow).clamp_(0.0, 1.0) - painting
    return painting + 0.5 * weigh_(difference, moved.trust)


class Measured:
    """Motion as DIS finds it between the frames of a clip."""

    def __init__(self, clip: Clip, sequence: SyntheticSequence) -> None:
        self._clip, self._sequence = clip, sequence
        self._flow, self._filter = LookingBack(DisFlow()), ConsistencyFilter(DEFAULT)

    def content(self, index: int) -> Tensor:
        """(1, 3, H, W) in [0, 1]."""
        return torch.from_numpy(self._clip.frames[index].copy())[None].float() / 255

    def motion(self, index: int) -> Motion | None:
        """From a frame to those before; asked for in order, and once."""
        if shot_start(self._sequence, index) == index:
            self._flow.reset()
        return self._flow.push(self.content(index))

    def following(self, index: int) -> Reference:
        """From a frame to the next one of its shot."""
        content, other = self.content(index), self.content(index + 1)
        backwards = DisFlow()
        backwards.push(other)
        motion = backwards.push(content)
        if motion is None:
            raise RuntimeError("no motion for a second frame")
        flow = self._filter.refined(content, other, motion)
        return Reference(flow, self._filter.validity(content, other, motion, flow))


if __name__ == "__main__":
    main()
