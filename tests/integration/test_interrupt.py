"""Ctrl-C, SIGTERM and a broken OpenCV, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import media_factory as factory
import pytest

VIDSTYLE = (sys.executable, "-m", "vidstyle")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes many seconds to paint at the size asked for below."""
    return factory.make_clip(tmp_path_factory.mktemp("long") / "long.mkv", num_frames=600, audio="aac")


def interrupted(
    clip: Path, output: Path, style: Path, number: signal.Signals, times: int = 1
) -> tuple[int, list[str], str]:
    """Start a render, send the signal once frames are done; returns exit code, lines of stdout, and stderr."""
    command = [*VIDSTYLE, "stylize", str(clip), str(output), "--style", str(style), "--size", "320x240", "--overwrite"]
    process = subprocess.Popen(
        [*command, "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background, or by nohup, has them ignore signals, and passes that on.
        preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGINT, signal.SIGHUP)],  # noqa: PLW1509
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        while not said or json.loads(said[-1])["event"] != "progress":
            line = process.stdout.readline()
            assert line, said
            said.append(line)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.03)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, [*said, *out.splitlines()], err


@pytest.mark.parametrize(
    ("number", "times", "exit_code"),
    [(signal.SIGINT, 1, 130), (signal.SIGINT, 8, 130), (signal.SIGTERM, 8, 143), (signal.SIGHUP, 1, 129)],
    ids=["Ctrl-C", "Ctrl-C again and again", "SIGTERM again and again", "terminal closed"],
)
def test_an_interrupted_render_leaves_nothing(
    long_clip: Path, painted_style: Path, tmp_path: Path, number: signal.Signals, times: int, exit_code: int
) -> None:
    # What was there before stays.
    output = tmp_path / "out.mkv"
    output.write_bytes(b"precious")
    code, out, err = interrupted(long_clip, output, painted_style, number, times)
    assert code == exit_code
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
    assert output.read_bytes() == b"precious"
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert [line for line in err.splitlines() if line] == [
            "vidstyle: interrupted; nothing unfinished was left behind."
        ]
    *_, error, end = map(json.loads, out)
    assert (error["event"], error["kind"], error["input"]) == ("error", "Interrupted", str(long_clip))
    assert error["exit_code"] == end["exit_code"] == exit_code
    assert (end["event"], end["done"], end["failed"]) == ("end", 0, 1)


def test_opencv_that_cannot_be_loaded_is_explained(clip_mp4: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    command = [
        *VIDSTYLE,
        "stylize",
        str(clip_mp4),
        str(tmp_path / "out.mp4"),
        "--style",
        "identity",
        "--progress",
        "none",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(broken), *sys.path[1:]])}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "libGL" in done.stderr
    assert "opencv-python-headless" in done.stderr
    assert not (tmp_path / "out.mp4").exists()
