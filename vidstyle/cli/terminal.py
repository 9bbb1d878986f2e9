"""What a terminal is given to show."""

from __future__ import annotations


def printable(line: str) -> str:
    """A line without what a terminal obeys, such as the escape sequences that names and titles of files can hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)
