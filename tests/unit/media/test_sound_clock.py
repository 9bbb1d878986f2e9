from __future__ import annotations

from fractions import Fraction

import av
import pytest

from vidstyle.media.sound_clock import SoundClock

RATE = 44100
MS = Fraction(1, 1000)


def sound(seconds: Fraction | float | None, num_samples: int) -> av.AudioFrame:
    """A frame stamped to the millisecond, as Matroska does."""
    frame = av.AudioFrame("s16", "mono", num_samples)
    frame.sample_rate, frame.time_base = RATE, MS
    frame.pts = None if seconds is None else round(Fraction(seconds) / MS)
    return frame


def run(clock: SoundClock, stamps: list[tuple[Fraction | float | None, int]]) -> list[float]:
    """Milliseconds missing before each frame."""
    frames = [sound(*stamp) for stamp in stamps]
    placed = [pair for frame in frames for pair in clock.place([frame])]
    placed += clock.place([], is_last=True)
    assert [frame for frame, _ in placed] == frames
    return [float(missing * 1000) for _, missing in placed]


def test_rounded_stamps_are_no_gaps() -> None:
    clock = SoundClock()

    missing = run(clock, [(Fraction(1, 4) + Fraction(i * 1024, RATE), 1024) for i in range(50)])

    assert missing == [0.0] * 50
    assert clock.start == Fraction(1, 4)


def test_frames_without_a_time_follow_the_one_before() -> None:
    clock = SoundClock()
    assert run(clock, [(None, RATE), (None, RATE), (2.0, RATE)]) == [0.0] * 3
    assert clock.start == 0


@pytest.mark.parametrize(("departure", "missing"), [(0.04, 0.0), (0.2, 200.0), (-0.04, 0.0), (-0.2, -200.0)])
def test_large_departures_are_gaps_and_overlaps(departure: float, missing: float) -> None:
    found = run(SoundClock(), [(0.0, RATE), (1 + departure, RATE), (2 + departure, RATE)])
    assert found == [0.0, missing, 0.0]


@pytest.mark.parametrize("wrong", [-30.0, 3600.0 * 24 * 365])
def test_a_wrong_stamp_is_passed_over(wrong: float) -> None:
    assert run(SoundClock(), [(0.0, RATE), (wrong, RATE), (2.0, RATE), (3.0, RATE)]) == [0.0] * 4


def test_silence_is_bounded_in_all() -> None:
    missing = run(SoundClock(), [(i * 200.0, RATE) for i in range(100)])
    assert 300_000 < sum(missing) <= 600_000


@pytest.mark.parametrize("stamps_ends", [False, True])
@pytest.mark.parametrize("lengths", [[576, 576, 128, 128, 576, 1024, 1024], [1024, 1024, 576, 128, 128]])
def test_blocks_stamped_with_their_end(lengths: list[int], stamps_ends: bool) -> None:
    begins = [Fraction(3) + Fraction(sum(lengths[:i]), RATE) for i in range(len(lengths))]
    stamps = [(begin + Fraction(n, RATE) * stamps_ends, n) for begin, n in zip(begins, lengths, strict=True)]
    clock = SoundClock(has_blocks=True)

    assert run(clock, stamps) == [0.0] * len(lengths)

    assert clock.start is not None
    assert abs(clock.start - 3) <= MS / 2


def test_blocks_of_one_size_are_stamped_with_their_begin() -> None:
    clock = SoundClock(has_blocks=True)
    assert run(clock, [(Fraction(i * 1024, RATE), 1024) for i in range(200)]) == [0.0] * 200
    assert clock.start == 0
