"""Settings of a render: the only place defaults live. Precedence: defaults, then preset, then flags."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator

from vidstyle.control_settings import CHANGING, ControlSettings, PresetText
from vidstyle.encoding import EncodingSettings, override
from vidstyle.errors import ConfigError
from vidstyle.explain import explain
from vidstyle.file_settings import beside
from vidstyle.moments import Timecode, check_frames, parse_moment, parse_rate

#: Sides that follow from each other are rounded to even numbers.
_ROUNDING_PX = 2

FlowName = Literal["auto", "raft", "raft-small", "raft-large", "dis", "none"]


class RenderConfig(ControlSettings, EncodingSettings):
    """Everything that decides what a render looks like and how it is written.

    With the fields of ``ControlSettings`` and ``EncodingSettings``.

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
        start_seconds: first moment to render, counted from the clip's first frame: seconds, or a timecode
            ``hh:mm:ss:ff`` (``;ff`` for drop-frame), which counts from the clip's own; None is the beginning.
        end_seconds: moment to stop before, written alike; None is the end.
        frames: ``A-B``, first and last frame to render, counted from 0 in a clip, by their numbers in a sequence,
            which also takes steps and lists (``1-19x2``, ``1-5,9``); instead of start and end.
        handles: so many frames more on both sides of the range.
        fps: constant rate to give the clip, such as ``25`` or ``24000/1001``; None keeps every frame and its time.
            Of a sequence of pictures: how fast they are shown; None is 24.
        video_stream: which picture of several, counted from 0; None takes the one players show.
        deinterlace: turn interlaced frames into progressive ones, which the networks need.
        on_error: stop at damage, or skip it: the last good frame stands in for the lost ones.
        containers: settings of the encoder for one kind of file (``mp4``, ``mov``, ``mkv``, ``webm``), in place of the
            others; presets use it.
        alpha: drop, or keep the opacity of sources that have it, which few encoders can.
        audio: copy (convert only where the container refuses), transcode (to the container's customary codec) or drop.
        sound: file with the sound of a sequence of pictures; None takes a WAV of its name beside it.
        continue_: keep the frames of an output sequence that are there, and render the others.
        color_config: OpenColorIO configuration for linear (OpenEXR) sequences; None takes a built-in curve.
        linear_space: colour space of linear sequences, by a name in ``color_config``.
        display_space: what stylizers see of them: ``srgb`` or ``rec709``, or a name in ``color_config``.
        sidecar: write ``OUT.json`` beside the output: settings, versions, hashes, plan and figures of the render.
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
    start_seconds: float | str | None = None
    end_seconds: float | str | None = None
    frames: str | None = None
    handles: int = Field(0, ge=0, le=100_000)
    fps: str | None = None
    video_stream: int | None = Field(None, ge=0)
    deinterlace: bool = False
    on_error: Literal["stop", "skip"] = "stop"
    containers: dict[Literal["mp4", "mov", "mkv", "webm"], EncodingSettings] = Field(default_factory=dict)
    alpha: Literal["drop", "keep"] = "drop"
    audio: Literal["copy", "transcode", "drop"] = "copy"
    sound: Path | None = None
    continue_: bool = False
    color_config: Path | None = None
    linear_space: str | None = None
    display_space: str | None = None
    sidecar: bool = False
    allow_download: bool = False

    @field_validator("device")
    @classmethod
    def _device_has_a_name(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", value):
            raise ValueError("a device is auto, cpu, cuda, cuda:N or mps")
        return value

    @field_validator("start_seconds", "end_seconds")
    @classmethod
    def _moment_is_readable(cls, value: float | str | None) -> float | str | None:
        if value is None:
            return None
        moment = parse_moment(value)
        return str(moment) if isinstance(moment, Timecode) else float(moment)

    @field_validator("frames")
    @classmethod
    def _frames_are_readable(cls, value: str | None) -> str | None:
        if value is not None:
            value = value.removesuffix("x1")  # fileseq's way to say every frame
            check_frames(value)
        return value

    @field_validator("fps", mode="before")
    @classmethod
    def _rate_is_readable(cls, value: object) -> str | None:
        return None if value is None else str(parse_rate(str(value)))

    @field_validator("size")
    @classmethod
    def _size_is_readable(cls, value: str | None) -> str | None:
        if value is not None:
            output_size(value, (640, 360))
        return value

    @property
    def styles(self) -> tuple[str, ...]:
        """Every style that something is painted in at some time; those of regions come last."""
        return tuple(dict.fromkeys((*self.values("style"), *(region.style for region in self.regions))))

    def encoding(self, suffix: str) -> EncodingSettings:
        """The encoder's settings for files of one kind.

        Args:
            suffix: of the output, such as ``.webm``.
        """
        name = suffix.lower().removeprefix(".").replace("m4v", "mp4")
        return next((table for key, table in self.containers.items() if key == name), self)


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


def output_pixel_shape(size: str | None, source: tuple[int, int], pixel_shape: Fraction) -> Fraction:
    """Width over height of the output's pixels, from ``size`` and the source's (width, height) and pixel shape.

    Where pixels are not square and ``size`` names both sides, the shape changes with them and the picture's proportions
    stay, as with FFmpeg's ``scale``. Square pixels stay square: whoever names both sides means them.
    """
    if pixel_shape == 1 or size is None or "x" not in size:
        return pixel_shape
    width, height = output_size(size, source)
    if abs(width - height * source[0] / source[1]) <= _ROUNDING_PX:
        return pixel_shape
    return (pixel_shape * source[0] * height / (source[1] * width)).limit_denominator(1000)


def _even(value: float) -> int:
    return max(round(value / 2) * 2, 2) if value > 0 else 0


def make_config(preset: str | Path | None = None, **flags: Any) -> RenderConfig:
    """Build settings from a preset and flags; flags that are None leave the preset or the default in place.

    A flag also wins over what the preset's keyframes and shots say of the same setting. Relative files that a preset
    names are looked for beside it, and in the current folder otherwise.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range; the message names it.
    """
    values = load_preset(preset) if preset is not None else {}
    text = preset_path(preset).read_text(encoding="utf-8-sig") if preset is not None else ""
    given = {key: value for key, value in flags.items() if value is not None}
    values = override(values, given)
    try:
        config = RenderConfig(**values)
    except ValidationError as error:
        raise ConfigError(explain(error, RenderConfig, str(preset or ""), text, tuple(given))) from error
    _check_range(config)
    if preset is not None:
        config = _without(config, given)
        config._preset = PresetText(str(preset), text)
    return config


def complete_config(
    config: RenderConfig | None, preset: str | Path | None, settings: Mapping[str, Any]
) -> RenderConfig:
    """``config``, or what is made of a preset and single settings.

    Raises:
        ConfigError: both are given, ``config`` is something else, or as ``make_config``.
    """
    if config is None:
        return make_config(preset, **settings)
    if not isinstance(config, RenderConfig):
        raise ConfigError("config takes what make_config gives; name a preset as preset, and settings by themselves.")
    if preset is not None or settings:
        raise ConfigError("Give either complete settings as config, or a preset and single settings, not both.")
    return config


def _without(config: RenderConfig, flags: Collection[str]) -> RenderConfig:
    """Settings whose tables say nothing of what flags say, unless the tables are flags as well."""
    names = [name for name in CHANGING if name in flags]
    nothing = dict.fromkeys(names)
    changed: dict[str, Any] = {}
    if names and config.shots and "shots" not in flags:
        changed["shots"] = tuple(shot.model_copy(update=nothing) for shot in config.shots)
    if names and config.keyframes and "keyframes" not in flags:
        keys = [key.model_copy(update=nothing) for key in config.keyframes]
        changed["keyframes"] = tuple(key for key in keys if key.settings())
    return config.model_copy(update=changed) if changed else config


def _check_range(config: RenderConfig) -> None:
    start, end = config.start_seconds, config.end_seconds
    if config.frames is not None and (start is not None or end is not None):
        raise ConfigError("Give a range of frames, or a start and an end, not both.")
    if end == 0:
        raise ConfigError("The end cannot be 0 s; leave it out to render to the end of the clip.")
    if isinstance(start, float) and isinstance(end, float) and end <= start:
        raise ConfigError(f"The end ({end:g} s) must come after the start ({start:g} s).")


def presets_folder() -> Path:
    """Where shipped presets are: inside the installed package, or ``configs/`` of a source checkout."""
    installed = Path(__file__).parent / "configs"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "configs"


def shipped_presets() -> list[str]:
    """Names that ``--config`` takes."""
    return sorted(path.stem for path in presets_folder().glob("*.toml"))


def preset_path(preset: str | Path) -> Path:
    """Where a preset is: a TOML file, or the name of a shipped one.

    Raises:
        ConfigError: there is none.
    """
    path = Path(preset)
    if path.suffix != ".toml" and not path.is_file():
        path = presets_folder() / f"{preset}.toml"
    if not path.is_file():
        raise ConfigError(
            f"There is no preset '{preset}'; shipped are {', '.join(shipped_presets())}, or name a .toml file."
        )
    return path


def load_preset(preset: str | Path) -> dict[str, Any]:
    """Read a preset: a TOML file, or the name of a shipped one; files beside it are found from the current folder.

    Raises:
        ConfigError: there is none, or it is not TOML.
    """
    path = preset_path(preset)
    try:
        return beside(tomllib.loads(path.read_text(encoding="utf-8-sig")), path.parent)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"Preset {path} is not valid TOML: {error}.") from error
