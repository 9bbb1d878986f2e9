from __future__ import annotations

from fractions import Fraction

import media_factory as factory
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.media.containers import container_for
from vidstyle.media.probe import open_container
from vidstyle.media.roles import lost_roles, writable_language
from vidstyle.media.tags import container_options, lost_metadata, timecode_after
from vidstyle.moments import Timecode

NTSC = Fraction(30000, 1001)
DAY = {Fraction(24): 24 * 86400, Fraction(25): 25 * 86400, NTSC: 2589408, 2 * NTSC: 2 * 2589408}


@pytest.mark.parametrize(
    ("start", "num_frames", "rate", "expected"),
    [
        (Timecode(0, 0, 0, 0), 24, Fraction(24), "00:00:01:00"),
        (Timecode(1, 0, 59, 23), 1, Fraction(24000, 1001), "01:01:00:00"),
        (Timecode(0, 0, 59, 29, True), 1, NTSC, "00:01:00;02"),
        (Timecode(0, 9, 59, 29, True), 1, NTSC, "00:10:00;00"),
        (Timecode(0, 0, 59, 59, True), 1, 2 * NTSC, "00:01:00;04"),
        (Timecode(0, 0, 0, 0, True), 107892, NTSC, "01:00:00;00"),
        (Timecode(23, 59, 59, 24), 1, Fraction(25), "00:00:00:00"),
    ],
)
def test_later_timecodes(start: Timecode, num_frames: int, rate: Fraction, expected: str) -> None:
    assert str(timecode_after(start, num_frames, rate)) == expected


@given(number=st.integers(0, 2589407), rate=st.sampled_from(sorted(DAY)))
def test_a_timecode_counts_back_to_its_frame(number: int, rate: Fraction) -> None:
    start = Timecode(0, 0, 0, 0, is_drop_frame=rate.denominator == 1001)
    assert timecode_after(start, number % DAY[rate], rate).frame_number(rate) == number % DAY[rate]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_metadata_without_a_place_is_named(tmp_path, suffix: str) -> None:
    container = container_for(tmp_path / f"out{suffix}")
    with open_container(factory.make_clip(tmp_path / "c.mkv", num_frames=1)) as source:
        options = container_options(container, source, factory.MS)
    kept = {"title": "A walk", "artist": "Nobody", "date": "2020", "COMMENT": "none"}

    assert lost_metadata(container, options, kept) == []
    lost = lost_metadata(container, options, kept | {"scene": "12", "TAKE": "3"})
    assert lost == ([] if suffix in (".mkv", ".webm") else ["scene", "TAKE"])


@pytest.mark.parametrize(
    ("language", "format_name", "written"),
    [
        ("deu", "mp4", "deu"),
        ("deu", "mov", "ger"),
        ("ger", "mov", "ger"),
        ("zho", "mov", "chi"),
        ("deu", "matroska", "deu"),
        ("gsw", "mov", "gsw"),
    ],
)
def test_languages(tmp_path, language: str, format_name: str, written: str) -> None:
    with open_container(factory.make_clip(tmp_path / "c.mkv", num_frames=2, audio="aac")) as source:
        stream = source.streams.audio[0]
        stream.metadata["language"] = language
        assert writable_language(stream, format_name) == written
        # QuickTime's table has no Swiss German.
        assert lost_roles(stream, format_name) == (["language gsw"] if language == "gsw" else [])
