from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from vidstyle.heap import keep_freed_memory

#: Prints how many bytes went back to the system when 20 MB were freed, and how many once freed memory is kept.
COUNT_RETURNED = """
import numpy as np
from pathlib import Path
from vidstyle.heap import keep_freed_memory

def resident():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

def num_returned():
    picture = np.ones(5_000_000, np.float32)
    before = resident()
    del picture
    return before - resident()

print(num_returned())
assert keep_freed_memory()
print(num_returned())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_that_is_freed_is_kept() -> None:
    done = subprocess.run([sys.executable, "-c", COUNT_RETURNED], capture_output=True, text=True, check=True)
    returned, once_kept = map(int, done.stdout.split())
    assert returned > 10_000_000
    assert once_kept < 5_000_000


def test_elsewhere_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    keep_freed_memory.cache_clear()
    assert not keep_freed_memory()
    keep_freed_memory.cache_clear()
