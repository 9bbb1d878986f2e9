"""What the tests of the page agree on."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

PORT = 8123
STYLE = "tiny"
NUM_FRAMES, RATE = 36, 12


def asked_frame(page: TestClient, kind: str, at: float, **settings: Any) -> np.ndarray:
    """A frame as the page gets it, (H, W, 3) uint8."""
    asked = {"clip": "waves.mp4", "at": at, "kind": kind, "settings": settings}
    answer = page.post("/api/frame", json=asked)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """In decibels; infinite for equal pictures."""
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")
