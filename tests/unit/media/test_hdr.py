from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from vidstyle.media.hdr import HdrMetadata, MasteringDisplay, hdr_metadata, with_hdr_options

P3 = MasteringDisplay(
    primaries=(
        (Fraction(34000, 50000), Fraction(16000, 50000)),
        (Fraction(13250, 50000), Fraction(34500, 50000)),
        (Fraction(7500, 50000), Fraction(3000, 50000)),
    ),
    white_point=(Fraction(15635, 50000), Fraction(16450, 50000)),
    min_luminance=Fraction(1, 10000),
    max_luminance=Fraction(1000),
)
UNITS = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
FLOATS = "G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)WP(0.31270,0.32900)L(1000.00000,0.00010)"


def side_data(display: MasteringDisplay, *, has_all: bool = True, zero: bool = False) -> bytes:
    values = [v for xy in (*display.primaries, display.white_point) for v in xy]
    values += [display.min_luminance, display.max_luminance]
    numbers = [n for v in values for n in (v.numerator, 0 if zero else v.denominator)]
    return struct.pack("<20i2i", *numbers, has_all, has_all)


def frame(**data: bytes) -> Any:
    return SimpleNamespace(side_data=data)


def test_side_data_is_read() -> None:
    level = struct.pack("<2I", 900, 350)

    found = hdr_metadata(frame(MASTERING_DISPLAY_METADATA=side_data(P3), CONTENT_LIGHT_LEVEL=level))

    assert found == HdrMetadata(P3, 900, 350)
    assert found.peak == 900
    assert HdrMetadata(P3).peak == 1000
    assert HdrMetadata().peak is None


def test_frames_without_it_and_damaged_ones() -> None:
    assert hdr_metadata(frame()) is None
    for data in (side_data(P3)[:40], side_data(P3, has_all=False), side_data(P3, zero=True)):
        assert hdr_metadata(frame(MASTERING_DISPLAY_METADATA=data)) == HdrMetadata()


@pytest.mark.parametrize(
    ("codec", "name", "text"),
    [
        ("libx265", "x265-params", f"hdr10=1:master-display={UNITS}:max-cll=900,350:aq-mode=1"),
        ("libx264", "x264-params", f"mastering-display={UNITS}:cll=900,350:aq-mode=1"),
        ("libsvtav1", "svtav1-params", f"mastering-display={FLOATS}:content-light=900,350:aq-mode=1"),
    ],
)
def test_encoders_are_told_before_what_the_user_says(codec: str, name: str, text: str) -> None:
    notes: list[str] = []

    options = with_hdr_options(codec, HdrMetadata(P3, 900, 350), {name: "aq-mode=1", "crf": "20"}, notes.append)

    assert options == {name: text, "crf": "20"}
    assert not notes


def test_other_encoders_lose_it_with_a_note() -> None:
    notes: list[str] = []

    assert with_hdr_options("prores_ks", HdrMetadata(P3), {"profile": "hq"}, notes.append) == {"profile": "hq"}
    assert "prores_ks cannot carry the HDR metadata" in notes[0]
    assert with_hdr_options("prores_ks", None, {}, notes.append) == {}
    assert len(notes) == 1


def test_light_of_which_nothing_is_known_adds_nothing() -> None:
    assert with_hdr_options("libx264", HdrMetadata(), {"crf": "20"}, pytest.fail) == {"crf": "20"}
    assert with_hdr_options("libx264", HdrMetadata(), {"x264-params": "aq-mode=1"}, pytest.fail) == {
        "x264-params": "aq-mode=1"
    }
