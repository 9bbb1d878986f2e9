"""Settings of the controls, and their tables: keyframes, shots with settings and regions with a style of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from vidstyle.explain import place_of
from vidstyle.moments import Timecode, parse_moment

#: How a value goes from one keyframe to the next.
Ease = Literal["linear", "smooth", "hold"]
Colors = Literal["none", "luma", "transfer"]
Grain = Literal["off", "keep", "remove"]
LutAt = Literal["before", "after"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
StyleScale = Annotated[float, Field(ge=0.25, le=4.0)]
Feather = Annotated[float, Field(ge=0.0, le=1000.0)]

#: What takes a mask or a look-up table away, in keyframes and shots, and from the command line: "none" or "".
NO_FILES = (Path("none"), Path())


class ChangingSettings(BaseModel):
    """Settings that keyframes and shots can change; None leaves one alone. ``RenderConfig`` says what they mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: str | None = Field(None, min_length=1)
    strength: Share | None = None
    consistency: Share | None = None
    detail: Share | None = None
    style_weight: Share | None = None
    style_scale: StyleScale | None = None
    preserve_color: Colors | None = None
    grain: Grain | None = None
    lut: Path | None = None
    lut_at: LutAt | None = None
    mask: Path | None = None
    invert_mask: bool | None = None
    feather: Feather | None = None

    def settings(self) -> dict[str, Any]:
        """Those it names, by name."""
        return {name: value for name in CHANGING if (value := getattr(self, name)) is not None}


#: Settings that can change over time.
CHANGING = tuple(ChangingSettings.model_fields)


class _Key(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float | str = Field(description="Moment, counted from the clip's first frame: seconds, or a timecode.")
    ease: Ease = Field("linear", description="How numbers and styles go on to the next keyframe.")

    @field_validator("at")
    @classmethod
    def _moment_is_readable(cls, value: float | str) -> float | str:
        return _readable(value)


class Keyframe(ChangingSettings, _Key):
    """Values of some settings at a moment; ``[[keyframes]]`` in a preset.

    Between two keyframes of a setting with numbers a and b, u being the part of the way that is done, the value is
    a + u (b - a) for ``linear``, a + u² (3 - 2u) (b - a) for ``smooth``, and a for ``hold``. Styles go over into each
    other likewise, as mixtures of both. Words, switches and files hold until the next keyframe. Before the first
    keyframe that names a setting, and after the last, the nearest one's value holds.
    """

    @model_validator(mode="after")
    def _something_changes(self) -> Keyframe:
        if not self.settings():
            raise ValueError(f"a keyframe sets at least one of {', '.join(CHANGING)}")
        return self


class RegionKeyframe(_Key):
    """Values of a region at a moment; ``[[regions.keyframes]]`` in a preset. They go over as those of ``Keyframe``."""

    strength: Share | None = Field(None, description="The region's strength at that moment.")
    feather: Feather | None = Field(None, description="Its feather.")
    invert: bool | None = Field(None, description="Whether it is inverted from there on.")

    @model_validator(mode="after")
    def _something_changes(self) -> RegionKeyframe:
        if (self.strength, self.feather, self.invert) == (None, None, None):
            raise ValueError("a region's keyframe sets at least one of strength, feather, invert")
        return self


class Region(BaseModel):
    """A part of the picture with a style of its own; ``[[regions]]`` in a preset. Later ones lie over earlier ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mask: Path = Field(description="Picture, numbered pictures (matte.%04d.png) or clip; white is stylized.")
    style: str = Field(description="What to paint it in; 'identity' leaves the source.")
    strength: Share = Field(1.0, description="How much of its painting shows over what lies below.")
    feather: Feather = Field(0.0, description="Width of the mask's soft edge, pixels of the clip.")
    invert: bool = Field(default=False, description="Style where the mask is black.")
    keyframes: tuple[RegionKeyframe, ...] = Field(
        (), description="Tables [[regions.keyframes]]: values of strength, feather and invert over time."
    )


def _readable(value: float | str) -> float | str:
    moment = parse_moment(value)
    return str(moment) if isinstance(moment, Timecode) else float(moment)


class _Place(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float | str | None = Field(
        None, description="Where it begins, counted from the clip's first frame: seconds, or a timecode."
    )
    end: float | str | None = Field(
        None, description="Where it ends, written alike; not set, where the next begins, or the clip ends."
    )
    number: int | None = Field(None, ge=1, description="Instead of start: which shot of the cut list, counted from 1.")
    name: str | None = Field(
        None,
        min_length=1,
        description="Or by the name of its clip, file or reel there; all shots of that name are meant.",
    )

    @field_validator("start", "end")
    @classmethod
    def _moment_is_readable(cls, value: float | str | None) -> float | str | None:
        return None if value is None else _readable(value)


class Shot(ChangingSettings, _Place):
    """Settings of one shot; ``[[shots]]`` in a preset. Meant by its start, or by number or name in the cut list.

    Without any setting it is a cut, behind which the settings outside of the tables hold again.
    """

    @model_validator(mode="after")
    def _one_shot_is_meant(self) -> Shot:
        given = [name for name in ("start", "number", "name") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a shot is meant by one of start, number and name, not by {' and '.join(given) or 'none'}"
            )
        if self.end is not None and self.start is None:
            raise ValueError("a shot of the cut list ends where the list says; leave its end out")
        return self


@dataclass(frozen=True, slots=True)
class PresetText:
    """Where settings come from, which does not tell them apart."""

    name: str = field(default="", compare=False)
    text: str = field(default="", compare=False)


class ControlSettings(BaseModel):
    """Settings of the artist's controls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: For messages about what only a clip shows to be wrong.
    _preset: PresetText = PrivateAttr(PresetText())

    strength: Share = Field(
        1.0, description="How much of the painting shows: 0 leaves the decoded frame as it is, 1 is all."
    )
    preserve_color: Colors = Field(
        "none",
        description="Colours of the source: none, luma (brightness alone is painted) or transfer (the style takes the "
        "clip's colours).",
    )
    mask: Path | None = Field(
        None,
        description="Picture, numbered pictures (matte.%04d.png) or clip of the source's size and length; white is "
        "stylized.",
    )
    invert_mask: bool = Field(default=False, description="Stylize where the mask is black.")
    feather: Feather = Field(0.0, description="Width of the mask's soft edge, in pixels of the clip.")
    regions: tuple[Region, ...] = Field(
        (), description="Parts of the picture with a style of their own, laid over the rest in this order."
    )
    keyframes: tuple[Keyframe, ...] = Field((), description="Values of settings over time.")
    shots: tuple[Shot, ...] = Field((), description="Settings of single shots. A shot begins with a cut.")
    shots_from: Path | None = Field(
        None, description="Cut list (.edl or .otio) whose shots are cuts, and can have settings by number or name."
    )
    lut: Path | None = Field(None, description="3D look-up table (.cube, .3dl, .dat, .m3d or .csp).")
    lut_at: LutAt = Field("after", description="Apply the look-up table before all else, or after.")
    style_scale: StyleScale = Field(1.0, description="Brush size: 2 paints strokes twice as large, 0.5 half as large.")
    detail: Share = Field(0.0, description="How much of the source's fine edges is added back.")
    grain: Grain = Field(
        "off",
        description="Take the clip's grain away before it is painted, and put it back after (keep) or not (remove); "
        "off paints it.",
    )

    @field_validator("mask", "lut")
    @classmethod
    def _none_is_no_file(cls, value: Path | None) -> Path | None:
        return None if value in NO_FILES else value

    def values(self, name: str) -> list[Any]:
        """What a setting is at some time or other."""
        keyed = [value for key in self.keyframes if (value := getattr(key, name)) is not None]
        of_shots = [value for shot in self.shots if (value := getattr(shot, name)) is not None]
        everywhere = keyed or [getattr(self, name)]
        return [None if value in NO_FILES else value for value in (*everywhere, *of_shots)]

    def changes(self, *names: str) -> bool:
        """Whether keyframes or shots name one of these settings."""
        return any(not set(names).isdisjoint(table.settings()) for table in (*self.keyframes, *self.shots))

    @property
    def changes_over_time(self) -> bool:
        """Settings depend on when a frame is shown."""
        in_regions = any(region.keyframes for region in self.regions)
        return bool(self.keyframes or self.shots or self.shots_from is not None or in_regions)

    def place(self, *location: str | int) -> str:
        """Where a setting stands, such as `` in preset look.toml, line 3,``; empty where it is of no preset."""
        return place_of(self._preset.name, self._preset.text, location) if self._preset.name else ""
