"""End-point errors of flow estimators where the motion is known exactly: RAFT-small weights against DIS.

    python scripts/evaluate_flow.py raft-small.safetensors
    python scripts/evaluate_flow.py raft-small.safetensors --updates 6 --scale 0.5     # as a render on a CPU runs it
    python scripts/evaluate_flow.py                                                    # DIS alone

The sample scene, a pan, a zoom and a rotation over it and, with VIDSTYLE_TEST_DATA, over photos that nothing is trained
on, and pairs with moving things made of those photos as in training, from another seed. Columns: mean error in pixels
over all pixels whose motion is known (of the pairs also hidden ones), over visible ones, and over visible ones at most
four pixels from a motion boundary; milliseconds a frame, for the motion in both directions. Weights pass whose error
over visible pixels, mean over the sequences, is below that of DIS as it is shipped.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import cv2
import torch
import torch.nn.functional as F
from arguments import count, output_file
from held_out import held_out_pictures
from torch import Tensor

from vidstyle.config import output_size
from vidstyle.errors import VidstyleError
from vidstyle.evaluation.camera_moves import CAMERA_MOVES, camera_move
from vidstyle.evaluation.synthetic import SyntheticSequence, sample_scene
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.dis_search import luma8
from vidstyle.flow.raft import RaftFlow
from vidstyle.imaging.warp import resize_flow
from vidstyle.media.stills import read_style_image
from vidstyle.protocols import FlowEstimator, Motion
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.flow import end_point_error
from vidstyle.training.flow_pairs import FlowPairs, crop_side

SHIPPED, PLAIN = "DIS (shipped)", "DIS medium (OpenCV)"
PAIR_SIZE_PX = (192, 256)
PAIR_SEED = 20_000
NEAR_PX, BORDER_PX = 4, 16
BOUNDARY_PX = 1.0  # a step of the flow between neighbours


@dataclass(frozen=True)
class Sample:
    """Two frames and their motion, some of it unknown."""

    first: Tensor  # (1, 3, H, W) uint8
    second: Tensor
    flow: Tensor  # (1, 2, H, W)
    known: Tensor  # (1, 1, H, W) bool
    visible: Tensor  # (1, 1, H, W) bool


@dataclass(frozen=True)
class Row:
    """One estimator on one sequence."""

    sequence: str
    estimator: str
    error: float
    error_visible: float
    error_near_boundaries: float | None
    ms_per_frame: float


class PlainDis:
    """OpenCV's DIS with its own medium preset, on the frames as they are."""

    name = "dis-plain"

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._previous: Tensor | None = None

    def push(self, frame: Tensor) -> Motion | None:
        previous, self._previous = self._previous, frame
        if previous is None:
            return None
        first, second = luma8(previous).numpy(), luma8(frame).numpy()
        forward, backward = self._search.calc(first, second, None), self._search.calc(second, first, None)
        flows = (torch.from_numpy(flow).permute(2, 0, 1)[None].contiguous() for flow in (backward, forward))
        return Motion(*flows)

    def reset(self) -> None:
        self._previous = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", type=Path, help="RAFT-small weight files")
    parser.add_argument("--updates", type=count, default=12, help="RAFT's refinements")
    parser.add_argument("--scale", type=float, default=1.0, help="RAFT's working resolution over the frame's")
    parser.add_argument("--size", default="640x360", help="of the sequences")
    parser.add_argument("--samples", type=count, default=4, help="pairs of neighbouring frames a sequence")
    parser.add_argument("--photos", type=count, default=24, help="held-out photos, and pairs made of them")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    parser.add_argument("--json", type=output_file, help="write every figure here")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
        cv2.setNumThreads(arguments.threads)
    try:
        estimators: dict[str, FlowEstimator] = {SHIPPED: DisFlow(), PLAIN: PlainDis()}
        for path in arguments.weights:
            estimators[path.stem] = RaftFlow(
                "small", weights=path, num_updates=arguments.updates, scale=arguments.scale
            )
        size = output_size(arguments.size, (640, 360))
        rows = evaluate(estimators, sequences(size, arguments.samples, arguments.photos))
    except (VidstyleError, OSError) as error:
        sys.exit(f"evaluate_flow: {error}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def sequences(size: tuple[int, int], num: int, num_photos: int) -> Iterator[tuple[str, Iterator[Sample]]]:
    """What is measured on, by name; rendered as it is asked for."""
    scene = sample_scene(*size)
    cut = scene.cuts[0]
    yield "lake", neighbours(scene, range(cut - 1), num)
    yield "harbour", neighbours(scene, range(cut, scene.num_frames - 1), num)
    for move in CAMERA_MOVES:
        clip = camera_move(move, size)
        yield move, neighbours(clip, range(clip.num_frames - 1), num)
    data = os.environ.get("VIDSTYLE_TEST_DATA")
    photos = held_out_pictures(Path(data))[:num_photos] if data else []
    if photos:
        yield "photos", moved_photos(photos, size)
        yield "pairs", made_pairs(photos)
    else:
        print("set VIDSTYLE_TEST_DATA to measure on held-out photos, too", file=sys.stderr)


def neighbours(clip: SyntheticSequence, indices: range, num: int) -> Iterator[Sample]:
    for index in indices[:: max(len(indices) // num, 1)][:num]:
        flow, visible = clip.flow(index, index + 1)
        yield Sample(clip.frame(index)[None], clip.frame(index + 1)[None], flow[None], visible[None], visible[None])


def moved_photos(photos: list[Path], size: tuple[int, int]) -> Iterator[Sample]:
    for number, path in enumerate(photos):
        clip = camera_move(CAMERA_MOVES[number % len(CAMERA_MOVES)], size, picture=read_style_image(path))
        yield from neighbours(clip, range(number, clip.num_frames - 1), 1)


def made_pairs(photos: list[Path]) -> Iterator[Sample]:
    crops = ContentCrops(photos, crop_side(*PAIR_SIZE_PX))
    pairs, generator = FlowPairs(crops, *PAIR_SIZE_PX), torch.Generator().manual_seed(PAIR_SEED)
    for _ in photos:
        pair = pairs.batch(1, generator)
        first, second = ((frame * 255).round().to(torch.uint8) for frame in (pair.first, pair.second))
        yield Sample(first, second, pair.flow, torch.ones_like(pair.visible), pair.visible)


def evaluate(estimators: dict[str, FlowEstimator], cases: Iterator[tuple[str, Iterator[Sample]]]) -> list[Row]:
    line = "{:<10} {:<24} {:>8} {:>8} {:>10} {:>8}"
    print(line.format("sequence", "estimator", "all", "visible", "boundaries", "ms"))
    rows: list[Row] = []
    for name, samples in cases:
        rows += measure(name, list(samples), estimators)
        for row in rows[-len(estimators) :]:
            print(line.format(row.sequence, row.estimator, *figures(row)), flush=True)
    means = {}
    for label in estimators:
        mine = [row for row in rows if row.estimator == label]
        near = [row.error_near_boundaries for row in mine if row.error_near_boundaries is not None]
        means[label] = Row(
            "mean",
            label,
            *(sum(values) / len(mine) for values in zip(*((r.error, r.error_visible) for r in mine), strict=True)),
            sum(near) / len(near) if near else None,
            sum(row.ms_per_frame for row in mine) / len(mine),
        )
        print(line.format("mean", label, *figures(means[label])))
    for label in list(estimators)[2:]:
        ratio = means[label].error_visible / means[SHIPPED].error_visible
        print(f"{'pass' if ratio < 1 else 'FAIL'}: {label} has {ratio:.2f} times the error of {SHIPPED}")
    return [*rows, *means.values()]


def figures(row: Row) -> list[str]:
    near = "" if row.error_near_boundaries is None else f"{row.error_near_boundaries:.3f}"
    return [f"{row.error:.3f}", f"{row.error_visible:.3f}", near, f"{row.ms_per_frame:.0f}"]


def measure(name: str, samples: list[Sample], estimators: dict[str, FlowEstimator]) -> list[Row]:
    rows = []
    for label, estimator in estimators.items():
        errors, seconds = [], 0.0
        for sample in samples:
            estimator.reset()
            estimator.push(sample.second)  # backwards: what paintings are moved along leads from a frame to the last
            started = time.perf_counter()
            motion = cast("Motion", estimator.push(sample.first))
            seconds += time.perf_counter() - started
            found = resize_flow(motion.flow_backward.float().cpu(), (sample.flow.shape[-2], sample.flow.shape[-1]))
            errors.append(end_point_error(found, sample.flow))

        def mean(choose: Callable[[Sample], Tensor]) -> float | None:
            values = torch.cat([error[choose(sample)] for error, sample in zip(errors, samples, strict=True)])  # noqa: B023
            return float(values.mean()) if values.numel() else None

        everywhere, visible = mean(lambda sample: sample.known), mean(lambda sample: sample.visible)
        near = mean(lambda sample: sample.visible & near_boundaries(sample))
        rows.append(Row(name, label, everywhere or 0.0, visible or 0.0, near, seconds / len(samples) * 1000))
    return rows


def near_boundaries(sample: Sample) -> Tensor:
    """(1, 1, H, W) bool: at most ``NEAR_PX`` from a step in the flow, or from something hidden, well inside."""
    across, down = (sample.flow.diff(dim=dim).norm(dim=1) for dim in (-1, -2))
    # Unknown flow is zero, so that what is hidden is a step. What leaves the picture is no boundary.
    steps = (F.pad(across, (0, 1)) + F.pad(down, (0, 0, 0, 1)))[:, None] > BOUNDARY_PX
    inside = F.pad(steps[..., BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX], (BORDER_PX,) * 4)
    return F.max_pool2d(inside.float(), 2 * NEAR_PX + 1, 1, NEAR_PX) > 0


if __name__ == "__main__":
    main()
