"""A whole training run: from a painting and a folder of photos to a style file and a sheet of samples."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.errors import CheckpointMismatchError
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import claim_output, read_style_image, write_still
from vidstyle.part_file import reserved
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.checkpoint import FeedforwardStylizer, StyleCard, load_feedforward, packed_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.checkpoints import write_errors
from vidstyle.training.clips import ClipPairs
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.encoders import EncoderChoice, choose_encoder
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.losses import STYLE_LAYERS
from vidstyle.training.plots import loss_plot
from vidstyle.training.settings import FeedforwardSettings
from vidstyle.training.trainer import StepReport, Trainer, TrainingPlan
from vidstyle.weights.files import check_name
from vidstyle.weights.registry import find_style

#: Longest side a painting is read at, before it is brought to ``style_size_px``.
PAINTING_SIDE_PX = 1600
_NUM_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What a run made.

    Attributes:
        style: the style file.
        sheet: picture with content pictures as they were and painted.
        final: where the run ended, with the losses of the saved network.
        plot: picture of the losses over the steps; None where none was made.
    """

    style: Path
    sheet: Path
    final: StepReport
    plot: Path | None = None


def train_feedforward(
    style: str | Path,
    content: str | Path,
    output: str | Path,
    *,
    settings: FeedforwardSettings | None = None,
    encoder: str | Path | None = None,
    start_from: str | Path | None = None,
    clips: Sequence[str | Path] = (),
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
        output: style file to write, ``.safetensors``; samples and losses go to ``OUTPUT.png`` and
            ``OUTPUT.losses.png`` beside it, every ``sample_every`` steps and at the end.
        settings: see ``FeedforwardSettings``.
        encoder: see ``vidstyle.training.encoders.choose_encoder``.
        start_from: a shipped style or a style file to go on from: strokes of the new painting show much sooner.
        clips: clips, or folders of clips, whose motion is trained on besides made-up motion.
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
    check_name(output)
    sheet, plot, checkpoint = (
        output.with_name(output.name + suffix) for suffix in (".png", ".losses.png", ".checkpoint")
    )
    with reserved(output, source=style, overwrite=overwrite) as write:
        for path in (sheet, plot):
            # A run that was cut short left them.
            claim_output(path, source=style, overwrite=overwrite or checkpoint.is_file())

        painting = read_style_image(style, PAINTING_SIDE_PX)
        crops = ContentCrops(Path(content), settings.crop_px, num_held_out=_NUM_SAMPLES)
        initial = None if start_from is None else _trained_net(start_from)
        judge = choose_encoder(encoder, allow_download)
        pairs = ClipPairs([Path(clip) for clip in clips], settings.crop_px) if clips else None
        objective = FeedforwardObjective(painting, crops, judge.encoder, settings, initial, clips=pairs)
        trainer = Trainer(objective, settings, checkpoint)
        if on_plan is not None:
            on_plan(TrainingPlan(_plan(crops, pairs, judge), trainer.step, checkpoint))
        card = StyleCard(name or output.stem, title, style.name)
        pictures = crops.samples(_NUM_SAMPLES)

        def show() -> None:
            stylizer = FeedforwardStylizer(card.name, copy.deepcopy(trainer.averaged_net).cpu().float())
            write_still(sheet, sample_sheet(pictures, stylizer, card.name), overwrite=True)
            write_still(plot, loss_plot(trainer.history, card.name), overwrite=True)

        def after_step(report: StepReport) -> None:
            if settings.sample_every and report.step % settings.sample_every == 0 and report.progress < 1.0:
                if not checkpoint.is_file():
                    trainer.save()  # which makes the pictures beside it those of a run that may go on
                show()
            if on_step is not None:
                on_step(report)

        trainer.run(after_step)
        show()
        final = trainer.measure()
        # Last: up to here a run that is interrupted goes on from its checkpoint.
        with write_errors(output):
            write(packed_feedforward(trainer.averaged_net, card))
    checkpoint.unlink(missing_ok=True)
    return TrainingReport(output, sheet, final, plot)


def _plan(crops: ContentCrops, pairs: ClipPairs | None, judge: EncoderChoice) -> tuple[str, ...]:
    encoder = judge.encoder
    held_out = f", {crops.num_held_out} more held out for the samples" if crops.num_held_out else ""
    lines = [f"painting on {len(crops)} pictures{held_out}"]
    if pairs is not None:
        lines.append(f"real motion: {len(pairs)} pairs of frames from {', '.join(pairs.names)}")
    lines.append(f"judged by {judge.reason}")
    lines.append(f"  style at {', '.join(encoder.style_layers)}; content at {', '.join(encoder.content_layers)}")
    if len(encoder.style_layers) < len(STYLE_LAYERS):
        lines.append("  an encoder with deeper layers would learn larger strokes")
    return tuple(lines)


def _trained_net(style: str | Path) -> BlurPoolNet:
    path = Path(style)
    net = load_feedforward(path if path.suffix else find_style(str(style), besides=()).path).net
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
