"""What importing vidstyle costs and offers."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import vidstyle

HEAVY = ("torch", "torchvision", "cv2", "av", "numpy", "scenedetect", "PIL")


@pytest.mark.parametrize(
    "code", ["import vidstyle", "from vidstyle.cli.main import cli; cli(['--help'], standalone_mode=False)"]
)
def test_heavy_libraries_load_when_they_are_needed_and_not_before(code: str) -> None:
    check = f"{code}\nimport sys\nprint('loaded:', *[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_public_functions_are_there_and_documented() -> None:
    for name in ("stylize", "preview", "optimize", "plan", "probe"):
        function = getattr(vidstyle, name)
        assert "Raises:" in (inspect.getdoc(function) or "")
        assert inspect.signature(function).return_annotation
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        vidstyle.paint  # noqa: B018


def test_the_version_is_said_once() -> None:
    project = Path(vidstyle.__file__).parents[1] / "pyproject.toml"
    stated = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] if project.is_file() else None
    assert vidstyle.__version__ == (stated or version("vidstyle"))


def test_the_package_is_typed() -> None:
    assert (Path(vidstyle.__file__).parent / "py.typed").is_file()
