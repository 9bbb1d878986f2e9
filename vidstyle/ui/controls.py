"""Which settings the page offers, in one table; kinds, ranges and defaults come from ``RenderConfig`` itself."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from vidstyle.config import RenderConfig, make_config
from vidstyle.encoding import ENCODING_FIELDS, override
from vidstyle.errors import ConfigError
from vidstyle.used_files import model_files

#: What a change reaches. ``look``: what the network paints. ``after``: only what happens to painted frames, which are
#: kept. ``finish``: only what happens to steady ones, which are kept, too. ``file``: only the file that is written; the
#: preview stays as it is.
Reach = Literal["look", "after", "finish", "file"]


@dataclass(frozen=True, slots=True)
class Control:
    """One setting on the page.

    Attributes:
        field: of ``RenderConfig``.
        label: what the page calls it.
        group: heading it stands under; groups and controls keep the table's order.
        help: one line.
        reach: what a change makes stale; ``look`` is always safe.
        placeholder: what an empty field stands for.
        suggestions: for free text, values to offer; for files, suffixes.
        step: of a slider.
    """

    field: str
    label: str
    group: str
    help: str
    reach: Reach = "look"
    placeholder: str = ""
    suggestions: tuple[str, ...] = ()
    step: float | None = None


_SIZES = ("360p", "720p", "1080p", "50%")
_CODECS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "prores_ks", "ffv1")
_BITRATES = ("4M", "8M", "20M")
_SPEEDS = ("fast", "medium", "slow")
_PIXEL_FORMATS = ("yuv420p", "yuv420p10le", "yuv422p10le", "yuv444p")
_MATTES = (".png", ".jpg", ".tif", ".mp4", ".mov", ".mkv")

CONTROLS: tuple[Control, ...] = (
    Control("strength", "Strength", "Style", "How much of the painting shows.", "finish"),
    Control("style_weight", "Style weight", "Style", "How much of a picture's style to take; for picture styles."),
    Control("style_scale", "Brush size", "Style", "2 paints strokes twice as large.", step=0.05),
    Control("detail", "Detail", "Style", "How much of the clip's fine edges comes back.", "finish"),
    Control("preserve_color", "Keep colours", "Colour", "luma: paint brightness alone. transfer: the clip's palette."),
    Control("grain", "Grain", "Colour", "Taken away before painting, put back after (keep) or not (remove).", "after"),
    Control("lut", "Look-up table", "Colour", "Such as look.cube.", "after", "none", (".cube", ".3dl", ".csp")),
    Control("lut_at", "Apply it", "Colour", "Before all else, or after.", "after"),
    Control("consistency", "Consistency", "Steadiness", "0: every frame on its own. 1: steadiest.", "after"),
    Control("flow", "Optical flow", "Steadiness", "What measures motion.", "after"),
    Control("mask", "Mask", "Mask", "Picture, matte.%04d.png or clip; white is painted.", "finish", "none", _MATTES),
    Control("invert_mask", "Invert", "Mask", "Paint where it is black.", "finish"),
    Control("feather", "Feather", "Mask", "Width of its soft edge, in pixels of the clip.", "finish", step=1),
    Control("size", "Size", "Picture", "Of the output.", "after", "as the clip", _SIZES),
    Control("fps", "Frame rate", "Picture", "Constant rate.", "after", "every frame", ("24", "25", "30")),
    Control("deinterlace", "Deinterlace", "Picture", "Make interlaced frames whole.", "after"),
    Control("video_stream", "Video stream", "Picture", "Which of several, from 0.", "after", "the default one"),
    Control("on_error", "At damage", "Picture", "skip: the last good frame stands in for lost ones.", "after"),
    Control("start_seconds", "Start", "Range", "First moment to render.", "file", "beginning"),
    Control("end_seconds", "End", "Range", "Moment to stop before.", "file", "end of the clip"),
    Control("codec", "Codec", "File", "Video encoder.", "file", "by the file's suffix", _CODECS),
    Control("crf", "Quality (CRF)", "File", "Lower is better and larger.", "file", "customary"),
    Control("bitrate", "Bit rate", "File", "Such as 8M, instead of a quality.", "file", "by quality", _BITRATES),
    Control("encoder_preset", "Encoder preset", "File", "Slower is smaller.", "file", "customary", _SPEEDS),
    Control("pixel_format", "Pixel format", "File", "Such as yuv420p10le.", "file", "customary", _PIXEL_FORMATS),
    Control("alpha", "Opacity", "File", "keep: as the clip's, for ProRes 4444, FFV1 and VP9.", "file"),
    Control("audio", "Sound", "File", "What becomes of it.", "file"),
    Control("sidecar", "Sidecar", "File", "Write settings and figures beside the file.", "file"),
)
#: What decides on the frames that colours are measured on.
_MEASURED_BY = {"size", "deinterlace", "video_stream", "lut", "lut_at"}
#: Ranges too long for a slider are a number.
_LONGEST_SLIDER = 10

#: Flags that are not the field's name with hyphens.
_FLAGS = {
    "pixel_format": "--pix-fmt",
    "start_seconds": "--start",
    "end_seconds": "--end",
    "encoder_options": "-x",
    "continue_": "--continue",
}


def flag_of(field: str) -> str:
    """The command line's name of a setting."""
    return _FLAGS.get(field, f"--{field.replace('_', '-')}")


def described_controls() -> list[dict[str, Any]]:
    """The table for the page: each control with its kind, range, choices and default."""
    properties = _properties()
    return [asdict(control) | _kind(properties[control.field], control) for control in CONTROLS]


@cache  # asked for with every frame
def _properties() -> dict[str, Any]:
    return dict(RenderConfig.model_json_schema(mode="validation")["properties"])


def _kind(schema: Mapping[str, Any], control: Control) -> dict[str, Any]:
    options = [schema, *schema.get("anyOf", ())]
    merged: dict[str, Any] = {}
    for option in options:
        if option.get("type") != "null":
            merged = option | merged
    found: dict[str, Any] = {"default": schema.get("default"), "optional": _is_optional(schema)}
    low, high = merged.get("minimum"), merged.get("maximum")
    types = {option.get("type") for option in options}
    if "enum" in merged:
        return found | {"kind": "choice", "choices": merged["enum"]}
    if "boolean" in types:
        return found | {"kind": "toggle"}
    if "string" in types and "number" in types:
        return found | {"kind": "moment"}
    if "path" in {option.get("format") for option in options}:
        return found | {"kind": "file"}
    if types & {"number", "integer"} and low is not None and high is not None:
        step = control.step or (1 if "integer" in types else 0.01)
        kind = "number" if _is_optional(schema) or high - low > _LONGEST_SLIDER else "slider"
        return found | {"kind": kind, "low": low, "high": high, "step": step}
    return found | {"kind": "text"}


def _is_optional(schema: Mapping[str, Any]) -> bool:
    return any(option.get("type") == "null" for option in schema.get("anyOf", ()))


def changed_settings(config: RenderConfig) -> dict[str, Any]:
    """Settings that are not the defaults, as plain values."""
    plain = config.model_dump(mode="json")
    defaults = make_config().model_dump(mode="json")
    return {name: value for name, value in plain.items() if value != defaults[name]}


def combined(base: RenderConfig, values: Mapping[str, Any], resolve: Callable[[str], Path]) -> RenderConfig:
    """Settings from those the command line gave and those the page sends, which count for every control of the table.

    Args:
        base: what the command line gave.
        values: by field; what is missing or None is the default.
        resolve: finds a file the page names, or refuses it.

    Raises:
        ConfigError: a field that is not on the page, or a value that cannot be used.
    """
    offered = {control["field"]: control["kind"] for control in described_controls()} | {"style": "style"}
    unknown = sorted(values.keys() - offered.keys())
    if unknown:
        raise ConfigError(f"The page cannot set {', '.join(unknown)}; give it on the command line.")
    given = {name: value for name, value in values.items() if value is not None}
    for name, value in values.items():
        if offered[name] == "file" and value is not None and str(value) != str(getattr(base, name)):
            given[name] = resolve(str(value))
    plain = base.model_dump(exclude_unset=True)
    kept = {name: value for name, value in plain.items() if name not in offered or name in given}
    if "codec" in plain and "codec" not in given:  # what the preset says to its codec is nothing to another
        kept = {name: value for name, value in kept.items() if name not in (*ENCODING_FIELDS, "containers")}
    changed = {name: value for name, value in given.items() if name not in plain or value != plain[name]}
    return make_config(None, **override(kept, changed))


def same_painting_key(config: RenderConfig, clip: Path) -> str:
    """Equal for settings under which the network paints the same content the same way."""
    kept = _settings_beyond(config, "look") - {"preserve_color"}
    if "transfer" in config.values("preserve_color"):  # colours are measured on the clip
        return _key(config, kept | {*_MEASURED_BY, "preserve_color"}, clip)
    return _key(config, kept)


def same_steady_key(config: RenderConfig, clip: Path) -> str:
    """Equal for settings under which the same frames of a clip come out of the temporal filter at one consistency."""
    kept = _settings_beyond(config, "look", "after") - {"consistency", "lut_at", "preserve_color"}
    if set(config.values("lut_at")) == {"after"}:
        kept -= {"lut"}
    takes_colors = "transfer" in config.values("preserve_color")
    return _key(config, kept | (_MEASURED_BY if takes_colors else set()), clip) + str(takes_colors)


def _settings_beyond(config: RenderConfig, *reaches: Reach) -> set[str]:
    """Settings whose change reaches as far back as that, with those that are not on the page."""
    free = {control.field for control in CONTROLS if control.reach not in reaches}
    return set(type(config).model_fields) - free


def _key(config: RenderConfig, fields: set[str], clip: Path | None = None) -> str:
    plain = config.model_dump(mode="json", include=fields)
    files = [clip, *(config.values("lut") if "lut" in fields else ()), *model_files(config).values()]
    # The same name may be another file meanwhile.
    stamps = [(str(path), path.stat().st_mtime_ns if path.exists() else 0) for path in files if path is not None]
    return json.dumps([plain, stamps], sort_keys=True)


def same_stylizer_key(config: RenderConfig) -> str:
    """Equal for settings that load the same networks."""
    parts = {"style", "style_weight", "adain_model", "device", "precision", "regions", "keyframes", "shots"}
    return _key(config, parts)


def command_line(source: Path, output: Path, config: RenderConfig) -> str:
    """The command that renders the same, quoted for a POSIX shell.

    Raises:
        ConfigError: settings that have no flag.
    """
    if config.changes_over_time or config.regions:
        raise ConfigError("Keyframes, shots and regions have no flags; save a preset, and use it with --config.")
    encoding = config.encoding(output.suffix)
    of_this_file = {"containers": {}} | {name: getattr(encoding, name) for name in ENCODING_FIELDS}
    words = ["vidstyle", "stylize", str(source), str(output), "--style", config.style]
    for name, value in changed_settings(config.model_copy(update=of_this_file)).items():
        if name != "style":
            words += _flagged(name, value)
    return shlex.join(words)


def _flagged(name: str, value: Any) -> list[str]:
    flag = flag_of(name)
    if value is True:
        return [flag]
    if isinstance(value, Mapping):
        return [word for key, each in value.items() for word in (flag, f"{key}={each}")]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [word for each in value for word in (flag, str(each))]
    return [flag, f"{value:g}" if isinstance(value, float) else str(value)]


def preset_text(config: RenderConfig) -> str:
    """A preset file, TOML, of what is not the default."""
    lines = [f"{name} = {_toml(value)}" for name, value in {"style": config.style, **changed_settings(config)}.items()]
    return "\n".join(["# Saved by vidstyle ui; use it with --config.", *lines, ""])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        known = {key: each for key, each in value.items() if each is not None}
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in known.items()) + " }"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value)  # strings, numbers and booleans are written alike in JSON and TOML
