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


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("DOMAIN_MIN 0 0 0\nDOMAIN_MAX 2 2 2\nLUT_3D_SIZE 2\n", 0.0, 2.0),
        ("LUT_3D_SIZE 2\nDOMAIN_MIN -0.5 -0.5 -0.5\nDOMAIN_MAX 1.5 1.5 1.5\n", -0.5, 1.5),
        ("DOMAIN_MAX 0.5 0.5 0.5\nLUT_3D_SIZE 2\n", 0.0, 0.5),
        ("LUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE 0.25 0.75\n", 0.25, 0.75),
        ("DOMAIN_MIN 0 0 0 # low\nLUT_3D_SIZE 2\n", 0.0, 1.0),
        ("\ufeff# saved with a mark\r\nLUT_3D_SIZE 2\r\n", 0.0, 1.0),
    ],
)
def test_entries_stand_for_the_colours_of_the_domain(tmp_path: Path, header: str, low: float, high: float) -> None:
    """What maps every entry to its own colour changes nothing within the domain."""
    path = tmp_path / "domain.cube"
    entry = (low, high)
    path.write_text(header + "".join(f"{entry[r]} {entry[g]} {entry[b]}\n" for r, g, b in CORNERS), encoding="utf-8")
    content = picture(9, 14)
    torch.testing.assert_close(Lut3d(path)(content), content.clamp(low, high), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DOMAIN_MIN 0 0", "no domain"),
        ("DOMAIN_MAX 1 1 inf", "no domain"),
        ("LUT_3D_INPUT_RANGE one two", "no domain"),
        ("LUT_3D_INPUT_RANGE 1.0", "no domain"),
        ("DOMAIN_MAX 0 1 1", "before it begins"),
        ("LUT_1D_SIZE 4", "has curves"),
    ],
)
def test_what_is_no_domain(tmp_path: Path, line: str, message: str) -> None:
    path = cube(tmp_path / "bad.cube", *CORNERS)
    path.write_text(f"{line}\n{path.read_text()}")
    with pytest.raises(ConfigError, match=message):
        Lut3d(path)


def test_a_table_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cube(tmp_path / "secret.cube", *CORNERS)

    def refuse(*_args: object, **_options: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(ConfigError, match=r"secret.cube cannot be read \(Permission denied\)"):
        Lut3d(path)
