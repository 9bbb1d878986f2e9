"""The recursive filter: steadier, as sharp as before, and without memory across cuts."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from vidstyle.imaging.pyramid import laplacian_bands
from vidstyle.imaging.warp import backward_warp
from vidstyle.protocols import LOOK_BACK, Motion, TemporalFilter
from vidstyle.temporal.consistency import consistent_blend
from vidstyle.temporal.filter import MAX_DRIFT, ConsistencyFilter, match_band_energy, warmup_frames
from vidstyle.temporal.fused import FusedFilter

SIZE = (48, 64)
Filter = ConsistencyFilter


@pytest.fixture(params=[ConsistencyFilter, FusedFilter], autouse=True)
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds for both."""
    monkeypatch.setattr(sys.modules[__name__], "Filter", request.param)


def motion(dx: float = 0.0, dy: float = 0.0, size: tuple[int, int] = SIZE) -> Motion:
    """The whole picture moved by (dx, dy) since the frame before."""
    forward = torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, *size)
    return Motion(flow_backward=-forward, flow_forward=forward)


def texture(seed: int, size: tuple[int, int] = SIZE) -> torch.Tensor:
    """Strokes of a few pixels: (1, 3, H, W) in [0, 1]."""
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))
    return (0.5 + 1.5 * (torch.nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False) - 0.5)).clamp(0, 1)


def flickering(num: int, dx: float = 0.0, dy: float = 0.0) -> list[torch.Tensor]:
    """Strokes that move by (dx, dy) a frame, and half as much energy that is new in every frame."""
    strokes = texture(1000) - 0.5
    moved = [backward_warp(strokes, motion(index * dx, index * dy).flow_backward) for index in range(num)]
    return [(0.5 + 0.8 * (frame + 0.7 * (texture(index) - 0.5))).clamp(0, 1) for index, frame in enumerate(moved)]


def run(filter_: TemporalFilter, frames: list[torch.Tensor], step: Motion) -> list[torch.Tensor]:
    """Filter frames of a constant grey scene, all of whose motion is ``step``."""
    content, state, outputs = torch.full_like(frames[0], 0.5), None, []
    for index, frame in enumerate(frames):
        output, state = filter_.step(content, frame, step if index else None, state)
        outputs.append(output)
    return outputs


def flicker(frames: list[torch.Tensor]) -> float:
    return sum(float((b - a).square().mean()) for a, b in pairwise(frames))


def band_ratios(image: torch.Tensor, reference: torch.Tensor) -> list[float]:
    return [
        float(a.square().mean() / b.square().mean())
        for a, b in zip(laplacian_bands(image, 2), laplacian_bands(reference, 2), strict=True)
    ]


def kurtosis(band: torch.Tensor) -> float:
    """Fourth moment over the square of the second: 3 for noise, more the more the energy is gathered in a few spots."""
    return float(band.pow(4).mean() / band.square().mean().square())


def test_it_keeps_the_protocol() -> None:
    assert isinstance(Filter(0.5), TemporalFilter)


def test_consistency_0_is_exactly_per_frame() -> None:
    frames = [texture(seed) for seed in range(4)]
    assert all(torch.equal(a, b) for a, b in zip(run(Filter(0), frames, motion()), frames, strict=True))


def test_the_first_frame_is_its_own_stylization() -> None:
    frame = texture(0)
    assert torch.equal(run(Filter(1), [frame], motion())[0], frame)


@pytest.mark.parametrize("restart", ["motion", "state"])
def test_without_motion_or_state_nothing_of_the_past_remains(restart: str) -> None:
    steady = Filter(1)
    content, before, after = torch.full((1, 3, *SIZE), 0.5), texture(1), texture(2)
    _, state = steady.step(content, before, None, None)
    fresh, fresh_state = steady.step(content, after, None, None)
    again, again_state = (
        steady.step(content, after, None, state) if restart == "motion" else steady.step(content, after, motion(), None)
    )
    assert torch.equal(again, fresh)
    following = texture(3)
    assert torch.equal(
        steady.step(content, following, motion(), again_state)[0],
        steady.step(content, following, motion(), fresh_state)[0],
    )


@pytest.mark.parametrize("consistency", [0.5, 0.9, 1.0])
def test_more_consistency_means_less_flicker_at_the_same_sharpness(consistency: float) -> None:
    frames = flickering(24)
    outputs = run(Filter(consistency), frames, motion())
    assert flicker(outputs) < (1 - 0.8 * consistency) * flicker(frames)
    for ratio in band_ratios(outputs[-1], frames[-1]):
        assert 0.9 <= ratio <= 1.1


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.13, -0.07)], ids=["still", "pan"])
def test_texture_neither_fades_nor_grows_over_a_long_shot(shift: tuple[float, float]) -> None:
    frames = flickering(100, *shift)
    outputs = run(Filter(1), frames, motion(*shift))
    inner = (..., slice(4, -12), slice(18, -4))  # the pan repeats the left and the lower border
    for index in (20, 60, 99):
        for ratio in band_ratios(outputs[index][inner], frames[index][inner]):
            assert 0.8 <= ratio <= 1.2
    # Nor does it gather in specks, which leaves the mean energy as it is.
    assert kurtosis(laplacian_bands(outputs[-1][inner], 1)[0]) < 1.3 * kurtosis(
        laplacian_bands(frames[-1][inner], 1)[0]
    )


def test_more_consistency_is_steadier_even_where_flow_is_a_little_wrong() -> None:
    first, painted = texture(7, (64, 96)), texture(8, (64, 96))
    content_blurred = torch.nn.functional.avg_pool2d(first, 3, 1, 1, count_include_pad=False)
    true = motion(0.7, 0.4, (64, 96))
    wrong = Motion(flow_backward=true.flow_backward + 0.3, flow_forward=true.flow_forward - 0.3)
    moved = [motion(index * 0.7, index * 0.4, (64, 96)).flow_backward for index in range(30)]
    contents = [backward_warp(content_blurred, flow) for flow in moved]
    frames = [
        (backward_warp(painted, flow) + 0.4 * (texture(index, (64, 96)) - 0.5)) for index, flow in enumerate(moved)
    ]
    across_five = motion(5 * 0.7, 5 * 0.4, (64, 96)).flow_backward
    errors = []
    for consistency in (0.0, 0.25, 0.5, 0.75, 0.9, 1.0):
        steady, state, outputs = Filter(consistency), None, []
        for index, (content, frame) in enumerate(zip(contents, frames, strict=True)):
            output, state = steady.step(content, frame.clamp(0, 1), wrong if index else None, state)
            outputs.append(output)
        pairs = zip(outputs[15:], outputs[10:], strict=False)
        inner = (..., slice(16, -8), slice(24, -8))
        errors.append(sum(float((b - backward_warp(a, across_five))[inner].square().mean()) for b, a in pairs))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize("consistency", [0.5, 1.0])
def test_colour_does_not_lag_behind_however_long_the_shot(consistency: float) -> None:
    steady, state = Filter(consistency), None
    content, strokes = torch.full((1, 3, *SIZE), 0.5), 0.3 * (texture(1) - 0.5)
    worst = 0.0
    for index in range(150):
        light = 0.5 + 0.3 * torch.cos(torch.tensor(index / 12)) * torch.linspace(-1, 1, SIZE[1])
        frame = (light + strokes + 0.2 * (texture(index) - 0.5)).clamp(0, 1)
        output, state = steady.step(content, frame, motion() if index else None, state)
        difference = torch.nn.functional.avg_pool2d(output - frame, 8)
        worst = max(worst, float(difference.square().mean().sqrt()))
    assert worst < 1.1 * MAX_DRIFT


def test_a_texture_that_moves_with_the_scene_is_followed() -> None:
    first = texture(5, (64, 96))
    step = motion(2.0, 1.0, (64, 96))
    moved = [first]
    for _ in range(5):
        moved.append(backward_warp(moved[-1], step.flow_backward))
    noisy = [frame + 0.2 * (texture(50 + index, (64, 96)) - 0.5) for index, frame in enumerate(moved)]
    output = run(Filter(0.9), [frame.clamp(0, 1) for frame in noisy], step)[-1]
    inner = (..., slice(12, -12), slice(16, -16))
    error = (output - moved[-1])[inner].square().mean()
    assert float(error) < 0.5 * float((noisy[-1] - moved[-1])[inner].square().mean())


def test_occluded_pixels_keep_their_own_stylization() -> None:
    before, after = texture(1), texture(2)
    _, state = Filter(1).step(torch.zeros(1, 3, *SIZE), before, None, None)
    step = motion(16.0, 0.0)  # the leftmost 16 columns came in from outside
    output, _ = Filter(1).step(torch.zeros(1, 3, *SIZE), after, step, state)
    assert float((output - after)[..., :8].abs().max()) < 0.01
    assert float((output - after)[..., 24:].abs().mean()) > 0.05


def test_a_source_that_looks_different_is_not_trusted() -> None:
    before, after = texture(1), texture(2)
    steady = Filter(1)
    content = torch.full((1, 3, *SIZE), 0.2)
    _, state = steady.step(content, before, None, None)
    changed = content.clone()
    changed[..., :16, :] = 0.9  # a light goes on in a third of the picture
    output, _ = steady.step(changed, after, motion(), state)
    difference = (output - after).abs().mean((0, 1, 3))
    assert float(difference[:8].max()) < 0.01
    assert float(difference[24:].min()) > 0.03


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 8), (31, 45)], ids=str)
def test_odd_and_tiny_pictures_stay_in_range(size: tuple[int, int]) -> None:
    frames = [
        torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)).round() for seed in range(LOOK_BACK + 3)
    ]
    lost = motion(0.4, 0.3, size)  # forward and backward disagree: all of it is a gap
    lost = Motion(lost.flow_backward, 9 * lost.flow_forward + 9, flow_older=6 * lost.flow_backward)
    for output in run(Filter(1), frames, motion(0.4, 0.3, size)) + run(Filter(1), frames, lost):
        assert output.shape == (1, 3, *size)
        assert output.dtype == torch.float32
        assert float(output.min()) >= 0
        assert float(output.max()) <= 1


def test_a_coarse_flow_does_as_well_as_a_full_one() -> None:
    frames = [texture(seed) for seed in range(6)]
    full = run(Filter(0.9), frames, motion())
    coarse = run(Filter(0.9), frames, motion(size=(12, 16)))
    torch.testing.assert_close(coarse[-1], full[-1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.8, 0.95])
def test_band_energy_of_blended_uncorrelated_textures_is_restored(beta: float) -> None:
    s, w = texture(1, (96, 128)), texture(2, (96, 128))
    blended = consistent_blend(s, w, torch.ones(1, 1, 96, 128), beta)
    assert min(band_ratios(blended, s)) < 0.95
    for ratio in band_ratios(match_band_energy(blended, s), s):
        assert 0.9 <= ratio <= 1.1


def test_matching_a_picture_to_itself_changes_nothing() -> None:
    image = texture(3)
    torch.testing.assert_close(match_band_energy(image, image), image)


def test_gains_are_bounded() -> None:
    faint = 0.5 + 0.01 * (texture(1) - 0.5)
    ratios = band_ratios(match_band_energy(faint, texture(1)), faint)
    assert all(1.2 < ratio <= 1.5**2 * 1.05 for ratio in ratios)


@pytest.mark.parametrize("consistency", [0.1, 0.9, 1.0])
def test_after_the_warmup_hardly_anything_of_another_past_is_left(consistency: float) -> None:
    same = flickering(warmup_frames(consistency) + 1)[1:]
    pasts = (flickering(1)[0], same[0])
    one, other = (run(Filter(consistency), [past, *same], motion())[-1] for past in pasts)
    assert float((one - other).square().mean()) < 10**-4.5


def test_no_consistency_needs_no_warmup() -> None:
    assert warmup_frames(0) == 0


@pytest.mark.parametrize("consistency", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("period", [2, 3])
def test_nor_where_gaps_are_filled_again_and_again(consistency: float, period: int) -> None:
    """A part of the scene alternates, so that it is only ever seen in older frames."""
    num = warmup_frames(consistency) + 1
    paintings = flickering(3 * LOOK_BACK + num)

    def last(first: int) -> torch.Tensor:
        steady, state, output = Filter(consistency), None, paintings[0]
        for index in range(first, len(paintings)):
            content = texture(49)
            content[..., :HIDDEN_PX] = (texture(50)[..., :HIDDEN_PX] + index % period) / period
            output, state = steady.step(content, paintings[index], still() if state else None, state)
        return output

    assert float((last(0) - last(3 * LOOK_BACK)).square().mean()) < 10**-4.5


def test_what_is_kept_where_a_gap_was_filled_is_the_painting() -> None:
    steady, state = Filter(0.9), None
    for seed, painting in zip(BACK_AGAIN, flickering(len(BACK_AGAIN)), strict=True):
        content = texture(49)
        content[..., :HIDDEN_PX] = (texture(seed)[..., :HIDDEN_PX] + seed % 3) / 3
        _, state = steady.step(content, painting, still() if state else None, state)
    assert state is not None
    inner = (..., slice(HIDDEN_PX - 8))
    distance = [float((each - painting)[inner].abs().mean()) for each in (state.past[-1].remembered, state.remembered)]
    assert distance[0] < 0.2 * distance[1]


def test_without_looking_back_only_the_frame_before_is_kept() -> None:
    outputs = []
    for steady in (Filter(0.9, looks_back=False), Filter(0.9)):
        state = None
        for index, painting in enumerate(flickering(LOOK_BACK + 3)):
            output, state = steady.step(texture(50), painting, motion() if index else None, state)
        assert state is not None
        outputs.append((output, len(state.past)))
    assert [num for _, num in outputs] == [1, LOOK_BACK]
    assert torch.equal(outputs[0][0], outputs[1][0])


def still() -> Motion:
    """Nothing moved, and a frame further back is known, too."""
    return replace(motion(), flow_older=torch.zeros(1, 2, SIZE[0] // 2, SIZE[1] // 2))


def seen_again(passing: list[int], step: Motion, *, first: int = 0) -> list[torch.Tensor]:
    """Flickering paintings of a still scene whose left third shows one texture and another.

    Frames before ``first`` are of another shot. What is returned is painted there, away from its edge.
    """
    steady, state, outputs = Filter(0.9), None, []
    for index, (seed, painting) in enumerate(zip(passing, flickering(len(passing)), strict=True)):
        content = texture(49)
        content[..., :HIDDEN_PX] = (texture(seed)[..., :HIDDEN_PX] + seed % 3) / 3  # of another brightness, too
        starts = index in (0, first)
        output, state = steady.step(content, painting, None if starts else step, None if starts else state)
        outputs.append(output[..., : HIDDEN_PX - 8])
    return outputs


HIDDEN_PX = SIZE[1] // 3
#: One texture, another for a frame, and the first again: what was behind something that passed.
BACK_AGAIN = [50] * LOOK_BACK + [51] + [50]


def test_what_is_seen_again_goes_on_from_further_back() -> None:
    painting = flickering(len(BACK_AGAIN))[-1][..., : HIDDEN_PX - 8]
    alone, held = (seen_again(BACK_AGAIN, step) for step in (motion(), still()))
    before = held[-1 - LOOK_BACK]
    distance = [float((image - before).square().mean()) for image in (painting, alone[-1], held[-1])]
    assert distance[1] > 0.5 * distance[0]  # little to hold on to
    assert distance[2] < 0.25 * distance[0]
    assert all(0.7 < ratio < 1.3 for ratio in band_ratios(held[-1], painting))


@pytest.mark.parametrize(
    ("passing", "first"),
    [([50] * LOOK_BACK + [51] + [52], 0), (BACK_AGAIN, LOOK_BACK - 2)],
    ids=["something else", "another shot"],
)
def test_a_past_that_does_not_belong_here_fills_nothing(passing: list[int], first: int) -> None:
    alone, held = (seen_again(passing, step, first=first) for step in (motion(), still()))
    assert (held[-1] - alone[-1]).abs().mean() < 0.01


def test_an_older_frame_that_matches_nowhere_fills_nothing() -> None:
    """Its own median is no measure of noise then: a cut that nobody found."""
    steady, state = Filter(0.9), None
    for index in range(LOOK_BACK + 1):
        last = index == LOOK_BACK
        content, painting = (texture(60 if last else 50) + last) / 2, flickering(index + 1)[-1]
        lost = replace(still(), flow_forward=torch.full((1, 2, *SIZE), 9.0))
        output, state = steady.step(content, painting, lost if index else None, state)
    assert (output - painting).abs().mean() < 0.03


def test_where_the_frame_before_is_trusted_the_older_one_changes_nothing() -> None:
    alone, held = (seen_again([50] * (LOOK_BACK + 6), step) for step in (motion(), still()))
    assert torch.allclose(held[-1], alone[-1], atol=0.03)
    assert flicker(held) == pytest.approx(flicker(alone), rel=0.02)


def test_motion_out_of_the_older_frame_fills_nothing() -> None:
    out = replace(still(), flow_older=torch.full((1, 2, *SIZE), float(SIZE[1])))
    alone, held = (seen_again(BACK_AGAIN, step) for step in (motion(), out))
    assert torch.equal(held[-1], alone[-1])


def test_no_more_of_the_past_is_kept_than_is_looked_back_at() -> None:
    steady, state = Filter(0.9), None
    for index in range(2 * LOOK_BACK):
        _, state = steady.step(texture(50), texture(index), still() if index else None, state)
        assert state is not None
        assert len(state.past) == min(index + 1, LOOK_BACK)
    assert {each.dtype for past in state.past for each in (past.remembered, past.content)} == {torch.float16}


def test_what_a_gpu_computes_is_what_a_processor_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenCV's pixels every step is torch's, in whatever memory layout it leaves them."""
    step = motion(0.7, -0.4)
    hidden = step.flow_forward.clone()
    hidden[..., 10:30, 20:50] += 9.0  # a gap, which the older frame fills
    step = Motion(step.flow_backward, hidden, flow_older=LOOK_BACK * step.flow_backward[..., ::2, ::2].clone())
    scene, paintings, results = texture(50), flickering(LOOK_BACK + 4, 0.7, -0.4), []
    for _ in range(2):
        state, steady = None, Filter(0.9)
        for index, painting in enumerate(paintings):
            content = backward_warp(scene, index * motion(0.7, -0.4).flow_backward)
            output, state = steady.step(content, painting, step if index else None, state)
        results.append(output)
        for module in ("opencv", "pyramid", "warp"):
            monkeypatch.setattr(f"vidstyle.imaging.{module}.pixels_of", lambda _: None)
    processor, other = results
    assert (processor - paintings[-1]).abs().mean() > 0.02
    assert (processor - other).abs().mean() < 1e-3
