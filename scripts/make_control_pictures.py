"""One picture for each control, of the sample clip, for docs/controls.md.

    python scripts/make_control_pictures.py                  # docs/images/controls/*.jpg
    python scripts/make_control_pictures.py --only strength mask

Needs the package and its extra 'otio'. The matte, look-up table, grainy frame and cut list it makes for that
stay in out/controls.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import vidstyle
from vidstyle.errors import VidstyleError
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import write_still

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "sample_media" / "clip.mp4"
MATERIAL = ROOT / "out" / "controls"
AT_SECONDS = 2.0
STYLE = "starry-night"
CELL = "320w"
QUALITY = 82
#: The sample clip has one cut, in its middle.
EDL = """TITLE: sample clip
FCM: NON-DROP FRAME

001  A001     V     C        10:00:00:00 10:00:03:00 01:00:00:00 01:00:03:00
* FROM CLIP NAME: boat.mov
002  A002     V     C        11:30:00:00 11:30:03:00 01:00:03:00 01:00:06:00
* FROM CLIP NAME: shore.mov
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SHEETS, default=list(SHEETS), help="controls to show")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "controls", help="folder")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        make_material()
        for name in arguments.only:
            path = arguments.out / f"{name}.jpg"
            cells = SHEETS[name]()
            sheet = contact_sheet([list(cells.values())], (), list(cells), max_width_px=1300)
            write_still(path, sheet, overwrite=True, quality=QUALITY)
            print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)", flush=True)
    except (VidstyleError, OSError) as error:
        sys.exit(f"make_control_pictures: {error}")


def make_material() -> None:
    """A matte around the boat, a warm look-up table, a frame with grain, and the sample clip's cut list."""
    MATERIAL.mkdir(parents=True, exist_ok=True)
    source = frame(style="identity", size=None)
    height, width = source.shape[1:]
    y, x = np.mgrid[0:height, 0:width]
    ellipse = ((x - 0.41 * width) / (0.16 * width)) ** 2 + ((y - 0.56 * height) / (0.32 * height)) ** 2 < 1
    write_grey(MATERIAL / "boat.png", ellipse)
    write_grey(MATERIAL / "sky.png", y < 0.42 * height)
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 14, (1, *source.shape[1:])))
    write_still(MATERIAL / "grainy.png", (source + noise).clamp(0, 255).byte(), overwrite=True)
    steps = np.linspace(0, 1, 9)
    rows = [f"{min(1.12 * r + 0.03, 1):.5f} {g:.5f} {0.1 + 0.72 * b:.5f}" for b in steps for g in steps for r in steps]
    (MATERIAL / "warm.cube").write_text("LUT_3D_SIZE 9\n" + "\n".join(rows) + "\n", encoding="utf-8")

    (MATERIAL / "cut.edl").write_text(EDL, encoding="utf-8")


def write_grey(path: Path, mask: np.ndarray) -> None:
    picture = torch.from_numpy(np.where(mask, 255, 0).astype(np.uint8))[None].expand(3, -1, -1).contiguous()
    write_still(path, picture, overwrite=True)


def frame(at: float = AT_SECONDS, source: Path = CLIP, **settings: Any) -> Tensor:
    """The frame as it is painted on its own, so that no second is spent on the frames before it."""
    settings = {"style": STYLE, "consistency": 0.0, "size": CELL} | settings
    return vidstyle.preview(source, at=at, **settings).cells[0].stylized


def varied(name: str, values: dict[str, Any], **settings: Any) -> Callable[[], dict[str, Tensor]]:
    """A cell for each of some values of a setting, by label."""
    return lambda: {
        label: frame(**settings, **({} if value is None else {name: value})) for label, value in values.items()
    }


def keyframes() -> dict[str, Tensor]:
    keys = [{"at": 0.5, "strength": 0.0, "ease": "smooth"}, {"at": 2.5, "strength": 1.0}]
    return {f"{at:g} s": frame(at, keyframes=keys) for at in (0.5, 1.2, 1.8, 2.5)}


def keyframed_styles() -> dict[str, Tensor]:
    keys = [{"at": 0.5, "style": STYLE, "style_scale": 0.6}, {"at": 2.5, "style": "mosaic", "style_scale": 2.0}]
    settings = {"keyframes": keys, "size": "640w", "consistency": None}  # steady, for that makes a difference here
    return {f"{at:g} s": frame(at, **settings) for at in (0.5, 1.2, 1.8, 2.5)}


def shots() -> dict[str, Tensor]:
    own = [{"name": "boat", "strength": 0.5}, {"name": "shore", "style": "the-scream", "detail": 0.4}]
    settings = {"shots": own, "shots_from": MATERIAL / "cut.edl"}
    return {
        f"{name}, {at:g} s": frame(at, **settings)
        for name, at in (("boat", 1), ("boat", 2.9), ("shore", 3.1), ("shore", 5))
    }


def grain() -> dict[str, Tensor]:
    def at_full_size(**settings: Any) -> Tensor:  # or the grain would be scaled away
        return frame(source=MATERIAL / "grainy.png", size=None, **settings)[:, 20:200, 300:620]

    return {"source": at_full_size(strength=0.0)} | {
        name: at_full_size(grain=name) for name in ("off", "remove", "keep")
    }


SHEETS: dict[str, Callable[[], dict[str, Tensor]]] = {
    "strength": varied("strength", {"0": 0.0, "0.35": 0.35, "0.7": 0.7, "1": 1.0}),
    "preserve-color": varied("preserve_color", {"none": "none", "luma": "luma", "transfer": "transfer"}),
    "mask": lambda: {
        "--mask boat.png": frame(mask=MATERIAL / "boat.png"),
        "--feather 60": frame(mask=MATERIAL / "boat.png", feather=60.0),
        "--invert-mask": frame(mask=MATERIAL / "boat.png", feather=60.0, invert_mask=True),
    },
    "regions": lambda: {
        "sky": frame(style="identity", regions=[region("sky.png", "great-wave")]),
        "sky and boat": frame(
            style="identity", regions=[region("sky.png", "great-wave"), region("boat.png", "the-scream")]
        ),
        "over another style": frame(style="ink-hatching", regions=[region("boat.png", "the-scream")]),
    },
    "mixture": varied(
        "style",
        {
            "starry-night": STYLE,
            "starry-night:0.6+mosaic:0.4": "starry-night:0.6+mosaic:0.4",
            "mosaic": "mosaic",
        },
    ),
    "keyframes": keyframes,
    "keyframes-styles": keyframed_styles,
    "shots": shots,
    "lut": lambda: {
        "none": frame(),
        "--lut-at after": frame(lut=MATERIAL / "warm.cube"),
        "--lut-at before": frame(lut=MATERIAL / "warm.cube", lut_at="before"),
    },
    "style-scale": varied("style_scale", {"0.5": 0.5, "1": 1.0, "2": 2.0}, size="640w"),
    "detail": varied("detail", {"0": 0.0, "0.5": 0.5, "1": 1.0}, size="640w"),
    "grain": grain,
}


def region(matte: str, style: str) -> dict[str, Any]:
    return {"mask": MATERIAL / matte, "style": style, "feather": 24.0}


if __name__ == "__main__":
    main()
