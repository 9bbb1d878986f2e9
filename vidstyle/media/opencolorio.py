"""OpenColorIO, an optional dependency: from one named colour space to another and back."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from vidstyle.errors import ConfigError

_Floats = np.ndarray[Any, np.dtype[np.float32]]


class OcioCurve:
    """Both directions between a linear and a display space of an OpenColorIO configuration.

    Args:
        config_file: ``.ocio`` or ``.ocioz``.
        linear_space: colour space, role or alias; the role ``scene_linear`` by default.
        display_space: colour space, role or alias; the role ``texture_paint``, else ``color_picking``, by default.

    Attributes:
        name: what it does, for people.

    Raises:
        ConfigError: OpenColorIO is not installed, the file is none of its, or has no such space.
    """

    is_per_channel = False

    def __init__(self, config_file: Path, linear_space: str | None = None, display_space: str | None = None) -> None:
        try:
            ocio = import_module("PyOpenColorIO")
        except ImportError as error:
            raise ConfigError(
                "--color-config needs OpenColorIO, which is not installed; install vidstyle with its extra 'ocio'."
            ) from error
        if not config_file.is_file():
            raise ConfigError(f"There is no OpenColorIO file {config_file}; check the name.")
        try:
            config = ocio.Config.CreateFromFile(str(config_file))
            config.validate()
        except ocio.Exception as error:
            raise ConfigError(f"{config_file} is not a usable OpenColorIO file ({_one_line(error)}).") from error
        linear = _space(config, config_file, linear_space, ("scene_linear",))
        display = _space(config, config_file, display_space, ("texture_paint", "color_picking"))
        try:
            self._forward = config.getProcessor(linear, display).getDefaultCPUProcessor()
            self._backward = config.getProcessor(display, linear).getDefaultCPUProcessor()
        except ocio.Exception as error:
            raise ConfigError(
                f"{config_file} cannot convert between '{linear}' and '{display}' ({_one_line(error)})."
            ) from error
        self.name = f"OpenColorIO from '{linear}' to '{display}'"

    def encode(self, light: _Floats) -> _Floats:
        """(3, H, W) float32 in the linear space to the display space."""
        return _apply(self._forward, light)

    def decode(self, signal: _Floats) -> _Floats:
        """(3, H, W) float32 in the display space to the linear space."""
        return _apply(self._backward, signal)


def _space(config: Any, config_file: Path, name: str | None, roles: tuple[str, ...]) -> str:
    candidates = roles if name is None else (name,)
    found = next((space for key in candidates if (space := config.getColorSpace(key)) is not None), None)
    if found is None:
        known = ", ".join(config.getColorSpaceNames())
        wanted = " or ".join(f"'{key}'" for key in candidates)
        raise ConfigError(f"{config_file} has no colour space {wanted}; it has {known}.")
    return str(found.getName())


def _apply(processor: Any, picture: _Floats) -> _Floats:
    pixels = np.ascontiguousarray(picture.transpose(1, 2, 0), dtype=np.float32)
    processor.applyRGB(pixels)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
