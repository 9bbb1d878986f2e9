"""Paint frames of the sample scene in every shipped style and lay them out as one picture for the README.

    python scripts/make_gallery.py                                   # docs/images/gallery.jpg

Needs nothing but the package. The picture is compressed, and in the end reduced, until it is below 700 kB.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.compose import load_stylizer
from vidstyle.config import make_config
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.synthetic import sample_scene
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import write_still
from vidstyle.weights.registry import shipped_styles

OUTPUT = Path(__file__).parent.parent / "docs" / "images" / "gallery.jpg"
FRAMES = (40, 110)
COLUMNS = 4
EMPTY = (24, 24, 26)
SIZE_PX = (640, 360)
MAX_BYTES = 700_000
WIDTHS_PX = (1680, 1520, 1360, 1200, 1040)
QUALITIES = (90, 85, 80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "styles", nargs="*", metavar="STYLE", help="shipped names or weight files; all shipped ones by default"
    )
    parser.add_argument("--out", type=Path, default=OUTPUT, help="a .jpg")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE_PX, metavar=("WIDTH", "HEIGHT"), help="of a frame")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    scene = sample_scene(*arguments.size)
    frames = [scene.frame(index) for index in FRAMES]
    try:
        styles: dict[str, list[Tensor]] = {}
        for name in arguments.styles or [style.name for style in shipped_styles()]:
            stylizer = load_stylizer(make_config(style=name))
            styles[stylizer.name] = [
                stylizer(frame[None].float() / 255)[0].clamp(0, 1).mul(255).round().byte() for frame in frames
            ]
            print(f"painted {stylizer.name}", flush=True)
        num_bytes = write_small(arguments.out, styles)
    except (VidstyleError, OSError) as error:
        sys.exit(f"make_gallery: {error}")
    print(f"wrote {arguments.out}: {len(styles)} styles, {num_bytes / 1000:.0f} kB")


def write_small(path: Path, styles: dict[str, list[Tensor]]) -> int:
    """Write the largest and best sheet that stays below ``MAX_BYTES``; returns its size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS_PX:
        sheet = lay_out(styles, width)
        for quality in QUALITIES:
            write_still(path, sheet, overwrite=True, quality=quality)
            if path.stat().st_size < MAX_BYTES:
                return path.stat().st_size
    return path.stat().st_size


def lay_out(styles: dict[str, list[Tensor]], max_width_px: int) -> Tensor:
    """Blocks of up to four styles side by side, a style's frames below each other."""
    names = list(styles)
    columns = min(COLUMNS, len(names))
    blank = torch.tensor(EMPTY, dtype=torch.uint8)[:, None, None].expand_as(styles[names[0]][0])
    blocks = []
    for start in range(0, len(names), columns):
        labels = names[start : start + columns]
        pictures = [styles[name] for name in labels] + [[blank] * len(FRAMES)] * (columns - len(labels))
        labels += [""] * (columns - len(labels))
        blocks.append(contact_sheet(list(zip(*pictures, strict=True)), (), labels, max_width_px=max_width_px))
    return torch.cat(blocks, dim=1)


if __name__ == "__main__":
    main()
