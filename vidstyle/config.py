"""Settings of a render: the only place defaults live. Precedence: defaults, then preset, then flags."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vidstyle.errors import ConfigError

FlowName = Literal["auto", "raft", "raft-small", "raft-large", "dis", "none"]


class RenderConfig(BaseModel):
    """Everything that decides what a render looks like and how it is written.

    Attributes:
        style: shipped style, weight file, ``identity``, or (with an AdaIN model) a picture.
        style_weight: AdaIN's α: 0 keeps the content, 1 is the full style. Feedforward styles ignore it.
        adain_model: AdaIN model for picture styles, a file or a folder of pytorch-AdaIN's.
        consistency: 0 paints each frame on its own, 1 is steadiest.
        flow: what measures motion.
        flow_weights: local RAFT weights.
        device: where to compute.
        precision: of the network; ``auto`` is fp16 on CUDA, bf16 where the CPU has it, else fp32.
        batch_size: frames a network call; None chooses by device.
        size: output size: ``1280x720``, ``720p`` (height), ``640w`` (width) or ``50%``; None keeps the source's.
        start_seconds: first moment to render; None is the beginning.
        end_seconds: moment to stop before; None is the end.
        codec: video encoder by FFmpeg's name; None follows the container.
        crf: constant rate factor; None is the encoder's customary value.
        encoder_preset: encoder speed preset.
        pixel_format: by FFmpeg's name; None follows source and codec.
        encoder_options: further options, passed to the encoder as they are.
        audio: copy (convert only where the container refuses) or drop.
        allow_download: fetch weights that are not on this machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: str = "starry-night"
    style_weight: float = Field(1.0, ge=0.0, le=1.0)
    adain_model: Path | None = None
    consistency: float = Field(0.9, ge=0.0, le=1.0)
    flow: FlowName = "auto"
    flow_weights: Path | None = None
    device: str = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    batch_size: int | None = Field(None, ge=1, le=256)
    size: str | None = None
    start_seconds: float | None = Field(None, ge=0.0, allow_inf_nan=False)
    end_seconds: float | None = Field(None, gt=0.0, allow_inf_nan=False)
    codec: str | None = None
    crf: int | None = Field(None, ge=0, le=63)
    encoder_preset: str | None = None
    pixel_format: str | None = None
    encoder_options: dict[str, str] = Field(default_factory=dict)
    audio: Literal["copy", "drop"] = "copy"
    allow_download: bool = False

    @field_validator("device")
    @classmethod
    def _device_has_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", value):
            raise ValueError("a device is auto, cpu, cuda, cuda:N or mps")
        return value

    @field_validator("size")
    @classmethod
    def _size_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            output_size(value, (640, 360))
        return value


def output_size(size: str | None, source: tuple[int, int]) -> tuple[int, int]:
    """Work out the output's (width, height) in pixels from ``size`` and the source's.

    Where one side follows from the other, the aspect is kept and that side is even.

    Raises:
        ConfigError: ``size`` cannot be read, or is absurd for this source.
    """
    width, height = source
    if size is None:
        return source
    if match := re.fullmatch(r"(\d+)x(\d+)", size):
        result = int(match[1]), int(match[2])
    elif match := re.fullmatch(r"(\d+)p", size):
        result = _even(width * int(match[1]) / height), int(match[1])
    elif match := re.fullmatch(r"(\d+)w", size):
        result = int(match[1]), _even(height * int(match[1]) / width)
    elif match := re.fullmatch(r"(\d+(?:\.\d+)?)%", size):
        result = _even(width * float(match[1]) / 100), _even(height * float(match[1]) / 100)
    else:
        raise ConfigError(f"A size is written 1280x720, 720p, 640w or 50%, not '{size}'.")
    if not all(1 <= side <= 16384 for side in result):
        raise ConfigError(f"Size {size} gives {result[0]}x{result[1]} pixels; sides go from 1 to 16384.")
    return result


def _even(value: float) -> int:
    return max(round(value / 2) * 2, 2) if value > 0 else 0


def make_config(preset: str | Path | None = None, **flags: Any) -> RenderConfig:
    """Build settings from a preset and flags; flags that are None leave the preset or the default in place.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range; the message names it.
    """
    values = load_preset(preset) if preset is not None else {}
    given = {key: value for key, value in flags.items() if value is not None}
    where = dict.fromkeys(values.keys() - given.keys(), f"preset {preset}")
    values |= given
    try:
        config = RenderConfig(**values)
    except ValidationError as error:
        raise ConfigError(_explain(error, where)) from error
    if None not in (config.start_seconds, config.end_seconds) and config.end_seconds <= config.start_seconds:  # type: ignore[operator]
        raise ConfigError(f"The end ({config.end_seconds:g} s) must come after the start ({config.start_seconds:g} s).")
    return config


def _explain(error: ValidationError, where: dict[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = where.get(str(first["loc"][0]) if first["loc"] else "")
    place = f" in {origin}" if origin else ""
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, RenderConfig.model_fields, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(RenderConfig.model_fields)}."
        return f"There is no setting '{key}'{place}; {hint}"
    message = str(first["msg"]).removeprefix("Value error, ").removesuffix(".")
    return f"Setting '{key}'{place} cannot be {first['input']!r}: {message[0].lower()}{message[1:]}."


def presets_folder() -> Path:
    """Where shipped presets are: inside the installed package, or ``configs/`` of a source checkout."""
    installed = Path(__file__).parent / "configs"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "configs"


def shipped_presets() -> list[str]:
    """Names that ``--config`` takes."""
    return sorted(path.stem for path in presets_folder().glob("*.toml"))


def load_preset(preset: str | Path) -> dict[str, Any]:
    """Read a preset: a TOML file, or the name of a shipped one.

    Raises:
        ConfigError: there is none, or it is not TOML.
    """
    path = Path(preset)
    if path.suffix != ".toml" and not path.is_file():
        path = presets_folder() / f"{preset}.toml"
    if not path.is_file():
        raise ConfigError(
            f"There is no preset '{preset}'; shipped are {', '.join(shipped_presets())}, or name a .toml file."
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"Preset {path} is not valid TOML: {error}.") from error
