"""Options that several subcommands share, and how they become settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Seconds(click.ParamType[float]):
    """A moment: ``2.5``, ``1:02.5`` or ``0:01:02.5``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a moment; a usage error where it is none."""
        if isinstance(value, int | float):
            return float(value)
        if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?|\.\d+", str(value)):
            self.fail(f"'{value}' is not a time; write seconds (2.5) or h:mm:ss (0:01:02.5).", param, ctx)
        if any(float(part) >= 60 for part in str(value).split(":")[1:]):
            self.fail(f"'{value}' is not a time; minutes and seconds after a colon stay below 60.", param, ctx)
        seconds = 0.0
        for part in str(value).split(":"):
            seconds = seconds * 60 + float(part)
        return seconds


#: Settings every painting command takes. Defaults live in ``vidstyle.config``; None means "not given".
_SETTINGS = [
    click.option("--consistency", type=click.FloatRange(0, 1), help="0 paints each frame on its own, 1 is steadiest."),
    click.option(
        "--flow",
        type=click.Choice(["auto", "raft", "raft-small", "raft-large", "dis", "none"]),
        help="What measures motion.",
    ),
    click.option("--flow-weights", type=click.Path(path_type=Path), help="Local RAFT weights."),
    click.option("--device", help="auto, cpu, cuda, cuda:N or mps."),
    click.option("--precision", type=click.Choice(["auto", "fp32", "fp16", "bf16"]), help="Of the network."),
    click.option("--batch-size", type=int, help="Frames a network call."),
    click.option("--size", help="Output size: 1280x720, 720p, 640w or 50%."),
    click.option("--style-weight", type=click.FloatRange(0, 1), help="How much of a picture style (AdaIN) to take."),
    click.option("--adain-model", type=click.Path(path_type=Path), help="AdaIN model, for a picture as style."),
    click.option("--config", "preset", help="A preset by name (see configs/), or a .toml file; flags win over it."),
    click.option("--allow-download", is_flag=True, default=None, help="Fetch weights that are not on this machine."),
    click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output."),
]


def painting_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options every painting command takes."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command
