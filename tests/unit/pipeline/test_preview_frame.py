"""One frame as the full render paints it, from a clip that is opened a few frames early."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from fakes import RATE, CollectingSink, FakeCuts, FakeSource, StillFlow, flat_frame
from test_painter import make_painter

from vidstyle.errors import DecodeError, EncodeError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.pipeline.meter import Meter
from vidstyle.pipeline.painter import Painter
from vidstyle.pipeline.preview import PreviewFrame, preview_frame
from vidstyle.pipeline.render import render
from vidstyle.temporal.filter import ConsistencyFilter

NUM_FRAMES = 120


class Clip:
    """Frames that can be opened a number of frames before a moment."""

    def __init__(self, frames: Sequence[VideoFrame]) -> None:
        self.frames = frames

    def painter(self, cut_value: int | None = None, batch_size: int = 4) -> Painter:
        """Steady; takes the first frame of grey ``cut_value`` for a cut, unless the stream starts with it."""
        return make_painter(
            temporal=ConsistencyFilter(1.0), flow=StillFlow(), cuts=ValueCuts(cut_value), batch_size=batch_size
        )

    def opened(self, at_seconds: float, num_warmup: int) -> FakeSource:
        shown = max((i for i, frame in enumerate(self.frames) if frame.seconds <= at_seconds), default=0)
        return FakeSource(self.frames[max(shown - num_warmup, 0) :])

    def preview(self, at_seconds: float, num_warmup: int, cut_value: int | None = None) -> PreviewFrame | None:
        return preview_frame(self.opened(at_seconds, num_warmup), self.painter(cut_value), at_seconds)


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


@pytest.mark.parametrize("at", [60, 61, 65])
def test_the_warmup_counts_from_the_cut(clip: Clip, at: int) -> None:
    found = clip.preview(seconds(at), 30, cut_value=60)
    assert found is not None
    assert found.num_warmup_frames == at - 60


def test_a_preview_is_the_render_s_own_frame_even_right_after_a_cut(clip: Clip) -> None:
    sink = CollectingSink()
    render(FakeSource(clip.frames), sink, clip.painter(cut_value=60))
    for at in (30, 59, 60, 61, 75, 119):
        found = clip.preview(seconds(at), 90, cut_value=60)
        assert found is not None
        difference = found.painted.data.int() - sink.frames[at].data.int()
        assert int(difference.abs().max()) <= 1


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_nothing_behind_the_moment_is_painted(clip: Clip, batch_size: int) -> None:
    painter = clip.painter(batch_size=batch_size)
    found = preview_frame(clip.opened(seconds(50), 10), painter, seconds(50))
    assert found is not None
    assert found.num_warmup_frames == 10
    assert sum(painter.stylizers[0].batches) == 11


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize("cut_value", [None, 55, 60, 63])
def test_a_warmed_up_render_writes_what_the_whole_render_writes(
    clip: Clip, batch_size: int, cut_value: int | None
) -> None:
    whole, part = CollectingSink(), CollectingSink()
    render(FakeSource(clip.frames), whole, clip.painter(cut_value))
    items = [item for frame in clip.frames[60 - 50 : 70] for item in (frame, Packet(1, frame.pts))]
    seen: list[int] = []
    stats = render(FakeSource(items), part, clip.painter(cut_value, batch_size), seen.append, first_seconds=seconds(60))
    assert [frame.pts for frame in part.frames] == list(range(60, 70))
    assert all(
        int((a.data.int() - b.data.int()).abs().max()) <= 1
        for a, b in zip(part.frames, whole.frames[60:], strict=False)
    )
    assert seen == list(range(1, 11))
    # A cut right before the first frame, or before that, is none of this output.
    assert stats.cut_seconds == ([seconds(63)] if cut_value == 63 else [])
    assert stats.num_packets == 60


@pytest.mark.parametrize("batch_size", [1, 4])
def test_strengths_are_mixed_from_one_painting(clip: Clip, batch_size: int) -> None:
    painter = clip.painter(batch_size=batch_size)
    found = preview_frame(clip.opened(seconds(50), 10), painter, seconds(50), strengths=(0.0, 0.5, 1.0))
    assert found is not None
    source, half, full = found.variants
    assert torch.equal(source, found.painted.source.data)
    assert torch.equal(full, found.painted.data)
    assert torch.all((half.int() * 2 - source.int() - full.int()).abs() <= 2)
    assert sum(painter.stylizers[0].batches) == 11


@pytest.mark.parametrize(("at", "num_frames"), [(50, 31), (2, 12), (NUM_FRAMES - 3, 31)])
def test_a_meter_has_enough_frames(clip: Clip, at: int, num_frames: int) -> None:
    sink, painter = CollectingSink(), clip.painter(batch_size=1)
    with Meter(sink, 1) as meter:
        found = preview_frame(clip.opened(seconds(at), 30), painter, seconds(at), meter=meter)
    assert found is not None
    assert found.painted.source.pts == at
    assert meter.num_frames == len(sink.frames) == num_frames
    assert sink.committed
    num_steady, spent = meter.steady()
    assert num_steady == num_frames - 2
    assert spent > 0


def test_damage_behind_the_moment_is_no_affair_of_a_preview(clip: Clip) -> None:
    source = FakeSource(clip.frames[:6], error=DecodeError("damaged", "clip.mp4"))
    with Meter(None, 1) as meter:
        found = preview_frame(source, clip.painter(batch_size=1), seconds(2), meter=meter)
    assert found is not None
    assert meter.num_frames == 6


def test_a_disk_that_is_full_is_no_affair_of_a_preview(clip: Clip) -> None:
    sink = CollectingSink(fail_at=2, error=EncodeError("full", "piece.mp4"))
    with Meter(sink, 1) as meter:
        assert preview_frame(clip.opened(seconds(8), 8), clip.painter(batch_size=1), seconds(8), meter=meter)
    assert meter.num_frames == 12
    assert not sink.committed


def test_a_last_frame_that_is_shown_for_long_is_found() -> None:
    clip = Clip([*(flat_frame(index) for index in range(9)), VideoFrame(flat_frame(9).data, 9, 1 / RATE, 1000)])
    found = clip.preview(seconds(900), 3)
    assert found is not None
    assert found.painted.source.pts == 9
    assert clip.preview(seconds(1010), 3) is None
