"""NAME.part: the file that is written, held by one writer alone until it takes its name."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from vidstyle.errors import OpenError
from vidstyle.outputs import claim_output, unwritable

if sys.platform != "win32":
    import fcntl

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_NUM_ATTEMPTS = 10


class PartFile:
    """An empty file at ``part``, locked: a second run to the same output is refused instead of mixed in.

    The lock ends with the process, so that what a killed run left is taken over. Where the file system has no locks
    (some network shares) the file is used without.

    Args:
        part: where to write until all is well.
        output: the name it is going to have.

    Attributes:
        path: ``part``.

    Raises:
        OpenError: another run is writing it, or it cannot be created.
    """

    def __init__(self, part: Path, output: Path) -> None:
        self.path = part
        self._output = output
        self._finished = False
        self._descriptor: int | None
        try:
            self._descriptor = self._acquire()
        except OSError as error:
            raise unwritable(output, error) from error

    def publish(self) -> None:
        """Give the file its name, replacing what has it.

        Raises:
            OSError: the system refuses; the file stays a part then.
        """
        if sys.platform == "win32":  # an open file cannot be renamed there
            self._release()
        self.path.replace(self._output)
        self._finished = True
        self._release()

    def discard(self) -> None:
        """Delete the file; a no-op after ``publish``."""
        if self._finished:
            return
        if sys.platform == "win32":
            self._release()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            self._finished = True
        self._release()

    def _acquire(self) -> int:
        for _ in range(_NUM_ATTEMPTS):
            descriptor = self._open()
            if descriptor is None:
                continue
            try:
                if self._lock(descriptor):
                    os.ftruncate(descriptor, 0)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise self._held()

    def _open(self) -> int | None:
        """Open what is there or create it; None where something else, such as a link, had to go first."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        with contextlib.suppress(FileNotFoundError):
            there = self.path.lstat()
            # Writing into a link would change the file it leads to.
            if stat.S_ISLNK(there.st_mode) or (stat.S_ISREG(there.st_mode) and there.st_nlink > 1):
                self.path.unlink()
                return None
            if not stat.S_ISREG(there.st_mode) and not stat.S_ISDIR(there.st_mode):
                raise OSError(errno.EEXIST, "something that is no file has the name of its part file")
        return os.open(self.path, flags, 0o666)

    def _lock(self, descriptor: int) -> bool:
        """Whether the lock is ours and the file still has its name.

        Raises:
            OpenError: another process holds it.
        """
        if sys.platform != "win32":
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in _HELD:
                    raise self._held() from error
        # Whoever held it may have given it its name, or deleted it, in the meantime.
        try:
            there = self.path.lstat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _held(self) -> OpenError:
        return OpenError(
            f"{self._output} is being written by another run; wait for it or choose another name.", self._output
        )


@contextlib.contextmanager
def reserved(
    path: Path, *, source: Path | None = None, overwrite: bool = False
) -> Iterator[Callable[[bytes | memoryview], None]]:
    """Hold a file's name while its content is made; what is yielded writes it, whole or not at all.

    Args:
        path: where to.
        source: what it is made from, and must not replace.
        overwrite: replace an existing file, be it one that has come meanwhile.

    Raises:
        OpenError: as ``claim_output``, or another run is writing it.
        OSError: the system refuses, as a full disk does.
    """
    part = PartFile(claim_output(path, source=source, overwrite=overwrite), path)

    def write(content: bytes | memoryview) -> None:
        with part.path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # before anything it replaces is gone, such as the state of a training
        claim_output(path, overwrite=overwrite)
        part.publish()

    try:
        yield write
    finally:
        part.discard()


def write_whole(
    path: Path, content: bytes | memoryview, *, source: Path | None = None, overwrite: bool = False
) -> None:
    """Write a file that appears whole or not at all; arguments and errors as of ``reserved``."""
    with reserved(path, source=source, overwrite=overwrite) as write:
        write(content)
