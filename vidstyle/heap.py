"""The process's heap: what one frame frees, the next takes again."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

#: Of glibc's ``mallopt(3)``.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
#: The largest that glibc takes; larger pieces come from the system and go back to it.
_LARGEST_KEPT_BYTES = 32 << 20
_KEPT_BYTES = 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep memory that is freed, up to 1 GiB, instead of handing it back to the system at once.

    The pictures of a frame are megabytes each. By default glibc returns them and asks for them anew, page by page,
    which the system has to clear every time. Threads get no heap of their own from now on: those are chains of 64 MiB
    pieces, each given back as soon as it is empty. The most memory that is in use does not change.

    Returns:
        Whether anything was set: only glibc knows these settings, and other systems do without.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES), (_M_TRIM_THRESHOLD, _KEPT_BYTES), (_M_ARENA_MAX, 1))
    return all(mallopt(name, value) for name, value in settings)
