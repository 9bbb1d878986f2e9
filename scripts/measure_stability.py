"""How steady networks are on their own, without flow and filter: one trained with temporal loss against one without.

    python scripts/measure_stability.py                              # every benchmarks/NAME-without-temporal-loss
    python scripts/measure_stability.py mosaic starry-night          # these two
    python scripts/measure_stability.py mosaic --pair one.safetensors other.safetensors

Both networks paint every frame of a pan, a zoom and a rotation by itself. E_warp is the mean squared difference to the
frame k before, moved along the exact flow, times 1000; "source" is that of the unpainted frames, the floor. Patch-SWD
is the distance of the painted patches to those of the style picture. A style passes where at both gaps E_warp, summed
over the moves, is at least 3 times lower with temporal loss, and patch-SWD at most 10 % higher. Style pictures that are
paintings want VIDSTYLE_TEST_DATA.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from arguments import output_file
from held_out import at_short_side, data_folder
from perceptual import recipe_of
from torch import Tensor
from train_builtin import WEIGHTS, style_picture

from vidstyle.config import output_size
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.camera_moves import CAMERA_MOVES, CameraMove, PictureSequence, camera_move
from vidstyle.evaluation.exact import SequenceEvaluator
from vidstyle.evaluation.metrics import PatchSwd
from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.media.stills import read_style_image
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.checkpoint import load_feedforward

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SUFFIX = "-without-temporal-loss.safetensors"
GAPS = (1, 5)
SWD_EVERY = 12
MIN_STEADIER, MAX_SWD_RATIO = 3.0, 1.1


@dataclass(frozen=True)
class Pair:
    """Two networks of one style.

    Attributes:
        style: its recipe's name.
        trained: with temporal loss.
        untrained: without.
    """

    style: str
    trained: Path
    untrained: Path


@dataclass(frozen=True)
class Row:
    """One style on one camera move; errors by gap in frames, (with, without) temporal loss."""

    move: str
    source: dict[int, float]
    errors: dict[int, tuple[float, float]]
    swd: tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("styles", nargs="*", metavar="STYLE", help="default: all with a network under benchmarks")
    parser.add_argument(
        "--pair",
        type=Path,
        nargs=2,
        metavar=("WITH", "WITHOUT"),
        help="two weight files of the one style named; default: the shipped one and benchmarks/STYLE" + SUFFIX,
    )
    parser.add_argument("--picture", type=Path, help="what the camera sees; frames of the sample scene by default")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    parser.add_argument("--json", type=output_file, help="write every figure here")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        pairs = choose_pairs(arguments, parser)
        size = output_size(arguments.size, (640, 360))
        picture = read_style_image(arguments.picture) if arguments.picture else None
        clips = {move: camera_move(move, size, arguments.frames, picture) for move in CAMERA_MOVES}
        results = {pair.style: measure(pair, clips) for pair in pairs}
    except (VidstyleError, OSError) as error:
        sys.exit(f"measure_stability: {error}")
    if arguments.json:
        figures = {style: [asdict(row) for row in rows] for style, rows in results.items()}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def choose_pairs(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Pair]:
    if arguments.pair:
        if len(arguments.styles) != 1:
            parser.error("--pair goes with exactly one STYLE")
        return [Pair(arguments.styles[0], *arguments.pair)]
    styles = arguments.styles or [path.name.removesuffix(SUFFIX) for path in sorted(BENCHMARKS.glob(f"*{SUFFIX}"))]
    if not styles:
        parser.error(f"there is no {BENCHMARKS}/*{SUFFIX}; name a STYLE and a --pair of weight files")
    return [Pair(style, WEIGHTS / f"{style}.safetensors", BENCHMARKS / f"{style}{SUFFIX}") for style in styles]


@torch.inference_mode()
def measure(pair: Pair, clips: dict[CameraMove, PictureSequence]) -> list[Row]:
    networks = load_feedforward(pair.trained), load_feedforward(pair.untrained)
    distance = PatchSwd(style_reference(pair.style))
    line = "{:<16} {:<9} {:>4} {:>8} {:>9} {:>8} {:>7}  {:>9} {:>9} {:>6}"
    print(line.format("style", "move", "gap", "source", "without", "with", "ratio", "SWD w/o", "SWD with", "ratio"))
    rows = []
    for move, clip in clips.items():
        row = measure_move(networks, distance, move, clip)
        rows.append(row)
        for gap in GAPS:
            trained, untrained = row.errors[gap]
            first = gap == GAPS[0]
            print(
                line.format(
                    pair.style if move == CAMERA_MOVES[0] and first else "",
                    move if first else "",
                    gap,
                    *(f"{1000 * error:.3f}" for error in (row.source[gap], untrained, trained)),
                    f"{untrained / trained:.2f}" if trained else "inf",
                    *(f"{value:.4f}" if first else "" for value in reversed(row.swd)),
                    f"{row.swd[0] / row.swd[1]:.3f}" if first else "",
                ).rstrip(),
                flush=True,
            )
    print_verdict(rows)
    return rows


def style_reference(style: str) -> Tensor:
    """The style picture at the size the network was trained on: there its patches are the network's aim."""
    recipe = recipe_of(style)
    data = Path() if recipe.picture in PAINTED_STYLES else data_folder()
    return at_short_side(style_picture(recipe, data), recipe.stages[-1].style_size_px)


def measure_move(networks: tuple[Stylizer, Stylizer], distance: PatchSwd, move: str, clip: PictureSequence) -> Row:
    # The evaluator's pair, steady and per frame, serves for any two versions of the same clip.
    evaluator = SequenceEvaluator(clip, GAPS)
    distances: list[tuple[float, float]] = []
    for index in range(clip.num_frames):
        content = clip.frame(index).float() / 255
        trained, untrained = (network(content[None]).clamp(0, 1)[0] for network in networks)
        evaluator.push(trained, untrained, content)
        if index % SWD_EVERY == 0:
            distances.append((distance(trained), distance(untrained)))
        print(f"\r{move} {index + 1} of {clip.num_frames}", end="", flush=True, file=sys.stderr)
    print("\r\033[K", end="", file=sys.stderr)
    found = evaluator.result()
    errors = {gap: (found.warping_error[gap], found.warping_error_per_frame[gap]) for gap in GAPS}
    first, second = (sum(values) / len(distances) for values in zip(*distances, strict=True))
    return Row(move, found.warping_error_content, errors, (first, second))


def print_verdict(rows: list[Row]) -> None:
    """Ratios of the means over the moves, by gap."""
    steadier = {
        gap: sum(row.errors[gap][1] for row in rows) / max(sum(row.errors[gap][0] for row in rows), 1e-12)
        for gap in GAPS
    }
    farther = sum(row.swd[0] for row in rows) / sum(row.swd[1] for row in rows)
    passed = min(steadier.values()) >= MIN_STEADIER and farther <= MAX_SWD_RATIO
    ratios = ", ".join(f"{value:.2f}x at k={gap}" for gap, value in steadier.items())
    print(f"{'pass' if passed else 'FAIL'}: steadier {ratios} (at least 3); patch-SWD {farther:.3f}x (at most 1.1)\n")


if __name__ == "__main__":
    main()
