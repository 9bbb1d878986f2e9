"""``--progress json``: every line is an event, and the last one says how it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import Command
from PIL import Image

from vidstyle.cli.progress import ForPeople

PLAIN = ("--style", "identity", "--consistency", 0, "--encoder-preset", "ultrafast")


def events(stdout: str) -> list[dict[str, Any]]:
    assert stdout.endswith("\n")
    return [json.loads(line) for line in stdout.splitlines()]


def test_the_events_of_a_render(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    done = vidstyle("stylize", clip_mp4, output, *PLAIN, "--progress", "json", "--sidecar")
    assert (done.exit_code, done.stderr) == (0, "")
    plan, *progress, report, end = events(done.stdout)
    assert [plan["event"], report["event"], end["event"]] == ["plan", "done", "end"]
    assert {event["event"] for event in progress} == {"progress"}
    assert all((e["input"], e["output"]) == (str(clip_mp4), str(output)) for e in (plan, *progress, report))
    assert any("picture: 64x48" in line for line in plan["lines"])
    assert (progress[0]["frame"], progress[0]["frames"]) == (1, 48)
    assert (progress[-1]["frame"], progress[-1]["seconds_left"]) == (48, 0.0)
    assert progress[-1]["fps"] > 0
    assert len(progress) < 48, "an event for every frame would flood a farm's log"
    assert (report["report"]["num_frames"], report["report"]["size"]) == (48, [64, 48])
    assert report["report"]["sidecar"] == f"{output}.json"
    assert report["report"]["plan"]["container"] == "mp4"
    assert end == {"event": "end", "input": None, "output": None, "done": 1, "failed": 0, "exit_code": 0}


def test_every_event_names_its_input_and_one_that_fails_does_not_end_the_others(
    vidstyle: Command, clip_mp4: Path, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"still.{number}.png")
    stills = sorted(tmp_path.iterdir())
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip")
    done = vidstyle(
        *("stylize", *stills, broken, clip_mp4, "--out-dir", tmp_path / "out", *PLAIN, "--progress", "json")
    )
    found = events(done.stdout)
    assert done.exit_code == found[-1]["exit_code"] == 1
    assert (found[-1]["done"], found[-1]["failed"]) == (4, 1)
    assert found[0]["event"] == "note"
    assert "looks like a sequence" in found[0]["text"]
    (error,) = [event for event in found if event["event"] == "error"]
    assert (error["input"], error["kind"], error["exit_code"]) == (str(broken), "OpenError", 1)
    assert f"vidstyle: {error['message']}\n" in done.stderr
    assert [e["input"] for e in found if e["event"] == "done"] == [*map(str, stills), str(clip_mp4)]


@pytest.mark.parametrize(
    ("arguments", "code", "kind", "message"),
    [
        (("none.mp4", "out.mp4"), 1, "OpenError", "none.mp4"),
        (("none.mp4", "out.mp4", "--config", "none"), 2, "ConfigError", "no preset 'none'"),
        (("one.mp4",), 2, "UsageError", "one OUTPUT"),
    ],
)
def test_an_error_is_told_on_both_channels(
    vidstyle: Command, arguments: tuple[str, ...], code: int, kind: str, message: str
) -> None:
    done = vidstyle("stylize", *arguments, "--progress", "json")
    error, end = events(done.stdout)
    assert done.exit_code == error["exit_code"] == end["exit_code"] == code
    assert (error["event"], error["kind"], end["event"]) == ("error", kind, "end")
    assert message in error["message"]
    assert error["message"] in done.stderr


def test_no_bar_and_nothing_at_all(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"still.{number}.png")
    without = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", *PLAIN, "--progress", "none")
    assert "wrote" in without.stdout
    assert without.stderr == ""
    quiet = vidstyle("stylize", *sorted(tmp_path.glob("still.*")), "--out-dir", tmp_path / "o", *PLAIN, "-q")
    assert (quiet.exit_code, quiet.stdout, quiet.stderr) == (0, "", "")
    failed = vidstyle("stylize", tmp_path / "none.mp4", tmp_path / "no.mp4", "--quiet")
    assert (failed.exit_code, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)
    both = vidstyle("stylize", clip_mp4, tmp_path / "no.mp4", "--quiet", "--progress", "json")
    assert (both.exit_code, both.stdout) == (2, "")
    assert "give one of them" in both.stderr


def test_the_events_of_previews(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    sheet, proxy = tmp_path / "sheet.png", tmp_path / "proxy.mp4"
    strengths = ("--strength", 0.5, "--strength", 1)
    done = vidstyle("preview", clip_mp4, sheet, *PLAIN[:4], *strengths, "--at", 1, "--progress", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    half, whole, last, end = events(done.stdout)
    assert [e["event"] for e in (half, whole, last, end)] == ["cell", "cell", "done", "end"]
    assert (half["strength"], whole["strength"], half["at_seconds"]) == (0.5, 1.0, 1.0)
    assert last["report"] is None
    assert last["output"] == str(sheet)
    (estimate,) = last["estimates"]
    assert (estimate["num_frames"], estimate["size"]) == (48, [64, 48])
    assert end["done"] == 1

    done = vidstyle("preview", clip_mp4, proxy, *PLAIN[:4], "--clip", 0.5, "--no-estimate", "--progress", "json")
    *progress, last, end = events(done.stdout)
    assert {e["event"] for e in progress} == {"progress"}
    assert last["report"]["num_frames"] == progress[-1]["frame"]
    assert last["estimates"] == []
    refused = vidstyle("preview", clip_mp4, sheet, "--progress", "json")
    assert [e["event"] for e in events(refused.stdout)] == ["error", "end"]
    assert refused.exit_code == 1


def test_a_quiet_preview(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("preview", clip_mp4, tmp_path / "look.png", *PLAIN[:4], "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "look.png").is_file()


def test_there_is_no_bar_without_a_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)  # as Python has it where it was closed
    people = ForPeople()
    with people.render(Path("in.mp4"), Path("out.mp4")):
        people.progress(1, 2)


def test_what_the_system_refuses_is_told_alike_on_both_channels(vidstyle: Command, tmp_path: Path) -> None:
    done = vidstyle("stylize", f"{'n' * 300}.mp4", tmp_path / "out.mp4", *PLAIN, "--progress", "json")
    *_, error, end = events(done.stdout)
    assert done.stderr == f"vidstyle: {error['message']}\n"
    assert error["message"].endswith("n.mp4 cannot be used (File name too long); check the name and the disk.")
    assert error["exit_code"] == end["exit_code"] == done.exit_code == 1
