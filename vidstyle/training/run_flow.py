"""A whole training run of a flow network: from a folder of photos to a file that ``--flow raft`` loads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from vidstyle.flow.raft_weights import load_raft
from vidstyle.part_file import reserved
from vidstyle.training.checkpoints import write_errors
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.flow import FlowObjective
from vidstyle.training.flow_pairs import crop_side
from vidstyle.training.flow_settings import FlowSettings
from vidstyle.training.trainer import StepReport, Trainer, TrainingPlan
from vidstyle.weights.files import check_name, packed


@dataclass(frozen=True, slots=True)
class FlowReport:
    """What a run made.

    Attributes:
        weights: the weight file.
        final: where the run ended, with the losses of the saved network on pairs of their own.
    """

    weights: Path
    final: StepReport


def train_flow(
    content: str | Path,
    output: str | Path,
    *,
    settings: FlowSettings | None = None,
    start_from: str | Path | None = None,
    overwrite: bool = False,
    on_plan: Callable[[TrainingPlan], None] | None = None,
    on_step: Callable[[StepReport], None] | None = None,
) -> FlowReport:
    """Train RAFT-small; a run that was cut short goes on from ``OUTPUT.checkpoint``.

    Args:
        content: folder of photos, searched recursively.
        output: weight file to write, ``.safetensors``.
        settings: see ``FlowSettings``.
        start_from: a RAFT-small weight file to go on from.
        overwrite: replace an existing output.
        on_plan: told what will happen, before the first step.
        on_step: told after every step.

    Returns:
        What was made.

    Raises:
        ConfigError: a setting or the content folder cannot be used.
        MediaError: a picture cannot be read, or the output cannot be written.
        ModelError: the weights to start from or the checkpoint cannot be used.
        DeviceError: the device ran out of memory.
    """
    output = Path(output)
    settings = settings or FlowSettings()
    check_name(output)
    checkpoint = output.with_name(output.name + ".checkpoint")
    with reserved(output, source=None if start_from is None else Path(start_from), overwrite=overwrite) as write:
        initial = None if start_from is None else load_raft("small", Path(start_from))
        crops = ContentCrops(Path(content), crop_side(settings.height_px, settings.width_px))
        trainer = Trainer(FlowObjective(crops, settings, initial), settings, checkpoint)
        if on_plan is not None:
            on_plan(TrainingPlan((f"{len(crops)} pictures",), trainer.step, checkpoint))
        trainer.run(on_step)
        final = trainer.measure()
        # Last: up to here a run that is interrupted goes on from its checkpoint.
        with write_errors(output):
            write(packed_raft(trainer.averaged_net))
    checkpoint.unlink(missing_ok=True)
    return FlowReport(output, final)


def packed_raft(net: nn.Module) -> bytes:
    """RAFT-small as ``load_raft`` reads it: fp16 tensors."""
    metadata = {"format": "vidstyle-1", "architecture": "raft-small"}
    return packed({key: value.half() for key, value in net.state_dict().items()}, metadata)
