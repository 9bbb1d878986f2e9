"""The command line and the scripts, as tests run them."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@dataclass(frozen=True)
class CommandResult:
    """How a command ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str


class Command(Protocol):
    def __call__(self, *arguments: object) -> CommandResult: ...


def run_script(name: str, *arguments: object) -> CommandResult:
    """Run the ``main`` of a script of ``scripts/`` in this process, which has torch loaded already."""
    output, errors, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.syspath_prepend(str(SCRIPTS))
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        patch.setenv("OMP_NUM_THREADS", "1")  # of the processes it starts
        try:
            import_module(Path(name).stem).main()
        except SystemExit as end:
            if isinstance(end.code, str):
                errors.write(f"{end.code}\n")
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return CommandResult(code, output.getvalue(), errors.getvalue())
