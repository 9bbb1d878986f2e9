"""Compile the temporal filter's kernels while vidstyle is built: a hook of hatchling, its build backend.

By Zig's C compiler, which pip fetches like any other package, so that installing vidstyle takes no compiler of the
system's. Where it is not to be had, or fails, vidstyle is built without kernels and its filter takes three times as
long; 'vidstyle doctor' tells.

Usage: python scripts/build_kernels.py      # compile them into the source tree, where they have changed
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path("vidstyle/temporal/kernels")
#: Instruction sets by what Python calls the machine, the best first; the file's name is the instruction set's.
#: Gathering is quick on every processor since 2015, but Zig's model of x86_64_v3 is of those before.
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


def compile_kernels(root: Path) -> list[Path]:
    """Libraries of this machine, in the source tree.

    Raises:
        OSError: Zig cannot be started.
        subprocess.CalledProcessError: it failed.
    """
    folder = root / FOLDER
    sources = sorted([*folder.glob("*.c"), *folder.glob("*.h")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    machine, made = platform.machine(), list[Path]()
    for name, processor in INSTRUCTION_SETS[machine].items():
        target = f"{machine}-linux-gnu.{GLIBC[0]}.{GLIBC[1]}"
        library, part = folder / f"{name}.so", folder / f"{name}.part"
        made.append(library)
        if library.is_file() and digest.encode() in library.read_bytes():
            continue
        command = [sys.executable, "-m", "ziglang", "cc", "-target", target, f"-mcpu={processor}", *FLAGS]
        command += [f'-DDIGEST="{digest}"', str(folder / "filter.c"), "-o", str(part)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        part.replace(library)
    return made


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling leaves its configuration open
    """What pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the libraries packed; a wheel is then one for this kind of machine."""
        del version
        machine = platform.machine()
        if sys.platform != "linux" or machine not in INSTRUCTION_SETS:
            return
        try:
            compile_kernels(Path(self.root))
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            self.app.display_warning(f"the temporal filter stays slow: its kernels cannot be compiled ({reason})")
            return
        build_data["artifacts"].append(f"{FOLDER}/*.so")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_{GLIBC[0]}_{GLIBC[1]}_{machine}"


if __name__ == "__main__":
    for library in compile_kernels(Path(__file__).resolve().parent.parent):
        print(library)
