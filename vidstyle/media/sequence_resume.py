"""Going on with a sequence: which frames are still to be rendered, and a clip without those that are done."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vidstyle.frames import Packet, VideoFrame, VideoInfo

if TYPE_CHECKING:
    from vidstyle.media.reader import VideoReader
    from vidstyle.media.sequence_reader import SequenceReader


@dataclass(frozen=True, slots=True)
class FrameRun:
    """Consecutive frames.

    Attributes:
        first: index of the first.
        last: index of the last, exclusive; None is the end.
        kept: indices of those among them that are there already: painted on the way, but not written.
    """

    first: int = 0
    last: int | None = None
    kept: frozenset[int] = frozenset()


def unfinished_runs(finished: Collection[int], num_frames: int | None, num_warmup_frames: int) -> list[FrameRun]:
    """Which frames to render so that, with the finished ones, all are there.

    Args:
        finished: indices of those that are there.
        num_frames: how many there are in all; None where that is not known.
        num_warmup_frames: how many frames before a run have to be painted again; runs that are nearer to each other
            become one.
    """
    end = num_frames if num_frames is not None else max(finished, default=-1) + 2
    missing = [index for index in range(end) if index not in finished]
    runs: list[FrameRun] = []
    for index in missing:
        if runs and index - (runs[-1].last or 0) < max(num_warmup_frames, 1):
            runs[-1] = FrameRun(runs[-1].first, index + 1)
        else:
            runs.append(FrameRun(index, index + 1))
    if num_frames is None:
        runs[-1] = FrameRun(runs[-1].first)
    return [replace(run, kept=_within(finished, run)) for run in runs]


def _within(indices: Collection[int], run: FrameRun) -> frozenset[int]:
    return frozenset(i for i in indices if run.first <= i and (run.last is None or i < run.last))


class PartOfClip:
    """The frames of a run, out of an open clip, and those before it which warm the temporal filter up.

    Args:
        clip: open; its sound is left out.
        run: frames wanted, counted from the first the clip is asked for.
        num_warmup_frames: wanted before them.
        first_seconds: frames of the clip before this time are its own warm-up; None where it has none.

    Attributes:
        clip: as given.
        info: of the clip.
        first_seconds: as given.
        num_warmup_frames: frames that come before the run, without the clip's own warm-up.
    """

    def __init__(
        self, clip: VideoReader | SequenceReader, run: FrameRun, num_warmup_frames: int, first_seconds: float | None
    ) -> None:
        self.info: VideoInfo = clip.info
        self.first_seconds = first_seconds
        self.num_warmup_frames = min(run.first, num_warmup_frames)
        self.clip = clip
        self._run = run
        self._needs_lead = run.first < num_warmup_frames

    def __iter__(self) -> Iterator[VideoFrame | Packet]:
        """Frames only."""
        index = 0
        for item in self.clip:
            if isinstance(item, Packet):
                continue
            if self.first_seconds is not None and item.seconds < self.first_seconds:
                if self._needs_lead:
                    yield item
                continue
            if self._run.last is not None and index >= self._run.last:
                return
            if index >= self._run.first - self.num_warmup_frames:
                yield item
            index += 1

    def close(self) -> None:
        """Release the clip."""
        self.clip.close()
