"""What every flow estimator promises, asked of each of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.optical_flow import raft_large, raft_small

from vidstyle.flow import DisFlow
from vidstyle.flow.farneback import FarnebackFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.flow.raft import RaftFlow
from vidstyle.protocols import FlowEstimator, Motion

Make = Callable[[], FlowEstimator]


@pytest.fixture(scope="module")
def raft_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("raft")
    files = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for name, build in {"small": raft_small, "large": raft_large}.items():
            files[name] = folder / f"{name}.pth"
            torch.save(build(weights=None).state_dict(), files[name])
    return files


@pytest.fixture(
    params=["dis-ultrafast", "dis-fast", "dis-medium", "looking-back", "farneback-", "raft-small", "raft-large"]
)
def make(request: pytest.FixtureRequest, raft_files: dict[str, Path]) -> Make:
    kind, detail = request.param.split("-")
    if kind == "dis":
        return lambda: DisFlow(detail)
    if kind == "looking":
        return lambda: LookingBack(DisFlow())
    if kind == "farneback":
        return FarnebackFlow
    return lambda: RaftFlow(detail, weights=raft_files[detail], num_updates=2)


def frames(num: int, height: int, width: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(1, 3, height, width, generator=generator) for _ in range(num)]


def assert_sound(motion: Motion | None, height: int, width: int) -> None:
    assert motion is not None
    assert motion.flow_backward.shape == motion.flow_forward.shape
    for flow in (motion.flow_backward, motion.flow_forward):
        assert flow.ndim == 4
        assert flow.shape[:2] == (1, 2)
        assert 1 <= flow.shape[2] <= height
        assert 1 <= flow.shape[3] <= width
        assert flow.dtype == torch.float32
        assert flow.device.type == "cpu"
        assert torch.isfinite(flow).all()
        flow.add_(0)  # an ordinary tensor, which inference tensors are not


def test_it_is_a_flow_estimator_with_a_name(make: Make) -> None:
    estimator = make()
    assert isinstance(estimator, FlowEstimator)
    assert estimator.name.split("-")[0] in ("dis", "farneback", "raft")


def test_none_first_motion_after_and_none_after_reset(make: Make) -> None:
    estimator = make()
    first, second, third = frames(3, 72, 88)
    assert estimator.push(first) is None
    assert_sound(estimator.push(second), 72, 88)
    assert_sound(estimator.push(third), 72, 88)
    estimator.reset()
    assert estimator.push(first) is None
    assert_sound(estimator.push(second), 72, 88)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (1, 90), (90, 1), (33, 47), (131, 203)])
def test_any_size(make: Make, height: int, width: int) -> None:
    estimator = make()
    first, second = frames(2, height, width)
    estimator.push(first)
    assert_sound(estimator.push(second), height, width)


def test_a_new_size_needs_a_reset(make: Make) -> None:
    estimator = make()
    estimator.push(frames(1, 40, 50)[0])
    other = frames(1, 50, 40)[0]
    with pytest.raises(ValueError, match=r"reset\(\)"):
        estimator.push(other)
    estimator.reset()
    assert estimator.push(other) is None


@pytest.mark.parametrize(
    "frame",
    [torch.rand(3, 8, 8), torch.rand(2, 3, 8, 8), torch.rand(1, 1, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.int32)],
    ids=["no batch", "two frames", "grey", "int32"],
)
def test_what_is_not_a_frame_is_refused(make: Make, frame: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="a frame is"):
        make().push(frame)


def test_frames_are_not_changed_nor_kept(make: Make) -> None:
    first, second = frames(2, 40, 56)
    copies = first.clone(), second.clone()
    estimator, undisturbed = make(), make()
    estimator.push(first)
    undisturbed.push(copies[0])
    first.zero_()  # a caller may reuse its buffer
    motion, expected = estimator.push(second), undisturbed.push(copies[1])
    assert torch.equal(second, copies[1])
    assert motion is not None
    assert expected is not None
    assert torch.equal(motion.flow_backward, expected.flow_backward)


def test_uint8_and_memory_layout_do_not_matter(make: Make) -> None:
    noise = F.interpolate(frames(1, 16, 20)[0], (64, 80), mode="bicubic").clamp(0, 1)
    picture = (noise * 255).round().to(torch.uint8)
    eight_bit = [picture[..., 6:54, 8:72].contiguous(), picture[..., 7:55, 6:70].contiguous()]
    results = []
    for sequence in (
        eight_bit,
        [frame.contiguous(memory_format=torch.channels_last) for frame in eight_bit],
        [frame.float() / 255 for frame in eight_bit],
        [frame.double() / 255 for frame in eight_bit],
    ):
        estimator = make()
        assert estimator.push(sequence[0]) is None
        motion = estimator.push(sequence[1])
        assert motion is not None
        results.append(torch.cat([motion.flow_backward, motion.flow_forward]))
    for result in results[1:]:
        # Rounding to 8-bit luma before or after the reduction differs by one step at most.
        assert (result - results[0]).abs().mean() < 0.05


def test_a_stream_gives_what_fresh_pairs_give(make: Make) -> None:
    sequence = frames(4, 72, 80)
    stream = make()
    stream.push(sequence[0])
    for previous, current in pairwise(sequence):
        fresh = make()
        fresh.push(previous)
        expected, motion = fresh.push(current), stream.push(current)
        assert motion is not None
        assert expected is not None
        torch.testing.assert_close(motion.flow_backward, expected.flow_backward, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(motion.flow_forward, expected.flow_forward, atol=1e-4, rtol=1e-4)


def test_reversed_frames_swap_the_directions(make: Make) -> None:
    noise = F.interpolate(frames(1, 20, 22)[0], (80, 88), mode="bicubic").clamp(0, 1)
    first, second = noise[..., 4:76, 3:83], noise[..., 5:77, 5:85]
    there, back = make(), make()
    there.push(first)
    back.push(second)
    motion, reverse = there.push(second), back.push(first)
    assert motion is not None
    assert reverse is not None
    for forward, backward in (
        (motion.flow_forward, reverse.flow_backward),
        (reverse.flow_forward, motion.flow_backward),
    ):
        assert float((forward - backward).norm(dim=1).median()) < 0.25  # one is compared with, and may be coarser
