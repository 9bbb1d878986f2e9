"""What it costs to train on openly licensed photos alone: one style trained on them, and on many more photos.

    python scripts/compare_content.py --style mosaic --steps 800 --threads 1

Both networks begin at the same weights and learn by the style's recipe, shortened: one from photos/open, which the
shipped styles are trained on, the other from photos/research without the pictures that are held out. The total
perceptual loss is the trainer's for a still, on the 24 held-out pictures of photos/research, 256 pixels square. More
than 5 % would be a reason to train on both. Runs that are stopped go on when started again. Wants VIDSTYLE_TEST_DATA.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch
from arguments import count
from held_out import data_folder, held_out_pictures, read_square, research_pictures, stills
from perceptual import SIDE_PX, PerceptualJudge, pruned_encoder, recipe_of, total_losses
from train_builtin import CONTENT, style_picture, train

from vidstyle.errors import VidstyleError
from vidstyle.stylizers.checkpoint import FeedforwardStylizer
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.trainer import Trainer

MOST_WORSE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--style", action="append", help="shipped name, as often as wanted; default: mosaic")
    parser.add_argument("--steps", type=count, default=800, help="of each network")
    parser.add_argument("--pictures", type=count, default=24, help="how many of the 24 held-out ones")
    parser.add_argument("--checkpoint-dir", type=Path, default=Path("runs"), help="where runs keep their state")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        for style in arguments.style or ["mosaic"]:
            compare(style, arguments)
    except (VidstyleError, OSError) as error:
        sys.exit(f"compare_content: {error}")


def compare(style: str, arguments: argparse.Namespace) -> None:
    """Train both networks of one style, and print what they reach."""
    data, recipe = data_folder(), recipe_of(style)
    settings = replace(recipe.stages[0], steps=arguments.steps)
    judged = [read_square(path, SIDE_PX)[None] for path in held_out_pictures(data)[: arguments.pictures]]
    encoder = pruned_encoder(data)
    judge = PerceptualJudge(encoder, style_picture(recipe, data), settings.style_size_px)
    arguments.checkpoint_dir.mkdir(parents=True, exist_ok=True)
    found: dict[str, torch.Tensor] = {}
    for name, photos in (("open", stills(data / CONTENT)), ("research", research_pictures(data))):
        crops = ContentCrops(photos, settings.crop_px)
        objective = FeedforwardObjective(style_picture(recipe, data), crops, encoder, settings)
        checkpoint = arguments.checkpoint_dir / f"{style}-on-{name}-{arguments.steps}.checkpoint"
        trainer = Trainer(objective, settings, checkpoint)
        train(trainer, f"{style} on {len(crops)} of {name}")
        stylizer = FeedforwardStylizer(name, trainer.averaged_net)
        found[name] = total_losses(stylizer, judge, settings.weights, judged)
    worse = float(found["open"].mean() / found["research"].mean()) - 1
    higher = int((found["open"] > found["research"]).sum())
    means = ", ".join(f"{name} {float(values.mean()):.3f}" for name, values in found.items())
    verdict = "passes" if worse <= MOST_WORSE else "FAILS"
    print(
        f"{style}, {arguments.steps} steps: held-out loss {means}; open {100 * worse:+.1f} %, "
        f"higher on {higher} of {len(found['open'])} pictures: {verdict} at {MOST_WORSE:.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
