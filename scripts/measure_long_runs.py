"""Does texture creep, or colour wander, over a long shot? Band energies and drift at every frame of an endless loop.

    python scripts/measure_long_runs.py                              # 1,500 frames of a looping pan
    python scripts/measure_long_runs.py --loops still fade cuts --frames 1000 --styles mosaic --consistency 1

Each loop is painted once, frame by frame, and the filter goes round it until there are enough frames, with flow
measured between every two neighbours, the last and the first too. For every part of the run the table gives the
extremes over its frames: energies of the four Laplacian bands over those of the frame painted alone (finest first; 0.9
to 1.1 is good), and the low-pass PSNR against it (at least 30 dB is good).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from vidstyle.config import RenderConfig, output_size
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.camera_moves import PictureSequence, Pose, camera_move, scene_picture
from vidstyle.evaluation.degradations import Joined, Noisy, Relit, sway
from vidstyle.evaluation.gates import BAND_RANGE, MIN_LOW_PASS_PSNR
from vidstyle.evaluation.metrics import band_energies, energy_ratio, low_pass_psnr
from vidstyle.evaluation.sequences import SyntheticSequence
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.protocols import LOOK_BACK, Motion
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.temporal.fused import FusedFilter
from vidstyle.temporal.shots import CutDetector
from vidstyle.weights.registry import find_style

LOOP_FRAMES = 94  # after which the suite's cameras are back where they were
NUM_PARTS = 6
Size = tuple[int, int]


def still(size: Size) -> SyntheticSequence:
    """A camera on a tripod, with the noise of its sensor."""
    return Noisy(PictureSequence(scene_picture(110, *size), lambda _: Pose(), LOOP_FRAMES, size), sigma=0.01)


def pan(size: Size) -> SyntheticSequence:
    return camera_move("pan", size, LOOP_FRAMES)


def fade(size: Size) -> SyntheticSequence:
    """A pan whose light goes out and comes back."""
    return Relit(pan(size), lambda index: (sway(index, LOOP_FRAMES, 0.0),) * 3)


def cuts(size: Size) -> SyntheticSequence:
    return Joined([camera_move("pan", size, LOOP_FRAMES // 2), camera_move("rotation", size, LOOP_FRAMES // 2)])


LOOPS: dict[str, Callable[[Size], SyntheticSequence]] = {"still": still, "pan": pan, "fade": fade, "cuts": cuts}


@dataclass(frozen=True)
class Round:
    """One round of a loop; ``motions[i]`` is against the frame before, round the end, and None at a cut."""

    contents: list[Tensor]
    paintings: list[Tensor]
    motions: list[Motion | None]
    energies: list[tuple[float, ...]]


@dataclass(frozen=True)
class Extremes:
    """Over the frames of a part of the run."""

    lowest: list[float]
    highest: list[float]
    drift: float

    @property
    def passes(self) -> bool:
        in_range = BAND_RANGE[0] <= min(self.lowest) and max(self.highest) <= BAND_RANGE[1]
        return in_range and self.drift >= MIN_LOW_PASS_PSNR


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", nargs="+", default=["stained-glass"], metavar="STYLE")
    parser.add_argument("--loops", nargs="+", default=["pan"], choices=list(LOOPS))
    parser.add_argument("--consistency", nargs="+", type=float, help="settings of the filter; the default and 1")
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = options.consistency or [RenderConfig.model_fields["consistency"].default, 1.0]
    size = output_size(options.size, (640, 360))
    try:
        with torch.inference_mode():
            for style in options.styles:
                for name in options.loops:
                    painted = go_round(LOOPS[name](size), style)
                    for consistency in settings:
                        show(f"{style}, {name}, consistency {consistency:g}", run(painted, consistency, options.frames))
    except (VidstyleError, OSError) as error:
        sys.exit(f"measure_long_runs: {error}")


def go_round(sequence: SyntheticSequence, style: str) -> Round:
    network, detector = load_feedforward(find_style(style).path), CutDetector(sequence.fps)
    flow = LookingBack(DisFlow())
    pictures = [sequence.frame(index) for index in tqdm(range(sequence.num_frames), "frames", leave=False)]
    contents = [picture[None].float() / 255 for picture in pictures]
    paintings = [network(content).clamp(0, 1) for content in tqdm(contents, "paintings", leave=False)]
    # Once more from the first frame, whose motion is against the last ones.
    for picture in pictures:
        detector.push(picture)
    for content in contents[-LOOK_BACK:]:
        flow.push(content)
    motions = []
    for picture, content in zip(pictures, contents, strict=True):
        if detector.push(picture):
            flow.reset()
        motions.append(flow.push(content))
    return Round(contents, paintings, motions, [band_energies(painting) for painting in paintings])


def run(loop: Round, consistency: float, num_frames: int) -> list[Extremes]:
    steady, state = FusedFilter(consistency), None
    rows: list[tuple[list[float], float]] = []
    for count in tqdm(range(num_frames), "filter", leave=False):
        index = count % len(loop.contents)
        painting = loop.paintings[index]
        motion = loop.motions[index] if count else None
        output, state = steady.step(loop.contents[index], painting, motion, state)
        ratios = [energy_ratio(*pair) for pair in zip(band_energies(output), loop.energies[index], strict=True)]
        rows.append((ratios, low_pass_psnr(output, painting)))
    length = -(-num_frames // NUM_PARTS)
    return [extremes(rows[start : start + length]) for start in range(0, num_frames, length)]


def extremes(rows: list[tuple[list[float], float]]) -> Extremes:
    bands = list(zip(*(ratios for ratios, _ in rows), strict=True))
    return Extremes([min(band) for band in bands], [max(band) for band in bands], min(drift for _, drift in rows))


def show(title: str, parts: list[Extremes]) -> None:
    print(f"\n{title}: {'pass' if all(part.passes for part in parts) else 'FAIL'}")
    for number, part in enumerate(parts, 1):
        bands = "  ".join(f"{low:.3f} to {high:.3f}" for low, high in zip(part.lowest, part.highest, strict=True))
        print(f"  part {number} of {len(parts)}:  bands {bands}   drift {part.drift:.1f} dB", flush=True)


if __name__ == "__main__":
    main()
