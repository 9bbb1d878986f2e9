"""Train the networks that ship with vidstyle, and write their weights and model cards into the package.

Pictures and encoder come from the folder that VIDSTYLE_TEST_DATA names. A run that is stopped goes on from its
checkpoint when it is started again.

    python scripts/train_builtin.py                                   # all of them
    python scripts/train_builtin.py --only mosaic --threads 1
    python scripts/train_builtin.py --only mosaic --from-shipped      # a stage that was added, on from what ships
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
from vidstyle.training.adain_settings import AdaInLossWeights, AdaInSettings
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.run import PAINTING_SIDE_PX, sample_sheet
from vidstyle.training.run_adain import read_paintings
from vidstyle.training.settings import FeedforwardSettings, LossWeights
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

PUBLIC_DOMAIN = "public domain"
OWN = "made by this project's own program, CC0"


FIRST = FeedforwardSettings(weights=LossWeights(lattice=0.0))
#: A style that goes on from a trained one shows its own strokes in about half of the steps.
WARM = FeedforwardSettings(steps=1200, weights=LossWeights(temporal=15.0, lattice=0.0))
#: Takes away the pattern that the stages before leave on gradients.
FINISH = FeedforwardSettings(steps=240, learning_rate=8e-4, weights=LossWeights(temporal=20.0))
#: The last: the same once more, on photos for research, too.
BROADEN = FINISH


@dataclass(frozen=True)
class Recipe:
    """One shipped style.

    ``picture`` is a file under ``paintings/``, or a painter of ``vidstyle.evaluation.painted``. Each stage goes on from
    the network of the one before; the first from that of ``starts_from``'s first stage, or from scratch. The last is on
    all photos where ``is_broadened``, because a network trained on open ones alone does worse on others
    (scripts/compare_content.py: mosaic by 12 %).
    """

    name: str
    title: str
    picture: str
    source: str
    licence: str
    stages: tuple[FeedforwardSettings, ...] = (FIRST, FINISH, BROADEN)
    starts_from: str | None = None
    is_broadened: bool = True


RECIPES = [
    Recipe(
        "starry-night",
        "Swirling blue and yellow strokes, after Vincent van Gogh's The Starry Night",
        "starry_night.jpg",
        "Vincent van Gogh, The Starry Night, 1889",
        PUBLIC_DOMAIN,
        (
            FIRST,
            FeedforwardSettings(steps=450, learning_rate=8e-4, weights=LossWeights(temporal=40.0, lattice=0.0)),
            FINISH,
            BROADEN,
        ),
    ),
    Recipe(
        "mosaic",
        "Small glazed tiles with grout between them",
        "mosaic",
        "mosaic, painted by vidstyle.evaluation.painted",
        OWN,
    ),
    Recipe(
        "oil-strokes",
        "Thick oil paint in warm and cool strokes that follow the forms",
        "oil_strokes",
        "oil_strokes, painted by vidstyle.evaluation.painted",
        OWN,
        (replace(WARM, steps=1500), FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "great-wave",
        "Prussian blue and cream with crisp outlines, after Hokusai's The Great Wave off Kanagawa",
        "great_wave.jpg",
        "Katsushika Hokusai, The Great Wave off Kanagawa, about 1831",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "stained-glass",
        "Glowing panes of coloured glass held by dark lead",
        "stained_glass",
        "stained_glass, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "the-scream",
        "Long flowing bands of orange, blue and brown, after Edvard Munch's The Scream",
        "the_scream.jpg",
        "Edvard Munch, The Scream, 1893",
        PUBLIC_DOMAIN,
        # Follows shifts well enough to need less of what takes strokes away.
        (WARM, replace(FINISH, steps=720, weights=LossWeights(temporal=3.6))),
        starts_from="starry-night",
        # On all photos, 240 steps more, its patches went from 1.07 to 1.26 times as far from the painting's as without
        # temporal loss (scripts/measure_stability.py); to 1.22 in 360 steps with a temporal weight of 3.6 still, and to
        # 1.27 in 400 with weights of 6 and of 8 for the style.
        is_broadened=False,
    ),
    Recipe(
        "ink-hatching",
        "Fine pen hatching over grey and sienna washes",
        "ink_hatching",
        "ink_hatching, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "composition-vii",
        "Sweeping colour shapes and black lines, after Wassily Kandinsky's Composition VII",
        "composition_vii.jpg",
        "Wassily Kandinsky, Composition VII, 1913",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "watercolour",
        "Soft blooms of pigment on paper",
        "watercolour",
        "watercolour, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "udnie",
        "Cool grey facets with black, orange and green, after Francis Picabia's Udnie",
        "udnie.jpg",
        "Francis Picabia, Udnie (Young American Girl, The Dance), 1913",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "pointillism",
        "Dots of pure colour that mix in the eye",
        "pointillism",
        "pointillism, painted by vidstyle.evaluation.painted",
        OWN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
    Recipe(
        "water-lilies",
        "Violet, green and rose dabs of oil, after Claude Monet's Water Lilies",
        "water_lilies.jpg",
        "Claude Monet, Water Lilies, 1916-1919",
        PUBLIC_DOMAIN,
        (WARM, FINISH, BROADEN),
        starts_from="starry-night",
    ),
]


@dataclass(frozen=True)
class Trained:
    """Stages that are done: what a card says of them."""

    steps: int = 0
    seconds: float = 0.0
    stages: tuple[dict[str, Any], ...] = ()

    @classmethod
    def shipped(cls, num_stages: int, weights: Path) -> Trained:
        """Those of the weights that ship; ends the program unless all but the last of ``num_stages`` are done."""
        card = tomllib.loads(weights.with_suffix(".toml").read_text(encoding="utf-8"))
        stages = tuple(card["stages"].values())
        if len(stages) != num_stages - 1:
            sys.exit(
                f"train_builtin: {weights.name} has {len(stages)} of {num_stages} stages behind it; "
                "--from-shipped trains the last alone."
            )
        return cls(card["steps"], card["seconds"], stages)

    def and_then(self, trainers: Sequence[Trainer[Any]]) -> Trained:
        return Trained(
            self.steps + sum(trainer.step for trainer in trainers),
            self.seconds + sum(trainer.seconds for trainer in trainers),
            (*self.stages, *(asdict(trainer.schedule) for trainer in trainers)),
        )


#: Styles whose networks are trained once more without temporal loss, to measure what it is good for.
WITHOUT_TEMPORAL_LOSS = ("stained-glass", "the-scream", "great-wave", "watercolour", "mosaic")


@dataclass(frozen=True)
class AnyStyleStage:
    """One stage of the arbitrary-style model; it goes on from the one before.

    Attributes:
        settings: of the training.
        decoder_from: shipped style that the decoder begins as.
        starts_from_mean_of: begins as the mean of so many stages' weights before it, each of which ended its cosine
            elsewhere in one valley (Izmailov et al. 2018, sec. 3.2), and ``FURTHER_ON`` from what was before them.
        on_all_photos: those for research, too.
    """

    settings: AdaInSettings
    decoder_from: str | None = None
    starts_from_mean_of: int = 0
    on_all_photos: bool = False


#: Most of the style loss on the output at full size, and less asked of steadiness.
FINE_STROKES = AdaInSettings(
    steps=1600,
    learning_rate=1e-3,
    halved_share=0.15,
    weights=AdaInLossWeights(content=1.35, style=30.0, temporal=0.7, lattice=80.0, distillation=0.0),
)


def large_crops(steps: int, content_weight: float, learning_rate: float = 1.2e-3, seed: int = 0) -> AdaInSettings:
    """Fine strokes in larger crops, whose statistics are nearer to those of whole pictures."""
    return replace(
        FINE_STROKES,
        steps=steps,
        learning_rate=learning_rate,
        batch_size=3,
        crop_px=256,
        halved_share=0.0,
        seed=seed,
        weights=replace(FINE_STROKES.weights, content=content_weight),
    )


#: The student alone; the decoder; the decoder with more weight on the style, and on all photos, as the styles; the
#: decoder, three times, with less asked of steadiness and more of fine strokes, which were a fifth of a deviation too
#: faint; the same, three times, in larger crops; slowly on from the mean of these three.
ANY_STYLE_STAGES = (
    AnyStyleStage(
        AdaInSettings(
            steps=3000,
            crop_px=224,
            weights=AdaInLossWeights(content=0.0, style=0.0, total_variation=0.0, temporal=0.0, lattice=0.0),
        )
    ),
    AnyStyleStage(AdaInSettings(steps=1900, weights=AdaInLossWeights(distillation=0.0)), decoder_from="starry-night"),
    AnyStyleStage(
        AdaInSettings(steps=3000, weights=AdaInLossWeights(style=30.0, lattice=80.0, distillation=0.0)),
        on_all_photos=True,
    ),
    AnyStyleStage(
        AdaInSettings(
            steps=2600,
            learning_rate=1.5e-3,
            halved_share=0.25,
            weights=AdaInLossWeights(content=1.2, style=30.0, temporal=1.5, lattice=80.0, distillation=0.0),
        ),
        on_all_photos=True,
    ),
    AnyStyleStage(FINE_STROKES, on_all_photos=True),
    AnyStyleStage(replace(FINE_STROKES, steps=3600, learning_rate=1.5e-3), on_all_photos=True),
    AnyStyleStage(large_crops(steps=3600, content_weight=1.4), on_all_photos=True),
    AnyStyleStage(large_crops(steps=2400, content_weight=1.38, seed=1), on_all_photos=True),
    AnyStyleStage(large_crops(steps=450, content_weight=1.24, seed=2), on_all_photos=True),
    AnyStyleStage(
        large_crops(steps=700, content_weight=1.2, learning_rate=6e-4, seed=3),
        starts_from_mean_of=3,
        on_all_photos=True,
    ),
)
#: Share of the way from the weights before some stages to the mean of theirs by which what is kept goes beyond it.
FURTHER_ON = 0.15
ANY_STYLE_TITLE = "Any picture as style, by adaptive instance normalisation"


def main() -> None:
    arguments = parse_arguments()
    data = Path(os.environ.get("VIDSTYLE_TEST_DATA") or sys.exit("train_builtin: set VIDSTYLE_TEST_DATA"))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        for recipe in RECIPES:
            if arguments.only in (None, recipe.name):
                build(recipe, data, arguments.checkpoint_dir, from_shipped=arguments.from_shipped)
            if recipe.name in WITHOUT_TEMPORAL_LOSS and arguments.only in (None, without_temporal_loss(recipe).name):
                build(without_temporal_loss(recipe), data, arguments.checkpoint_dir, folder=BENCHMARKS)
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
        help="train the stage that was added to a recipe, on from the weights that ship",
    )
    arguments = parser.parse_args()
    if arguments.from_shipped and arguments.only in (None, *bare):
        parser.error("--from-shipped goes with --only and the name of what ships")
    return arguments


def without_temporal_loss(recipe: Recipe) -> Recipe:
    """The first stage of the recipe with nothing that asks for steadiness."""
    first = recipe.stages[0]
    bare = replace(first, weights=replace(first.weights, temporal=0.0, lattice=0.0))
    return replace(recipe, name=f"{recipe.name}-without-temporal-loss", stages=(bare,), is_broadened=False)


def build(
    recipe: Recipe, data: Path, checkpoint_dir: Path, folder: Path = WEIGHTS, *, from_shipped: bool = False
) -> None:
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
    is_last = index + 1 == len(recipe.stages)
    photos = stills(data / CONTENT) + (research_pictures(data) if recipe.is_broadened and is_last else [])
    checkpoint = checkpoint_dir / f"{recipe.name}.{index + 1}.checkpoint"
    settings = recipe.stages[index]
    crops = ContentCrops(photos, settings.crop_px)
    objective = FeedforwardObjective(style_picture(recipe, data), crops, encoder, settings, initial)
    trainer = Trainer(objective, settings, checkpoint)
    train(trainer, f"{recipe.name} {index + 1}/{len(recipe.stages)}")
    return trainer


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
    """Train the arbitrary-style model: student encoder and decoder."""
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
        photos = stills(data / CONTENT) + (research_pictures(data) if stage.on_all_photos else [])
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
        net = trainers[-1].averaged_net
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
        **training_card(before.and_then(trainers), trainers[-1], ANY_STYLE),
        **all_content("the last eight stages"),
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
    return {**card, **all_content("the last stage")} if recipe.is_broadened else card


def all_content(where: str) -> dict[str, str]:
    """What cards say of networks that saw photos for research, too."""
    return {
        "content_source": f"{CONTENT_SOURCE}; in {where} also 376 photographs of ImageNet samples and BSDS500",
        "content_licence": f"{CONTENT_LICENCE}; ImageNet samples and BSDS500: non-commercial research",
    }


def mean_further_on(before: nn.Module, *nets: nn.Module) -> dict[str, Tensor]:
    states = [net.state_dict() for net in nets]
    means = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    return {name: torch.lerp(value, means[name], 1 + FURTHER_ON) for name, value in before.state_dict().items()}


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
