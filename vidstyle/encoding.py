"""Settings of the video encoder, and how a preset's give way to those that are asked for one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_BITRATE = re.compile(r"(\d+(?:\.\d+)?)([kKmM]?)")
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000}
_CONTROLS = frozenset({"crf", "qp", "b"})  # options of encoders that say what crf or bitrate says
_MAX_BITRATE = 2**31 - 1


class EncodingSettings(BaseModel):
    """How pictures are encoded.

    Attributes:
        codec: video encoder by FFmpeg's name; None follows the container.
        crf: constant rate factor; None is the encoder's customary value.
        bitrate: such as ``8M`` or ``600k``, in bits a second, instead of a constant quality.
        encoder_preset: encoder speed preset.
        pixel_format: by FFmpeg's name; None follows source and codec.
        encoder_options: further options, passed to the encoder as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    codec: str | None = None
    crf: int | None = Field(None, ge=0, le=63)
    bitrate: str | None = None
    encoder_preset: str | None = None
    pixel_format: str | None = None
    encoder_options: dict[str, str] = Field(default_factory=dict)

    @field_validator("bitrate")
    @classmethod
    def _bitrate_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            bits_per_second(value)
        return value

    @model_validator(mode="after")
    def _one_rate_control(self) -> EncodingSettings:
        if self.crf is not None and self.bitrate is not None:
            raise ValueError("a constant quality (crf) and a bitrate exclude each other; give one of them")
        return self


#: Names of the encoder's settings.
ENCODING_FIELDS = tuple(EncodingSettings.model_fields)


def bits_per_second(text: str) -> int:
    """Read ``8M``, ``600k`` or ``4500000``.

    Raises:
        ValueError: it is none of these, or not above 0.
    """
    match = _BITRATE.fullmatch(text)
    bits = round(float(match[1]) * _FACTORS[match[2].lower()]) if match else 0
    if not 0 < bits <= _MAX_BITRATE:
        raise ValueError("a bitrate is written 8M or 600k, in bits a second, from 1 to 2147M")
    return bits


def override(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's settings with those that are given in their place.

    Another codec than the preset's leaves out what the preset says to its own, and a bitrate its quality.

    Args:
        preset: settings; ``containers`` may hold a table of the encoder's settings for each kind of file.
        given: settings that win.
    """
    values = dict(preset)
    containers = values.pop("containers", {})
    if "codec" in given and given["codec"] != preset.get("codec"):
        values = {key: value for key, value in values.items() if key not in ENCODING_FIELDS}
        containers = {}
    values = _replace(values, given)
    if isinstance(containers, Mapping):  # anything else is refused with the other settings
        encoding = {key: value for key, value in given.items() if key in ENCODING_FIELDS}
        containers = {
            name: _replace(table, encoding) if isinstance(table, Mapping) else table
            for name, table in containers.items()
        }
    return values | ({"containers": containers} if containers else {})


def _replace(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    exclusive = {"crf", "bitrate"}
    ours, theirs = values.get("encoder_options"), given.get("encoder_options")
    is_controlled = exclusive & given.keys() or (isinstance(theirs, Mapping) and _CONTROLS & theirs.keys())
    result = {k: v for k, v in values.items() if not (k in exclusive and is_controlled)}
    result.update(given)
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        result["encoder_options"] = {**ours, **theirs}
    return result
