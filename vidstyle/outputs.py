"""Where a file may be written: never over its input, nor over an existing file unless told to."""

from __future__ import annotations

from pathlib import Path

from vidstyle.errors import OpenError


def claim_output(path: Path, *, source: Path | None = None, overwrite: bool = False) -> Path:
    """Check that a file may come to be at ``path``.

    Returns:
        ``NAME.part`` beside it, to write to and to rename when whole.

    Raises:
        OpenError: it exists and ``overwrite`` is off, it is ``source`` itself, or its folder is missing.
    """
    part = path.with_name(path.name + ".part")
    if source is not None and source.exists():
        for candidate in (path, part):
            if candidate.exists() and candidate.samefile(source):
                raise OpenError(f"{path} is the input itself, the same file; give the output another name.", path)
    if path.is_dir():
        raise OpenError(f"{path} is a folder; give the output a file name.", path)
    if path.exists() and not overwrite:
        raise OpenError(f"{path} exists already; pass --overwrite or choose another name.", path)
    if not path.parent.is_dir():
        raise OpenError(f"{path} cannot be written: there is no folder {path.parent}; create it first.", path)
    return part


def unwritable(path: Path, error: OSError) -> OpenError:
    """The error for an output that the system does not let us create."""
    return OpenError(f"{path} cannot be written there ({error.strerror}); choose a folder you may write to.", path)
