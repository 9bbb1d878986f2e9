"""Settings of the controls, and their tables: keyframes, shots with settings and regions with a style of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from vidstyle.moments import Timecode, parse_moment

#: How a value goes from one keyframe to the next.
Ease = Literal["linear", "smooth", "hold"]
#: Settings that can change over time.
KEYFRAMABLE = ("strength", "consistency", "detail", "style_weight")
#: Settings that a shot can have of its own.
OF_SHOTS = (*KEYFRAMABLE, "style")

_Share = Annotated[float | None, Field(ge=0.0, le=1.0)]


class Keyframe(BaseModel):
    """Values of some settings at a moment; ``[[keyframes]]`` in a preset.

    Between two keyframes of a setting with values a and b, u being the part of the way that is done, the value is
    a + u (b - a) for ``linear``, a + u² (3 - 2u) (b - a) for ``smooth``, and a for ``hold``. Before the first keyframe
    that names a setting, and after the last, the nearest one's value holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: float | str = Field(description="Moment, counted from the clip's first frame: seconds, or a timecode.")
    strength: _Share = Field(None, description="The setting strength at that moment.")
    consistency: _Share = Field(None, description="The setting consistency at that moment.")
    detail: _Share = Field(None, description="The setting detail at that moment.")
    style_weight: _Share = Field(None, description="The setting style_weight at that moment.")
    ease: Ease = Field("linear", description="How values go on to the next keyframe: linear, smooth or hold.")

    @field_validator("at")
    @classmethod
    def _moment_is_readable(cls, value: float | str) -> float | str:
        return _readable(value)

    @model_validator(mode="after")
    def _something_changes(self) -> Keyframe:
        if all(getattr(self, name) is None for name in KEYFRAMABLE):
            raise ValueError(f"a keyframe sets at least one of {', '.join(KEYFRAMABLE)}")
        return self


class Region(BaseModel):
    """A part of the picture with a style of its own; ``[[regions]]`` in a preset. Later ones lie over earlier ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mask: Path = Field(description="Picture, numbered pictures (matte.%04d.png) or clip; white is stylized.")
    style: str = Field(description="What to paint it in; 'identity' leaves the source.")
    feather: float = Field(0.0, ge=0.0, le=1000.0, description="Width of the mask's soft edge, pixels of the clip.")
    invert: bool = Field(default=False, description="Style where the mask is black.")


def _readable(value: float | str) -> float | str:
    moment = parse_moment(value)
    return str(moment) if isinstance(moment, Timecode) else float(moment)


class Shot(BaseModel):
    """Settings of one shot; ``[[shots]]`` in a preset. Meant by its start, or by number or name in the cut list.

    Without any setting it is a cut, behind which the settings outside of the tables hold again.
    """

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
    strength: _Share = Field(None, description="The setting strength in this shot.")
    consistency: _Share = Field(None, description="The setting consistency in this shot.")
    detail: _Share = Field(None, description="The setting detail in this shot.")
    style_weight: _Share = Field(None, description="The setting style_weight in this shot.")
    style: str | None = Field(None, min_length=1, description="The setting style in this shot.")

    @field_validator("start", "end")
    @classmethod
    def _moment_is_readable(cls, value: float | str | None) -> float | str | None:
        return None if value is None else _readable(value)

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

    def settings(self) -> dict[str, float | str]:
        """Those it has of its own, by name."""
        return {name: value for name in OF_SHOTS if (value := getattr(self, name)) is not None}


class ControlSettings(BaseModel):
    """Settings of the artist's controls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Where a setting stands, for messages about what only a clip shows to be wrong.
    _place: Callable[[tuple[str | int, ...]], str] | None = PrivateAttr(None)

    strength: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="How much of the painting shows: 0 leaves the decoded frame as it is, 1 is all.",
    )
    preserve_color: Literal["none", "luma", "transfer"] = Field(
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
    feather: float = Field(0.0, ge=0.0, le=1000.0, description="Width of the mask's soft edge, in pixels of the clip.")
    regions: tuple[Region, ...] = Field(
        (), description="Parts of the picture with a style of their own, laid over the rest in this order."
    )
    keyframes: tuple[Keyframe, ...] = Field(
        (), description="Values of strength, consistency, detail and style_weight over time."
    )
    shots: tuple[Shot, ...] = Field((), description="Settings of single shots. A shot begins with a cut.")
    shots_from: Path | None = Field(
        None, description="Cut list (.edl or .otio) whose shots are cuts, and can have settings by number or name."
    )
    lut: Path | None = Field(None, description="3D look-up table (.cube, .3dl, .dat, .m3d or .csp).")
    lut_at: Literal["before", "after"] = Field(
        "after", description="Apply the look-up table before all else, or after."
    )
    style_scale: float = Field(
        1.0, ge=0.25, le=4.0, description="Brush size: 2 paints strokes twice as large, 0.5 half as large."
    )
    detail: float = Field(0.0, ge=0.0, le=1.0, description="How much of the source's fine edges is added back.")
    grain: Literal["off", "keep", "remove"] = Field(
        "off",
        description="Take the clip's grain away before it is painted, and put it back after (keep) or not (remove); "
        "off paints it.",
    )

    def highest(self, name: str) -> float:
        """The highest value a keyframable setting has at any time."""
        return max(self._values(name))

    def lowest(self, name: str) -> float:
        """The lowest."""
        return min(self._values(name))

    @property
    def changes_over_time(self) -> bool:
        """Settings depend on when a frame is shown."""
        return bool(self.keyframes or self.shots or self.shots_from is not None)

    @property
    def paints_by_time(self) -> bool:
        """What is painted of a picture depends on when it is shown."""
        keyed = any(key.style_weight is not None for key in self.keyframes)
        return keyed or any(not {"style", "style_weight"}.isdisjoint(shot.settings()) for shot in self.shots)

    def place(self, *location: str | int) -> str:
        """Where a setting stands, such as `` in preset look.toml, line 3,``; empty where it is of no preset."""
        return self._place(location) if self._place is not None else ""

    def _values(self, name: str) -> list[float]:
        keyed = [value for key in self.keyframes if (value := getattr(key, name)) is not None]
        of_shots = [value for shot in self.shots if (value := getattr(shot, name)) is not None]
        return [*(keyed or [float(getattr(self, name))]), *of_shots]
