"""A whole render with stand-ins at both ends: committed when whole, aborted otherwise, never growing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fakes import CollectingSink, FakeCuts, FakeSource, FakeStylizer, flat_frame, flat_frames
from test_painter import make_painter

from vidstyle.errors import DecodeError, DeviceError, EncodeError
from vidstyle.frames import Packet
from vidstyle.pipeline.render import QUEUE_DEPTH, render

ERRORS = [DecodeError("broken", "in.mp4"), OSError("gone"), KeyboardInterrupt(), SystemExit(143)]


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vidstyle-")]


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_every_frame_is_painted_and_committed_with_its_time(batch_size: int) -> None:
    sink = CollectingSink()
    stats = render(FakeSource(flat_frames(25)), sink, make_painter(batch_size=batch_size))
    assert sink.committed
    assert not sink.aborted
    assert [(f.pts, f.time_base, f.duration) for f in sink.frames] == [
        (f.pts, f.time_base, f.duration) for f in flat_frames(25)
    ]
    assert [int(frame.data[0, 0, 0]) for frame in sink.frames] == [255 - index for index in range(25)]
    assert stats.num_frames == 25


def test_packets_pass_untouched_and_in_order() -> None:
    packets = [Packet(1, object()) for _ in range(30)]
    items = [item for pair in zip(packets, flat_frames(30), strict=True) for item in pair]
    sink = CollectingSink()
    stats = render(FakeSource(items), sink, make_painter(batch_size=4))
    assert [item for item in sink.items if isinstance(item, Packet)] == packets
    assert stats.num_packets == 30


def test_progress_counts_every_frame_on_the_calling_thread() -> None:
    seen: list[tuple[int, str]] = []
    render(
        FakeSource(num=10),
        CollectingSink(),
        make_painter(),
        lambda done: seen.append((done, threading.current_thread().name)),
    )
    assert seen == [(done, threading.current_thread().name) for done in range(1, 11)]


def test_what_was_done_is_told() -> None:
    stats = render(FakeSource(num=10), CollectingSink(), make_painter(cuts=FakeCuts(3, 6)))
    assert stats.cut_seconds == [3 / 24, 6 / 24]
    assert {"decode", "stylize", "encode"} <= stats.stage_seconds.keys()
    assert stats.wall_seconds > 0


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_source_that_fails_leaves_nothing(error: BaseException) -> None:
    sink = CollectingSink()
    with pytest.raises(type(error)) as caught:
        render(FakeSource(flat_frames(10), error=error), sink, make_painter())
    assert caught.value is error
    assert sink.aborted
    assert not sink.committed


@pytest.mark.parametrize("fail_at", [0, 3, 99])
def test_a_sink_that_fails_leaves_nothing(fail_at: int) -> None:
    error = EncodeError("The disk is full.", "out.mp4")
    sink = CollectingSink(fail_at=fail_at, error=error)
    with pytest.raises(EncodeError) as caught:
        render(FakeSource(num=100), sink, make_painter())
    assert caught.value is error
    assert sink.aborted
    assert sink.num_written == fail_at


def test_a_commit_that_fails_leaves_nothing() -> None:
    sink = CollectingSink(fail_on_commit=True, error=EncodeError("The disk is full.", "out.mp4"))
    with pytest.raises(EncodeError):
        render(FakeSource(num=5), sink, make_painter())
    assert sink.aborted


def test_a_painter_that_fails_leaves_nothing() -> None:
    sink = CollectingSink()
    with pytest.raises(DeviceError):
        render(FakeSource(num=100), sink, make_painter(FakeStylizer(max_batch=0)))
    assert sink.aborted


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), RuntimeError("callback")], ids=repr)
def test_an_interrupt_leaves_nothing_and_stops_the_source(error: BaseException) -> None:
    def interrupt(done: int) -> None:
        if done == 5:
            raise error

    source, sink = FakeSource(num=10**9), CollectingSink(keep=False)
    with pytest.raises(type(error)):
        render(source, sink, make_painter(), interrupt)
    assert sink.aborted
    assert source.num_given < 100


@pytest.mark.parametrize("batch_size", [1, 8])
def test_frames_in_memory_do_not_grow_with_the_clip(batch_size: int) -> None:
    peaks = []
    for num in (100, 1000):
        source = FakeSource(num=num, make=lambda index: flat_frame(index, (4, 4)))
        render(source, CollectingSink(keep=False), make_painter(batch_size=batch_size))
        peaks.append(source.peak_live)
    # One queue in front of the painter, one batch being painted, one waiting or in hand; none is kept behind it.
    assert max(peaks) <= QUEUE_DEPTH + 3 * batch_size + 2


def test_out_of_memory_in_the_middle_costs_no_frame() -> None:
    sink = CollectingSink()
    painter = make_painter(FakeStylizer(max_batch=3), batch_size=16)
    render(FakeSource(num=50), sink, painter)
    assert [frame.pts for frame in sink.frames] == list(range(50))
    assert [int(frame.data[0, 0, 0]) for frame in sink.frames] == [255 - index for index in range(50)]
    assert painter.batch_size == 2
