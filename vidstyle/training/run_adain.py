"""A whole run of ``train adain``: from photos and paintings to a model file and a sheet of samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import claim_output, is_still, read_style_image, write_still
from vidstyle.stylizers.adain import AdaInStylizer, load_adain, save_adain
from vidstyle.stylizers.checkpoint import StyleCard
from vidstyle.training.adain import AdaInObjective
from vidstyle.training.adain_settings import AdaInSettings
from vidstyle.training.checkpoints import write_errors
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.encoders import find_vgg
from vidstyle.training.run import PAINTING_SIDE_PX, TrainingReport
from vidstyle.training.style_crops import StyleCrops
from vidstyle.training.trainer import StepReport, Trainer, TrainingPlan

_NUM_SAMPLES = 3


def train_adain(
    content: str | Path,
    styles: str | Path,
    output: str | Path,
    *,
    settings: AdaInSettings | None = None,
    more_styles: Sequence[Tensor] = (),
    encoder: str | Path | None = None,
    name: str | None = None,
    title: str = "",
    allow_download: bool = False,
    overwrite: bool = False,
    on_plan: Callable[[TrainingPlan], None] | None = None,
    on_step: Callable[[StepReport], None] | None = None,
) -> TrainingReport:
    """Train an arbitrary-style model; a run that was cut short goes on from ``OUTPUT.checkpoint``.

    Args:
        content: folder of photos, searched recursively.
        styles: folder of paintings, searched recursively.
        output: model file to write, ``.safetensors``; the samples go to ``OUTPUT.png`` beside it.
        settings: see ``AdaInSettings``.
        more_styles: further style pictures, (3, H, W) float RGB in [0, 1] each.
        encoder: what judges and is learnt from; a VGG that reaches conv51.
        name: what the model is called; the output's stem by default.
        title: one line about it.
        allow_download: fetch the encoder's weights where they are not on this machine.
        overwrite: replace an existing output.
        on_plan: told what will happen, before the first step.
        on_step: told after every step.

    Returns:
        What was made.

    Raises:
        ConfigError: a setting or a folder cannot be used.
        MediaError: a picture cannot be read, or the output cannot be written.
        ModelError: the encoder or the checkpoint cannot be used.
        DeviceError: the device ran out of memory.
    """
    styles, output = Path(styles), Path(output)
    settings = settings or AdaInSettings()
    if output.suffix != ".safetensors":
        raise ConfigError(f"{output} is not named as a model file; end its name in .safetensors.")
    sheet, checkpoint = (output.with_name(output.name + suffix) for suffix in (".png", ".checkpoint"))
    for path in (output, sheet):
        claim_output(path, source=styles, overwrite=overwrite)

    paintings = [*read_paintings(styles), *more_styles]
    crops = ContentCrops(Path(content), settings.crop_px)
    teacher = find_vgg(encoder, allow_download)
    objective = AdaInObjective(
        crops, StyleCrops(paintings, settings.crop_px, settings.style_size_px), teacher, settings
    )
    trainer = Trainer(objective, settings, checkpoint)
    if on_plan is not None:
        lines = (f"learning from {len(paintings)} style pictures and {len(crops)} photos",)
        on_plan(TrainingPlan(lines, trainer.step, checkpoint))
    trainer.run(on_step)

    with write_errors(output):
        save_adain(output, trainer.averaged_net, StyleCard(name or output.stem, title))
    write_still(sheet, sample_sheet(crops.samples(_NUM_SAMPLES), paintings[:_NUM_SAMPLES], output), overwrite=overwrite)
    final = trainer.measure()
    checkpoint.unlink(missing_ok=True)
    return TrainingReport(output, sheet, final)


def read_paintings(folder: Path, leave_out: Sequence[str] = ()) -> list[Tensor]:
    """Every picture under ``folder`` but those whose stem is in ``leave_out``: (3, H, W) float RGB in [0, 1] each.

    Raises:
        ConfigError: there is no such folder, or no picture in it.
        MediaError: a picture cannot be read.
    """
    found = sorted(path for path in folder.rglob("*") if path.is_file() and is_still(path))
    found = [path for path in found if path.stem not in leave_out]
    if not found:
        raise ConfigError(f"There is no picture in {folder}; name a folder with paintings.")
    return [read_style_image(path, PAINTING_SIDE_PX) for path in found]


def sample_sheet(photos: Sequence[Tensor], styles: Sequence[Tensor], model: Path) -> Tensor:
    """Photos above the same in each style: (3, H, W) uint8 RGB."""
    net = load_adain(model)
    rows = [list(photos)]
    for number, style in enumerate(styles, start=1):
        stylizer = AdaInStylizer(f"style {number}", net, style)
        painted = [stylizer(photo[None].float() / 255)[0] for photo in photos]
        rows.append([picture.mul(255).round().to(torch.uint8) for picture in painted])
    return contact_sheet(rows, ("original", *(f"style {number + 1}" for number in range(len(styles)))))
