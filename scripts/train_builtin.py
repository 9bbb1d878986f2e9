"""Train the networks that ship with vidstyle by recipes.py, and write weights and model cards into the package.

Pictures and encoder come from the folder that VIDSTYLE_TEST_DATA names. A run that is stopped goes on from its
checkpoint when it is started again.

    python scripts/train_builtin.py                                   # all of them
    python scripts/train_builtin.py --only mosaic --threads 1
    python scripts/train_builtin.py --only mosaic --from-shipped      # stages that were added, on from these weights
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from held_out import EXCLUDED_PAINTINGS, research_pictures, stills
from recipes import (
    ANY_STYLE_NUM_BROADENED,
    ANY_STYLE_STAGES,
    ANY_STYLE_TITLE,
    FURTHER_ON,
    OWN,
    PUBLIC_DOMAIN,
    RECIPES,
    TEACH_SKIPS,
    WITHOUT_TEMPORAL_LOSS,
    Recipe,
)
from torch import Tensor, nn
from tqdm import tqdm

from vidstyle.errors import VidstyleError
from vidstyle.evaluation.painted import PAINTED_STYLES, painted_pictures
from vidstyle.media.stills import read_style_image, write_still
from vidstyle.stylizers.adain import AdaInNet, load_adain, save_adain
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward, save_feedforward
from vidstyle.stylizers.encoder import VggEncoder, load_encoder
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.adain import AdaInObjective
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.run import PAINTING_SIDE_PX, sample_sheet
from vidstyle.training.run_adain import read_paintings
from vidstyle.training.style_crops import StyleCrops
from vidstyle.training.trainer import StepReport, Trainer
from vidstyle.weights.registry import ANY_STYLE

WEIGHTS = Path(__file__).parent.parent / "vidstyle" / "weights"
BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
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


@dataclass(frozen=True)
class Trained:
    """Stages that are done: what a card says of them."""

    steps: int = 0
    seconds: float = 0.0
    stages: tuple[dict[str, Any], ...] = ()

    @classmethod
    def shipped(cls, num_stages: int, weights: Path) -> Trained:
        """Those of the weights that ship; ends the program where no stage of ``num_stages`` is left to train."""
        card = tomllib.loads(weights.with_suffix(".toml").read_text(encoding="utf-8"))
        stages = tuple(card["stages"].values())
        if len(stages) >= num_stages:
            sys.exit(
                f"train_builtin: {weights.name} has all of its {num_stages} stages behind it; add one to recipes.py."
            )
        return cls(card["steps"], card["seconds"], stages)

    def and_then(self, trainers: Sequence[Trainer[Any]]) -> Trained:
        return Trained(
            self.steps + sum(trainer.step for trainer in trainers),
            self.seconds + sum(trainer.seconds for trainer in trainers),
            (*self.stages, *(asdict(trainer.schedule) for trainer in trainers)),
        )


def main() -> None:
    arguments = parse_arguments()
    data = Path(os.environ.get("VIDSTYLE_TEST_DATA") or sys.exit("train_builtin: set VIDSTYLE_TEST_DATA"))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        for recipe in RECIPES:
            if arguments.only in (None, recipe.name):
                build(recipe, data, WEIGHTS, arguments.checkpoint_dir, from_shipped=arguments.from_shipped)
            bare = without_temporal_loss(recipe)
            if recipe.name in WITHOUT_TEMPORAL_LOSS and arguments.only in (None, bare.name):
                build(bare, data, BENCHMARKS, arguments.checkpoint_dir, from_shipped=arguments.from_shipped)
        if arguments.only in (None, ANY_STYLE.stem):
            build_any_style(data, arguments.checkpoint_dir, from_shipped=arguments.from_shipped)
    except (VidstyleError, OSError) as error:
        sys.exit(f"train_builtin: {error}")


def parse_arguments() -> argparse.Namespace:
    bare = [without_temporal_loss(recipe).name for recipe in RECIPES if recipe.name in WITHOUT_TEMPORAL_LOSS]
    choices = [*(recipe.name for recipe in RECIPES), *bare, ANY_STYLE.stem]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=choices, help="train just this one")
    parser.add_argument("--checkpoint-dir", type=Path, default=Path("runs"), help="where runs keep their state")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    parser.add_argument(
        "--from-shipped",
        action="store_true",
        help="train the stages that were added to a recipe, on from the weights in the repository",
    )
    arguments = parser.parse_args()
    if arguments.from_shipped and arguments.only is None:
        parser.error("--from-shipped goes with --only")
    return arguments


def without_temporal_loss(recipe: Recipe) -> Recipe:
    """The recipe's first stage, and the one that teaches skips: on open pictures, and nothing asks for steadiness."""
    stages = tuple(
        replace(stage, weights=replace(stage.weights, temporal=0.0, lattice=0.0))
        for stage in recipe.stages
        if stage in (recipe.stages[0], *TEACH_SKIPS)
    )
    return replace(recipe, name=f"{recipe.name}-without-temporal-loss", stages=stages, num_broadened=0)


def build(recipe: Recipe, data: Path, folder: Path, checkpoint_dir: Path, *, from_shipped: bool = False) -> None:
    """Train a style, or only the stages that its weights in ``folder`` lack."""
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder(data / ENCODER)
    weights = folder / f"{recipe.name}.safetensors"
    before = Trained.shipped(len(recipe.stages), weights) if from_shipped else Trained()
    trainers: list[Trainer[BlurPoolNet]] = []
    for index in range(len(before.stages), len(recipe.stages)):
        if trainers:
            initial = trainers[-1].averaged_net
        elif from_shipped:
            initial = cast("BlurPoolNet", load_feedforward(weights).net)
        elif recipe.starts_from:
            other = next(each for each in RECIPES if each.name == recipe.starts_from)
            initial = run_stage(other, 0, data, encoder, checkpoint_dir, None).averaged_net
        else:
            initial = None
        # Not a full run's own last stage, which goes on from other weights.
        kept = checkpoint_dir / "from-shipped" if from_shipped else checkpoint_dir
        trainers.append(run_stage(recipe, index, data, encoder, kept, initial))

    card = StyleCard(recipe.name, recipe.title, f"{recipe.source} ({recipe.licence})")
    save_feedforward(weights, trainers[-1].averaged_net, card)
    table = model_card(recipe, before.and_then(trainers), trainers[-1], weights)
    weights.with_suffix(".toml").write_text(to_toml(table), encoding="utf-8")
    sheet = checkpoint_dir / f"{recipe.name}.png"
    samples = ContentCrops(data / CONTENT, recipe.stages[0].crop_px).samples(4)
    write_still(sheet, sample_sheet(samples, load_feedforward(weights), recipe.name), overwrite=True)
    print(f"wrote {weights} and its card; samples: {sheet}")


def run_stage(
    recipe: Recipe,
    index: int,
    data: Path,
    encoder: VggEncoder,
    checkpoint_dir: Path,
    initial: BlurPoolNet | None,
) -> Trainer[BlurPoolNet]:
    """Train one stage; one that is done is only read from its checkpoint."""
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    photos = content_photos(data, on_all=index >= len(recipe.stages) - recipe.num_broadened)
    checkpoint = checkpoint_dir / f"{recipe.name}.{index + 1}.checkpoint"
    settings = recipe.stages[index]
    crops = ContentCrops(photos, settings.crop_px)
    objective = FeedforwardObjective(style_picture(recipe, data), crops, encoder, settings, initial)
    trainer = Trainer(objective, settings, checkpoint)
    train(trainer, f"{recipe.name} {index + 1}/{len(recipe.stages)}")
    return trainer


def content_photos(data: Path, *, on_all: bool) -> list[Path]:
    """What a stage learns to paint: openly licensed pictures, and in later stages those for research, too."""
    return stills(data / CONTENT) + (research_pictures(data) if on_all else [])


def style_picture(recipe: Recipe, data: Path) -> Tensor:
    if recipe.picture in PAINTED_STYLES:
        return PAINTED_STYLES[recipe.picture](*PAINTED_SIZE_PX).float() / 255
    return read_style_image(data / "paintings" / recipe.picture, PAINTING_SIDE_PX)


def train(trainer: Trainer[Any], name: str) -> None:
    with tqdm(total=trainer.schedule.steps, initial=trainer.step, desc=name, unit="step") as bar:

        def on_step(report: StepReport) -> None:
            bar.set_postfix_str(
                f"content {report.losses['content']:.2f}, style {report.losses['style']:.2f}", refresh=False
            )
            bar.update(report.step - bar.n)

        trainer.run(on_step)


def build_any_style(data: Path, checkpoint_dir: Path, *, from_shipped: bool = False) -> None:
    """Train the arbitrary-style model, student encoder and decoder, or only the stages that the shipped one lacks."""
    paintings = read_paintings(data / "paintings", leave_out=EXCLUDED_PAINTINGS)
    styles = [*paintings, *painted_pictures(PAINTED_SIZE_PX[0])]
    before = Trained.shipped(len(ANY_STYLE_STAGES), ANY_STYLE) if from_shipped else Trained()
    net = load_adain(ANY_STYLE) if from_shipped else None
    # Not a full run's own last stage, which goes on from other weights.
    kept = checkpoint_dir / "from-shipped" if from_shipped else checkpoint_dir
    kept.mkdir(parents=True, exist_ok=True)
    trainers: list[Trainer[AdaInNet]] = []
    for index, stage in list(enumerate(ANY_STYLE_STAGES))[len(before.stages) :]:
        settings, name, num_averaged = stage.settings, stage.decoder_from, stage.starts_from_mean_of
        if net is not None and num_averaged:
            if from_shipped:
                sys.exit("train_builtin: a mean is of stages before, which do not ship; leave out --from-shipped.")
            net.load_state_dict(mean_further_on(*(each.averaged_net for each in trainers[-num_averaged - 1 :])))
        photos = content_photos(data, on_all=index >= len(ANY_STYLE_STAGES) - ANY_STYLE_NUM_BROADENED)
        objective = AdaInObjective(
            ContentCrops(photos, settings.crop_px),
            StyleCrops(styles, settings.crop_px, settings.style_size_px),
            load_encoder(data / ENCODER),
            settings,
            start_from=net,
            decoder_from=load_feedforward(WEIGHTS / f"{name}.safetensors").net if name else None,
        )
        trainers.append(Trainer(objective, settings, kept / f"{ANY_STYLE.stem}.{index + 1}.checkpoint"))
        train(trainers[-1], f"{ANY_STYLE.stem} {index + 1}/{len(ANY_STYLE_STAGES)}")
        trained = trainers[-1].averaged_net
        if net is not None and stage.share_of_before:
            trained.load_state_dict(mixture(trained.state_dict(), net.state_dict(), stage.share_of_before))
        net = trained
    save_adain(ANY_STYLE, trainers[-1].averaged_net, StyleCard(ANY_STYLE.stem, ANY_STYLE_TITLE))
    card = {
        "title": ANY_STYLE_TITLE,
        "name": ANY_STYLE.stem,
        "architecture": "adain",
        "style_source": f"{len(paintings)} paintings by artists who died before 1955, and the pictures of "
        "vidstyle.evaluation.painted",
        "style_licence": f"paintings: {PUBLIC_DOMAIN}; pictures: {OWN}",
        "starts_from": ", ".join(
            f"{stage.decoder_from}, the decoder" for stage in ANY_STYLE_STAGES if stage.decoder_from
        ),
        "averaged_stages": [
            f"{index - stage.starts_from_mean_of + 1} to {index}"
            for index, stage in enumerate(ANY_STYLE_STAGES)
            if stage.starts_from_mean_of
        ],
        "further_on": FURTHER_ON,
        "share_of_stage_before": [
            f"{stage.share_of_before} in {index + 1}"
            for index, stage in enumerate(ANY_STYLE_STAGES)
            if stage.share_of_before
        ],
        **training_card(before.and_then(trainers), trainers[-1], ANY_STYLE),
        **all_content(ANY_STYLE_NUM_BROADENED),
    }
    ANY_STYLE.with_suffix(".toml").write_text(to_toml(card), encoding="utf-8")
    print(f"wrote {ANY_STYLE} and its card")


def model_card(recipe: Recipe, trained: Trained, last: Trainer[BlurPoolNet], weights: Path) -> dict[str, Any]:
    card = {
        "title": recipe.title,
        "name": recipe.name,
        "architecture": "blurpool",
        "style_source": recipe.source,
        "style_licence": recipe.licence,
        "starts_from": recipe.starts_from and f"{recipe.starts_from}, stage 1",
        **training_card(trained, last, weights),
    }
    return {**card, **all_content(recipe.num_broadened)} if recipe.num_broadened else card


def all_content(num_broadened: int) -> dict[str, str]:
    """What cards say of networks whose last stages saw photos for research, too."""
    stages = "stage" if num_broadened == 1 else f"{num_broadened} stages"
    research = "376 photographs of ImageNet samples and BSDS500"
    return {
        "content_source": f"{CONTENT_SOURCE}; in the last {stages} also {research}",
        "content_licence": f"{CONTENT_LICENCE}; ImageNet samples and BSDS500: non-commercial research",
    }


def mean_further_on(before: nn.Module, *nets: nn.Module) -> dict[str, Tensor]:
    states = [net.state_dict() for net in nets]
    means = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    return mixture(before.state_dict(), means, 1 + FURTHER_ON)


def mixture(tensors: dict[str, Tensor], others: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    return {name: torch.lerp(value, others[name], share) for name, value in tensors.items()}


def training_card(trained: Trained, last: Trainer[Any], weights: Path) -> dict[str, Any]:
    """What all cards say."""
    final = last.measure(num_batches=16)
    return {
        "num_parameters": sum(parameter.numel() for parameter in last.net.parameters()),
        "licence": "MIT",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "content_source": CONTENT_SOURCE,
        "content_licence": CONTENT_LICENCE,
        "encoder": "VGG-19 to conv5_1, pruned 16 times (Collaborative Distillation, Wang et al. 2020)",
        "encoder_licence": "MIT, (c) 2020 Huan Wang",
        "steps": trained.steps,
        "seconds": round(trained.seconds),
        "device": last.schedule.device,
        "final_losses": {name: round(value, 5) for name, value in final.losses.items()},
        "stages": {str(index + 1): stage for index, stage in enumerate(trained.stages)},
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
