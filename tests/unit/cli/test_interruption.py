"""Ctrl-C at awkward moments: while libraries load, and again and again."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from vidstyle.cli.main import _interrupt, _terminate


def press() -> None:
    _interrupt(signal.SIGINT, None)


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


@pytest.mark.parametrize("again", [_interrupt, _terminate], ids=["Ctrl-C", "SIGTERM"])
def test_a_generator_that_is_let_go_is_not_broken_off(again: Callable[[int, None], None]) -> None:
    """It is closed while the interrupt is on its way and nobody has caught it yet."""
    tidied = []

    def frames() -> Iterator[int]:
        try:
            yield from range(2)
        finally:
            again(signal.SIGTERM, None)
            tidied.append("source")

    def command() -> None:
        for _ in frames():
            press()

    with pytest.raises(KeyboardInterrupt):
        command()
    assert tidied == ["source"]


def test_one_while_torch_loads_numpy_ends_the_command(clip_mp4: Path, tmp_path: Path) -> None:
    """Torch's own import of NumPy, in C, drops it."""
    script = (
        "import os, signal, sys\n"
        "class Press:\n"
        "    pressed = False\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy._core.multiarray' and not Press.pressed:\n"
        "            Press.pressed = True\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Press())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from vidstyle.cli.main import main\n"
        "main()\n"
    )
    output = tmp_path / "out.mp4"
    command = [sys.executable, "-c", script, "stylize", str(clip_mp4), str(output), "--style", "identity"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "vidstyle: interrupted; nothing unfinished was left behind."
    assert "Traceback" not in done.stderr
    assert not output.exists()
