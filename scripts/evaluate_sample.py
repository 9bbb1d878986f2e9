#!/usr/bin/env python
"""How steady styles are on the sample scene, whose motion is known exactly, and what steadiness costs in texture.

Every style paints the scene twice through the painter of a real render: with consistency 0 (per frame) and with the
default (steady). E_warp is the mean squared difference to the frame k before, moved along the exact flow; the gradient
ratio says how much texture the steady frames have of what the per-frame ones have. A strip of consecutive frames a
style is written to look at.

Usage: python scripts/evaluate_sample.py [STYLE ...] [--output out/evaluation] [--frames N] [--size 640x360]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import make_config, output_size
from vidstyle.evaluation.exact import SequenceEvaluator, SequenceMetrics
from vidstyle.evaluation.synthetic import SyntheticSequence, sample_scene
from vidstyle.frames import VideoFrame
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import write_still
from vidstyle.pipeline.painter import Painter
from vidstyle.weights.registry import shipped_styles

GAPS = (1, 5)
STRIP_FRAMES = 4


class RememberedSequence:
    """A sequence that keeps what it computed last, since several styles ask for the same."""

    def __init__(self, sequence: SyntheticSequence) -> None:
        self.num_frames, self.size = sequence.num_frames, sequence.size
        self.fps, self.cuts = sequence.fps, sequence.cuts
        self.frame = lru_cache(maxsize=1)(sequence.frame)
        self.flow = lru_cache(maxsize=len(GAPS))(sequence.flow)


@dataclass
class StyleRun:
    """One style's two painters, its figures so far and the pictures of its strip."""

    name: str
    steady: Painter
    per_frame: Painter
    evaluator: SequenceEvaluator
    strip: list[list[Tensor]] = field(default_factory=lambda: [[], [], []])

    def push(self, frame: VideoFrame, show: bool) -> None:
        """Paint and measure one frame; 8-bit, as an encoder would get it."""
        steady, per_frame = (painter.paint([frame])[0].data for painter in (self.steady, self.per_frame))
        self.evaluator.push(steady / 255, per_frame / 255, frame.data / 255)
        if show:
            for row, picture in zip(self.strip, (frame.data, per_frame, steady), strict=True):
                row.append(picture)


def start_run(style: str, sequence: SyntheticSequence, settings: dict[str, Any]) -> StyleRun:
    """Load a style and make its painters."""
    composition = Composition.load(make_config(style=style, **settings))
    return StyleRun(
        name=composition.name,
        steady=composition.painter(sequence.size, sequence.fps, composition.flow()),
        per_frame=composition.painter(sequence.size, sequence.fps),
        evaluator=SequenceEvaluator(sequence, GAPS),
    )


def evaluate(styles: list[str], sequence: SyntheticSequence, settings: dict[str, Any]) -> list[StyleRun]:
    """Run the whole sequence through every style."""
    runs = [start_run(style, sequence, settings) for style in styles]
    # The last frames before the cut: by then the filter has run for as long as it ever will.
    shown_end = next(iter(sequence.cuts), sequence.num_frames)
    for index in range(sequence.num_frames):
        frame = VideoFrame(sequence.frame(index), pts=index, time_base=Fraction(1) / sequence.fps, duration=1)
        for run in runs:
            run.push(frame, show=shown_end - STRIP_FRAMES <= index < shown_end)
        print(f"\rframe {index + 1} of {sequence.num_frames}", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return runs


def print_table(results: dict[str, SequenceMetrics]) -> None:
    """A line a style; errors are multiplied by 1000."""
    line = "{:<18} {:>4} {:>9} {:>9} {:>9} {:>7} {:>9}  {:<24} {:>9}"
    print(
        line.format(
            "style", "gap", "source", "per frame", "steady", "ratio", "gradient", "bands, finest first", "drift dB"
        )
    )
    for style, found in results.items():
        for gap in GAPS:
            errors = [found.warping_error_content[gap], found.warping_error_per_frame[gap], found.warping_error[gap]]
            ratio = errors[1] / errors[2] if errors[2] else math.inf
            first = gap == GAPS[0]
            print(
                line.format(
                    style if first else "",
                    gap,
                    *(f"{1000 * error:.3f}" for error in errors),
                    f"{ratio:.2f}",
                    f"{found.gradient_ratio:.3f}" if first else "",
                    " ".join(f"{value:.3f}" for value in found.band_energy_ratios) if first else "",
                    f"{found.low_pass_psnr_min:.1f}" if first else "",
                )
            )


def main(arguments: list[str] | None = None) -> None:
    """Parse, evaluate, print, write."""
    parser = argparse.ArgumentParser(description="Measure steadiness and texture on the sample scene.")
    parser.add_argument("styles", nargs="*", metavar="STYLE", help="default: every shipped style")
    parser.add_argument("--output", type=Path, default=Path("out/evaluation"), help="folder for strips and figures")
    parser.add_argument("--frames", type=int, default=144, help="of the scene; fewer make shorter shots")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--consistency", type=float)
    parser.add_argument("--flow")
    parser.add_argument("--device")
    parser.add_argument("--precision")
    parser.add_argument("--adain-model", type=Path, help="for a picture as style; the shipped one by default")
    options = parser.parse_args(arguments)
    names = ("consistency", "flow", "device", "precision", "adain_model")
    settings = {name: value for name in names if (value := getattr(options, name)) is not None}
    sequence = RememberedSequence(sample_scene(*output_size(options.size, (640, 360)), options.frames))
    styles = options.styles or [style.name for style in shipped_styles()]
    with torch.inference_mode():
        runs = evaluate(styles, sequence, settings)
    results = {run.name: run.evaluator.result() for run in runs}
    options.output.mkdir(parents=True, exist_ok=True)
    for run in runs:
        picture = contact_sheet(run.strip, ("source", "per frame", "steady"))
        write_still(options.output / f"{run.name}.png", picture, overwrite=True)
    figures = {name: asdict(found) for name, found in results.items()}
    (options.output / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print_table(results)
    print(f"\nstrips and figures are in {options.output}")


if __name__ == "__main__":
    main()
