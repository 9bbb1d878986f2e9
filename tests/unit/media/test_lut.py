"""Look-up tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from network_factory import picture

from vidstyle.errors import ConfigError
from vidstyle.media.lut import Lut3d

CORNERS = [(r, g, b) for b in (0, 1) for g in (0, 1) for r in (0, 1)]


def cube(path: Path, *rows: tuple[float, ...]) -> Path:
    path.write_text("LUT_3D_SIZE 2\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture
def swapping(tmp_path: Path) -> Path:
    """A table that swaps red and blue; a name that FFmpeg's filter syntax would trip over."""
    return cube(tmp_path / "a 'b':c,d[e];f=g.cube", *((b, g, r) for r, g, b in CORNERS))


def test_a_table_is_applied_without_rounding(swapping: Path) -> None:
    content = picture(13, 21, num=2)
    torch.testing.assert_close(Lut3d(swapping)(content), content[:, [2, 1, 0]], atol=1e-6, rtol=0)


def test_pictures_of_several_sizes(swapping: Path) -> None:
    lut = Lut3d(swapping)
    for size in ((4, 6), (1, 1), (4, 6), (37, 50)):
        content = picture(*size)
        torch.testing.assert_close(lut(content), content[:, [2, 1, 0]], atol=1e-6, rtol=0)


def test_results_stay_within_range(tmp_path: Path) -> None:
    lut = Lut3d(cube(tmp_path / "over.cube", *((2 * r - 0.5, 2 * g - 0.5, 2 * b - 0.5) for r, g, b in CORNERS)))
    found = lut(picture(8, 8))
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.cube", "hello\n", "FFmpeg can read"),
        ("a.png", "x", "not a look-up table"),
        ("none.cube", None, "There is no"),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        Lut3d(tmp_path / name)
