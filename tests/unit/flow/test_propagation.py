"""Flow carried across outlines: taken over where it matches better, left alone elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidstyle.evaluation.synthetic import suite_sequence
from vidstyle.flow import dis
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.propagation import propagate_flow
from vidstyle.imaging.warp import resize_flow

HEIGHT, WIDTH, EDGE, STEP = 48, 96, 48, 5


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def two_motions() -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """Left of EDGE things go STEP pixels to the right and over what stands still: source, target, flow."""
    source, target = noise(1), noise(2)
    target[:, EDGE + STEP :] = source[:, EDGE + STEP :]
    target[:, STEP : EDGE + STEP] = source[:, :EDGE]
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[:, :EDGE, 0] = STEP
    return source, target, flow


def test_flow_that_bled_over_an_edge_goes_back_to_it() -> None:
    source, target, flow = two_motions()
    bled = flow.copy()
    bled[:, EDGE - 6 : EDGE] = 0
    found = propagate_flow(bled, source, target)
    inside = slice(0, EDGE - 1)  # the last column's window holds both motions
    assert np.array_equal(found[:, inside], flow[:, inside])
    assert np.array_equal(bled[:, EDGE - 6 : EDGE], np.zeros((HEIGHT, 6, 2))), "what came in is left as it was"


def test_flow_that_matches_stays() -> None:
    source, target, flow = two_motions()
    found = propagate_flow(flow, source, target)
    assert np.array_equal(found[:, : EDGE - 1], flow[:, : EDGE - 1])
    assert np.array_equal(found[:, EDGE + STEP + 1 :], flow[:, EDGE + STEP + 1 :])


def test_where_nothing_can_be_told_apart_flow_stays() -> None:
    flat = np.full((HEIGHT, WIDTH), 90, np.uint8)
    flow = np.random.default_rng(3).normal(0, 4, (HEIGHT, WIDTH, 2)).astype(np.float32)
    assert np.array_equal(propagate_flow(flow, flat, flat), flow)


@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_small_pictures(size: tuple[int, int]) -> None:
    picture = np.zeros(size, np.uint8)
    assert propagate_flow(np.ones((*size, 2), np.float32), picture, picture).shape == (*size, 2)


def test_motion_of_what_passes_in_front_is_nearer_to_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = suite_sequence("foreground", (320, 180), 12)

    def error() -> float:
        found = []
        for index in range(1, 12, 2):
            estimator = DisFlow()
            estimator.push(sequence.frame(index - 1)[None])
            motion = estimator.push(sequence.frame(index)[None])
            assert motion is not None
            flow, valid = sequence.flow(index, index - 1)
            distance = (resize_flow(motion.flow_backward, (180, 320))[0] - flow).square().sum(0).sqrt()
            found.append(float(distance[valid[0]].mean()))
        return sum(found) / len(found)

    def search_alone(flow: NDArray[np.float32], *_: Any) -> NDArray[np.float32]:
        return flow

    with_it = error()
    monkeypatch.setattr(dis, "propagate_flow", search_alone)
    assert with_it < 0.95 * error()
