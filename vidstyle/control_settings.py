"""Settings of the controls that are tables: keyframes, and regions with a style of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vidstyle.moments import Timecode, parse_moment

#: How a value goes from one keyframe to the next.
Ease = Literal["linear", "smooth", "hold"]
#: Settings that can change over time.
KEYFRAMABLE = ("strength", "consistency", "detail", "style_weight")

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
        moment = parse_moment(value)
        return str(moment) if isinstance(moment, Timecode) else float(moment)

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


class ControlSettings(BaseModel):
    """Settings of the artist's controls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        keyed = [value for key in self.keyframes if (value := getattr(key, name)) is not None]
        return float(max(keyed, default=getattr(self, name)))

    def lowest(self, name: str) -> float:
        """The lowest."""
        keyed = [value for key in self.keyframes if (value := getattr(key, name)) is not None]
        return float(min(keyed, default=getattr(self, name)))
