"""Choosing the flow estimator for a render."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import torch

from vidstyle.config import FlowName
from vidstyle.errors import ConfigError, WeightsNotFoundError
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.protocols import FlowEstimator

if TYPE_CHECKING:
    from vidstyle.flow.raft_weights import RaftModel


#: RAFT on a CPU costs a second a frame at full effort; half resolution and half the updates keep it usable.
_RAFT_ON_CPU: Final[dict[str, Any]] = {"scale": 0.5, "num_updates": 6}


@dataclass(frozen=True, slots=True)
class FlowChoice:
    """An estimator and why it was taken.

    Attributes:
        estimator: ready to be pushed frames; None where no flow is wanted.
        name: such as ``raft-small``, ``dis-medium`` or ``none``.
        reason: one sentence for people.
        weights: file of its network; None where it has none.
    """

    estimator: FlowEstimator | None
    name: str
    reason: str
    weights: Path | None = None


def choose_flow(
    requested: FlowName, device: str, *, allow_download: bool = False, weights: Path | None = None
) -> FlowChoice:
    """Build the estimator a user asked for, or the best one for the device.

    Args:
        requested: ``auto`` takes RAFT-small on CUDA and MPS where its weights can be had and DIS everywhere else;
            ``raft`` means ``raft-small``.
        device: torch device of the render, such as ``cpu`` or ``cuda:0``.
        allow_download: RAFT's weights may be fetched.
        weights: RAFT weight file to use instead of torchvision's.

    Raises:
        ConfigError: an unknown request.
        WeightsNotFoundError: RAFT was asked for, or a weight file was named, and it is not there.
        UnsupportedCheckpointError: the weight file is damaged or wants to run code.
        CheckpointMismatchError: the weight file belongs to another network.
    """
    if requested not in get_args(FlowName):
        raise ConfigError(f"There is no flow estimator {requested!r}; choose from {', '.join(get_args(FlowName))}.")
    if requested == "none":
        return FlowChoice(None, "none", "No optical flow, as asked.")
    if requested == "dis":
        return _dis("DIS, as asked.")
    if requested != "auto":
        return _raft(
            "large" if requested == "raft-large" else "small",
            device,
            allow_download=allow_download,
            weights=weights,
            because="as asked",
        )
    if torch.device(device).type not in ("cuda", "mps"):
        unused = f"; {weights} is not used, ask for it with --flow raft" if weights else ""
        return _dis(f"DIS, because RAFT is too slow on this device ({device}){unused}.")
    try:
        return _raft("small", device, allow_download=allow_download, weights=weights, because=f"on {device}")
    except WeightsNotFoundError:
        if weights is not None:
            raise
        hint = "could not be downloaded" if allow_download else "are not on this machine; --allow-download fetches them"
        return _dis(f"DIS, because the RAFT-small weights {hint}.")


def _dis(reason: str) -> FlowChoice:
    estimator = LookingBack(DisFlow())
    return FlowChoice(estimator, estimator.name, reason)


def _raft(model: RaftModel, device: str, *, allow_download: bool, weights: Path | None, because: str) -> FlowChoice:
    # Importing torchvision takes a second, which a render with DIS need not pay.
    from vidstyle.flow.raft import RaftFlow  # noqa: PLC0415
    from vidstyle.flow.raft_weights import resolve_raft_weights  # noqa: PLC0415

    path = resolve_raft_weights(model, weights, allow_download=allow_download)
    kind = torch.device(device).type
    estimator = RaftFlow(
        model,
        weights=path,
        device=device,
        dtype=torch.float16 if kind == "cuda" else torch.float32,
        **(_RAFT_ON_CPU if kind == "cpu" else {}),
    )
    effort = " at half resolution, to bear its cost on a CPU" if kind == "cpu" else ""
    # Not beside a GPU, which would wait for the CPU's search.
    return FlowChoice(
        LookingBack(estimator) if kind == "cpu" else estimator,
        estimator.name,
        f"RAFT-{model} {because}{effort}, with the weights in {path}.",
        path,
    )


def raft_weights_at_hand(model: RaftModel) -> Path | None:
    """Where torch's cache holds undamaged torchvision weights for a RAFT model; None where it does not."""
    from vidstyle.flow import raft_weights  # noqa: PLC0415

    return raft_weights.raft_weights_at_hand(model)
