"""FFmpeg's errors in words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from vidstyle.errors import EncodeError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def reason(error: Exception) -> str:
    """Why FFmpeg failed, without its error number and full stop."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    log = getattr(error, "log", None)
    if log and log[2]:  # level, name, message
        text = f"{text}: {log[2].strip()}"
    return text.rstrip(".")


def out_of_space(error: Exception) -> bool:
    """Whether the disk, a quota or a file size limit stopped a write."""
    return getattr(error, "errno", None) in _NO_SPACE


@contextmanager
def encode_errors(path: Path) -> Iterator[None]:
    """Raise EncodeError for whatever FFmpeg raises while ``path`` is written."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        if out_of_space(error):
            msg = f"The disk is full while writing {path}; free some space or write to another disk."
        elif not path.parent.is_dir():
            msg = f"The folder {path.parent} is gone, {path.name} cannot be finished; render again into one that stays."
        else:
            msg = f"Cannot write {path} ({reason(error)}); try another --codec or another container."
        raise EncodeError(msg, path) from error


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """Collect what FFmpeg warns of in this thread; the list is filled when the block ends without an error."""
    level, skips_repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING)
    av.logging.set_skip_repeated(False)  # or the same mistake is told of once in the life of the process
    lines: list[str] = []
    try:
        with av.logging.Capture(local=True) as log:
            yield lines
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips_repeated)
    lines += [line.strip() for _, _, line in log]
