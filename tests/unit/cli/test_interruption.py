"""Ctrl-C at awkward moments: while libraries load, and again and again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import torch

from vidstyle.cli import main


@pytest.fixture(autouse=True)
def _nothing_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_ending", main._nothing)


def press(number: signal.Signals = signal.SIGINT) -> None:
    main._end(number, None)


def test_one_that_was_dropped_does_not_keep_the_next_from_counting() -> None:
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            press()


def test_what_tidies_up_is_not_broken_off() -> None:
    tidied = []

    def work() -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: (press(), tidied.append("last")))
            try:
                press()
            finally:
                with contextlib.suppress(ValueError):  # an error of the tidying itself
                    try:
                        int("no number")
                    finally:
                        press()
                tidied.append("first")

    def command() -> None:
        try:
            work()
        except KeyboardInterrupt as error:  # as click does
            raise click.Abort from error
        finally:
            press()

    with pytest.raises(click.Abort):
        command()
    assert tidied == ["first", "last"]


def test_what_is_stuck_is_ended_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "_PATIENCE_SECONDS", -1.0)
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    try:
        press()
    except KeyboardInterrupt:
        press()
        press(signal.SIGTERM)
    assert codes == [130, 143]


def test_once_the_page_is_closed_signals_do_what_they_always_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request may still be worked on, which nothing of ours can break off."""

    def serve(*_: object) -> None:
        press()

    monkeypatch.setattr("vidstyle.ui.server.serve", serve)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main.main(["ui", "--no-open"])
    assert left.value.code == 0
    assert {signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} == {signal.SIG_DFL}


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_a_generator_that_is_let_go_is_not_broken_off(again: signal.Signals) -> None:
    """It is closed while the interrupt is on its way and nobody has caught it yet."""
    tidied = []

    def frames() -> Iterator[int]:
        try:
            yield from range(2)
        finally:
            press(again)
            tidied.append("source")

    def command() -> None:
        for _ in frames():
            press()

    with pytest.raises(KeyboardInterrupt):
        command()
    assert tidied == ["source"]


def test_one_while_torch_loads_waits_until_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, main._end)
    monkeypatch.setattr(torch.__spec__, "_initializing", True, raising=False)
    press()
    monkeypatch.setattr(torch.__spec__, "_initializing", False, raising=False)
    with pytest.raises(KeyboardInterrupt):
        time.sleep(30)


@pytest.mark.parametrize("loading", ["click", "numpy._core.multiarray"])
def test_one_while_modules_load_ends_the_command(loading: str, clip_mp4: Path, tmp_path: Path) -> None:
    """Torch's own import of NumPy, in C, drops what is raised."""
    script = (
        "import os, runpy, signal, sys\n"
        "class Press:\n"
        "    pressed = False\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == '{loading}' and not Press.pressed:\n"
        "            Press.pressed = True\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "runpy.run_module('vidstyle', run_name='__main__', alter_sys=True)\n"
    )
    output = tmp_path / "out.mp4"
    command = [sys.executable, "-c", script, "stylize", str(clip_mp4), str(output), "--style", "identity"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "vidstyle: interrupted; nothing unfinished was left behind."
    assert "Traceback" not in done.stderr
    assert not output.exists()
