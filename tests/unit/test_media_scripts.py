"""``measure_media.py`` finds what it is for, and ``media_table.py`` keeps docs/media.md as the tests have it."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from types import ModuleType

import media_factory as factory
import pytest
from command import SCRIPTS, run_script

ROOT = SCRIPTS.parent
pytestmark = pytest.mark.skipif(not SCRIPTS.is_dir(), reason="an installed package has no scripts")


@pytest.fixture
def measure_media(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module("measure_media")


def test_clips_that_come_back_as_they_went_in_pass(tmp_path: Path) -> None:
    folder, figures = tmp_path / "clips", tmp_path / "figures.json"
    (folder / "more").mkdir(parents=True)
    factory.make_clip(folder / "sound.mp4", audio="aac", num_frames=24)
    factory.make_clip(folder / "more" / "uneven.mkv", audio="pcm_s16le", pts=factory.VFR_PTS_MS, time_base=factory.MS)
    (folder / "notes.txt").write_text("no clip at all\n" * 20)

    result = run_script("measure_media.py", folder, "--to", "mp4", "--to", "mkv", "--size", "32w", "--json", figures)

    assert result.exit_code == 0, result.stdout
    assert "notes.txt: not measured" in result.stdout
    assert result.stdout.splitlines()[-1] == "4 of 4 pass, 0 tracebacks"
    rows = {(row["clip"], row["container"]): row for row in json.loads(figures.read_text())}
    assert rows["sound.mp4", "mkv"]["frames_in"] == rows["sound.mp4", "mkv"]["frames_out"] == 24
    assert rows["sound.mp4", "mkv"]["sound"] == {"1": "copy"}
    assert rows["more/uneven.mkv", "mp4"]["sound"] == {"1": "aac"}
    assert rows["more/uneven.mkv", "mp4"]["time_error_ms"] == 0
    assert 0 < rows["sound.mp4", "mkv"]["time_error_ms"] <= 0.5


def test_holes_in_converted_sound_are_found(clip_mp4: Path, measure_media: ModuleType) -> None:
    source = measure_media.look_at(clip_mp4)
    row = measure_media.Row("clip", "mp4", frames_in=48)
    measure_media.compare_sound(row, source, source, {1: "aac"}, is_cut=False)
    assert row.failures == []
    holed = replace(source, gap={1: Fraction(1, 50)})
    measure_media.compare_sound(row, source, holed, {1: "aac"}, is_cut=False)
    assert row.failures == ["track 1 has gaps of 20.000 ms"]


def test_a_folder_without_clips_is_no_pass(tmp_path: Path) -> None:
    assert run_script("measure_media.py", tmp_path).stderr.startswith("measure_media: there is no clip")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: replace(c, times=c.times[:-1]), "23 frames of 24"),
        (lambda c: replace(c, times=[*c.times[:5], c.times[5] + Fraction(1, 90000), *c.times[6:]]), "a frame is off"),
        (lambda c: replace(c, end=c.end + 1), "the length is off by 1000.000 ms"),
        (lambda c: replace(c, sound={1: c.sound[1][:-1]}), "packets of track 1 differ"),
        (lambda c: replace(c, sound={}), "0 sound tracks of 1"),
        (
            lambda c: replace(c, packet_start={1: c.packet_start[1] + Fraction(1, 10)}),
            "track 1 is shifted by 100.000 ms",
        ),
        (lambda c: replace(c, color=(1, 1, 1, 2)), "the range is 2, was 1"),
        (lambda c: replace(c, color=(1, 2, 1, 1)), "the primaries is not tagged"),
    ],
)
def test_what_is_not_as_it_was_is_found(clip_mp4: Path, measure_media: ModuleType, change, said: str) -> None:
    source = measure_media.look_at(clip_mp4, end=1.0)
    source = replace(source, color=(1, 1, 1, 1), sound={1: source.sound[1]})
    row = measure_media.Row("clip", "mp4", frames_in=24)
    measure_media.compare(row, source, source, {1: "copy"}, is_cut=False)
    assert row.failures == []

    measure_media.compare(row, source, change(source), {1: "copy"}, is_cut=False)

    assert len(row.failures) >= 1
    assert said in "; ".join(row.failures)


def test_the_document_has_the_tables_of_the_tests() -> None:
    if not (ROOT / "docs" / "media.md").is_file():
        pytest.skip("there are no documents here")
    assert run_script("media_table.py", "--check").exit_code == 0


def test_a_document_of_other_tables_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = import_module("media_table")
    monkeypatch.setattr(module, "DOCUMENT", tmp_path / "media.md")
    module.DOCUMENT.write_text(f"before\n{module.BEGIN}\nold\n{module.END}\nafter\n")
    assert "not up to date" in run_script("media_table.py", "--check").stderr
    assert run_script("media_table.py", "--write").exit_code == 0
    assert run_script("media_table.py", "--check").exit_code == 0
    text = module.DOCUMENT.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "\nold\n" not in text
    assert "| frame times, variable rate | exact |" in text
    module.DOCUMENT.write_text("no marks")
    assert "lost its marks" in run_script("media_table.py", "--check").stderr
