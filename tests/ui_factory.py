"""What the tests of the page agree on."""

from __future__ import annotations

PORT = 8123
STYLE = "tiny"
NUM_FRAMES, RATE = 36, 12
