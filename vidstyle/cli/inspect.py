"""``vidstyle styles`` and ``vidstyle doctor``."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version

import click

from vidstyle.errors import VidstyleError


@click.command()
def styles() -> None:
    """List the styles that ship with vidstyle, one line each."""
    from vidstyle.weights.registry import IDENTITY, shipped_styles

    found = shipped_styles()
    width = max(len(name) for name in [IDENTITY, *(style.name for style in found)])
    for style in found:
        click.echo(f"{style.name:<{width}}  {style.title}")
    click.echo(f"{IDENTITY:<{width}}  paints nothing; shows what the pipeline alone does to a clip")


@click.command()
def doctor() -> None:
    """Say what is installed, what would be used for a render, and why."""
    import torch

    from vidstyle import __version__
    from vidstyle.compose import choose_compute
    from vidstyle.config import presets_folder, shipped_presets
    from vidstyle.flow.select import choose_flow, raft_weights_at_hand
    from vidstyle.media.probe import list_encoders_available, media_versions
    from vidstyle.weights.registry import shipped_styles

    compute = choose_compute()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "numpy"))
    media = ", ".join(f"{name} {number}" for name, number in media_versions().items())
    devices = ["cpu"]
    devices += [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    devices += ["mps"] * torch.backends.mps.is_available()
    encoders = list_encoders_available()
    rows = {
        "vidstyle": f"{__version__} on Python {platform.python_version()}, {platform.platform()}",
        "libraries": f"{libraries}, OpenCV {_or_reason(_opencv_version)}",
        "media": media,
        "devices": ", ".join(devices),
        "would use": compute.reason,
        "flow": _or_reason(lambda: choose_flow("auto", str(compute.device)).reason),
        "RAFT weights": ", ".join(
            f"{size}: {raft_weights_at_hand(size) or 'not on this machine'}" for size in ("small", "large")
        ),
        "encoders": ", ".join(name for name, present in encoders.items() if present),
        "no encoder": ", ".join(name for name, present in encoders.items() if not present) or "none missing",
        "styles": ", ".join(style.name for style in shipped_styles()) or "none",
        "presets": f"{', '.join(shipped_presets())} in {presets_folder()}",
    }
    for name, value in rows.items():
        click.echo(f"{name:<13} {value}")


def _or_reason(find: Callable[[], str]) -> str:
    """What ``find`` says, or why it cannot: a doctor reports what is broken and goes on."""
    try:
        return find()
    except VidstyleError as error:
        return str(error)


def _opencv_version() -> str:
    from vidstyle.imaging.opencv import load_opencv

    return str(load_opencv().__version__)
