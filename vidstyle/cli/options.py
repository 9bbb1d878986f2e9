"""Options that several subcommands share, and how they become settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from vidstyle.moments import Timecode, parse_moment


class Moment(click.ParamType[float | str]):
    """A moment: ``2.5``, ``1:02.5``, ``0:01:02.5``, or a timecode ``00:01:02:12``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Read a moment, as seconds or as a timecode; a usage error where it is none."""
        try:
            moment = parse_moment(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return str(moment) if isinstance(moment, Timecode) else float(moment)


class Seconds(click.ParamType[float]):
    """A moment in seconds: ``2.5``, ``1:02.5`` or ``0:01:02.5``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a moment; a usage error where it is none, or a timecode."""
        moment = Moment().convert(value, param, ctx)
        if isinstance(moment, str):
            self.fail(f"'{value}' is a timecode; write seconds (2.5) or h:mm:ss (0:01:02.5).", param, ctx)
        return moment


class KeyValue(click.ParamType[tuple[str, str]]):
    """``KEY=VALUE``; the value may hold further equals signs."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Split at the first equals sign; a usage error where there is none."""
        key, equals, text = str(value).partition("=")
        if not key.strip() or not equals:
            self.fail(f"'{value}' is no option of an encoder; write KEY=VALUE, such as g=24.", param, ctx)
        return key.strip(), text


def as_mapping(
    _ctx: click.Context, _param: click.Parameter, value: tuple[tuple[str, str], ...]
) -> dict[str, str] | None:
    """What a repeated ``KEY=VALUE`` option sets; None where it was not given."""
    return dict(value) or None


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
    click.option(
        "--alpha",
        type=click.Choice(["drop", "keep"]),
        help="Opacity of sources that have it: drop (default), or keep it (ProRes 4444, FFV1, VP9, PNG).",
    ),
    click.option("--size", help="Output size: 1280x720, 720p, 640w or 50%."),
    click.option("--style-weight", type=click.FloatRange(0, 1), help="How much of a picture style (AdaIN) to take."),
    click.option("--adain-model", type=click.Path(path_type=Path), help="AdaIN model, for a picture as style."),
    click.option("--config", "preset", help="A preset by name (see configs/), or a .toml file; flags win over it."),
    click.option("--allow-download", is_flag=True, default=None, help="Fetch weights that are not on this machine."),
    click.option(
        "--fps",
        help="Constant rate, such as 25 or 24000/1001; frames are dropped or repeated to keep it. Of a sequence: its "
        "own (24 by default).",
    ),
    click.option(
        "--video-stream", type=click.IntRange(0), help="Which picture of several, counted from 0; else the default one."
    ),
    click.option("--deinterlace", is_flag=True, default=None, help="Make interlaced frames progressive (bwdif)."),
    click.option(
        "--on-error",
        type=click.Choice(["stop", "skip"]),
        help="At damage: stop (default), or skip it; the last good frame stands in for lost ones.",
    ),
    click.option(
        "--color-config",
        type=click.Path(path_type=Path),
        help="OpenColorIO file for linear (OpenEXR) sequences; else a built-in curve.",
    ),
    click.option("--linear-space", help="Colour space of linear sequences, by its name in the OpenColorIO file."),
    click.option("--display-space", help="What styles see of them: srgb (default) or rec709, or a name in that file."),
    click.option("--overwrite", "-y", is_flag=True, help="Replace an existing output."),
]

_STRENGTH = "0 leaves the decoded frames, 1 shows all the paint."
_ONE_STRENGTH = click.option("--strength", type=click.FloatRange(0, 1), help=_STRENGTH)
_STRENGTHS = click.option(
    "--strength",
    "strengths",
    multiple=True,
    type=click.FloatRange(0, 1),
    help=f"{_STRENGTH} Repeat it for a contact sheet.",
)

#: The artist's other controls, with the words of ``vidstyle.control_settings``.
_CONTROLS = [
    click.option(
        "--preserve-color",
        type=click.Choice(["none", "luma", "transfer"]),
        help="Colours of the source: only brightness is painted (luma), or the style takes the clip's (transfer).",
    ),
    click.option("--mask", type=click.Path(path_type=Path), help="Picture, matte.%04d.png or clip; white is stylized."),
    click.option("--invert-mask", is_flag=True, default=None, help="Stylize where the mask is black."),
    click.option("--feather", type=click.FloatRange(0, 1000), metavar="PX", help="Width of the mask's soft edge."),
    click.option("--lut", type=click.Path(path_type=Path), help="3D look-up table, such as look.cube."),
    click.option("--lut-at", type=click.Choice(["before", "after"]), help="Before all else, or after (default)."),
    click.option("--style-scale", type=click.FloatRange(0.25, 4), help="Brush size: 2 doubles strokes."),
    click.option("--detail", type=click.FloatRange(0, 1), help="How much of the source's fine edges comes back."),
    click.option(
        "--grain",
        type=click.Choice(["off", "keep", "remove"]),
        help="Take grain away before painting, and put it back after (keep) or not (remove); off (default) paints it.",
    ),
]


_TELLING = [
    click.option(
        "--progress",
        type=click.Choice(["bar", "json", "none"]),
        default="bar",
        help="A bar (default), one JSON object a line on stdout for programs, or none.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Nothing but errors."),
]


def telling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say who is told how far it is."""
    return _given(command, _TELLING)


def painting_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options every painting command takes."""
    return _given(command, [*_SETTINGS, _ONE_STRENGTH, *_CONTROLS])


def previewing_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but for any number of strengths, as ``strengths``."""
    return _given(command, [*_SETTINGS, _STRENGTHS, *_CONTROLS])


def _given(command: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
