"""Judge style networks on their own: is a lattice locked to the screen, and do strokes show at full size?

    python scripts/inspect_styles.py                        # the shipped styles, on the sample clip's pictures
    python scripts/inspect_styles.py --style my.safetensors --picture photo.jpg

Prints a table and writes one picture a style and photo, 720 pixels high, to --out.

- grey, gradient, pan: the spectral amplitude at the network's stride frequencies (1/4 and 1/2 cycles a pixel) in
  1/255, and how many times its neighbourhood's median that is, where the two together are worst: on flat greys, on
  smooth gradients, and on the mean of the frames of a slow pan, in which what moves along fades and what stays on the
  screen does not. Noise of 1/255 is added to all of them. A lattice shows here; the gate is below 0.5/255 or 2 times.
- shift error: RMS of net(shift x) - shift net(x) over all 15 shifts below the stride, 32 px from the border, over the
  output's standard deviation, on the worst picture. What is locked to the screen cannot follow; the gate is 0.1.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.compose import load_stylizer
from vidstyle.config import make_config
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.camera_moves import PictureSequence, Pose
from vidstyle.evaluation.synthetic import sample_scene
from vidstyle.media.stills import read_style_image, write_still
from vidstyle.protocols import Stylizer
from vidstyle.weights.registry import shipped_styles

STRIDE_PX = 4
BORDER_PX = 32
HEIGHT_PX = 720
SIDE_PX = 256
PAN_FRAME, PAN_FRAMES = 40, 16
MAX_AMPLITUDE, MAX_AROUND, MAX_SHIFT_ERROR = 0.5, 2.0, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", action="append", help="shipped name or weight file; all shipped ones by default")
    parser.add_argument("--adain-model", type=Path, help="for a picture as style; the shipped one by default")
    parser.add_argument("--picture", action="append", type=Path, help="photo to paint; frames of the sample by default")
    parser.add_argument("--out", type=Path, default=Path("out/styles"))
    arguments = parser.parse_args()
    try:
        passed = inspect(arguments)
    except (VidstyleError, OSError) as error:
        sys.exit(f"inspect_styles: {error}")
    sys.exit(0 if passed else 1)


def inspect(arguments: argparse.Namespace) -> bool:
    """Print the table and write the pictures; whether all styles pass."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    names = arguments.style or [style.name for style in shipped_styles()]
    # One that cannot be loaded is said now.
    stylizers = [load_stylizer(make_config(style=name, adain_model=arguments.adain_model)) for name in names]
    scene_frame = cache(sample_scene(1280, HEIGHT_PX).frame)
    pictures = (
        {path.stem: read_style_image(path) for path in arguments.picture}
        if arguments.picture
        else {f"frame{index}": scene_frame(index).float() / 255 for index in (40, 110)}
    )
    kinds = {"grey": greys(), "gradient": gradients(), "pan": pans(scene_frame(PAN_FRAME).float() / 255)}
    peaks = "".join(f"{f'{kind} /255':>14} {'around':>7}" for kind in kinds)
    print(f"{'style':<20}{peaks} {'shift error':>12}  gate")
    passed = True
    for name, stylizer in zip(names, stylizers, strict=True):
        found = [max((lattice_peak(stylizer, clip) for clip in clips), key=Peak.badness) for clips in kinds.values()]
        error = max(shift_error(stylizer, picture) for picture in pictures.values())
        good = error <= MAX_SHIFT_ERROR and all(peak.badness() < 1 for peak in found)
        passed = passed and good
        columns = "".join(f"{peak.amplitude:>14.2f} {peak.around:>7.1f}" for peak in found)
        print(f"{stylizer.name:<20}{columns} {error:>12.3f}  {'pass' if good else 'FAIL'}", flush=True)
        for label, picture in pictures.items():
            painted = stylizer(at_height(picture)[None])[0]
            path = arguments.out / f"{Path(name).stem}-{label}.jpg"
            write_still(path, painted.mul(255).round().byte(), overwrite=True)
    return passed


@dataclass(frozen=True)
class Peak:
    """A spectral amplitude in 1/255, and how many times the median around it."""

    amplitude: float
    around: float

    def badness(self) -> float:
        """Below 1 where the gate is passed: either figure may do it."""
        return min(self.amplitude / MAX_AMPLITUDE, self.around / MAX_AROUND)


def greys() -> list[Tensor]:
    """Flat pictures of three greys; like all clips here (N, 3, H, W) in [0, 1], with noise."""
    return [with_noise(torch.full((1, 3, SIDE_PX, SIDE_PX), level)) for level in (0.25, 0.5, 0.75)]


def gradients() -> list[Tensor]:
    """Smooth ramps between four colours, as skies and walls are."""
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(4, 1, 3, 2, 2, generator=generator)
    size = (SIDE_PX, SIDE_PX)
    return [with_noise(F.interpolate(c, size=size, mode="bilinear", align_corners=True)) for c in corners]


def pans(picture: Tensor) -> list[Tensor]:
    """One stride diagonally across a picture in sixteen frames: no lattice of its own survives their mean."""

    def path(index: int) -> Pose:
        shift = STRIDE_PX * index / PAN_FRAMES
        return Pose(offset=(shift, shift))

    frames = PictureSequence(picture, path, PAN_FRAMES, (SIDE_PX, SIDE_PX))
    return [with_noise(torch.stack([frames.frame(index).float() / 255 for index in range(PAN_FRAMES)]))]


def with_noise(clip: Tensor) -> Tensor:
    return clip + torch.randn(clip.shape, generator=torch.Generator().manual_seed(0)) / 255


def lattice_peak(stylizer: Stylizer, clip: Tensor) -> Peak:
    """The worst stride frequency in the mean of the painted frames, under a Hann window."""
    painted = torch.stack([stylizer(frame[None])[0].mean(0) for frame in clip]).mean(0)
    painted = painted[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX]
    side = painted.shape[0]
    # Without a window a gradient's jump between opposite borders would fill the axes of the spectrum.
    row = torch.hann_window(side)
    window = row[:, None] * row
    spectrum = torch.fft.fft2((painted - painted.mean()) * window).abs() * (2 / window.sum() * 255)
    peaks = []
    for y, x in [(side // 4, 0), (0, side // 4), (side // 2, 0), (0, side // 2), (side // 4, side // 4)]:
        around = spectrum.roll((8 - y, 8 - x), (0, 1))[:17, :17].median()
        peaks.append(Peak(float(spectrum[y, x]), float(spectrum[y, x] / around)))
    return max(peaks, key=Peak.badness)


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
