"""Labelled pictures of pictures: original beside stylized, and grids to compare moments and styles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from vidstyle.media.eight_bits import to_eight_bits

_BACKGROUND = (24, 24, 26)
_EMPTY_CELL = (36, 36, 39)
_TEXT = (214, 214, 218)
_ELLIPSIS = "…"

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def before_after(original: Tensor, stylized: Tensor, *, labels: tuple[str, str] = ("original", "stylized")) -> Tensor:
    """Lay two pictures side by side, a thin divider between them and a label above each.

    Args:
        original: (3, H, W) uint8 or uint16 RGB.
        stylized: (3, H', W') uint8 or uint16 RGB; scaled to the original's height where that differs.
        labels: what to write above each.

    Returns:
        (3, H'', W'') uint8 RGB; both pictures appear pixel for pixel where their heights agree.
    """
    left, right = _to_image(original), _to_image(stylized)
    if right.height != left.height:
        width = max(1, round(right.width * left.height / right.height))
        right = right.resize((width, left.height), Image.Resampling.LANCZOS)
    return _to_tensor(_captioned([left, right], labels))


def captioned(picture: Tensor, label: str) -> Tensor:
    """A (3, H, W) uint8 or uint16 RGB picture with a label above it, as (3, H', W) uint8 RGB."""
    return _to_tensor(_captioned([_to_image(picture)], [label]))


def contact_sheet(
    cells: Sequence[Sequence[Tensor]],
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    *,
    max_width_px: int = 1920,
) -> Tensor:
    """Lay pictures out as a labelled grid.

    Every cell takes the first picture's proportions; pictures of others are fitted inside. Short rows end in empty
    cells.

    Args:
        cells: rows of (3, H, W) uint8 or uint16 RGB pictures.
        row_labels: one a row, written to its left; none for no labels.
        column_labels: one a column, written above it; none for no labels.
        max_width_px: widest the sheet may be; pictures are reduced to fit, never enlarged.

    Returns:
        (3, H, W) uint8 RGB.
    """
    num_columns = max((len(row) for row in cells), default=0)
    if num_columns == 0:
        raise ValueError("a contact sheet needs at least one picture")
    if row_labels and len(row_labels) != len(cells):
        raise ValueError(f"{len(cells)} rows need as many labels, got {len(row_labels)}")
    if column_labels and len(column_labels) != num_columns:
        raise ValueError(f"{num_columns} columns need as many labels, got {len(column_labels)}")
    first = _to_image(next(row for row in cells if row)[0])
    natural = max(_to_image(cell).width for row in cells for cell in row)

    font_px = min(22, max(13, min(max_width_px, num_columns * natural) // 85))
    font = ImageFont.load_default(size=font_px)
    gap = max(4, font_px // 2)
    # Row labels take what they need, up to a sixth of the sheet.
    row_label_width = min(max((_text_width(text, font) for text in row_labels), default=0), max_width_px // 6)
    left = gap * 2 + (row_label_width + gap * 2 if row_labels else 0)
    top = gap * 2 + (round(font_px * 1.4) if column_labels else 0)
    available = (max_width_px - left - gap * 2 - gap * (num_columns - 1)) // num_columns
    if available < 1:
        raise ValueError(f"{num_columns} columns do not fit into {max_width_px} pixels")
    cell_width = min(natural, available)
    cell_height = max(1, round(cell_width * first.height / first.width))

    width = left + num_columns * (cell_width + gap) + gap
    height = top + len(cells) * (cell_height + gap) + gap
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, label in enumerate(column_labels):
        x = left + column * (cell_width + gap)
        text = _fit_text(label, font, cell_width)
        draw.text((x, gap + font_px * 0.9), text, font=font, fill=_TEXT, anchor="lm")
    for row_index, row in enumerate(cells):
        y = top + row_index * (cell_height + gap)
        if row_labels:
            text = _fit_text(row_labels[row_index], font, row_label_width)
            draw.text((gap * 2, y + cell_height / 2), text, font=font, fill=_TEXT, anchor="lm")
        for column in range(num_columns):
            x = left + column * (cell_width + gap)
            if column < len(row):
                picture = _fit_picture(_to_image(row[column]), cell_width, cell_height)
                sheet.paste(picture, (x + (cell_width - picture.width) // 2, y + (cell_height - picture.height) // 2))
            else:
                draw.rectangle((x, y, x + cell_width - 1, y + cell_height - 1), fill=_EMPTY_CELL)
    return _to_tensor(sheet)


def _captioned(pictures: Sequence[Image.Image], labels: Sequence[str]) -> Image.Image:
    """Pictures of one height in a row; strip and divider are even, so that even pictures make an even sheet."""
    height = pictures[0].height
    font_px = _font_size(height)
    font = ImageFont.load_default(size=font_px)
    divider, strip = max(2, 2 * round(height / 360)), 2 * round(font_px * 0.95)
    width = sum(picture.width for picture in pictures) + divider * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, strip + height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    x, indent = 0, round(font_px * 0.6)
    for picture, label in zip(pictures, labels, strict=True):
        sheet.paste(picture, (x, strip))
        text = _fit_text(label, font, picture.width - 2 * indent)
        draw.text((x + indent, strip / 2), text, font=font, fill=_TEXT, anchor="lm")
        x += picture.width + divider
    return sheet


def _font_size(height_px: int) -> int:
    return min(40, max(12, round(height_px / 26)))


def _fit_picture(picture: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(width / picture.width, height / picture.height, 1)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def _fit_text(text: str, font: _Font, width: int) -> str:
    """The text, shortened with an ellipsis where it is wider than ``width`` pixels; empty where nothing fits."""
    text = " ".join(text.split())
    if _text_width(text, font) <= width:
        return text
    for length in range(len(text) - 1, 0, -1):
        shortened = text[:length].rstrip() + _ELLIPSIS
        if _text_width(shortened, font) <= width:
            return shortened
    return ""


def _text_width(text: str, font: _Font) -> int:
    return int(np.ceil(font.getlength(text)))


def _to_image(data: Tensor) -> Image.Image:
    known = data.dtype in (torch.uint8, torch.uint16)
    if data.ndim != 3 or data.shape[0] != 3 or not known or data.numel() == 0:
        raise ValueError(f"a picture must be (3, H, W) uint8 or uint16, got {tuple(data.shape)} {data.dtype}")
    return Image.fromarray(to_eight_bits(data.detach()).permute(1, 2, 0).contiguous().cpu().numpy())


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
