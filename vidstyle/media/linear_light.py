"""Linear light to display-referred pixels, which stylizers understand, and back.

Linear values go through a display's curve (sRGB, Rec. 709, or OpenColorIO's for two named spaces) to x, where diffuse
white is 1, and then into [0, 1]:

    d = W x                            up to white, W = 15/16
    d = W + (1 - W) ln(x) / ln(8)      above it, so that highlights stay apart and come back

With sRGB, light up to 131 times white survives (85 times with Rec. 709); what is above it, or below 0, is clipped. In
16 bits the round trip is exact to 2e-6 of white in the shadows, to 1e-4 relative in the middle tones and to 7e-4 above
white: about what a half float is itself.

A stylizer may paint a white wall with d = 1, which means 131 times white: ``Highlights`` remembers where the source was
brighter than white, and limits the paint to that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from vidstyle.errors import ConfigError
from vidstyle.media.opencolorio import OcioCurve

_Floats = np.ndarray[Any, np.dtype[np.float32]]
_Codes = np.ndarray[Any, np.dtype[np.uint16]]

#: Where diffuse white lies on the display, when there is room above it.
WHITE = 15 / 16
#: Highest value of the display's curve that is kept.
MAX_SIGNAL = 8.0
_TOP = 65535
_CELL_PX = 16


class Curve(Protocol):
    """Scene-linear RGB to the signal of a display and back; (3, H, W) float32, where 1 is diffuse white."""

    @property
    def is_per_channel(self) -> bool:
        """Each channel is treated by itself, so that a table of one does for all."""
        ...

    def encode(self, light: _Floats) -> _Floats:
        """Light to signal."""
        ...

    def decode(self, signal: _Floats) -> _Floats:
        """Signal to light."""
        ...


@dataclass(frozen=True, slots=True)
class PowerCurve:
    """x = (1 + a) v^(1/g) - a above ``start``, and ``slope`` times v below it, where both meet.

    Attributes:
        a: offset.
        gamma: exponent.
        start: light where the straight piece ends.
        slope: of the straight piece.
    """

    a: float
    gamma: float
    start: float
    slope: float
    is_per_channel: bool = True

    def encode(self, light: _Floats) -> _Floats:
        """Light to signal."""
        v = torch.from_numpy(light)
        curved = v.clamp_min(self.start).pow(1 / self.gamma).mul_(1 + self.a).sub_(self.a)
        signal: _Floats = torch.where(v <= self.start, v * self.slope, curved).numpy()
        return signal

    def decode(self, signal: _Floats) -> _Floats:
        """Signal to light."""
        x = torch.from_numpy(signal)
        end = self.start * self.slope
        curved = x.clamp_min(end).add_(self.a).div_(1 + self.a).pow_(self.gamma)
        light: _Floats = torch.where(x <= end, x / self.slope, curved).numpy()
        return light


#: IEC 61966-2-1; ITU-R BT.709-6 item 1.2 with the exact constants of BT.2020: the rounded pieces do not meet.
BUILT_IN_CURVES = {
    "srgb": PowerCurve(a=0.055, gamma=2.4, start=0.0031308, slope=12.92),
    "rec709": PowerCurve(a=0.09929682680944, gamma=1 / 0.45, start=0.018053968510807, slope=4.5),
}


class Highlights:
    """How bright a source frame is, coarsely, from reading it until its painting is written.

    Holds one small picture for each frame on its way; a frame never asked for goes with the next that is.
    """

    def __init__(self) -> None:
        self._limits: dict[Fraction, torch.Tensor | None] = {}

    def remember(self, time: Fraction, light: np.ndarray[Any, Any]) -> None:
        """Note the frame of ``time`` (in seconds), (3, H, W) linear."""
        brightest = torch.from_numpy(np.nan_to_num(light.max(axis=0).astype(np.float32), posinf=1e6))[None, None]
        if float(brightest.max()) <= 1.0:
            self._limits[time] = None
            return
        cells = F.max_pool2d(brightest, _CELL_PX, ceil_mode=True)
        # A neighbourhood, so that interpolation is nowhere below the pixel itself, and strokes may reach over edges.
        self._limits[time] = F.max_pool2d(cells, 3, stride=1, padding=1)

    def take(self, time: Fraction) -> torch.Tensor | None:
        """What was noted of a frame, for ``limit_highlights``; it and all before it are forgotten."""
        limits = self._limits.get(time)
        for known in [known for known in self._limits if known <= time]:
            del self._limits[known]
        return limits


def limit_highlights(light: _Floats, limits: torch.Tensor | None) -> _Floats:
    """Darken paint that is brighter than white and than the source was there; (3, H, W) linear, at any size."""
    if limits is None:
        return np.minimum(light, np.float32(1.0))
    size = (light.shape[1], light.shape[2])
    ceiling = F.interpolate(limits, size=size, mode="bilinear", align_corners=False)[0].clamp_min_(1.0)
    darkened: _Floats = np.minimum(light, ceiling.numpy())
    return darkened


@dataclass(frozen=True)
class DisplayTransform:
    """Linear pictures to display-referred ones of 16 bits, and back.

    Attributes:
        curve: of the display.
        name: what it is, for people.
        keeps_highlights: leave room above white; otherwise what is brighter than white becomes white.
        highlights: where the source was brighter than white, by time; shared by the reader and the writer of a render.
    """

    curve: Curve
    name: str
    keeps_highlights: bool = True
    highlights: Highlights = field(default_factory=Highlights, compare=False)

    def to_display(self, light: np.ndarray[Any, Any]) -> _Codes:
        """(3, H, W) float16 or float32 linear RGB to uint16 over its whole range; NaN is black."""
        if light.dtype == np.float16 and self.curve.is_per_channel:
            codes: _Codes = np.take(self._table_of_halves, light.view(np.uint16))
            return codes
        return self._encode(light.astype(np.float32))

    def from_display(self, codes: np.ndarray[Any, Any]) -> _Floats:
        """(3, H, W) uint8 or uint16 to float32 linear RGB."""
        if codes.dtype == np.uint8:
            codes = codes.astype(np.uint16) * np.uint16(257)
        if self.curve.is_per_channel:
            light: _Floats = np.take(self._table_of_codes, codes)
            return light
        return self._decode(codes)

    @cached_property
    def _table_of_halves(self) -> _Codes:
        return self._encode(np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32))

    @cached_property
    def _table_of_codes(self) -> _Floats:
        return self._decode(np.arange(65536, dtype=np.uint16))

    def _encode(self, light: _Floats) -> _Codes:
        light = np.nan_to_num(light, nan=0.0, posinf=1e6, neginf=0.0)
        signal = torch.from_numpy(self.curve.encode(light))
        if self.keeps_highlights:
            above = signal.clamp(1.0, MAX_SIGNAL).log_().mul_((1 - WHITE) / math.log(MAX_SIGNAL)).add_(WHITE)
            shown = torch.where(signal <= 1.0, signal * WHITE, above)
        else:
            shown = signal
        codes: _Codes = shown.mul(_TOP).add_(0.5).clamp_(0, _TOP).to(torch.uint16).numpy()
        return codes

    def _decode(self, codes: _Codes) -> _Floats:
        shown = torch.from_numpy(codes.astype(np.float32)).div_(_TOP)
        if self.keeps_highlights:
            above = shown.clamp_min(WHITE).sub_(WHITE).mul_(math.log(MAX_SIGNAL) / (1 - WHITE)).exp_()
            signal = torch.where(shown <= WHITE, shown / WHITE, above)
        else:
            signal = shown
        return self.curve.decode(signal.numpy())


def display_transform(
    config_file: Path | None = None,
    linear_space: str | None = None,
    display_space: str | None = None,
    *,
    keeps_highlights: bool = True,
) -> DisplayTransform:
    """The transform asked for.

    Args:
        config_file: OpenColorIO configuration; None uses a built-in curve.
        linear_space: what the pictures are in, by a name of the configuration; its scene-linear role by default.
        display_space: what stylizers shall see: ``srgb`` or ``rec709``, or a name of the configuration; its
            texture-paint role by default.
        keeps_highlights: leave room above white; otherwise what is brighter than white becomes white.

    Raises:
        ConfigError: OpenColorIO is missing, the file is none of its, or has no such space.
    """
    if config_file is not None:
        curve = OcioCurve(config_file, linear_space, display_space)
        return DisplayTransform(curve, curve.name, keeps_highlights)
    if linear_space is not None:
        raise ConfigError(f"The colour space '{linear_space}' needs an OpenColorIO file; name one with --color-config.")
    name = (display_space or "srgb").lower()
    if name not in BUILT_IN_CURVES:
        known = " and ".join(BUILT_IN_CURVES)
        raise ConfigError(
            f"There is no built-in display space '{display_space}' (there are {known}); for others name an OpenColorIO "
            "file with --color-config."
        )
    return DisplayTransform(BUILT_IN_CURVES[name], f"the {name} curve", keeps_highlights)
