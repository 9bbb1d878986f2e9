from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from vidstyle.media.orientation import Orientation, parse_display_matrix


def matrix(a: float, b: float, c: float, d: float) -> bytes:
    one = 1 << 16
    return struct.pack("<9i", *(round(v * one) for v in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)


@pytest.mark.parametrize(
    ("linear", "expected"),
    [
        ((1, 0, 0, 1), Orientation(0, False)),
        ((0, -1, 1, 0), Orientation(90, False)),
        ((-1, 0, 0, -1), Orientation(180, False)),
        ((0, 1, -1, 0), Orientation(270, False)),
        ((-1, 0, 0, 1), Orientation(0, True)),
        ((1, 0, 0, -1), Orientation(180, True)),
        ((2, 0, 0, 2), Orientation(0, False)),
    ],
)
def test_matrices(linear, expected):
    assert parse_display_matrix(matrix(*linear)) == expected


@pytest.mark.parametrize("linear", [(math.cos(0.5), -math.sin(0.5), math.sin(0.5), math.cos(0.5)), (0, 0, 0, 0)])
def test_other_matrices_are_none(linear):
    assert parse_display_matrix(matrix(*linear)) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_apply_mirrors_then_turns_counter_clockwise(dtype):
    stored = np.arange(6, dtype=dtype).reshape(1, 2, 3)

    assert Orientation(90).apply(stored).tolist() == [[[2, 5], [1, 4], [0, 3]]]
    assert Orientation(90, True).apply(stored).tolist() == [[[0, 3], [1, 4], [2, 5]]]
    assert Orientation(90).apply(stored).flags.c_contiguous
    assert Orientation(90).apply(stored).dtype == dtype
