"""How far do the losses of a light encoder agree with those of a VGG?

    python scripts/compare_encoders.py                          # the shipped `builtin` against the pruned VGG-19
    python scripts/compare_encoders.py --encoder vgg16 --pictures 8

Held-out photos, 256 pixels square, are painted in every shipped style, and each painting is judged against every one of
these styles: content loss at conv31 and conv41, style loss at conv11 to conv51, by both encoders. Printed for either
loss: the mean of each encoder, and how well one tells the other - the correlation of their logarithms, and of their
ranks. "right style" is how often an encoder finds a painting closest to the style it was painted in. Wants
VIDSTYLE_TEST_DATA.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from arguments import count, output_file
from held_out import data_folder, held_out_pictures, read_square
from perceptual import SIDE_PX, PerceptualJudge, pruned_encoder, recipe_of
from torch import Tensor
from train_builtin import style_picture

from vidstyle.compose import load_stylizer
from vidstyle.config import make_config
from vidstyle.errors import CheckpointMismatchError, ConfigError, VidstyleError
from vidstyle.training.encoders import BUILTIN_ENCODER, choose_encoder, vgg_of
from vidstyle.training.losses import CONTENT_LAYERS, STYLE_LAYERS
from vidstyle.training.settings import FeedforwardSettings
from vidstyle.weights.registry import shipped_styles

REFERENCE = "pruned VGG-19"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=BUILTIN_ENCODER, help="the one to judge, as 'train adain' takes it")
    parser.add_argument("--style", action="append", help="a shipped style; all by default")
    parser.add_argument("--pictures", type=count, default=4, help="how many of the held-out photos")
    parser.add_argument("--json", type=output_file, help="write the figures here")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    data = data_folder()
    try:
        figures = compare(
            arguments.encoder, arguments.style or [style.name for style in shipped_styles()], data, arguments.pictures
        )
    except (VidstyleError, OSError) as error:
        sys.exit(f"compare_encoders: {error}")
    print_table(arguments.encoder, figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def compare(encoder: str, styles: Sequence[str], data: Path, num_pictures: int) -> dict[str, dict[str, float]]:
    size_px = FeedforwardSettings().style_size_px
    encoders = (pruned_encoder(data), vgg_of(choose_encoder(encoder)))
    if not {*STYLE_LAYERS, *CONTENT_LAYERS} <= set(encoders[1].layer_names):
        raise CheckpointMismatchError(f"{encoder} ends before conv51; name a VGG that reaches it.")
    if len(styles) < 2:
        raise ConfigError("One style alone tells nothing of the others; name two or more with --style.")
    pictures = {name: style_picture(recipe_of(name), data) for name in styles}
    judges = [[PerceptualJudge(each, pictures[name], size_px) for name in styles] for each in encoders]
    networks = [load_stylizer(make_config(style=name)) for name in styles]
    contents, found = [], []
    for path in held_out_pictures(data)[:num_pictures]:
        photo = read_square(path, SIDE_PX)[None]
        features = [row[0].content_features(photo) for row in judges]
        for network in networks:
            painted = network(photo)
            with torch.no_grad():
                losses = [
                    [judge.losses(painted, own) for judge in row] for row, own in zip(judges, features, strict=True)
                ]
            contents.append([float(row[0].content) for row in losses])
            found.append([[float(each.style) for each in row] for row in losses])
    content, style = torch.tensor(contents), torch.tensor(found)  # (paintings, 2), (paintings, 2, styles)
    painted_in = torch.arange(len(styles)).repeat(len(content) // len(styles))
    return {
        "content": agreement(content[:, 0], content[:, 1]),
        "style": agreement(style[:, 0].flatten(), style[:, 1].flatten()),
        "right style": {
            "reference": float((style[:, 0].argmin(1) == painted_in).float().mean()),
            "encoder": float((style[:, 1].argmin(1) == painted_in).float().mean()),
        },
    }


def agreement(reference: Tensor, other: Tensor) -> dict[str, float]:
    """Of two lists of losses, paired."""
    return {
        "reference": float(reference.mean()),
        "encoder": float(other.mean()),
        "correlation": float(torch.corrcoef(torch.stack([reference, other]).log())[0, 1]),
        "rank_correlation": float(torch.corrcoef(torch.stack([ranks(reference), ranks(other)]))[0, 1]),
    }


def ranks(values: Tensor) -> Tensor:
    return values.argsort().argsort().float()


def print_table(encoder: str, figures: dict[str, dict[str, float]]) -> None:
    print(f"{'':<14}{REFERENCE:>14}{encoder[-14:]:>16}{'correlation':>13}{'of ranks':>10}")
    for loss in ("content", "style"):
        row = figures[loss]
        print(
            f"{f'{loss} loss':<14}{row['reference']:>14.3f}{row['encoder']:>16.3f}"
            f"{row['correlation']:>13.3f}{row['rank_correlation']:>10.3f}"
        )
    right = figures["right style"]
    print(f"{'right style':<14}{right['reference']:>14.0%}{right['encoder']:>16.0%}")


if __name__ == "__main__":
    main()
