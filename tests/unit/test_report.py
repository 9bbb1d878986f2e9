"""What reports say in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vidstyle.report import RenderEstimate, bytes_in_words, duration_in_words

ESTIMATE = RenderEstimate(
    style="mosaic",
    size=(640, 360),
    num_frames=240,
    frames_per_second=1.0,
    memory_bytes=812_000_000,
    device_memory_bytes=None,
    output_bytes=12_400_000,
    suffix=".mp4",
)


def test_an_estimate_in_words() -> None:
    assert str(ESTIMATE) == "about 4 min (240 frames of 640x360 at 1 fps), 0.8 GB of memory, about 12 MB as .mp4"
    assert ESTIMATE.seconds == 240
    deep = replace(ESTIMATE, frames_per_second=123.4, device_memory_bytes=2_000_000_000)
    assert str(deep).startswith("about 1.9 s (240 frames of 640x360 at 120 fps), 0.8 GB of memory, 2.0 GB of the GPU's")


def test_an_estimate_says_no_more_than_it_knows() -> None:
    nothing = replace(ESTIMATE, num_frames=None, frames_per_second=None, memory_bytes=None, output_bytes=None)
    assert str(nothing) == "frames of 640x360"
    assert nothing.seconds is None
    assert str(replace(nothing, frames_per_second=7.44)) == "frames of 640x360 at 7.4 fps"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (9.96, "10 s"), (32.4, "32 s"), (89, "89 s"), (90, "1.5 min"), (3600, "60 min"), (9000, "2.5 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words


@pytest.mark.parametrize(
    ("num_bytes", "words"),
    [
        (0, "1 kB"),
        (4200, "4.2 kB"),
        (998_000, "1000 kB"),
        (1_260_000, "1.3 MB"),
        (123_000_000, "120 MB"),
        (2e9, "2 GB"),
    ],
)
def test_sizes(num_bytes: int, words: str) -> None:
    assert bytes_in_words(int(num_bytes)) == words
