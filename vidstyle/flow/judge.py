"""Choosing the flow a finished clip is judged with: not the one it was rendered with, wherever that can be helped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from vidstyle.errors import ConfigError
from vidstyle.flow.dis import DisFlow
from vidstyle.flow.farneback import FarnebackFlow
from vidstyle.flow.looking_back import LookingBack
from vidstyle.flow.select import FlowChoice, choose_flow
from vidstyle.protocols import FlowEstimator

JudgeName = Literal["auto", "farneback", "dis", "raft", "raft-small", "raft-large"]


def choose_judge(
    requested: JudgeName = "auto", device: str = "cpu", *, allow_download: bool = False, weights: Path | None = None
) -> FlowChoice:
    """Build the estimator that judges.

    A clip judged with the flow it was rendered with looks steadier than it is: the same errors are made twice.

    Args:
        requested: ``auto`` is ``farneback``, with which vidstyle renders nothing.
        device: torch device, such as ``cpu`` or ``cuda:0``.
        allow_download: RAFT's weights may be fetched.
        weights: RAFT weight file to use instead of torchvision's.

    Returns:
        The choice; its estimator is never None.

    Raises:
        ConfigError: an unknown request.
        ModelError: RAFT was asked for and its weights cannot be used.
    """
    if requested not in get_args(JudgeName):
        raise ConfigError(f"There is no judging flow {requested!r}; choose from {', '.join(get_args(JudgeName))}.")
    if requested == "auto":
        return _plain(FarnebackFlow(), "Farnebäck, because vidstyle renders nothing with it")
    if requested == "farneback":
        return _plain(FarnebackFlow(), "Farnebäck, as asked")
    if requested == "dis":
        estimator = DisFlow(scale=1.0, rough_forward=False)
        return _plain(estimator, "DIS at full resolution, as asked; judge nothing with it that it rendered")
    choice = choose_flow(requested, device, allow_download=allow_download, weights=weights)
    # Pairs are measured one by one: nothing is looked back at.
    return (
        replace(choice, estimator=choice.estimator.estimator) if isinstance(choice.estimator, LookingBack) else choice
    )


def _plain(estimator: FlowEstimator, reason: str) -> FlowChoice:
    return FlowChoice(estimator, estimator.name, f"{reason}.")
