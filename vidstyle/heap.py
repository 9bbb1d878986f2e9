"""The process's heap: what one frame frees, the next takes again."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

#: Of glibc's ``mallopt(3)``.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
#: The largest that glibc takes; larger pieces come from the system and go back to it.
_LARGEST_KEPT_BYTES = 32 << 20
_KEPT_BYTES = 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Have the C library keep memory that is freed, up to 1 GiB, instead of handing it back to the system at once.

    The pictures of a frame are megabytes each. By default glibc returns them and asks for them anew, page by page,
    which the system has to clear every time. The most memory that is in use does not change.

    Returns:
        Whether anything was set: only glibc knows these settings, and other systems do without.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
