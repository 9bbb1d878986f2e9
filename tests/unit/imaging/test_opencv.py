"""An OpenCV that is installed and cannot be loaded, as opencv-python on a server without desktop libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vidstyle.imaging.opencv import load_opencv


def test_opencv_is_loaded() -> None:
    assert load_opencv().__name__ == "cv2"


@pytest.mark.parametrize(
    "use",
    [
        "from vidstyle.imaging.opencv import load_opencv; load_opencv()",
        "from fractions import Fraction; from vidstyle.temporal.shots import CutDetector; CutDetector(Fraction(24))",
    ],
)
def test_whoever_needs_opencv_says_what_to_install(tmp_path: Path, use: str) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {use}"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("vidstyle.errors.VidstyleError: OpenCV cannot be loaded (libGL.so.1")
    assert last.endswith("replace the package opencv-python by opencv-python-headless.")
