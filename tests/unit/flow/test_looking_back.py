"""Motion to a frame further back, beside that to the frame before."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.flow.dis import DisFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.imaging.warp import resize_flow
from vidstyle.protocols import LOOK_BACK, Motion

STEP_PX = 2


def sliding(num: int, height: int = 96, width: int = 160) -> list[Tensor]:
    """A texture that slides to the left by ``STEP_PX`` a frame."""
    noise = torch.rand(1, 3, height // 6, 60, generator=torch.Generator().manual_seed(0))
    wide = F.interpolate(noise, (height, 360), mode="bicubic").clamp(0, 1)
    return [wide[..., STEP_PX * index : STEP_PX * index + width].contiguous() for index in range(num)]


def older(motion: Motion | None) -> Tensor | None:
    assert motion is not None
    return motion.flow_older


def test_it_leads_further_back_once_there_is_such_a_frame() -> None:
    frames = sliding(LOOK_BACK + 2)
    flow, plain = LookingBack(DisFlow()), DisFlow()
    for index, frame in enumerate(frames):
        motion, alone = flow.push(frame), plain.push(frame)
        if index == 0:
            assert motion is None
            continue
        assert motion is not None
        assert alone is not None
        assert motion.flow_backward.equal(alone.flow_backward)
        assert motion.flow_forward.equal(alone.flow_forward)
        if index < LOOK_BACK:
            assert motion.flow_older is None
        else:
            found = resize_flow(older(motion), (96, 160))[..., 24:-24, 24:-24]  # type: ignore[arg-type]
            wanted = torch.tensor([STEP_PX * LOOK_BACK, 0.0]).view(1, 2, 1, 1)
            assert (found - wanted).norm(dim=1).mean() < 0.25


def test_a_cut_ends_the_past() -> None:
    frames = sliding(2 * LOOK_BACK + 2)
    flow = LookingBack(DisFlow())
    for frame in frames[: LOOK_BACK + 1]:
        flow.push(frame)
    flow.reset()
    assert flow.push(frames[LOOK_BACK + 1]) is None
    assert [older(flow.push(frame)) for frame in frames[LOOK_BACK + 2 : 2 * LOOK_BACK]] == [None] * (LOOK_BACK - 2)


def test_frames_glimpsed_before_the_first_count_as_past() -> None:
    frames = sliding(LOOK_BACK + 3)
    whole, part = LookingBack(DisFlow()), LookingBack(DisFlow())
    whole_motions = [whole.push(frame) for frame in frames]
    for frame in frames[: LOOK_BACK + 1]:
        part.glimpse(frame)
    assert part.push(frames[LOOK_BACK + 1]) is None  # motion needs a frame that was pushed
    found, wanted = older(part.push(frames[LOOK_BACK + 2])), older(whole_motions[-1])
    assert found is not None
    assert wanted is not None
    assert found.equal(wanted)
