"""How a command ends, for whoever called it."""

from __future__ import annotations

import click

from vidstyle.cli import INTERRUPTED
from vidstyle.errors import ConfigError

FAILED = 1
WRONG_USAGE = 2


def exit_code_of(error: BaseException) -> int:
    """0 done, 1 failed, 2 wrong usage or settings, 130 interrupted by Ctrl-C, 143 terminated, 129 hung up."""
    match error:
        case SystemExit(code=int(code)):
            return code
        case click.Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case click.ClickException():
            return error.exit_code
        case ConfigError():
            return WRONG_USAGE
        case _:
            return FAILED


def sentence_of(error: BaseException) -> str:
    """What went wrong, in words."""
    match error:
        case click.ClickException():
            return error.format_message()
        case OSError(filename=name) if name is not None:
            return f"{name} cannot be used ({error.strerror}); check the name and the disk."
        case _:
            return str(error)
