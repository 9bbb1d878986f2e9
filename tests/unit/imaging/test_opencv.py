"""Pictures as OpenCV takes them, and an OpenCV that cannot be loaded for want of desktop libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vidstyle.imaging.opencv import interleaved, load_opencv


def test_opencv_is_loaded() -> None:
    assert load_opencv().__name__ == "cv2"


USES = """
import sys
from fractions import Fraction
from vidstyle.errors import VidstyleError
from vidstyle.flow.dis import DisFlow
from vidstyle.imaging.opencv import load_opencv
from vidstyle.temporal.shots import CutDetector
for use in (load_opencv, DisFlow, lambda: CutDetector(Fraction(24))):
    try:
        use()
    except VidstyleError as error:
        print(error)
"""


def test_whoever_needs_opencv_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", USES], capture_output=True, text=True, check=True, env=environment)
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("OpenCV cannot be loaded (libGL.so.1")
        assert line.endswith("replace the package opencv-python by opencv-python-headless.")


@pytest.mark.parametrize("num", [1, 2])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_an_interleaved_copy_is_a_copy(num: int, memory_format: torch.memory_format) -> None:
    image = torch.rand(num, 3, 5, 7).contiguous(memory_format=memory_format)
    copy = interleaved(image)
    assert torch.equal(copy, image)
    assert copy.is_contiguous(memory_format=torch.channels_last)
    copy.zero_()
    assert image.abs().sum() > 0
