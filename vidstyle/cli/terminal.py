"""What a terminal is given to show."""

from __future__ import annotations

import unicodedata

import click

#: What changes the direction of the text after it.
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def say(line: str, *, err: bool = False) -> None:
    """Print a line, on stderr where ``err``."""
    click.echo(printable(line), err=err)


def printable(line: str) -> str:
    """A line without what a terminal obeys, such as the escape sequences that names and titles of files can hold."""
    return "".join("?" if _is_obeyed(letter) else letter for letter in line)


def _is_obeyed(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp") or letter in _TURNS
