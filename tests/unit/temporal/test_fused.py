"""The compiled filter: the numbers of the one in torch, at any size, on any number of threads, whatever comes in."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.imaging.warp import backward_warp
from vidstyle.protocols import LOOK_BACK, Motion
from vidstyle.temporal import fused
from vidstyle.temporal.filter import ConsistencyFilter, FilterState
from vidstyle.temporal.fused import FusedFilter, instruction_sets, load_kernels

Clip = list[tuple[torch.Tensor, torch.Tensor, Motion | None]]


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if not instruction_sets():
        pytest.skip("there are no kernels for this kind of machine")
    assert load_kernels() is not None, "compile the kernels: python scripts/build_kernels.py"


def smooth(seed: int, size: tuple[int, int], num_channels: int = 3, cell_px: int = 4) -> torch.Tensor:
    """Blotches of a few pixels: (1, C, H, W) in [0, 1]."""
    coarse = (1, num_channels, -(-size[0] // cell_px) + 1, -(-size[1] // cell_px) + 1)
    noise = torch.rand(coarse, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=size, mode="bilinear")


def clip(
    size: tuple[int, int],
    scale: float = 0.7,
    num: int = LOOK_BACK + 4,
    speed: float = 1.0,
    off_px: float = 0.1,
    contrast: float = 1.0,
) -> Clip:
    """A scene that bends and moves, flow that is a little wrong, and a part that flow knows nothing of."""
    scene, strokes = smooth(1, size), 0.5 + contrast * (smooth(2, size, cell_px=3) - 0.5)
    step = speed * (torch.tensor([0.7, -0.4]).view(1, 2, 1, 1) + smooth(3, size, 2, 16) - 0.5)
    grid = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    older = torch.nn.functional.interpolate(LOOK_BACK * step, size=(-(-grid[0] // 2), -(-grid[1] // 2)))
    flow = torch.nn.functional.interpolate(step, size=grid, mode="bilinear")
    forward = -flow + 0.3
    forward[..., grid[0] // 3 : grid[0] // 2, grid[1] // 4 : grid[1] // 2] += 9.0
    frames: Clip = []
    for index in range(num):
        content = backward_warp(scene, index * step).clamp(0, 1)
        painted = (backward_warp(strokes, index * step) + 0.3 * contrast * (smooth(10 + index, size) - 0.5)).clamp(0, 1)
        motion = Motion(flow + off_px, forward - off_px, older if index >= LOOK_BACK else None) if index else None
        frames.append((content, painted.contiguous(memory_format=torch.channels_last), motion))
    return frames


def run(steady: ConsistencyFilter, frames: Clip) -> tuple[list[torch.Tensor], FilterState]:
    state: FilterState | None = None
    outputs = []
    for content, painted, motion in frames:
        output, state = steady.step(content, painted, motion, state)
        outputs.append(output)
    assert state is not None
    return outputs, state


def only_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenCV, whose positions are rounded to thirty-seconds of a pixel."""
    for module in ("opencv", "pyramid", "warp"):
        monkeypatch.setattr(f"vidstyle.imaging.{module}.pixels_of", lambda _: None)


def assert_alike(found: torch.Tensor, wanted: torch.Tensor) -> None:
    """But for a few pixels, where rounding tips a test over."""
    apart = (found.float() - wanted.float()).abs()
    assert float(apart.mean()) < 1e-5
    assert float((apart > 1e-3).float().mean()) < 0.002


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (36, 64), (45, 83), (70, 101)], ids=str)
@pytest.mark.parametrize("consistency", [0.4, 0.9, 1.0])
def test_it_computes_what_torch_does(
    size: tuple[int, int], consistency: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = clip(size)
    found, state = run(FusedFilter(consistency), frames)
    only_torch(monkeypatch)
    wanted, other = run(ConsistencyFilter(consistency), frames)
    assert float((wanted[-1] - frames[-1][1]).abs().mean()) > 0.01
    for a, b in zip(found, wanted, strict=True):
        assert_alike(a, b)
    assert_alike(state.remembered, other.remembered)
    assert torch.equal(state.content, other.content)
    for one, another in zip(state.past, other.past, strict=True):
        assert one.remembered.dtype == one.content.dtype == torch.float16
        assert_alike(one.remembered, another.remembered)
        assert_alike(one.content, another.content)


@pytest.mark.parametrize("name", instruction_sets())
def test_every_instruction_set_of_this_processor_does_so(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "instruction_sets", lambda: (name,))
    kernels = load_kernels.__wrapped__()
    assert kernels is not None
    assert kernels.name == name
    monkeypatch.setattr(fused, "load_kernels", lambda: kernels)
    frames = clip((45, 83))
    found, _ = run(FusedFilter(0.9), frames)
    only_torch(monkeypatch)
    wanted, _ = run(ConsistencyFilter(0.9), frames)
    assert_alike(found[-1], wanted[-1])


@pytest.mark.parametrize(("off_px", "contrast"), [(2.0, 1.0), (-1.5, 1.0), (0.1, 0.01)], ids=str)
def test_flow_may_be_far_off_and_paintings_nearly_flat(
    off_px: float, contrast: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = clip((48, 64), off_px=off_px, contrast=contrast)
    found, _ = run(FusedFilter(0.9), frames)
    only_torch(monkeypatch)
    wanted, _ = run(ConsistencyFilter(0.9), frames)
    difference = (found[-1] - wanted[-1]).abs().mean() / (wanted[-1] - frames[-1][1]).abs().mean()
    assert float(difference) < 1e-3


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.0])
def test_flow_may_be_on_any_grid(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = clip((64, 96), scale)
    found, _ = run(FusedFilter(0.9), frames)
    only_torch(monkeypatch)
    wanted, _ = run(ConsistencyFilter(0.9), frames)
    assert_alike(found[-1], wanted[-1])


@pytest.mark.parametrize("num_threads", [2, 3, 8])
def test_threads_change_nothing(num_threads: int) -> None:
    frames = clip((61, 90))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone, _ = run(FusedFilter(0.9), frames)
        torch.set_num_threads(num_threads)
        together, _ = run(FusedFilter(0.9), frames)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_several_clips_at_once_do_not_meet() -> None:
    clips = [clip((48, 64), speed=speed) for speed in (0.2, 0.5, 1.0, 1.5)]
    alone = [run(FusedFilter(0.9), frames)[0] for frames in clips]
    with ThreadPoolExecutor(len(clips)) as pool:
        together = list(pool.map(lambda frames: run(FusedFilter(0.9), frames)[0], clips))
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_layout_in_memory_does_not_matter() -> None:
    frames = clip((40, 56))
    other = [
        (content.contiguous(memory_format=torch.channels_last), painted.contiguous(), motion)
        for content, painted, motion in frames
    ]
    padded = [
        (
            torch.nn.functional.pad(content, (3, 2))[..., 3:-2],
            torch.nn.functional.pad(painted, (1, 0, 1, 0))[..., 1:, 1:],
            motion,
        )
        for content, painted, motion in frames
    ]
    wanted, _ = run(FusedFilter(0.9), frames)
    for each in (other, padded):
        found, _ = run(FusedFilter(0.9), each)
        torch.testing.assert_close(found[-1], wanted[-1], atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(8, 40), st.integers(8, 40)),
    st.sampled_from([0.0, 1e4, -1e9, 3e38, float("inf"), float("-inf"), float("nan")]),
    st.sampled_from(["flow_backward", "flow_forward", "flow_older"]),
)
def test_wild_flow_reads_nothing_outside(size: tuple[int, int], value: float, which: str) -> None:
    frames = clip(size)

    def changed(motion: Motion | None) -> Motion | None:
        if motion is None or getattr(motion, which) is None:
            return motion
        flow = getattr(motion, which).clone()
        flow[..., ::2, ::3] = value
        return replace(motion, **{which: flow})

    wild = [(content, painted, changed(motion)) for content, painted, motion in frames]
    output = run(FusedFilter(0.9), wild)[0][-1]
    assert output.shape == (1, 3, *size)
    assert float(output.nan_to_num().min()) >= 0
    assert float(output.nan_to_num().max()) <= 1


def test_states_of_one_do_for_the_other() -> None:
    frames = clip((48, 64))
    _, state = run(ConsistencyFilter(0.9), frames[:-1])
    _, fused_state = run(FusedFilter(0.9), frames[:-1])
    content, painted, motion = frames[-1]
    found = [
        steady.step(content, painted, motion, each)[0]
        for steady in (ConsistencyFilter(0.9), FusedFilter(0.9))
        for each in (state, fused_state)
    ]
    for each in found[1:]:
        assert float((each - found[0]).abs().mean()) < 2e-3


@pytest.mark.parametrize("change", ["grid", "half", "tiny"])
def test_what_it_cannot_do_is_left_to_torch(change: str) -> None:
    frames = clip((7, 20) if change == "tiny" else (48, 64))
    if change == "grid":
        frames = [
            (content, painted, motion and replace(motion, flow_forward=motion.flow_forward[..., ::2, ::2]))
            for content, painted, motion in frames
        ]
    elif change == "half":
        frames = [(content, painted.half() if motion else painted, motion) for content, painted, motion in frames[:4]]
    wanted, _ = run(ConsistencyFilter(0.9), frames)
    found, _ = run(FusedFilter(0.9), frames)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_a_state_of_another_size_is_no_memory_to_read() -> None:
    _, state = run(FusedFilter(0.9), clip((16, 16))[:3])
    content, painted, motion = clip((128, 160))[-1]
    found, wanted = (each(0.9).step(content, painted, motion, state)[0] for each in (FusedFilter, ConsistencyFilter))
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("damage", [None, "missing", "no library", "other sources"])
def test_kernels_that_do_not_fit_are_not_used(
    damage: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kernels"
    shutil.copytree(Path(fused.__file__).parent / "kernels", folder)
    monkeypatch.setattr(fused, "__file__", str(tmp_path / "fused.py"))
    for library in folder.glob("*.so"):
        if damage == "missing":
            library.unlink()
        elif damage == "no library":
            library.write_text("something else\n")
    if damage == "other sources":
        (folder / "frame.h").write_text("/* newer */\n")
    assert (load_kernels.__wrapped__() is None) == (damage is not None)


def test_without_kernels_it_is_the_filter_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = clip((48, 64))
    wanted, _ = run(ConsistencyFilter(0.9), frames)
    monkeypatch.setattr(fused, "load_kernels", lambda: None)
    found, _ = run(FusedFilter(0.9), frames)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))
