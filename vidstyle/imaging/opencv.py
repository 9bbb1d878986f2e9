"""OpenCV, loaded late."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from vidstyle.errors import VidstyleError


def load_opencv() -> Any:
    """The module ``cv2``.

    Loaded late, by whoever needs it: opencv-python links desktop libraries that a server may lack, and only work that
    needs OpenCV should trip over that.

    Raises:
        VidstyleError: OpenCV is not installed, or cannot be loaded.
    """
    try:
        return import_module("cv2")
    except ImportError as error:
        raise VidstyleError(
            f"OpenCV cannot be loaded ({error}); replace the package opencv-python by opencv-python-headless."
        ) from error
