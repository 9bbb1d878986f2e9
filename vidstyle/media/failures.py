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
    if log and log[1]:
        text = f"{text}: {log[1][2].strip()}"
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
        else:
            msg = f"Cannot write {path} ({reason(error)}); try another --codec or another container."
        raise EncodeError(msg, path) from error
