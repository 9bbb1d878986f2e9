"""The files a render reads beside its input: for the sidecar, and so that no output takes their place."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path

from vidstyle.config import RenderConfig
from vidstyle.errors import ModelError, OpenError
from vidstyle.media.names import is_still
from vidstyle.media.sequence_names import is_sequence, parse_pattern
from vidstyle.stylizers.mixture import parse_mixture
from vidstyle.stylizers.pytorch_adain import is_pytorch_adain, pytorch_adain_files
from vidstyle.weights.registry import ANY_STYLE, IDENTITY, find_style


def spare_used_files(output: Path, config: RenderConfig) -> None:
    """Make sure that a render does not replace what it is made from.

    Args:
        output: a file, or the pattern of a sequence.
        config: of the render; a style that is not there is left to whoever loads it.

    Raises:
        OpenError: ``output`` is a style, a mask, a look-up table or another file these settings name, or has one of
            their frames.
    """
    there = _files_on_disk(output)
    if not there:
        return
    used = read_files(config)
    with suppress(ModelError):
        used |= model_files(config)
    for role, path in used.items():
        for file in _files_on_disk(path) & there:
            raise OpenError(f"{file} is in use as {role}; give the output another name.", output)


def _files_on_disk(path: Path) -> set[Path]:
    """The files on disk that a name means, or a sequence's pattern: absolute, with links followed."""
    files = parse_pattern(path).files() if is_sequence(path) else [path]
    return {file.resolve() for file in files if file.is_file()}


def model_files(config: RenderConfig) -> dict[str, Path]:
    """Weight files that paint with these settings, by role; none for ``identity`` and plugins.

    Further styles, of a mixture, keyframes, shots or regions, are ``style 2``, ``style 3`` and so on.

    Raises:
        WeightsNotFoundError: there is no such style.
    """
    names = dict.fromkeys(name for style in config.styles for name, _ in parse_mixture(style))
    found: dict[str, Path] = {}
    for number, name in enumerate(names, 1):
        for role, path in _files_of(name, config).items():
            found[role if role != "style" or number == 1 else f"style {number}"] = path
    return found


def read_files(config: RenderConfig) -> dict[str, Path]:
    """Files that decide on the result beside input and weights, by setting."""
    named: dict[str, Path | None] = {name: getattr(config, name) for name in ("shots_from", "color_config", "sound")}
    for name in ("mask", "lut"):
        paths = [path for path in dict.fromkeys(config.values(name)) if path is not None]
        named |= {name if number == 1 else f"{name} {number}": path for number, path in enumerate(paths, 1)}
    named |= {f"regions.{number}.mask": region.mask for number, region in enumerate(config.regions)}
    return {name: path for name, path in named.items() if path is not None}


def _files_of(name: str, config: RenderConfig) -> dict[str, Path]:
    style = Path(name)
    if not style.is_file():
        if name == IDENTITY or entry_points(group="vidstyle.stylizers", name=name):
            return {}
        return {"style": find_style(name).path}
    if not is_still(style):
        return {"style": style}
    model = config.adain_model or ANY_STYLE
    if not is_pytorch_adain(model):
        return {"style": style, "adain": model}
    decoder, encoder = pytorch_adain_files(model)
    return {"style": style, "adain_encoder": encoder, "adain_decoder": decoder}
