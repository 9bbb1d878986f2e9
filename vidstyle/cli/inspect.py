"""``vidstyle styles`` and ``vidstyle doctor``."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click

from vidstyle.cli.terminal import say
from vidstyle.errors import VidstyleError


@click.group(invoke_without_command=True)
@click.pass_context
def styles(context: click.Context) -> None:
    """List the styles that ship with vidstyle and your own, one line each; add or remove your own."""
    from vidstyle.weights.registry import IDENTITY, shipped_styles, user_styles

    if context.invoked_subcommand is not None:
        return
    rows = [(style.name, style.title) for style in shipped_styles()]
    for style in user_styles():
        damaged = f"damaged; 'vidstyle styles remove {style.name}' deletes it" if style.is_damaged else ""
        rows.append((style.name, ": ".join(filter(None, ("yours", damaged or style.title)))))
    rows.append((IDENTITY, "paints nothing; shows what the pipeline alone does to a clip"))
    width = max(len(name) for name, _ in rows)
    for name, title in rows:
        say(f"{name:<{width}}  {title}")


@styles.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="What --style will take; default: the file's name without suffix.")
@click.option("--overwrite", "-y", is_flag=True, help="Replace a style of yours of that name.")
def add(file: Path, name: str | None, overwrite: bool) -> None:
    """Keep the style FILE under a name, for --style to find from anywhere.

    FILE is a style that vidstyle trained, or a checkpoint of another project that --style takes as a file.
    """
    from vidstyle.stylizers.checkpoint import add_style

    style = add_style(file, name, overwrite=overwrite)
    say(f"Kept as {style.path}; use it with --style {style.name}.")


@styles.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete your own style NAME."""
    from vidstyle.weights.registry import remove_style

    say(f"Removed {remove_style(name).path}.")


@click.command()
def doctor() -> None:
    """Say what is installed, what would be used for a render, and why."""
    import torch

    from vidstyle import __version__
    from vidstyle.compose import choose_compute
    from vidstyle.config import presets_folder, shipped_presets
    from vidstyle.flow.select import choose_flow, raft_weights_at_hand
    from vidstyle.media.hardware import list_encoders_available
    from vidstyle.media.probe import media_versions
    from vidstyle.weights.registry import shipped_styles, user_folder, user_styles

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
        "filter": _kernels(),
        "RAFT weights": ", ".join(
            f"{size}: {raft_weights_at_hand(size) or 'not on this machine'}" for size in ("small", "large")
        ),
        "encoders": ", ".join(name for name, present in encoders.items() if present),
        "no encoder": ", ".join(name for name, present in encoders.items() if not present) or "none missing",
        "styles": ", ".join(style.name for style in shipped_styles()) or "none",
        "your styles": f"{', '.join(style.name for style in user_styles()) or 'none'} in {user_folder()}",
        "presets": f"{', '.join(shipped_presets())} in {presets_folder()}",
    }
    for name, value in rows.items():
        say(f"{name:<13} {value}")


def _kernels() -> str:
    from vidstyle.temporal.fused import instruction_sets, load_kernels

    kernels = load_kernels()
    if kernels is not None:
        return f"compiled for {kernels.name}, on a CPU"
    if not instruction_sets():
        return "by OpenCV and torch: there are no kernels for this kind of machine"
    return (
        "by OpenCV and torch, which is slower: its kernels are not compiled, or were from other sources; "
        "install vidstyle again with 'pip install -v', which says why not"
    )


def _or_reason(find: Callable[[], str]) -> str:
    """What ``find`` says, or why it cannot: a doctor reports what is broken and goes on."""
    try:
        return find()
    except VidstyleError as error:
        return str(error)


def _opencv_version() -> str:
    from vidstyle.imaging.opencv import load_opencv

    return str(load_opencv().__version__)
