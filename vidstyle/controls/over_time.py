"""What the controls are set to at a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vidstyle.config import RenderConfig
from vidstyle.control_settings import CHANGING, NO_FILES, Colors, Grain, LutAt
from vidstyle.controls.keyframes import ROUNDING, SecondsOf, Shares, tracks
from vidstyle.controls.shots import ShotList, over_time
from vidstyle.stylizers.changing import Turn

_SIGHT = ("preserve_color", "grain", "lut", "lut_at")


@dataclass(frozen=True, slots=True)
class Controls:
    """Settings of one moment; all but ``style`` by their names, which ``RenderConfig`` explains.

    Attributes:
        style: names of styles with their shares, which add up to 1.
    """

    style: Shares = (("", 1.0),)
    strength: float = 1.0
    consistency: float = 0.9
    detail: float = 0.0
    style_weight: float = 1.0
    style_scale: float = 1.0
    preserve_color: Colors = "none"
    grain: Grain = "off"
    lut: Path | None = None
    lut_at: LutAt = "after"
    mask: Path | None = None
    invert_mask: bool = False
    feather: float = 0.0

    @property
    def lut_before(self) -> Path | None:
        """The table that frames go through before all else."""
        return self.lut if self.lut_at == "before" else None

    @property
    def lut_after(self) -> Path | None:
        """The table that finished frames go through."""
        return self.lut if self.lut_at == "after" else None

    @property
    def turn(self) -> Turn:
        """What stylizers have to know."""
        takes_colors = self.preserve_color == "transfer"
        return Turn(self.style_weight, self.style_scale, takes_colors, self.lut_before if takes_colors else None)


#: Controls, or what gives them at a moment.
OverTime = Controls | Callable[[Fraction], Controls]


def controls_over_time(config: RenderConfig, shots: ShotList | None, seconds_of: SecondsOf) -> OverTime:
    """The controls, or what gives them at a moment where any of them changes.

    Args:
        config: settings.
        shots: of the clip.
        seconds_of: reads a moment, which may be a timecode of the clip.
    """
    settings = {name: over_time(name, config, shots, seconds_of) for name in CHANGING}
    moving = {name: setting for name, setting in settings.items() if callable(setting)}
    constant = {name: setting for name, setting in settings.items() if name not in moving}
    if not moving:
        return _controls(constant)
    return lambda moment: _controls(constant | {name: setting(moment) for name, setting in moving.items()})


def _controls(values: dict[str, object]) -> Controls:
    return Controls(**{name: None if value in NO_FILES else value for name, value in values.items()})  # type: ignore[arg-type]


def painting_jumps(
    config: RenderConfig, controls: OverTime, seconds_of: SecondsOf, *, has_weight: bool
) -> tuple[Fraction, ...]:
    """Moments at which keyframes change how a style paints all at once, in order.

    Args:
        config: settings.
        controls: the same, over time.
        seconds_of: reads a moment.
        has_weight: a style weight means something to the style.
    """
    if not callable(controls):
        return ()
    watched: dict[str, Callable[[Controls], object]] = dict.fromkeys(_SIGHT, _seen)
    watched["style_scale"] = lambda now: now.style_scale
    if has_weight:
        watched["style_weight"] = lambda now: now.style_weight
    found = set()
    for name, track in tracks(config.keyframes, watched, seconds_of).items():
        of = watched[name]
        found |= {at for at in track.jumps if of(controls(at - 2 * ROUNDING)) != of(controls(at))}
    return tuple(sorted(found))


def _seen(controls: Controls) -> tuple[object, ...]:
    """What stylizers see, and whose colours they take."""
    return controls.lut_before, controls.grain != "off", controls.preserve_color == "transfer"
