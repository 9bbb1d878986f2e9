"""Judge style networks on their own: is a lattice locked to the screen, and do strokes show at full size?

    python scripts/inspect_styles.py                        # the shipped styles, on the sample clip's pictures
    python scripts/inspect_styles.py --style my.safetensors --picture photo.jpg

Prints a table and writes one picture a style and photo, 720 pixels high, to --out.

- peak: on flat grey with noise of 1/255, the largest spectral amplitude at the stride frequencies (1/4 and 1/2
  cycles a pixel), in 1/255, and how many times its neighbourhood's median that is. A lattice shows here.
- shift error: RMS of net(shift x) - shift net(x) over all 15 shifts below the stride, 32 px from the border, over the
  output's standard deviation. What is locked to the screen cannot follow a shift.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.compose import load_stylizer
from vidstyle.config import make_config
from vidstyle.evaluation.synthetic import sample_scene
from vidstyle.media.stills import read_style_image, write_still
from vidstyle.protocols import Stylizer
from vidstyle.weights.registry import shipped_styles

STRIDE_PX = 4
BORDER_PX = 32
HEIGHT_PX = 720


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", action="append", help="shipped name or weight file; all shipped ones by default")
    parser.add_argument("--picture", action="append", type=Path, help="photo to paint; frames of the sample by default")
    parser.add_argument("--out", type=Path, default=Path("out/styles"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scene = sample_scene(1280, HEIGHT_PX)
    pictures = (
        {path.stem: read_style_image(path) for path in arguments.picture}
        if arguments.picture
        else {f"frame{index}": scene.frame(index).float() / 255 for index in (40, 110)}
    )
    print(f"{'style':<20} {'peak /255':>10} {'x around':>9} {'shift error':>12}")
    for name in arguments.style or [style.name for style in shipped_styles()]:
        stylizer = load_stylizer(make_config(style=name))
        peak, ratio = lattice_peak(stylizer)
        errors = [shift_error(stylizer, picture) for picture in pictures.values()]
        print(f"{stylizer.name:<20} {peak:>10.2f} {ratio:>9.1f} {max(errors):>12.3f}", flush=True)
        for label, picture in pictures.items():
            painted = stylizer(at_height(picture)[None])[0]
            path = arguments.out / f"{stylizer.name}-{label}.jpg"
            write_still(path, painted.mul(255).round().byte(), overwrite=True)


def lattice_peak(stylizer: Stylizer, size: int = 256) -> tuple[float, float]:
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0)) / 255
    painted = stylizer(0.5 + noise)[0].mean(0)[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    side = painted.shape[0]
    spectrum = torch.fft.fft2(painted - painted.mean()).abs() * (2 / painted.numel() * 255)
    worst = (0.0, 0.0)
    for y, x in [(side // 4, 0), (0, side // 4), (side // 2, 0), (0, side // 2), (side // 4, side // 4)]:
        around = spectrum.roll((8 - y, 8 - x), (0, 1))[:17, :17].median()
        worst = max(worst, (float(spectrum[y, x]), float(spectrum[y, x] / around)))
    return worst


def shift_error(stylizer: Stylizer, picture: Tensor, size: int = 256) -> float:
    area = picture[None, :, :, :][..., : size + STRIDE_PX, : size + STRIDE_PX]

    def painted_from(y: int, x: int) -> Tensor:
        return stylizer(area[..., y : y + size, x : x + size].contiguous())

    reference = painted_from(0, 0)
    squares = []
    for y, x in [(y, x) for y in range(STRIDE_PX) for x in range(STRIDE_PX) if (y, x) != (0, 0)]:
        moved = painted_from(y, x)[..., : size - y, : size - x]
        difference = (moved - reference[..., y:, x:])[..., BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
        squares.append(difference.square().mean())
    return float(torch.stack(squares).mean().sqrt() / reference.std())


def at_height(picture: Tensor) -> Tensor:
    scale = HEIGHT_PX / picture.shape[-2]
    size = (HEIGHT_PX, round(picture.shape[-1] * scale))
    return F.interpolate(picture[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)


if __name__ == "__main__":
    main()
