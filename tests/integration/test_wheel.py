"""What is in a wheel, and that it works away from the source."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import vidstyle

PROJECT = Path(vidstyle.__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source tree, with what is installed: nothing is downloaded."""
    if not (PROJECT / "pyproject.toml").is_file():
        pytest.skip("the tests do not run from a source tree")
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(PROJECT)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def test_a_wheel_holds_everything_the_package_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    expected = {"vidstyle/py.typed", "vidstyle/cli/main.py"}
    expected |= {f"vidstyle/configs/{path.name}" for path in (PROJECT / "configs").glob("*.toml")}
    data = [*(PROJECT / "vidstyle").rglob("*.toml"), *(PROJECT / "vidstyle").rglob("*.safetensors")]
    data += (PROJECT / "vidstyle" / "ui" / "static").iterdir()
    expected |= {path.relative_to(PROJECT).as_posix() for path in data}
    assert expected <= names
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]


def test_a_wheel_holds_the_kernels_of_its_kind_of_machine(wheel: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang, which compiles the kernels, is not installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    machine = platform.machine()
    assert wheel.name.endswith(f"-py3-none-manylinux_2_17_{machine}.whl")
    code = "from vidstyle.temporal.fused import load_kernels; print(load_kernels().name, load_kernels().library._name)"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], check=False, capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    name, library = done.stdout.split()
    assert name.startswith(machine)
    assert Path(library).is_relative_to(tmp_path)


def test_presets_and_styles_are_found_by_name_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        "import vidstyle\n"
        "from vidstyle.config import make_config, shipped_presets\n"
        "from vidstyle.weights.registry import ANY_STYLE, shipped_styles\n"
        "print(vidstyle.__file__, make_config('film').codec, sep='\\n')\n"
        "print(len(shipped_presets()), len(shipped_styles()), sep='\\n')\n"
        "assert all(path.is_file() for path in [ANY_STYLE, *(style.path for style in shipped_styles())])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(site)}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
    where, codec, num_presets, num_styles = done.stdout.splitlines()
    assert Path(where).is_relative_to(site)
    assert codec == "prores_ks"
    assert int(num_presets) == len(list((PROJECT / "configs").glob("*.toml")))
    cards = [path.stem for path in (PROJECT / "vidstyle" / "weights").glob("*.toml")]
    assert int(num_styles) == len(cards) - cards.count("any-style")


def test_the_command_is_installed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()
    assert "vidstyle = vidstyle.__main__:run" in text
