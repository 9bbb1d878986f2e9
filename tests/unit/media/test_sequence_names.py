"""Patterns, ranges and gaps of image sequences."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sequence_factory import make_sequence

from vidstyle.errors import ConfigError, OpenError, UnsupportedMediaError
from vidstyle.media.names import is_still, output_name
from vidstyle.media.sequence_frames import choose_frames
from vidstyle.media.sequence_names import (
    describe_frames,
    find_sequences,
    is_sequence,
    missing_frames,
    parse_pattern,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shot.%04d.exr", "shot.0007.exr"),
        ("shot.####.png", "shot.0007.png"),
        ("shot.#.exr", "shot.0007.exr"),
        ("shot.##.exr", "shot.07.exr"),
        ("shot.@@@@.dpx", "shot.0007.dpx"),
        ("shot.@.tif", "shot.7.tif"),
        ("shot_%d.tiff", "shot_7.tiff"),
        ("%06d.jpg", "000007.jpg"),
        ("shot.1001-1100#.exr", "shot.0007.exr"),
        ("take2%04d.PNG", "take20007.PNG"),
        ("a b [1] é.%03d.jpeg", "a b [1] é.007.jpeg"),
    ],
)
def test_a_pattern_names_files(name: str, expected: str) -> None:
    assert is_sequence(name)
    assert not is_still(name)
    assert parse_pattern(Path("in") / name).file(7) == Path("in") / expected
    assert output_name(Path("in") / name) == name


@pytest.mark.parametrize(
    "name", ["clip.mp4", "shot.0001.png", "shot.%04d.mp4", "shot.png", "a#b.png", "%d", "", "#.webp"]
)
def test_what_is_no_pattern(name: str) -> None:
    assert not is_sequence(name)
    with pytest.raises(UnsupportedMediaError):
        parse_pattern(name)


def test_a_file_that_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.####.png"
    path.touch()
    assert not is_sequence(path)
    assert is_still(path)


@pytest.mark.parametrize(
    ("written", "numbers"),
    [("1001-1003", (1001, 1002, 1003)), ("1-9x4", (1, 5, 9)), ("1-2,7", (1, 2, 7)), ("12", (12,))],
)
def test_a_pattern_may_name_frames(written: str, numbers: tuple[int, ...]) -> None:
    assert parse_pattern(f"shot.{written}#.exr").wanted == numbers


@pytest.mark.parametrize(
    "name", ["x.-5-10#.exr", "x.10-1#.exr", "x.1-99999999999#.png", "x.%04d.%04d.png", "x.1-2x0#.png"]
)
def test_frames_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedMediaError) as caught:
        parse_pattern(name)
    assert str(caught.value).endswith(".")


@given(
    stem=st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="/\\%#@0123456789"), max_size=8),
    width=st.integers(1, 8),
    number=st.integers(0, 10**9),
    suffix=st.sampled_from([".exr", ".png", ".JPG", ".tiff"]),
)
def test_a_number_comes_back(
    tmp_path_factory: pytest.TempPathFactory, stem: str, width: int, number: int, suffix: str
) -> None:
    stem += "."
    folder = tmp_path_factory.mktemp("names")
    pattern = parse_pattern(folder / f"{stem}%0{width}d{suffix}")
    pattern.file(number).touch()
    (folder / f"x{stem}{number:0{width}d}{suffix}").touch()
    (folder / f"{stem}{number:0{width}d}{suffix}.part").touch()
    assert pattern.numbers_on_disk() == (number,)


def test_numbers_outgrow_their_padding(tmp_path: Path) -> None:
    for name in ("n.9998.dpx", "n.9999.dpx", "n.10000.dpx", "n.010001.dpx", "n.-001.dpx", "n.12.dpx"):
        (tmp_path / name).touch()
    assert parse_pattern(tmp_path / "n.%04d.dpx").numbers_on_disk() == (9998, 9999, 10000)


@given(st.sets(st.integers(0, 300), min_size=1))
def test_gaps_are_what_lacks(numbers: set[int]) -> None:
    lacking = set(range(min(numbers), max(numbers) + 1)) - numbers
    assert set(missing_frames(sorted(numbers), Path("shot.%04d.png"))) == lacking


def test_ranges_are_written_short() -> None:
    assert describe_frames([1003, 1007, 1008, 1009]) == "1003,1007-1009"


def test_gaps_are_named(tmp_path: Path) -> None:
    pattern = parse_pattern(make_sequence(tmp_path, numbers=[1001, 1002, 1004, 1008]))
    with pytest.raises(OpenError, match=r"1003,1005-1007 are missing.*--frames"):
        choose_frames(pattern)
    with pytest.raises(OpenError, match=r"1003 is missing"):
        choose_frames(pattern, frames="1002-1004")
    assert choose_frames(pattern, frames="1001-1002").numbers == (1001, 1002)


def test_a_stray_file_far_away_is_told_of(tmp_path: Path) -> None:
    pattern = parse_pattern(make_sequence(tmp_path, numbers=(1, 99_999_999_999)))
    with pytest.raises(OpenError, match="go from 1 to 99999999999"):
        choose_frames(pattern)
    assert choose_frames(pattern, frames="1-1").numbers == (1,)


def test_frames_at_the_ends_are_missed_where_they_are_named(tmp_path: Path) -> None:
    path = make_sequence(tmp_path, numbers=range(1002, 1005))
    assert choose_frames(parse_pattern(path)).numbers == (1002, 1003, 1004)
    with pytest.raises(OpenError, match="1001,1005 are missing"):
        choose_frames(parse_pattern(tmp_path / "shot.1001-1005#.png"))


def test_handles_warmup_and_sound_follow_the_range(tmp_path: Path) -> None:
    pattern = parse_pattern(make_sequence(tmp_path, numbers=range(1001, 1011)))
    warnings: list[str] = []
    choice = choose_frames(pattern, frames="1006-1007", handles=2, warn=warnings.append)
    assert choice.numbers == tuple(range(1004, 1010))
    assert choice.before == (1001, 1002, 1003)
    assert choice.num_skipped == 3
    assert not warnings
    choice = choose_frames(pattern, frames="1002-1009", handles=3, warn=warnings.append)
    assert choice.numbers == tuple(range(1001, 1011))
    assert len(warnings) == 2


def test_frames_on_twos(tmp_path: Path) -> None:
    make_sequence(tmp_path, numbers=range(1001, 1010, 2))
    choice = choose_frames(parse_pattern(tmp_path / "shot.1005-1009x2#.png"))
    assert choice.numbers == (1005, 1007, 1009)
    assert choice.before == (1001, 1003)


def test_sound_starts_where_the_range_does_on_every_second_frame_too(tmp_path: Path) -> None:
    pattern = parse_pattern(make_sequence(tmp_path, numbers=range(1001, 1025)))
    whole, part, odd = (choose_frames(pattern, frames=f"{n}-1018x2") for n in (1001, 1007, 1008))
    assert whole.numbers[part.num_skipped] == 1007
    assert (part.num_skipped, odd.num_skipped) == (3, 3)
    assert not part.leaps
    assert choose_frames(pattern, frames="1003-1004,1015-1022").leaps


def test_times_select_frames(tmp_path: Path) -> None:
    pattern = parse_pattern(make_sequence(tmp_path, numbers=range(1001, 1013)))
    rate = Fraction(24)
    assert choose_frames(pattern, start=0.1, end=0.25, rate=rate).numbers == (1004, 1005, 1006)
    assert choose_frames(pattern, start="00:00:00:03", rate=rate).numbers[0] == 1004
    with pytest.raises(OpenError, match="earlier time"):
        choose_frames(pattern, start=1.0, rate=rate)
    with pytest.raises(ConfigError):
        choose_frames(pattern, start=0.3, end=0.2, rate=rate)


def test_a_wrong_padding_is_explained(tmp_path: Path) -> None:
    make_sequence(tmp_path)
    with pytest.raises(OpenError, match=r"shot\.1001\.png has 4: write shot\.%04d\.png"):
        choose_frames(parse_pattern(tmp_path / "shot.%05d.png"))
    with pytest.raises(OpenError, match="check the name"):
        choose_frames(parse_pattern(tmp_path / "other.%04d.png"))
    with pytest.raises(OpenError, match="no folder"):
        choose_frames(parse_pattern(tmp_path / "nowhere" / "shot.%04d.png"))


def test_sequences_among_files_are_found(tmp_path: Path) -> None:
    make_sequence(tmp_path)
    make_sequence(tmp_path, "pair.%d.png", [1, 2])
    assert [Path(found).name for found in find_sequences(sorted(tmp_path.iterdir()))] == ["shot.1001-1006#.png"]
