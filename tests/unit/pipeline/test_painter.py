"""Painting in batches: order, cuts, running out of memory."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from fakes import FakeCuts, FakeStylizer, StillFlow, flat_frame, flat_frames

from vidstyle.errors import DeviceError
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.frames import VideoFrame
from vidstyle.pipeline.painter import PaintedFrame, Painter
from vidstyle.temporal.filter import ConsistencyFilter


def make_painter(stylizer: Any = None, **changes: Any) -> Painter:
    parts: dict[str, Any] = {
        "stylizers": (stylizer or FakeStylizer(),),
        "temporal": None,
        "flow": None,
        "cuts": None,
        "device": torch.device("cpu"),
        "size": None,
        "batch_size": 4,
    }
    return Painter(**(parts | changes))


def steady_painter(*cuts: int, **changes: Any) -> Painter:
    return make_painter(temporal=ConsistencyFilter(1.0), flow=StillFlow(), cuts=FakeCuts(*cuts), **changes)


def greys(painted: list[PaintedFrame]) -> list[int]:
    assert all(frame.data.unique().numel() == 1 for frame in painted)
    return [int(frame.data[0, 0, 0]) for frame in painted]


def test_every_frame_comes_back_painted_in_order_beside_its_source() -> None:
    frames = flat_frames(10)
    painted = make_painter(batch_size=4).paint(frames)
    assert greys(painted) == [255 - index for index in range(10)]
    assert [frame.source for frame in painted] == frames
    assert all(frame.data.dtype == torch.uint8 for frame in painted)


def test_the_network_sees_no_more_than_a_batch() -> None:
    stylizer = FakeStylizer()
    make_painter(stylizer, batch_size=4).paint(flat_frames(10))
    assert stylizer.batches == [4, 4, 2]


def test_results_do_not_depend_on_the_batch() -> None:
    frames = flat_frames(12)
    together = steady_painter(5, batch_size=8).paint(frames)
    one_by_one_painter = steady_painter(5, batch_size=1)
    one_by_one = [painted for frame in frames for painted in one_by_one_painter.paint([frame])]
    assert all(torch.equal(a.data, b.data) for a, b in zip(together, one_by_one, strict=True))


def test_eight_bits_survive_the_way_through() -> None:
    painted = make_painter().paint([flat_frame(index) for index in range(256)])
    assert greys(painted) == [255 - index for index in range(256)]


def test_the_filter_restarts_at_a_cut_and_nowhere_else() -> None:
    frames = [flat_frame(100)] * 4 + [flat_frame(101)] * 4
    with_cut = steady_painter(4)
    painted = with_cut.paint(frames)
    assert [frame.starts_shot for frame in painted] == [index == 4 for index in range(8)]
    assert greys(painted) == [155] * 4 + [154] * 4
    assert isinstance(with_cut.flow, StillFlow)
    assert with_cut.flow.num_resets == 1
    # Without the cut the old grey lingers.
    assert greys(steady_painter().paint(frames))[4] == 155


def test_memory_of_the_shot_lasts_over_calls() -> None:
    painter = steady_painter()
    painter.paint([flat_frame(100)] * 4)
    assert greys(painter.paint([flat_frame(101)])) == [155]


def test_size_changes_the_picture_before_it_is_painted() -> None:
    painted = make_painter(size=(8, 10)).paint([flat_frame(7, (16, 12))])
    assert painted[0].data.shape == (3, 10, 8)
    assert greys(painted) == [248]


def test_upscaling_does_not_overshoot() -> None:
    checks = flat_frame(0)
    checks.data[:, ::2] = 255
    painted = make_painter(size=(64, 48)).paint([checks])[0].data
    assert int(painted.min()) == 0
    assert int(painted.max()) == 255


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_out_of_memory_halves_the_batch_and_loses_no_frame(limit: int) -> None:
    stylizer = FakeStylizer(max_batch=limit)
    painter = make_painter(stylizer, batch_size=8)
    assert greys(painter.paint(flat_frames(20))) == [255 - index for index in range(20)]
    assert sum(stylizer.batches) == 20
    assert painter.batch_size <= limit
    assert painter.fallbacks[-1].endswith(f"halved to {painter.batch_size}")
    # For good: the next call does not try the large batch again.
    num_fallbacks = len(painter.fallbacks)
    painter.paint(flat_frames(8))
    assert len(painter.fallbacks) == num_fallbacks


def test_too_little_memory_for_one_frame_names_the_way_out() -> None:
    with pytest.raises(DeviceError, match=r"too little memory.*--size"):
        make_painter(FakeStylizer(max_batch=0), batch_size=8).paint(flat_frames(8))


def opencv_without_memory() -> cv2.error:
    with pytest.raises(cv2.error) as caught:
        cv2.copyMakeBorder(np.zeros((1, 1)), 2**29, 2**29, 2**20, 2**20, cv2.BORDER_CONSTANT)  # petabytes
    return caught.value


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), MemoryError("Unable to allocate 9 GiB"), opencv_without_memory()],
)
def test_out_of_memory_outside_the_network_names_the_way_out_too(error: Exception) -> None:
    class HungryFlow(StillFlow):
        def push(self, frame: torch.Tensor) -> Any:
            raise error

    with pytest.raises(DeviceError, match="--size"):
        make_painter(temporal=ConsistencyFilter(1.0), flow=HungryFlow()).paint(flat_frames(2))


def test_other_errors_of_a_stylizer_pass() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        make_painter(FakeStylizer(error=RuntimeError("shape mismatch"))).paint(flat_frames(2))


def test_stages_are_timed() -> None:
    painter = steady_painter()
    painter.paint(flat_frames(3))
    assert {"upload", "stylize", "flow", "filter", "download"} <= painter.clock.seconds.keys()
    assert all(seconds >= 0 for seconds in painter.clock.seconds.values())


def deep_frame(value: int, alpha: int | None = None) -> VideoFrame:
    shape = (12, 16)
    opacity = None if alpha is None else torch.full((1, *shape), alpha, dtype=torch.int32).to(torch.uint16)
    return VideoFrame(
        torch.full((3, *shape), value, dtype=torch.int32).to(torch.uint16), 0, Fraction(1, 24), 1, opacity
    )


def values(picture: torch.Tensor) -> list[int]:
    return sorted(set(picture.to(torch.int32).flatten().tolist()))


def test_sixteen_bits_survive_the_way_through() -> None:
    painter = make_painter(output_dtype=torch.uint16)
    wanted = [0, 1, 2, 255, 256, 257, 12345, 40000, 65278, 65279, 65534, 65535]

    painted = painter.paint([deep_frame(value) for value in wanted])

    assert all(frame.data.dtype == torch.uint16 for frame in painted)
    assert [values(frame.data) for frame in painted] == [[65535 - value] for value in wanted]


def test_deep_frames_become_eight_bits_for_outputs_that_have_no_more() -> None:
    painted = make_painter().paint([deep_frame(65535), deep_frame(257 * 100 + 100)])

    assert greys(painted) == [0, 155]
    assert painted[0].data.dtype == torch.uint8


def test_what_lies_between_eight_bit_levels_reaches_deep_outputs() -> None:
    class Third:
        name = "third"

        def __call__(self, content: torch.Tensor) -> torch.Tensor:
            return content.float() / 3

        def to(self, device: str, dtype: Any) -> Third:
            return self

    painted = make_painter(Third(), output_dtype=torch.uint16).paint([flat_frame(100)])

    assert values(painted[0].data) == [round(100 * 257 / 3)]


def test_opacity_passes_untouched() -> None:
    painted = make_painter(output_dtype=torch.uint16).paint([deep_frame(7, alpha=12345)])[0]

    assert painted.alpha is not None
    assert values(painted.alpha) == [12345]
    assert make_painter().paint([flat_frame(7)])[0].alpha is None


def test_opacity_takes_the_outputs_depth_and_size() -> None:
    painted = make_painter(size=(8, 6)).paint([deep_frame(7, alpha=257 * 30)])[0]

    assert painted.alpha is not None
    assert (painted.alpha.shape, painted.alpha.dtype) == ((1, 6, 8), torch.uint8)
    assert values(painted.alpha) == [30]


def test_what_was_glimpsed_counts_as_seen() -> None:
    """Begun in the middle with states from there, and a glimpse of the frames before, nothing is different."""
    noise = torch.randint(0, 256, (12, 3, 48, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    noise[7] = noise[0]  # seen again in frame 9, so that the older frame counts
    scene = [noise[0] if index != 8 else noise[1] for index in range(12)]
    frames = [VideoFrame(picture, index, Fraction(1, 24), 1) for index, picture in enumerate(scene)]
    seen: list[list[Any]] = []

    def keep(_: bool, states: Any) -> list[Any]:
        seen.append(list(states))
        return list(states)

    def looking_painter(**changes: Any) -> Painter:
        return make_painter(temporal=ConsistencyFilter(0.9), flow=LookingBack(DisFlow()), **changes)

    whole = looking_painter(on_states=keep).paint(frames)
    part = looking_painter(on_states=lambda _, states: seen[7] if first.pop() else list(states))
    first = [False] * 4 + [True]
    part.glimpse(frames[2:7])
    painted = part.paint(frames[7:])
    assert all(torch.equal(a.data, b.data) for a, b in zip(painted[1:], whole[8:], strict=True))
    blind = looking_painter(on_states=lambda _, states: seen[7] if again.pop() else list(states))
    again = [False] * 4 + [True]
    assert not torch.equal(blind.paint(frames[7:])[2].data, whole[9].data)
