"""A whole run of ``train adain``: from photos and paintings to a model file and a sheet of samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import claim_output, read_style_image, write_still
from vidstyle.part_file import reserved
from vidstyle.stylizers.adain import AdaInNet, AdaInStylizer, packed_adain
from vidstyle.stylizers.checkpoint import StyleCard
from vidstyle.training.adain import AdaInObjective
from vidstyle.training.adain_settings import AdaInSettings
from vidstyle.training.checkpoints import write_errors
from vidstyle.training.dataset import ContentCrops, pictures_in
from vidstyle.training.encoders import choose_encoder, vgg_of
from vidstyle.training.run import PAINTING_SIDE_PX, TrainingReport
from vidstyle.training.style_crops import StyleCrops
from vidstyle.training.trainer import StepReport, Trainer, TrainingPlan
from vidstyle.weights.files import check_name

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
    check_name(output)
    sheet, checkpoint = (output.with_name(output.name + suffix) for suffix in (".png", ".checkpoint"))
    with reserved(output, source=styles, overwrite=overwrite) as write:
        # A run that was cut short may have left the samples.
        claim_output(sheet, source=styles, overwrite=overwrite or checkpoint.is_file())

        paintings = [*read_paintings(styles), *more_styles]
        crops = ContentCrops(Path(content), settings.crop_px)
        judge = choose_encoder(encoder, allow_download)
        objective = AdaInObjective(
            crops, StyleCrops(paintings, settings.crop_px, settings.style_size_px), vgg_of(judge), settings
        )
        trainer = Trainer(objective, settings, checkpoint)
        if on_plan is not None:
            learnt = f"learning from {len(paintings)} style pictures and {len(crops)} photos"
            on_plan(TrainingPlan((learnt, f"judged by {judge.reason}"), trainer.step, checkpoint))
        trainer.run(on_step)

        net = copy.deepcopy(trainer.averaged_net).cpu().float()
        samples = sample_sheet(crops.samples(_NUM_SAMPLES), paintings[:_NUM_SAMPLES], net)
        write_still(sheet, samples, overwrite=True)
        final = trainer.measure()
        # Last: up to here a run that is interrupted goes on from its checkpoint.
        with write_errors(output):
            write(packed_adain(net, StyleCard(name or output.stem, title)))
    checkpoint.unlink(missing_ok=True)
    return TrainingReport(output, sheet, final)


def read_paintings(folder: Path, leave_out: Sequence[str] = ()) -> list[Tensor]:
    """Every picture under ``folder`` but those whose stem is in ``leave_out``: (3, H, W) float RGB in [0, 1] each.

    Raises:
        ConfigError: there is no such folder, or no picture in it.
        MediaError: a picture cannot be read.
    """
    found = [path for path in pictures_in(folder) if path.stem not in leave_out]
    if not found:
        raise ConfigError(f"There is no picture in {folder}; name a folder with paintings.")
    return [read_style_image(path, PAINTING_SIDE_PX) for path in found]


def sample_sheet(photos: Sequence[Tensor], styles: Sequence[Tensor], net: AdaInNet) -> Tensor:
    """Photos above the same in each style: (3, H, W) uint8 RGB."""
    rows = [list(photos)]
    for number, style in enumerate(styles, start=1):
        stylizer = AdaInStylizer(f"style {number}", net, style)
        painted = [stylizer(photo[None].float() / 255)[0] for photo in photos]
        rows.append([picture.mul(255).round().to(torch.uint8) for picture in painted])
    return contact_sheet(rows, ("original", *(f"style {number + 1}" for number in range(len(styles)))))
