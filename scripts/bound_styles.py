"""How near to Johnson et al.'s yardstick can the shipped network come? Trains it on the pictures it is judged on.

    python scripts/bound_styles.py --style great-wave --steps 3000 --threads 1
    python scripts/bound_styles.py --style great-wave --on others
    python scripts/bound_styles.py --style great-wave --channels 128

On from the weights that ship, a network learns what measure_styles.py measures and nothing else: the total perceptual
loss of a still, 256 pixels square, without a word about steadiness or a lattice. On the 24 held-out pictures themselves
it learns them by heart, which one that is to paint pictures it has not seen cannot. On the others of photos/research it
learns what there is to learn from more training and from leaving steadiness out. A wider one tells what is a matter of
size. No such network is kept. Runs that are stopped go on when started again. Wants VIDSTYLE_TEST_DATA, and about a
second a step on one core; 128 channels take nearly two.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from arguments import count
from held_out import data_folder, held_out_pictures, read_square, research_pictures
from perceptual import SIDE_PX, PerceptualJudge, pruned_encoder, recipe_of, total_losses
from torch import Tensor, nn
from train_builtin import WEIGHTS, style_picture

from vidstyle.errors import VidstyleError
from vidstyle.stylizers.checkpoint import FeedforwardStylizer, load_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.checkpoints import digest_of
from vidstyle.training.feedforward import paint
from vidstyle.training.settings import FeedforwardSettings, Schedule
from vidstyle.training.trainer import StepReport, Trainer

RATE = 1.5e-3


class JudgedStills:
    """What the judge says of whole pictures, as an ``Objective``.

    Args:
        net: to go on from.
        judge: of the style.
        style_picture: what it compares with, (3, H, W) in [0, 1].
        settings: of the style; the losses that are no still picture's have no part.
        pictures: (1, 3, H, W) in [0, 1] each.
        schedule: of the run.
    """

    weights: Mapping[str, float] = {"total": 1.0}

    def __init__(
        self,
        net: BlurPoolNet,
        judge: PerceptualJudge,
        style_picture: Tensor,
        settings: FeedforwardSettings,
        pictures: list[Tensor],
        schedule: Schedule,
    ) -> None:
        weights = settings.weights
        self.net = net.requires_grad_(True).to(memory_format=torch.channels_last)
        self.identity: Mapping[str, Any] = {
            "steps": schedule.steps,
            "learning_rate": schedule.learning_rate,
            "batch_size": schedule.batch_size,
            "seed": schedule.seed,
            "style_size_px": settings.style_size_px,
            "weights": [weights.content, weights.style, weights.total_variation],
            "painting": digest_of([style_picture]),
            "pictures": digest_of(pictures),
            "start_from": digest_of(net.state_dict().values()),
        }
        self._judge = judge
        self._loss_weights = weights
        self._pictures = [(picture, judge.content_features(picture)) for picture in pictures]
        self._batch_size = schedule.batch_size

    def losses(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean total loss of a few pictures, painted with the margin that every render has."""
        totals = []
        for index in torch.randint(len(self._pictures), (self._batch_size,), generator=generator).tolist():
            content, target = self._pictures[index]
            with torch.autocast("cpu", torch.bfloat16):
                painted = paint(net, content)
            totals.append(self._judge.losses(painted.float(), target).total(self._loss_weights))
        return {"total": torch.stack(totals).mean()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", action="append", help="shipped name, as often as wanted; default: great-wave")
    parser.add_argument("--on", choices=("held-out", "others"), default="held-out", help="what to train on")
    parser.add_argument("--channels", type=count, default=64, help="width of the trunk; 64, as shipped, or more")
    parser.add_argument("--steps", type=count, default=800)
    parser.add_argument("--every", type=count, default=200, help="steps between rows of the table")
    parser.add_argument("--checkpoint-dir", type=Path, default=Path("runs"), help="where runs keep their state")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    print(f"{'style':<18} {'channels':>8} {'trained on':<10} {'steps':>6} {'loss':>7}  of the 24 held-out pictures")
    try:
        for style in arguments.style or ["great-wave"]:
            bound(style, arguments)
    except (VidstyleError, OSError) as error:
        sys.exit(f"bound_styles: {error}")


def bound(style: str, arguments: argparse.Namespace) -> None:
    """Train one style's network on, and print what it comes to."""
    data, recipe = data_folder(), recipe_of(style)
    settings = recipe.stages[-1]
    judged = squares(held_out_pictures(data))
    painting = style_picture(recipe, data)
    judge = PerceptualJudge(pruned_encoder(data), painting, settings.style_size_px)
    schedule = Schedule(steps=arguments.steps, learning_rate=RATE)
    torch.manual_seed(schedule.seed)  # of new channels; a run goes on from its own only
    objective = JudgedStills(
        widened(cast("BlurPoolNet", load_feedforward(WEIGHTS / f"{style}.safetensors").net), arguments.channels),
        judge,
        painting,
        settings,
        judged if arguments.on == "held-out" else squares(research_pictures(data)),
        schedule,
    )
    arguments.checkpoint_dir.mkdir(parents=True, exist_ok=True)
    run = f"{style}-{arguments.channels}-on-{arguments.on}-{arguments.steps}"
    trainer = Trainer(objective, schedule, arguments.checkpoint_dir / f"{run}.checkpoint")

    def show(step: int) -> None:
        stylizer = FeedforwardStylizer(style, trainer.averaged_net)
        loss = float(total_losses(stylizer, judge, settings.weights, judged).mean())
        print(f"{style:<18} {arguments.channels:>8} {arguments.on:<10} {step:>6} {loss:>7.3f}", flush=True)

    def on_step(report: StepReport) -> None:
        if report.step % arguments.every == 0 or report.step == arguments.steps:
            show(report.step)

    show(trainer.step)
    trainer.run(on_step)


def widened(net: BlurPoolNet, num_channels: int) -> BlurPoolNet:
    """A wider network that paints the same until it is trained: the old channels do not hear the new ones yet.

    After Chen et al. 2016 (Net2Net), whose new channels are copies of old ones.

    Args:
        net: as it ships.
        num_channels: of the wider network's trunk, at least as many as of the other's.

    Raises:
        VidstyleError: it would be narrower.
    """
    num_before = net.widen.out_channels
    if num_channels < num_before:
        raise VidstyleError(f"a trunk of {num_channels} channels is narrower than the {num_before} that ship")
    wide = BlurPoolNet(num_channels, len(net.trunk))
    before = net.state_dict()
    for name, values in wide.state_dict().items():
        old = before[name]
        values[: len(old)] = 0
        values[tuple(slice(size) for size in old.shape)] = old
    return wide


def squares(paths: list[Path]) -> list[Tensor]:
    return [read_square(path, SIDE_PX)[None] for path in paths]


if __name__ == "__main__":
    main()
