"""The network paints ahead on a thread of its own, and nobody can tell from the result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeCuts, StillFlow, flat_frames
from torch import Tensor

from vidstyle.errors import MediaError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.pipeline.stream import paint_stream
from vidstyle.protocols import Motion
from vidstyle.temporal.filter import ConsistencyFilter


class Inverting:
    """Paints negatives; remembers on which thread, with how many cores; fails at flat frame number ``fail_at``.

    Batches come on two threads at once, in any order: the picture alone says which frame it is, a count would not.
    """

    name = "inverting"

    def __init__(self, fail_at: int | None = None) -> None:
        self.threads: list[str] = []
        self.num_threads: list[int] = []
        self.fail_at = fail_at

    def __call__(self, content: Tensor) -> Tensor:
        if self.fail_at in content[:, 0, 0, 0].mul(255).round().tolist():
            raise ValueError("no paint left")
        self.threads.append(threading.current_thread().name)
        self.num_threads.append(torch.get_num_threads())
        return 1 - content

    def to(self, device: str, dtype: torch.dtype) -> Inverting:
        return self


def painter(stylizer: Inverting, **changes: Any) -> Painter:
    parts: dict[str, Any] = {"temporal": ConsistencyFilter(0.9), "flow": StillFlow(), "cuts": FakeCuts(7)}
    more: dict[str, Any] = {"device": torch.device("cpu"), "size": None, "batch_size": 1}
    return Painter(stylizers=(stylizer,), **(parts | more | changes))


@pytest.fixture(params=[2, 3])
def num_threads(request: pytest.FixtureRequest) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def packet(index: int) -> Packet:
    return Packet(1, index)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_what_is_painted_ahead_is_the_same_in_the_same_order(num_threads: int, batch_size: int) -> None:
    frames = flat_frames(14)
    stylizer = Inverting()
    found = list(paint_stream(frames, painter(stylizer, batch_size=batch_size)))
    expected = painter(Inverting(), batch_size=batch_size).paint(frames)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, PaintedFrame)
        assert one.source is other.source
        assert one.starts_shot == other.starts_shot
        assert torch.equal(one.data, other.data)
    assert {name[:16] for name in stylizer.threads} == {"vidstyle-stylize"}
    assert set(stylizer.num_threads) == {1}
    assert torch.get_num_threads() == num_threads
    assert not any(thread.name.startswith("vidstyle-") for thread in threading.enumerate())


def test_one_core_or_nothing_to_do_beside_needs_no_thread(num_threads: int) -> None:
    stylizer = Inverting()
    list(paint_stream(flat_frames(2), painter(stylizer, temporal=None)))
    torch.set_num_threads(1)
    list(paint_stream(flat_frames(2), painter(stylizer)))
    assert set(stylizer.threads) == {threading.current_thread().name}


def test_packets_keep_their_place_and_do_not_wait_for_frames_that_never_come(num_threads: int) -> None:
    frames = flat_frames(3)
    items = [packet(0), frames[0], packet(1), packet(2), frames[1], frames[2], *(packet(3 + i) for i in range(200))]
    found = list(paint_stream(items, painter(Inverting())))
    assert len(found) == len(items)
    assert all(one is other or one.source is other for one, other in zip(found, items, strict=True))
    assert list(paint_stream(items[:1], painter(Inverting()))) == items[:1]
    assert not list(paint_stream([], painter(Inverting())))


def test_an_error_comes_after_what_was_painted_before_it(num_threads: int) -> None:
    found: list[object] = []
    with pytest.raises(ValueError, match="no paint left"):
        found.extend(paint_stream(flat_frames(9), painter(Inverting(fail_at=5))))
    assert len(found) == 5
    assert torch.get_num_threads() == num_threads


@pytest.mark.parametrize("is_steady", [True, False])
@pytest.mark.parametrize("batch_size", [1, 4, 8])
def test_what_was_read_before_the_source_failed_is_finished(num_threads: int, batch_size: int, is_steady: bool) -> None:
    def failing() -> Iterator[VideoFrame]:
        yield from flat_frames(7)
        raise MediaError("the rest is damaged", Path("clip.mp4"))

    found: list[object] = []
    changes = {} if is_steady else {"temporal": None}
    with pytest.raises(MediaError, match="the rest is damaged"):
        found.extend(paint_stream(failing(), painter(Inverting(), batch_size=batch_size, **changes)))
    assert len(found) == 7


def test_batches_that_run_out_of_memory_at_once_are_halved_once(num_threads: int) -> None:
    both_are_there = threading.Barrier(2, timeout=20)

    class Hungry(Inverting):
        def __call__(self, content: Tensor) -> Tensor:
            if len(content) > 1:
                both_are_there.wait()
                raise torch.OutOfMemoryError("out of memory")
            return super().__call__(content)

    hungry = painter(Hungry(), batch_size=2)
    assert len(list(paint_stream(flat_frames(4), hungry))) == 4
    assert hungry.batch_size == 1
    assert len(hungry.fallbacks) == 1


def test_motion_is_measured_beside_and_its_errors_come_through(num_threads: int) -> None:
    class Tired(StillFlow):
        def __init__(self) -> None:
            super().__init__()
            self.threads: list[str] = []

        def push(self, frame: Tensor) -> Motion | None:
            if len(self.threads) == 5:
                raise ValueError("no flow left")
            self.threads.append(threading.current_thread().name)
            return super().push(frame)

    flow, found = Tired(), list[object]()
    with pytest.raises(ValueError, match="no flow left"):
        found.extend(paint_stream(flat_frames(9), painter(Inverting(), flow=flow)))
    assert len(found) == 5
    assert {name[:16] for name in flow.threads} == {"vidstyle-measure"}
    assert not any(thread.name.startswith("vidstyle-") for thread in threading.enumerate())


def test_who_stops_early_leaves_no_thread(num_threads: int) -> None:
    stream = paint_stream(flat_frames(200), painter(Inverting()))
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    assert not any(thread.name.startswith("vidstyle-") for thread in threading.enumerate())
    assert torch.get_num_threads() == num_threads
