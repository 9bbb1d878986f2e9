"""Flow carried across outlines: taken over where it matches better, left alone elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidstyle.evaluation.synthetic import suite_sequence
from vidstyle.flow import dis_search
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.propagation import propagate_flow
from vidstyle.imaging.warp import resize_flow

SIDE, EDGE, STEP = 96, 48, 5
Pictures = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(30, 220, (SIDE, SIDE), dtype=np.uint8)


def two_motions() -> Pictures:
    """Left of EDGE things go STEP pixels to the right and over what stands still: source, target, flow."""
    source, target = noise(1), noise(2)
    target[:, EDGE + STEP :] = source[:, EDGE + STEP :]
    target[:, STEP : EDGE + STEP] = source[:, :EDGE]
    flow = np.zeros((SIDE, SIDE, 2), np.float32)
    flow[:, :EDGE, 0] = STEP
    return source, target, flow


def as_it_is(source: NDArray[np.uint8], target: NDArray[np.uint8], flow: NDArray[np.float32]) -> Pictures:
    return source, target, flow


def mirrored(source: NDArray[np.uint8], target: NDArray[np.uint8], flow: NDArray[np.float32]) -> Pictures:
    return source[:, ::-1].copy(), target[:, ::-1].copy(), flow[:, ::-1] * np.float32((-1, 1))


def turned(source: NDArray[np.uint8], target: NDArray[np.uint8], flow: NDArray[np.float32]) -> Pictures:
    return source.T.copy(), target.T.copy(), flow.transpose(1, 0, 2)[..., ::-1].copy()


def turned_and_mirrored(source: NDArray[np.uint8], target: NDArray[np.uint8], flow: NDArray[np.float32]) -> Pictures:
    return turned(*mirrored(source, target, flow))


SIDES = pytest.mark.parametrize("seen", [as_it_is, mirrored, turned, turned_and_mirrored])
LIGHTS = pytest.mark.parametrize(
    "light", [lambda picture: picture, lambda picture: picture * 0.8, lambda picture: picture + 20]
)


@SIDES
@LIGHTS
def test_flow_that_bled_over_an_edge_goes_back_to_it(
    seen: Callable[..., Pictures], light: Callable[[Any], Any]
) -> None:
    source, target, flow = two_motions()
    bled = flow.copy()
    bled[:, EDGE - 6 : EDGE] = 0
    target = np.asarray(light(target.astype(np.float32))).round().astype(np.uint8)
    given, (_, _, true) = seen(source, target, bled), seen(source, target, flow)
    before = given[2].copy()

    found = propagate_flow(given[2], given[0], given[1])

    middle = slice(14, SIDE - 14)  # away from the border, over which nothing is known
    wrong = np.abs(found - true).max(-1)[middle, middle] > 0.5
    assert wrong.sum() <= 2 * SIDE, "at most the columns whose window holds both motions"
    assert np.array_equal(given[2], before), "what came in is left as it was"


def test_flow_that_matches_stays() -> None:
    source, target, flow = two_motions()
    found = propagate_flow(flow, source, target)
    assert np.array_equal(found[:, : EDGE - 1], flow[:, : EDGE - 1])
    assert np.array_equal(found[:, EDGE + STEP + 1 :], flow[:, EDGE + STEP + 1 :])


@SIDES
def test_of_two_that_match_better_the_best_is_taken(seen: Callable[..., Pictures]) -> None:
    source = cv2.GaussianBlur(noise(3), (0, 0), 4)
    target = np.roll(source, STEP, 1)
    flow = np.zeros((SIDE, SIDE, 2), np.float32)
    flow[:, :EDGE, 0], flow[:, EDGE:, 0] = STEP - 2, STEP
    flow[:, EDGE - 6 : EDGE + 6, 0] = -STEP
    source, target, flow = seen(source, target, flow)

    found = propagate_flow(flow, source, target)

    hole = np.abs(flow).max(-1) * np.sign(flow.sum(-1)) * np.sign(flow[0, 0].sum()) == -STEP
    assert (np.abs(found).max(-1)[hole] == STEP).mean() > 0.9
    assert (np.sign(found.sum(-1)[hole]) == np.sign(flow[0, 0].sum())).mean() > 0.9


def test_noise_does_not_decide() -> None:
    random = np.random.default_rng(4)
    first, second = (128 + random.normal(0, 1.5, (SIDE, SIDE)).round().astype(np.uint8) for _ in range(2))
    flow = random.normal(0, 4, (SIDE, SIDE, 2)).astype(np.float32)
    changed = (propagate_flow(flow, first, second) != flow).any(-1)
    assert changed.mean() < 0.25


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (33, 47)])
def test_small_pictures(size: tuple[int, int]) -> None:
    picture = np.zeros(size, np.uint8)
    flow = np.ones((*size, 2), np.float32)
    assert np.array_equal(propagate_flow(flow, picture, picture), flow)


@pytest.fixture(scope="module")
def passing() -> list[tuple[torch.Tensor, ...]]:
    """Something that passes in front: a frame, the next, its flow to the first, and where that is seen."""
    sequence = suite_sequence("foreground", (320, 180), 12)
    return [
        (sequence.frame(index - 1), sequence.frame(index), *sequence.flow(index, index - 1))
        for index in range(1, 12, 4)
    ]


@pytest.mark.parametrize("exposure", [1.0, 0.8])
def test_motion_of_what_passes_in_front_is_nearer_to_the_truth(
    passing: list[tuple[torch.Tensor, ...]], exposure: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error() -> float:
        found = []
        for before, now, flow, valid in passing:
            estimator = DisFlow()
            estimator.push(before[None])
            motion = estimator.push(now[None].float() / 255 * exposure)
            assert motion is not None
            distance = (resize_flow(motion.flow_backward, (180, 320))[0] - flow).square().sum(0).sqrt()
            found.append(float(distance[valid[0]].mean()))
        return sum(found) / len(found)

    def search_alone(flow: NDArray[np.float32], *_: Any) -> NDArray[np.float32]:
        return flow

    with_it = error()
    monkeypatch.setattr(dis_search, "propagate_flow", search_alone)
    assert with_it < 0.95 * error()
