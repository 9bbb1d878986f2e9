"""One frame as the full render paints it: how far back the warm-up goes, and where it stops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch
from fakes import RATE, CollectingSink, FakeCuts, FakeSource, StillFlow, flat_frame
from test_painter import make_painter

from vidstyle.errors import OpenError
from vidstyle.frames import VideoFrame
from vidstyle.pipeline.painter import Painter
from vidstyle.pipeline.preview import PreviewFrame, preview_frame
from vidstyle.pipeline.render import render
from vidstyle.temporal.filter import ConsistencyFilter

NUM_FRAMES = 120


class Clip:
    """Frames that can be opened from any moment on, like a file; remembers from where."""

    def __init__(self, frames: Sequence[VideoFrame]) -> None:
        self.frames = frames
        self.starts: list[float] = []
        self.num_painted = 0

    @contextmanager
    def open_from(self, start_seconds: float) -> Iterator[FakeSource]:
        self.starts.append(start_seconds)
        later = [frame for frame in self.frames if frame.seconds >= start_seconds]
        yield FakeSource(later, error=None if later else OpenError("no frame from there on", "clip"))

    def painter(self, cut_value: int | None = None, batch_size: int = 4) -> Painter:
        """Steady; takes the first frame of grey ``cut_value`` for a cut, unless the stream starts with it."""
        return make_painter(
            temporal=ConsistencyFilter(1.0), flow=StillFlow(), cuts=ValueCuts(cut_value), batch_size=batch_size
        )

    def preview(self, at_seconds: float, num_warmup: int, cut_value: int | None = None) -> PreviewFrame | None:
        return preview_frame(self.open_from, lambda: self.painter(cut_value), at_seconds, num_warmup)


class ValueCuts(FakeCuts):
    def __init__(self, value: int | None) -> None:
        super().__init__()
        self._value = value

    def push(self, frame: torch.Tensor) -> bool:
        super().push(frame)
        return self._index > 0 and int(frame[0, 0, 0]) == self._value


@pytest.fixture
def clip() -> Clip:
    return Clip([flat_frame(index) for index in range(NUM_FRAMES)])


def seconds(index: float) -> float:
    return float(index / RATE)


@pytest.mark.parametrize(
    ("at", "shown"), [(50, 50), (50.5, 50), (50.99, 50), (0, 0), (NUM_FRAMES - 0.01, NUM_FRAMES - 1)]
)
def test_the_frame_shown_at_a_moment_is_found(clip: Clip, at: float, shown: int) -> None:
    found = clip.preview(seconds(at), 10)
    assert found is not None
    assert found.painted.source.pts == shown
    assert found.num_warmup_frames >= min(10, shown)


@pytest.mark.parametrize("at", [NUM_FRAMES, NUM_FRAMES + 500, -1])
def test_a_moment_outside_has_no_frame(clip: Clip, at: int) -> None:
    assert clip.preview(seconds(at), 10) is None


def test_the_warmup_is_no_longer_than_it_must_be(clip: Clip) -> None:
    found = clip.preview(seconds(100), 10)
    assert found is not None
    assert 10 <= found.num_warmup_frames <= 12
    assert min(start for start in clip.starts if start > 0) >= seconds(100 - 13)


def test_without_warmup_only_the_frame_itself_matters(clip: Clip) -> None:
    found = clip.preview(seconds(100), 0)
    assert found is not None
    assert found.num_warmup_frames <= 2


@pytest.mark.parametrize("at", [60, 61, 65])
def test_the_warmup_counts_from_the_cut_and_looks_no_further_back(clip: Clip, at: int) -> None:
    found = clip.preview(seconds(at), 30, cut_value=60)
    assert found is not None
    assert found.num_warmup_frames == at - 60
    assert len([start for start in clip.starts if start > 0]) == 1


def test_a_preview_is_the_render_s_own_frame_even_right_after_a_cut(clip: Clip) -> None:
    sink = CollectingSink()
    render(FakeSource(clip.frames), sink, clip.painter(cut_value=60))
    for at in (30, 59, 60, 61, 75, 119):
        found = clip.preview(seconds(at), 90, cut_value=60)
        assert found is not None
        difference = found.painted.data.int() - sink.frames[at].data.int()
        assert int(difference.abs().max()) <= 1


def test_a_clip_of_uneven_rate_widens_the_window_until_it_holds_enough_frames() -> None:
    # Four frames a second in a clip that says it has 24.
    clip = Clip([VideoFrame(flat_frame(i).data, 6 * i, 1 / RATE, 6) for i in range(40)])
    found = clip.preview(seconds(6 * 30), 12)
    assert found is not None
    assert found.painted.source.pts == 180
    assert found.num_warmup_frames >= 12


def test_a_last_frame_that_is_shown_for_long_is_found() -> None:
    clip = Clip([*(flat_frame(index) for index in range(9)), VideoFrame(flat_frame(9).data, 9, 1 / RATE, 1000)])
    found = clip.preview(seconds(900), 3)
    assert found is not None
    assert found.painted.source.pts == 9
    assert clip.preview(seconds(1010), 3) is None
