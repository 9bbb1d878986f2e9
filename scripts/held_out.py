"""Pictures that nothing is trained on, so that scripts can measure with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.media.stills import is_still, read_style_image

#: Files of ``paintings`` kept out of all training, without their suffix.
EXCLUDED_PAINTINGS = ("bedroom", "houses_auvers", "self_portrait_straw_hat", "shipwreck", "tahiti")
#: Painters of ``vidstyle.evaluation.painted`` whose pictures at ``EXCLUDED_PAINTED_SIZE_PX`` are kept out likewise.
EXCLUDED_PAINTED = ("mosaic", "oil_strokes", "paper_cut", "stained_glass", "woodblock")
#: (width, height): what a painter lays out depends on it, so at another size it paints another picture.
EXCLUDED_PAINTED_SIZE_PX = (896, 640)

#: Where the held-out photos lie, under the data folder, among others that may be trained on.
RESEARCH = "photos/research"

_EVERY, _NUM_PICTURES = 16, 24


def data_folder() -> Path:
    """The folder that VIDSTYLE_TEST_DATA names; ends the program where there is none."""
    return Path(
        os.environ.get("VIDSTYLE_TEST_DATA")
        or sys.exit(f"{Path(sys.argv[0]).stem}: set VIDSTYLE_TEST_DATA to the folder with photos, paintings, encoders.")
    )


def held_out_pictures(data: Path) -> list[Path]:
    """Every 16th of photos/research, sorted by name: the first 24."""
    return stills(data / RESEARCH)[::_EVERY][:_NUM_PICTURES]


def research_pictures(data: Path) -> list[Path]:
    """The other pictures of photos/research."""
    held_out = held_out_pictures(data)
    return [path for path in stills(data / RESEARCH) if path not in held_out]


def stills(folder: Path) -> list[Path]:
    """The pictures right in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if is_still(path))


def held_out_styles(data: Path) -> Iterator[tuple[str, Tensor]]:
    """Ten style pictures with their names, (3, H, W) in [0, 1]: five paintings, five painted by program."""
    for name in EXCLUDED_PAINTINGS:
        yield name, read_style_image(data / "paintings" / f"{name}.jpg")
    for name in EXCLUDED_PAINTED:
        yield name, PAINTED_STYLES[name](*EXCLUDED_PAINTED_SIZE_PX).float() / 255


def at_short_side(picture: Tensor, side_px: int) -> Tensor:
    """Bring the shorter side of (3, H, W) in [0, 1] to ``side_px``."""
    scale = side_px / min(picture.shape[-2:])
    size = [round(side * scale) for side in picture.shape[-2:]]
    return F.interpolate(picture[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)


def read_square(path: Path, side_px: int) -> Tensor:
    """The middle of a photo as (3, side, side) in [0, 1], its shorter side brought to ``side_px``."""
    picture = at_short_side(read_style_image(path), side_px)
    top, left = ((side - side_px) // 2 for side in picture.shape[-2:])
    return picture[:, top : top + side_px, left : left + side_px].contiguous()
