"""Going on: which frames are left, and a clip without those that are done."""

from __future__ import annotations

from itertools import pairwise

from fakes import RATE, FakeSource
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.frames import VideoFrame
from vidstyle.media.sequence_resume import FrameRun, PartOfClip, unfinished_runs


@given(st.sets(st.integers(0, 40)), st.integers(1, 41), st.integers(0, 10))
def test_the_runs_hold_what_is_missing(finished: set[int], num_frames: int, num_warmup: int) -> None:
    runs = unfinished_runs(finished, num_frames, num_warmup)
    rendered = {index for run in runs for index in range(run.first, run.last or 0)}
    missing = set(range(num_frames)) - finished
    assert missing <= rendered <= set(range(num_frames))
    assert all(run.first in missing for run in runs)
    assert rendered - {index for run in runs for index in run.kept} == missing
    # Every run costs its warm-up; runs nearer than that are rendered as one.
    assert all(two.first - (one.last or 0) >= max(num_warmup, 1) for one, two in pairwise(runs))


def test_the_last_run_of_a_clip_is_open() -> None:
    assert unfinished_runs({0, 1, 2}, None, 5) == [FrameRun(3)]
    assert unfinished_runs({0, 1, 12}, None, 1) == [FrameRun(2, 12), FrameRun(13)]
    assert unfinished_runs({0, 1, 2}, 3, 5) == []


def test_a_part_of_a_clip_begins_with_its_warmup() -> None:
    part = PartOfClip(FakeSource(num=30), FrameRun(10, 12), 4, None)
    assert [item.pts for item in part if isinstance(item, VideoFrame)] == [6, 7, 8, 9, 10, 11]
    assert part.num_warmup_frames == 4


def test_the_clips_own_warmup_serves_the_first_frames() -> None:
    start = float(5 / RATE)
    part = PartOfClip(FakeSource(num=10), FrameRun(1), 4, start)
    assert [item.pts for item in part if isinstance(item, VideoFrame)] == list(range(10))
    assert part.num_warmup_frames == 1
    part = PartOfClip(FakeSource(num=20), FrameRun(8), 4, start)
    assert [item.pts for item in part if isinstance(item, VideoFrame)] == list(range(9, 20))
