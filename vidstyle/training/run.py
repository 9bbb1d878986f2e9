"""A whole training run: from a painting and a folder of photos to a style file and a sheet of samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.errors import CheckpointMismatchError, ConfigError
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import claim_output, read_style_image, write_still
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.encoders import find_encoder
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.settings import FeedforwardSettings
from vidstyle.training.trainer import StepReport, Trainer
from vidstyle.weights.registry import find_style

#: Longest side a painting is read at, before it is brought to ``style_size_px``.
PAINTING_SIDE_PX = 1600
_NUM_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run is about to do.

    Attributes:
        num_pictures: content pictures in use.
        step: steps done already; above 0 where a run goes on.
        checkpoint: where the run's state is kept until it is done.
    """

    num_pictures: int
    step: int
    checkpoint: Path


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a run made.

    Attributes:
        style: the style file.
        sheet: picture with content pictures as they were and painted.
        final: where the run ended, with the losses of the saved network.
    """

    style: Path
    sheet: Path
    final: StepReport


def train_feedforward(
    style: str | Path,
    content: str | Path,
    output: str | Path,
    *,
    settings: FeedforwardSettings | None = None,
    encoder: str | Path | None = None,
    start_from: str | Path | None = None,
    name: str | None = None,
    title: str = "",
    allow_download: bool = False,
    overwrite: bool = False,
    on_plan: Callable[[TrainingPlan], None] | None = None,
    on_step: Callable[[StepReport], None] | None = None,
) -> TrainingReport:
    """Train a feedforward style; a run that was cut short goes on from ``OUTPUT.checkpoint``.

    Args:
        style: the painting.
        content: folder of photos, searched recursively.
        output: style file to write, ``.safetensors``; the samples go to ``OUTPUT.png`` beside it.
        settings: see ``FeedforwardSettings``.
        encoder: a VGG file, ``vgg19`` (the default) or ``vgg16``.
        start_from: a shipped style or a style file to go on from: strokes of the new painting show much sooner.
        name: what the style is called; the output's stem by default.
        title: one line about it.
        allow_download: fetch the encoder's weights where they are not on this machine.
        overwrite: replace an existing output.
        on_plan: told what will happen, before the first step.
        on_step: told after every step.

    Returns:
        What was made.

    Raises:
        ConfigError: a setting or the content folder cannot be used.
        MediaError: a picture cannot be read, or the output cannot be written.
        ModelError: the encoder or the checkpoint cannot be used.
        DeviceError: the device ran out of memory.
    """
    style, output = Path(style), Path(output)
    settings = settings or FeedforwardSettings()
    if output.suffix != ".safetensors":
        raise ConfigError(f"{output} is not named as a style file; end its name in .safetensors.")
    sheet, checkpoint = (output.with_name(output.name + suffix) for suffix in (".png", ".checkpoint"))
    for path in (output, sheet):
        claim_output(path, source=style, overwrite=overwrite)

    painting = read_style_image(style, PAINTING_SIDE_PX)
    crops = ContentCrops(Path(content), settings.crop_px)
    initial = None if start_from is None else _trained_net(start_from)
    judge = find_encoder(encoder, allow_download)
    trainer = Trainer(FeedforwardObjective(painting, crops, judge, settings, initial), settings, checkpoint)
    if on_plan is not None:
        on_plan(TrainingPlan(len(crops), trainer.step, checkpoint))
    trainer.run(on_step)

    card = StyleCard(name or output.stem, title, style.name)
    save_feedforward(output, trainer.averaged_net, card)
    pictures = crops.samples(_NUM_SAMPLES)
    write_still(sheet, sample_sheet(pictures, load_feedforward(output), card.name), overwrite=overwrite)
    final = trainer.measure()
    checkpoint.unlink(missing_ok=True)
    return TrainingReport(output, sheet, final)


def _trained_net(style: str | Path) -> BlurPoolNet:
    path = Path(style)
    net = load_feedforward(path if path.suffix else find_style(str(style)).path).net
    if not isinstance(net, BlurPoolNet):
        raise CheckpointMismatchError(f"{style} is a network of another kind; start from one that vidstyle trained.")
    return net


def sample_sheet(pictures: list[Tensor], stylizer: Stylizer, label: str) -> Tensor:
    """Pictures as they were above the same painted.

    Args:
        pictures: (3, H, W) uint8 RGB each.
        stylizer: on the CPU, in float32.
        label: name of the style.

    Returns:
        (3, H, W) uint8 RGB.
    """
    painted = [stylizer(picture[None].float() / 255)[0].mul(255).round().to(torch.uint8) for picture in pictures]
    return contact_sheet([pictures, painted], ("original", label))
