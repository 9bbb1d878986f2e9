"""Cut lists: where shots begin, what they are called, and lists that cannot be read."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import pytest
from cut_list_factory import event, write_edl, write_otio

from vidstyle.errors import OpenError
from vidstyle.media.cut_lists import Event, read_cut_list

pytest.importorskip("opentimelineio", reason="the extra 'otio' is not installed")

NTSC = Fraction(30000, 1001)


def frames(events: tuple[Event, ...], rate: Fraction | int) -> list[tuple[Fraction, Fraction]]:
    return [(event.start * rate, event.end * rate) for event in events]


def test_the_first_record_timecode_is_the_first_frame(tmp_path: Path) -> None:
    cut = read_cut_list(
        write_edl(
            tmp_path / "cut.edl",
            event(1, "01:00:00:00", "01:00:01:12", "harbour.mov", reel="A001"),
            event(2, "01:00:01:12", "01:00:03:00"),
            event(3, "01:00:04:00", "01:00:05:00", "lake.mov"),
        ),
        Fraction(24),
    )
    assert frames(cut.events, 24) == [(0, 36), (36, 72), (96, 120)]
    assert cut.events[0].names == ("harbour.mov", "harbour", "A001")
    assert cut.events[1].names == ("002",)
    assert (cut.rate, cut.label) == (24, 60 * 60 * 24)


@pytest.mark.parametrize("separator", [":", ";"])
def test_drop_frame_timecode(tmp_path: Path, separator: str) -> None:
    """Each minute leaves two labels out, said by the header or by semicolons."""
    minute, end = f"01:01:00{separator}02", f"01:02:00{separator}02"
    edl = write_edl(
        tmp_path / "cut.edl",
        event(1, f"01:00:00{separator}00", minute),
        event(2, minute, end),
        header="TITLE: test\nFCM: DROP FRAME\n",
    )
    assert frames(read_cut_list(edl, NTSC).events, NTSC) == [(0, 1800), (1800, 3598)]


def test_labels_without_drop_frame_count_frames_at_the_clips_exact_rate(tmp_path: Path) -> None:
    edl = write_edl(
        tmp_path / "cut.edl", event(1, "01:00:00:00", "01:01:00:00"), event(2, "01:01:00:00", "01:01:00:01")
    )
    for rate in (NTSC, Fraction(24000, 1001), Fraction(25)):
        nominal = round(rate)
        assert frames(read_cut_list(edl, rate).events, rate) == [(0, 60 * nominal), (60 * nominal, 60 * nominal + 1)]


def test_sources_may_have_other_rates_and_speeds(tmp_path: Path) -> None:
    """Frame 27 exists at 30 frames a second only, and the source is longer than what is recorded."""
    line = "001  A001 V C 10:00:00:27 10:00:09:29 01:00:00:00 01:00:01:00\nM2   A001  048.0  10:00:00:27\n"
    assert frames(read_cut_list(write_edl(tmp_path / "cut.edl", line), Fraction(24)).events, 24) == [(0, 24)]


def test_sound_and_dissolves(tmp_path: Path) -> None:
    """A dissolve begins the shot that comes."""
    lines = (
        "001  A001 V C 10:00:00:00 10:00:01:00 01:00:00:00 01:00:01:00\n",
        "002  A001 A C 10:00:00:00 10:00:01:00 01:00:00:00 01:00:01:00\n",
        "003  A001 V C 10:00:01:00 10:00:01:00 01:00:01:00 01:00:01:00\n",
        "003  A002 V D 012 10:00:00:00 10:00:01:00 01:00:01:00 01:00:02:00\n* TO CLIP NAME: lake\n",
    )
    cut = read_cut_list(write_edl(tmp_path / "cut.edl", *lines), Fraction(24))
    assert frames(cut.events, 24) == [(0, 24), (24, 48)]
    assert cut.events[1].names[0] == "lake"


def test_a_timeline_shows_its_upper_tracks(tmp_path: Path) -> None:
    path = write_otio(tmp_path / "cut.otio", [[("a", 48), ("b", 48)], [("", 12), ("c", 12)]])
    cut = read_cut_list(path, Fraction(24))
    assert [e.names[0] for e in cut.events] == ["a", "c", "a", "b"]
    assert frames(cut.events, 24) == [(0, 12), (12, 24), (24, 48), (48, 96)]


def test_gaps_are_no_shots(tmp_path: Path) -> None:
    cut = read_cut_list(write_otio(tmp_path / "cut.otio", [[("", 10), ("a", 5), ("", 5), ("b", 5)]]), Fraction(24))
    assert frames(cut.events, 24) == [(10, 15), (20, 25)]


def test_a_timeline_of_another_rate_goes_by_seconds_and_one_of_nearly_the_same_by_frames(tmp_path: Path) -> None:
    path = write_otio(tmp_path / "cut.otio", [[("a", 25), ("b", 50)]], rate=25)
    cut = read_cut_list(path, Fraction(24))
    assert ([e.start for e in cut.events], cut.rate) == ([0, 1], 25)
    film = Fraction(24000, 1001)
    path = write_otio(tmp_path / "film.otio", [[("a", 24), ("b", 24)]], rate=24)
    assert frames(read_cut_list(path, film).events, film) == [(0, 24), (24, 48)]


def test_letters_of_an_old_code_page(tmp_path: Path) -> None:
    path = tmp_path / "cut.edl"
    path.write_bytes(event(1, "01:00:00:00", "01:00:01:00", "Hafen süd").encode("latin-1").replace(b"\n", b"\r\n"))
    assert read_cut_list(path, Fraction(24)).events[0].names[0] == "Hafen süd"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.edl", None, "There is no cut list"),
        ("cut.edl", "", "no picture"),
        ("cut.edl", "garbage\n", "no picture"),
        ("cut.edl", "001 AX V C 01:00:00:00 01:00:01:00\n", "incorrect number of fields"),
        ("cut.edl", event(1, "01:00:00:00", "01:00:01:24"), "frames beyond 23.*read at the clip's 24 frames a second"),
        ("cut.edl", event(1, "01:00:00;00", "01:00:01;00"), "drop frame.*read at the clip's 24 frames a second"),
        (
            "cut.edl",
            event(1, "01:00:00:00", "01:00:02:00") + event(2, "01:00:01:00", "01:00:03:00"),
            "Overlapping record",
        ),
        ("cut.otio", "garbage", "JSON parse error"),
        ("cut.otio", "{}", "it holds no timeline"),
        ("cut.otio", '{"OTIO_SCHEMA": "Timeline.1"}', "While reading object"),
        ("cut.txt", "", "no cut list by its name; the kinds are .*edl.*otio"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(OpenError, match=message) as caught:
        read_cut_list(path, Fraction(24))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_timeline_without_picture(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="no picture track"):
        read_cut_list(write_otio(tmp_path / "cut.otio", []), Fraction(24))
    with pytest.raises(OpenError, match="no picture events"):
        read_cut_list(write_otio(tmp_path / "cut.otio", [[("", 5)]]), Fraction(24))


def test_a_missing_package_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_edl(tmp_path / "cut.edl", event(1, "01:00:00:00", "01:00:01:00"))
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(OpenError, match=r"needs OpenTimelineIO, which is not there: pip install 'vidstyle\[otio\]'\."):
        read_cut_list(path, Fraction(24))
