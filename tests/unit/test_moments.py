"""Moments as people write them, and timecodes that drop frames."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.moments import (
    Timecode,
    check_frames,
    on_clock,
    parse_frame_range,
    parse_moment,
    parse_rate,
    seconds_into,
    standard_rate,
)

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2.5", "5/2"), (".1", "1/10"), ("0.1", "1/10"), ("3.", "3"), ("1:02.5", "125/2"), ("1:00:00.04", "90001/25")],
)
def test_seconds_are_exact(text: str, seconds: str) -> None:
    assert parse_moment(text) == Fraction(seconds)


@pytest.mark.parametrize("number", [0, 2, 0.1, 8.3, 1e-5, 86400.25])
def test_numbers_mean_what_they_show(number: float) -> None:
    assert parse_moment(number) == Fraction(str(number))


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1", "1:2:3:4:5", "1:60", "60:00:00:00", "01:60:00:00", "01:00:60:00", "25:00:00:00", "1e3", "nan",
     "01:00:00:0", "00:00:00;1", "00;00;00;00", "1:::2"],
)  # fmt: skip
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_moment(text)


@pytest.mark.parametrize("number", [-0.1, float("nan"), float("inf"), Fraction(-1)])
def test_numbers_that_are_no_moment_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="from 0 up"):
        parse_moment(number)


@given(st.text(max_size=12))
def test_any_text_is_a_moment_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(ValueError):  # anything else is a fault
        moment = parse_moment(text)
        assert isinstance(moment, Timecode) or moment >= 0


@pytest.mark.parametrize(
    ("text", "rate", "number"),
    [
        ("00:00:00:00", Fraction(24), 0),
        ("00:00:01:00", Fraction(24), 24),
        ("01:00:00:05", Fraction(24000, 1001), 86405),
        ("00:00:02:10", Fraction(50), 110),
        ("00:01:00:00", NTSC, 1800),
        # SMPTE ST 12-1: two labels are left out every minute but each tenth.
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),
        ("00:10:00;00", NTSC, 17982),
        ("01:00:00;00", NTSC, 107892),
        ("00:01:00;04", 2 * NTSC, 3600),
    ],
)
def test_timecodes_count_frames(text: str, rate: Fraction, number: int) -> None:
    timecode = parse_moment(text)
    assert isinstance(timecode, Timecode)
    assert timecode.frame_number(rate) == number
    assert str(timecode) == text


@given(st.integers(0, 24 * 107892 - 2), st.sampled_from([NTSC, 2 * NTSC]))
def test_the_label_after_a_drop_frame_label_is_the_frame_after(number: int, rate: Fraction) -> None:
    def label(number: int) -> Timecode:
        """The drop-frame label of a frame, by counting the labels left out before it."""
        nominal, dropped = round(rate), round(rate) // 15
        tens, rest = divmod(number, 600 * nominal - 9 * dropped)
        skipped = 9 * dropped * tens
        if rest >= 60 * nominal:
            skipped += dropped * (1 + (rest - 60 * nominal) // (60 * nominal - dropped))
        seconds, frames = divmod(number + skipped, nominal)
        return Timecode(seconds // 3600, seconds // 60 % 60, seconds % 60, frames, is_drop_frame=True)

    assert label(number).frame_number(rate) == number


@pytest.mark.parametrize(
    ("text", "rate"),
    [("00:00:00:24", Fraction(24)), ("00:01:00;00", NTSC), ("00:01:00;01", NTSC), ("00:00:01;00", Fraction(25)),
     ("00:00:01;00", Fraction(30))],
)  # fmt: skip
def test_labels_no_frame_has_are_refused(text: str, rate: Fraction) -> None:
    timecode = parse_moment(text)
    assert isinstance(timecode, Timecode)
    with pytest.raises(ValueError, match="timecode"):
        timecode.frame_number(rate)


def test_timecodes_count_from_the_clip_s_own() -> None:
    start = parse_moment("10:00:00:00")
    assert isinstance(start, Timecode)
    assert seconds_into(parse_moment("10:00:01:12"), Fraction(24), start) == Fraction(3, 2)
    assert seconds_into(parse_moment("00:00:01:12"), Fraction(24)) == Fraction(3, 2)
    assert seconds_into(parse_moment("1.5"), Fraction(24), start) == Fraction(3, 2)
    with pytest.raises(ValueError, match="before the clip's first frame, which is 10:00:00:00"):
        seconds_into(parse_moment("09:59:59:23"), Fraction(24), start)


@pytest.mark.parametrize(
    ("start", "moment", "rate"),
    [("23:59:59:20", "00:00:00:02", Fraction(25)), ("23:59:59;28", "00:00:00;05", Fraction(30000, 1001))],
)
def test_timecodes_run_past_midnight(start: str, moment: str, rate: Fraction) -> None:
    first = parse_moment(start)
    assert isinstance(first, Timecode)
    assert seconds_into(parse_moment(moment), rate, first, duration_seconds=2.0) == 7 / rate
    with pytest.raises(ValueError, match="before the clip's first frame"):
        seconds_into(parse_moment(moment), rate, first, duration_seconds=0.2)


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60)])
@pytest.mark.parametrize("first", [0, 1, 7, 1000])
def test_labels_mean_frames_by_a_clock_that_rounds(rate: Fraction, first: int) -> None:
    times = [Fraction(round(1000 * (first + number) / rate), 1000) for number in range(100)]
    for number, time in enumerate(times):
        assert times[0] + on_clock(number / rate, Fraction(1, 1000), rate, times[0]) == time


def test_labels_of_a_clip_that_begins_between_frames() -> None:
    rate, origin, tick = Fraction(24), Fraction(60, 1000), Fraction(1, 1000)
    assert on_clock(2 / rate, tick, rate, origin) == Fraction(143, 1000) - origin
    # A clock that counts frames says exactly when they are.
    assert on_clock(2 / rate, 1 / rate, rate) == 2 / rate


def test_rates_as_containers_round_them() -> None:
    assert standard_rate(Fraction(19001, 317), Fraction(1, 100_000)) == Fraction(60000, 1001)
    assert standard_rate(Fraction(2997, 125), Fraction(1, 100_000)) == Fraction(24000, 1001)
    assert standard_rate(Fraction(2399, 100), Fraction(1, 100_000)) == Fraction(2399, 100)


def test_frame_ranges() -> None:
    assert parse_frame_range("100-199") == (100, 199)
    assert parse_frame_range("7") == (7, 7)
    for text in ("", "-5", "5-", "9-3", "1-2-3", "a-b", "1.5-3", "1" * 20):
        with pytest.raises(ValueError, match="range"):
            parse_frame_range(text)


def test_lists_of_frames() -> None:
    for text in ("100-199", "7", "1-19x2", "1-5,9", "1-9x2,20-30x10"):
        check_frames(text)
    for text in ("", "1-19x0", "1-19x", "1,", "9-1x2", "x2", "1-3,b"):
        with pytest.raises(ValueError, match="range"):
            check_frames(text)


def test_rates() -> None:
    assert parse_rate("24000/1001") == Fraction(24000, 1001)
    assert parse_rate("23.976") == parse_rate("23.98") == Fraction(24000, 1001)
    assert parse_rate("59.94") == Fraction(60000, 1001)
    assert parse_rate("25.00") == 25
    assert parse_rate("23.97") == Fraction(2397, 100)
    for text in ("0", "-1", "1/0", "fast", "", "1001", "nan", "inf", "1e9"):
        with pytest.raises(ValueError, match="rate"):
            parse_rate(text)
