"""Compile the temporal filter's kernels while vidstyle is built: a hook of hatchling, its build backend.

By Zig's C compiler, which pip fetches like any other package, so that installing vidstyle takes no compiler of the
system's. Where it fails, or is missing from an environment that vidstyle is built in without isolation, vidstyle is
built without kernels, and its filter takes three times as long; 'vidstyle doctor' tells.

Usage: python scripts/build_kernels.py      # compile them into the source tree, where they have changed
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("vidstyle/temporal/kernels")
#: Instruction sets by what Python calls the machine, the best first; the file's name is the instruction set's.
#: Zig's model of x86_64_v3 gathers nothing; where gathering is quick, it saves a fifth of the time.
INSTRUCTION_SETS = {
    "x86_64": {"x86_64_v3": "x86_64_v3+fast_gather", "x86_64": "x86_64"},
    "aarch64": {"aarch64": "generic"},
}
GLIBC = (2, 17)
#: Sums may be added up in another order; infinities and NaN are respected.
FLAGS = (
    *("-O3", "-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden", "-s", "-Wall"),
    *("-fno-math-errno", "-fno-trapping-math", "-fassociative-math", "-fno-signed-zeros", "-ffp-contract=fast"),
)


def is_supported() -> bool:
    """Whether there are kernels for this kind of machine."""
    known = sys.platform == "linux" and platform.libc_ver()[0] == "glibc"
    return known and platform.machine() in INSTRUCTION_SETS


def compile_kernels(root: Path) -> list[Path]:
    """Libraries of this machine, in the source tree.

    Raises:
        OSError: Zig cannot be started.
        subprocess.SubprocessError: it failed, or does not end.
    """
    folder = root / FOLDER
    sources = sorted([*folder.glob("*.c"), *folder.glob("*.h")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    machine, made = platform.machine(), list[Path]()
    for name, processor in INSTRUCTION_SETS[machine].items():
        target = f"{machine}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"
        library = folder / f"{name}.so"
        made.append(library)
        options = ["-target", target, f"-mcpu={processor}", *FLAGS]
        stamp = hashlib.sha256(" ".join([digest, *options]).encode()).hexdigest()
        if library.is_file() and stamp.encode() in library.read_bytes():
            continue
        with tempfile.TemporaryDirectory() as cache:
            part = folder / f"{name}.{os.getpid()}.part"
            command = [sys.executable, "-m", "ziglang", "cc", *options, str(folder / "filter.c"), "-o", str(part)]
            command += [f'-DDIGEST="{digest}"', f'-DSTAMP="{stamp}"']
            places = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
            environment = os.environ | places
            try:
                subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=300)
                part.replace(library)
            finally:
                part.unlink(missing_ok=True)
    return made


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves its configuration open
    """What pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the libraries packed; a wheel is then one for this kind of machine."""
        del version
        if not is_supported():
            return
        try:
            made = compile_kernels(Path(self.root))
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "stderr", None) or error
            self.app.display_warning(f"the temporal filter stays slow: its kernels cannot be compiled ({reason})")
            return
        build_data["artifacts"] += [f"/{library.relative_to(self.root)}" for library in made]
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_{GLIBC[0]}_{GLIBC[1]}_{platform.machine()}"


if __name__ == "__main__":
    if not is_supported():
        sys.exit("build_kernels: there are no kernels for this kind of machine; vidstyle runs without.")
    for library in compile_kernels(Path(__file__).resolve().parent.parent):
        print(library)
