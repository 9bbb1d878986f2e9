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
    """A line without what names of files can hold: escape sequences, which a terminal obeys, and odd bytes."""
    return "".join("?" if _is_no_text(letter) else letter for letter in line)


def _is_no_text(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNS
