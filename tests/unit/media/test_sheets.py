"""Before/after pictures and contact sheets: every picture is there, where it belongs, and labels are drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidstyle.media.sheets import before_after, contact_sheet


def flat(color: tuple[int, int, int], width: int = 160, height: int = 90) -> Tensor:
    return torch.tensor(color, dtype=torch.uint8)[:, None, None].expand(3, height, width)


RED, GREEN, BLUE = (220, 0, 0), (0, 220, 0), (0, 0, 220)


def area(sheet: Tensor, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the pixels of exactly that colour."""
    ys, xs = torch.nonzero((sheet == torch.tensor(color)[:, None, None]).all(0), as_tuple=True)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def test_before_after_shows_both_pixel_for_pixel() -> None:
    generator = torch.Generator().manual_seed(0)
    original, stylized = torch.randint(0, 256, (2, 3, 90, 160), dtype=torch.uint8, generator=generator)
    sheet = before_after(original, stylized)
    assert sheet.dtype == torch.uint8
    assert torch.equal(sheet[:, -90:, :160], original)
    assert torch.equal(sheet[:, -90:, -160:], stylized)
    assert 320 < sheet.shape[2] < 330


def test_deep_pictures_are_shown_in_eight_bits() -> None:
    deep = (flat(GREEN).to(torch.int32) * 257).to(torch.uint16)
    assert torch.equal(before_after(deep, deep), before_after(flat(GREEN), flat(GREEN)))
    assert torch.equal(contact_sheet([[deep]]), contact_sheet([[flat(GREEN)]]))


def test_before_after_fits_other_heights() -> None:
    sheet = before_after(flat(RED), flat(BLUE, 320, 180))
    left, top, right, bottom = area(sheet, BLUE)
    assert (right - left, bottom - top) == (160, 90)


def test_labels_are_drawn_above_their_picture() -> None:
    plain = before_after(flat(RED), flat(BLUE), labels=("", ""))
    labelled = before_after(flat(RED), flat(BLUE), labels=("", "mosaic"))
    assert plain.shape == labelled.shape
    differs = (plain != labelled).any(0)
    ys, xs = torch.nonzero(differs, as_tuple=True)
    left, top, right, _ = area(labelled, BLUE)
    assert len(xs) > 20
    assert left <= xs.min() <= xs.max() < right
    assert ys.max() < top


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (4000, 8)])
def test_before_after_of_odd_shapes(size: tuple[int, int]) -> None:
    sheet = before_after(flat(RED, *size), flat(BLUE, *size))
    assert area(sheet, RED)[2] - area(sheet, RED)[0] == size[0]


def test_contact_sheet_places_cells_in_rows_and_columns() -> None:
    sheet = contact_sheet([[flat(RED), flat(GREEN)], [flat(BLUE)]], ["0.5 s", "2.5 s"], ["one", "two"])
    red, green, blue = (area(sheet, color) for color in (RED, GREEN, BLUE))
    assert (red[2] - red[0], red[3] - red[1]) == (160, 90)
    assert red[0] == blue[0]
    assert red[2] < green[0]
    assert red[1] == green[1]
    assert red[3] < blue[1]


@pytest.mark.parametrize("max_width_px", [200, 500, 1920])
def test_contact_sheet_keeps_its_width(max_width_px: int) -> None:
    cells = [[flat(RED, 640, 360)] * 4] * 2
    sheet = contact_sheet(
        cells, ["a label far too long for such a sheet " * 5, "b"], ["c" * 200] * 4, max_width_px=max_width_px
    )
    assert sheet.shape[2] <= max_width_px


def test_contact_sheet_fits_other_proportions() -> None:
    sheet = contact_sheet([[flat(RED), flat(BLUE, 90, 160)]])
    left, top, right, bottom = area(sheet, BLUE)
    assert bottom - top == 90
    assert (right - left) / (bottom - top) == pytest.approx(90 / 160, abs=0.02)


def test_contact_sheet_without_labels_is_smaller() -> None:
    cells = [[flat(RED)]]
    plain, labelled = contact_sheet(cells), contact_sheet(cells, ["row"], ["column"])
    assert plain.shape[1] < labelled.shape[1]
    assert plain.shape[2] < labelled.shape[2]


def test_labels_in_any_script_do_not_fail() -> None:
    contact_sheet([[flat(RED)]], ["浮世絵\nline two"], ["naïve 🎨"])


@pytest.mark.parametrize("cells", [[], [[]], [[], []]])
def test_empty_sheets_are_refused(cells: list[list[Tensor]]) -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet(cells)


def test_wrong_numbers_of_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows"):
        contact_sheet([[flat(RED)], [flat(RED)]], ["one"])
    with pytest.raises(ValueError, match="1 columns"):
        contact_sheet([[flat(RED)]], (), ["one", "two"])
    with pytest.raises(ValueError, match="do not fit"):
        contact_sheet([[flat(RED)] * 50], max_width_px=100)


@pytest.mark.parametrize("picture", [torch.zeros(1, 4, 4).byte(), torch.zeros(3, 4, 4), torch.zeros(3, 4, 0).byte()])
def test_pictures_must_be_rgb_bytes(picture: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(3, H, W\) uint8"):
        before_after(picture, flat(RED))
    with pytest.raises(ValueError, match=r"\(3, H, W\) uint8"):
        contact_sheet([[picture]])
