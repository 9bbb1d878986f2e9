"""The command line, as tests run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class CommandResult:
    """How a command ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str


class Command(Protocol):
    def __call__(self, *arguments: object) -> CommandResult: ...
