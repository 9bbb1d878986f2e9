"""Judge feedforward styles by Johnson et al.'s yardstick: how much optimisation of the picture itself is a pass worth?

    python scripts/measure_styles.py                                 # every shipped style on the 24 held-out pictures
    python scripts/measure_styles.py --style mosaic --pictures 2 --init noise

Each held-out photo, 256 pixels square, is painted by the network and, for the same losses, by 100 iterations of
L-BFGS on its pixels (Johnson et al. 2016, sec. 4.1). The total perceptual loss is the trainer's for a still: content,
style at full and at half size, total variation, weighted as the style was trained. A style passes where the network's
mean over the pictures is at most that of the optimisation. "equal at" is the iteration that first reaches the
network's loss, and the evaluations of loss and gradient it took. The optimisation may leave [0, 1] until its end;
"free" is its lowest loss before its picture is clamped. Wants VIDSTYLE_TEST_DATA, and about 20 seconds a picture on one
core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from arguments import count, output_file
from held_out import data_folder, held_out_pictures, read_square
from perceptual import SIDE_PX, PerceptualJudge, pruned_encoder, recipe_of
from torch import Tensor
from train_builtin import style_picture

from vidstyle.compose import load_stylizer
from vidstyle.config import make_config
from vidstyle.errors import VidstyleError
from vidstyle.training.optimization import OptimizationStep, optimize_image
from vidstyle.training.settings import LossWeights
from vidstyle.weights.registry import shipped_styles

ITERATIONS = 100

Init = Literal["content", "noise"]


@dataclass(frozen=True)
class Row:
    """One style, one picture, one start."""

    picture: str
    init: Init
    network: float
    start: float
    optimised: float
    unclamped: float
    equal_iteration: int | None
    equal_evaluations: int | None
    iterations: int
    evaluations: int
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", action="append", help="shipped name; all shipped ones by default")
    parser.add_argument("--weights", type=Path, help="judge this file as the one --style's network")
    parser.add_argument("--pictures", type=count, default=24, help="how many of the 24 held-out ones")
    parser.add_argument("--init", action="append", choices=("content", "noise"), help="default: content")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of L-BFGS")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    parser.add_argument("--json", type=output_file, help="write every figure here")
    arguments = parser.parse_args()
    if arguments.weights and len(arguments.style or []) != 1:
        parser.error("--weights goes with exactly one --style")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    styles = arguments.style or [style.name for style in shipped_styles()]
    try:
        results = measure(styles, arguments)
    except (VidstyleError, OSError) as error:
        sys.exit(f"measure_styles: {error}")
    print_summary(results)
    if arguments.json:
        figures = {style: [asdict(row) for row in rows] for style, rows in results.items()}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(styles: list[str], arguments: argparse.Namespace) -> dict[str, list[Row]]:
    data = data_folder()
    encoder = pruned_encoder(data)
    paths = held_out_pictures(data)[: arguments.pictures]
    line = "{:<18} {:<28} {:<8} {:>8} {:>8} {:>8} {:>8} {:>16}"
    print(line.format("style", "picture", "from", "network", "start", "L-BFGS", "free", "equal at (evals)"))
    results: dict[str, list[Row]] = {}
    for style in styles:
        recipe = recipe_of(style)
        settings = recipe.stages[-1]
        judge = PerceptualJudge(encoder, style_picture(recipe, data), settings.style_size_px)
        stylizer = load_stylizer(make_config(style=str(arguments.weights or style)))
        rows = results.setdefault(style, [])
        for path in paths:
            content = read_square(path, SIDE_PX)[None]
            painted = stylizer(content).clamp(0, 1)
            for init in arguments.init or ["content"]:
                row = compare(judge, settings.weights, content, painted, path.stem, init, arguments.iterations)
                rows.append(row)
                equal = "never" if row.equal_iteration is None else f"{row.equal_iteration} ({row.equal_evaluations})"
                figures = [f"{value:.3f}" for value in (row.network, row.start, row.optimised, row.unclamped)]
                print(line.format(style, row.picture[:28], init, *figures, equal), flush=True)
    return results


def compare(
    judge: PerceptualJudge,
    weights: LossWeights,
    content: Tensor,
    painted: Tensor,
    name: str,
    init: Init,
    num_iterations: int,
) -> Row:
    """The network's picture against the optimisation's."""
    target = judge.content_features(content)

    def total(picture: Tensor) -> Tensor:
        return judge.losses(picture, target).total(weights)

    initial = content if init == "content" else noise_like(content)
    with torch.no_grad():
        network, start = float(total(painted)), float(total(initial))
    steps: list[OptimizationStep] = []
    started = time.perf_counter()
    found = optimize_image(initial, total, iterations=num_iterations, on_step=steps.append)
    seconds = time.perf_counter() - started
    equal = next((step for step in steps if step.loss <= network), None)
    return Row(
        picture=name,
        init=init,
        network=network,
        start=start,
        optimised=found.loss,
        unclamped=min(step.loss for step in steps),
        equal_iteration=equal and equal.iteration,
        equal_evaluations=equal and equal.evaluation,
        iterations=found.num_iterations,
        evaluations=found.num_evaluations,
        seconds=seconds,
    )


def noise_like(content: Tensor) -> Tensor:
    return torch.rand(content.shape, generator=torch.Generator().manual_seed(0))


def print_summary(results: dict[str, list[Row]]) -> None:
    line = "{:<18} {:<8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>16} {:>6}"
    print("\nmeans")
    print(line.format("style", "from", "pictures", "network", "L-BFGS", "free", "ratio", "equal at (evals)", "pass"))
    for style, all_rows in results.items():
        for init in dict.fromkeys(row.init for row in all_rows):
            rows = [row for row in all_rows if row.init == init]
            network, optimised, free = (
                sum(values) / len(rows)
                for values in zip(*((row.network, row.optimised, row.unclamped) for row in rows), strict=True)
            )
            reached = [row for row in rows if row.equal_iteration is not None]
            equal = f"{len(rows) - len(reached)} never"
            if len(reached) == len(rows):
                iterations = sum(row.equal_iteration or 0 for row in rows) / len(rows)
                equal = f"{iterations:.0f} ({sum(row.equal_evaluations or 0 for row in rows) / len(rows):.0f})"
            figures = [f"{value:.3f}" for value in (network, optimised, free, network / optimised)]
            verdict = "pass" if network <= optimised else "FAIL"
            print(line.format(style, init, len(rows), *figures, equal, verdict))


if __name__ == "__main__":
    main()
