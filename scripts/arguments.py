"""Kinds of arguments that several scripts take."""

from __future__ import annotations

import tempfile
from argparse import ArgumentTypeError
from pathlib import Path


def output_file(text: str) -> Path:
    """A file to write at the end; its folder is made now, so that nothing that was measured is lost then."""
    path = Path(text)
    if path.is_dir():
        raise ArgumentTypeError(f"{path} is a folder; name a file in it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise ArgumentTypeError(f"{path} cannot be written there ({error.strerror}); name another file.") from error
    return path


def count(text: str) -> int:
    """A number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"got {text}; give a number from 1 up.")
    return int(text)
