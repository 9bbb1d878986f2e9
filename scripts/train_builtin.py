"""Train the styles that ship with vidstyle, and write their weights and model cards into the package.

Pictures and encoder come from the folder that VIDSTYLE_TEST_DATA names. A run that is stopped goes on from its
checkpoint when it is started again.

    python scripts/train_builtin.py                                   # all of them
    python scripts/train_builtin.py --only mosaic --threads 1
    python scripts/train_builtin.py --only mosaic --finish-from mosaic.checkpoint
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from vidstyle.errors import VidstyleError
from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.media.stills import read_style_image, write_still
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward
from vidstyle.stylizers.encoder import load_encoder
from vidstyle.training.checkpoints import checkpoint_settings
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.feedforward import FeedforwardTrainer, StepReport
from vidstyle.training.run import PAINTING_SIDE_PX, sample_sheet
from vidstyle.training.settings import TrainingSettings

WEIGHTS = Path(__file__).parent.parent / "vidstyle" / "weights"
ENCODER = "encoders/vgg19_pruned16x_to_conv5_1.pth"
CONTENT = "photos/open"
PAINTED_SIZE_PX = (768, 768)

CONTENT_SOURCE = (
    "65 pictures: the Kodak Lossless True Color Image Suite (24), "
    "frames of the Blender Foundation's Big Buck Bunny (10), "
    "of Intel's car-detection sample video (14) and of MDN's crystal video (14), and three photographs"
)
CONTENT_LICENCE = (
    "Kodak: unrestricted use; Big Buck Bunny: CC BY 3.0, Blender Foundation; car-detection: CC BY 4.0, Intel; "
    "crystal and two photographs: CC0; one photograph: NASA, public domain"
)

PUBLIC_DOMAIN = "public domain"
OWN = "made by this project's own program, CC0"


@dataclass(frozen=True)
class Recipe:
    """One shipped style.

    ``picture`` is a file under ``paintings/``, or a painter of ``vidstyle.evaluation.painted``.
    """

    name: str
    title: str
    picture: str
    source: str
    licence: str
    settings: TrainingSettings = field(default_factory=TrainingSettings)


RECIPES = [
    Recipe(
        "starry-night",
        "Swirling blue and yellow strokes, after Vincent van Gogh's The Starry Night",
        "starry_night.jpg",
        "Vincent van Gogh, The Starry Night, 1889",
        PUBLIC_DOMAIN,
    ),
    Recipe(
        "mosaic",
        "Small glazed tiles with grout between them",
        "mosaic",
        "mosaic, painted by vidstyle.evaluation.painted",
        OWN,
    ),
]


def main() -> None:
    arguments = parse_arguments()
    data = Path(os.environ.get("VIDSTYLE_TEST_DATA") or sys.exit("train_builtin: set VIDSTYLE_TEST_DATA"))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        for recipe in RECIPES:
            if arguments.only in (None, recipe.name):
                build(recipe, data, arguments.checkpoint_dir, arguments.finish_from)
    except (VidstyleError, OSError) as error:
        sys.exit(f"train_builtin: {error}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[recipe.name for recipe in RECIPES], help="train just this one")
    parser.add_argument("--checkpoint-dir", type=Path, default=Path("runs"), help="where runs keep their state")
    parser.add_argument("--finish-from", type=Path, help="make weights and card of this checkpoint as it stands")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.finish_from and not arguments.only:
        parser.error("--finish-from needs --only NAME")
    if arguments.finish_from and not arguments.finish_from.is_file():
        parser.error(f"there is no checkpoint {arguments.finish_from}")
    return arguments


def build(recipe: Recipe, data: Path, checkpoint_dir: Path, finish_from: Path | None) -> None:
    # A finished run's own settings go into the card, whatever the table says by now.
    settings = checkpoint_settings(finish_from) if finish_from else recipe.settings
    crops = ContentCrops(data / CONTENT, settings.crop_px)
    checkpoint = finish_from or checkpoint_dir / f"{recipe.name}.checkpoint"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trainer = FeedforwardTrainer(style_picture(recipe, data), crops, load_encoder(data / ENCODER), settings, checkpoint)
    if not finish_from:
        train(trainer, recipe.name)
    elif trainer.progress < 1:
        print(f"{recipe.name}: {finish_from} stopped at step {trainer.step} of {settings.steps}", file=sys.stderr)

    weights = WEIGHTS / f"{recipe.name}.safetensors"
    trainer.save_style(weights, StyleCard(recipe.name, recipe.title, f"{recipe.source} ({recipe.licence})"))
    card = model_card(recipe, trainer, trainer.measure(num_batches=16), weights)
    weights.with_suffix(".toml").write_text(to_toml(card), encoding="utf-8")
    sheet = checkpoint_dir / f"{recipe.name}.png"
    sheet.parent.mkdir(parents=True, exist_ok=True)
    write_still(sheet, sample_sheet(crops.samples(4), load_feedforward(weights), recipe.name), overwrite=True)
    print(f"wrote {weights} and its card; samples: {sheet}")


def style_picture(recipe: Recipe, data: Path) -> Tensor:
    if recipe.picture in PAINTED_STYLES:
        return PAINTED_STYLES[recipe.picture](*PAINTED_SIZE_PX).float() / 255
    return read_style_image(data / "paintings" / recipe.picture, PAINTING_SIDE_PX)


def train(trainer: FeedforwardTrainer, name: str) -> None:
    with tqdm(total=trainer.settings.steps, initial=trainer.step, desc=name, unit="step") as bar:

        def on_step(report: StepReport) -> None:
            bar.set_postfix_str(f"content {report.content:.2f}, style {report.style:.2f}", refresh=False)
            bar.update(report.step - bar.n)

        trainer.run(on_step)


def model_card(recipe: Recipe, trainer: FeedforwardTrainer, final: StepReport, weights: Path) -> dict[str, Any]:
    return {
        "title": recipe.title,
        "name": recipe.name,
        "architecture": "blurpool",
        "num_parameters": sum(parameter.numel() for parameter in trainer.net.parameters()),
        "licence": "MIT",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "style_source": recipe.source,
        "style_licence": recipe.licence,
        "content_source": CONTENT_SOURCE,
        "content_licence": CONTENT_LICENCE,
        "encoder": "VGG-19 to conv5_1, pruned 16 times (Collaborative Distillation, Wang et al. 2020)",
        "encoder_licence": "MIT, (c) 2020 Huan Wang",
        "steps": trainer.step,
        "seconds": round(trainer.seconds),
        "device": trainer.settings.device,
        "final_losses": {
            "content": round(final.content, 4),
            "style": round(final.style, 4),
            "temporal": round(final.temporal, 5),
        },
        "settings": asdict(trainer.settings),
    }


def to_toml(table: dict[str, Any], heading: str = "") -> str:
    """Text, numbers and tables of them; None is left out."""
    # A JSON string, unescaped beyond ASCII, is a TOML basic string.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in table.items()
        if value is not None and not isinstance(value, dict)
    ]
    for key, value in table.items():
        if isinstance(value, dict):
            name = f"{heading}.{key}" if heading else key
            lines += ["", f"[{name}]", to_toml(value, name).rstrip("\n")]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
