"""From the packets of a piece to the size of the whole."""

from __future__ import annotations

import pytest

from vidstyle.media.sizes import scaled_size


def test_keyframes_count_apart() -> None:
    piece = [(1000, True), *[(100, False)] * 9]
    assert scaled_size(piece, 10) == 1900
    assert scaled_size(piece, 500) == 2 * 1000 + 498 * 100


def test_keyframes_that_come_often_go_on_to_do_so() -> None:
    piece = [(1000, True), (100, False), (100, False), (100, False)] * 4
    assert scaled_size(piece, 400) == pytest.approx(100 * 1300)


def test_a_codec_of_keyframes_alone() -> None:
    assert scaled_size([(700, True)] * 5, 100) == 70_000
    assert scaled_size([], 100) == 0
