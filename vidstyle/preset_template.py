"""A preset with every setting, commented: written from the settings themselves."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vidstyle.config import RenderConfig
from vidstyle.control_settings import CHANGING, ChangingSettings, ControlSettings
from vidstyle.encoding import EncodingSettings
from vidstyle.explain import allowed_values

_WIDTH = 100
#: What settings without a default may look like.
_EXAMPLES: dict[str, Any] = {
    "adain_model": "adain.safetensors",
    "flow_weights": "raft.pth",
    "batch_size": 4,
    "size": "720p",
    "start_seconds": 2.5,
    "end_seconds": "00:01:00:00",
    "frames": "100-199",
    "fps": "24000/1001",
    "video_stream": 0,
    "sound": "mix.wav",
    "color_config": "config.ocio",
    "linear_space": "ACEScg",
    "display_space": "srgb",
    "mask": "matte.%04d.png",
    "lut": "look.cube",
    "shots_from": "cut.edl",
    "codec": "libx265",
    "crf": 20,
    "bitrate": "8M",
    "encoder_preset": "slow",
    "pixel_format": "yuv420p10le",
    "encoder_options": {"tune": "grain"},
    "containers": {"webm": {"crf": 31}},
}
#: Settings that are tables stand at the end, for TOML gives what follows a table to it.
_TABLES: dict[str, dict[str, Any]] = {
    "keyframes": {"at": 2.0, "strength": 0.2, "ease": "smooth"},
    "regions": {"mask": "sky.png", "style": "great-wave", "feather": 12.0},
    "shots": {"start": 5.0, "end": 8.0, "strength": 0.5, "style": "mosaic"},
}


def commented_preset() -> str:
    """TOML of every setting with its default, or with an example where it has none; all of it commented out."""
    lines = [
        "# Settings of vidstyle, with their defaults, or an example where there is none. To set one, take its # away.",
        "# Use the file with --config. Flags on the command line win over what stands here.",
    ]
    for heading, names in _groups().items():
        lines += ["", f"# ---- {heading} ----"]
        for name in names:
            field = RenderConfig.model_fields[name]
            lines += ["", *_comment(description_of(name), _facts(name, field)), _assignment(name, _shown(name, field))]
    for name, example in _TABLES.items():
        lines += ["", *_comment(description_of(name), ""), *_fields_of(_model_of(name))]
        lines += [f"#[[{name}]]", *(_assignment(key, value) for key, value in example.items())]
    return "\n".join(lines) + "\n"


def _groups() -> dict[str, list[str]]:
    names = [name for name in RenderConfig.model_fields if name not in _TABLES]
    headings = {"General": RenderConfig, "Controls": ControlSettings, "Encoding": EncodingSettings}
    return {
        heading: [name for name in names if _definer(name, RenderConfig) is model]
        for heading, model in headings.items()
    }


def description_of(name: str, model: type[BaseModel] = RenderConfig) -> str:
    """What a setting means, in a line: of its field, or of its class's docstring."""
    described = model.model_fields[name].description
    if described:
        return described
    return _attributes(_definer(name, model)).get(name, "")


def _definer(name: str, model: type) -> type:
    """The class a field was written in."""
    return next(base for base in model.__mro__ if name in inspect.get_annotations(base))


def _attributes(model: type) -> dict[str, str]:
    section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: _plain(" ".join(text.split())) for name, text in found}


def _plain(text: str) -> str:
    text = text.replace("``", "'").replace("; None ", "; not set, it ")
    return text[0].upper() + text[1:]


def _comment(text: str, facts: str) -> list[str]:
    return textwrap.wrap(f"{text} {facts}".strip(), _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _facts(name: str, field: FieldInfo) -> str:
    allowed = allowed_values(field)
    unset = "Not set." if name in _EXAMPLES and "not set" not in description_of(name) else ""
    return " ".join(part for part in (f"Allowed: {allowed}." if allowed else "", unset) if part)


def _fields_of(model: type[BaseModel]) -> list[str]:
    lines = []
    for name, field in model.model_fields.items():
        if issubclass(model, ChangingSettings) and name in CHANGING:
            continue
        allowed = allowed_values(field)
        lines += _comment(f"{name}: {field.description}", f"Allowed: {allowed}." if allowed else "")
    if issubclass(model, ChangingSettings):
        lines += _comment(f"And settings from above: {', '.join(CHANGING)}.", "The file 'none' takes lut or mask away.")
    return lines


def _model_of(name: str) -> type[BaseModel]:
    annotation = RenderConfig.model_fields[name].annotation
    model: type[BaseModel] = annotation.__args__[0]  # type: ignore[union-attr]  # tuple[Model, ...]
    return model


def _shown(name: str, field: FieldInfo) -> Any:
    return _EXAMPLES[name] if name in _EXAMPLES else field.get_default(call_default_factory=True)


def _assignment(name: str, value: Any) -> str:
    return f"#{name} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    """TOML of a setting's value."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case str() | PurePath():
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case dict():
            return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
        case _:
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
