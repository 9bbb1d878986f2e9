"""HDR metadata: read from a decoded frame, handed to the encoders that take it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from av import VideoFrame as AVFrame

from vidstyle.media.side_data import side_data

_PAIRS = struct.Struct("<20i2i")  # FFmpeg's AVMasteringDisplayMetadata: ten fractions, two flags


@dataclass(frozen=True, slots=True)
class MasteringDisplay:
    """The display a picture was graded on (SMPTE ST 2086).

    Attributes:
        primaries: CIE 1931 (x, y) of red, green and blue.
        white_point: CIE 1931 (x, y).
        min_luminance: in cd/m².
        max_luminance: in cd/m².
    """

    primaries: tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction], tuple[Fraction, Fraction]]
    white_point: tuple[Fraction, Fraction]
    min_luminance: Fraction
    max_luminance: Fraction

    def to_text(self, chroma_unit: Fraction, luminance_unit: Fraction) -> str:
        """As x264, x265 and SVT-AV1 take it: ``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``, in the units given."""
        red, green, blue = self.primaries

        def number(value: Fraction, unit: Fraction) -> str:
            return f"{float(value):.5f}" if unit == 1 else str(round(value / unit))

        places = zip(("G", "B", "R", "WP"), (green, blue, red, self.white_point), strict=True)
        colors = "".join(f"{name}({number(x, chroma_unit)},{number(y, chroma_unit)})" for name, (x, y) in places)
        return f"{colors}L({number(self.max_luminance, luminance_unit)},{number(self.min_luminance, luminance_unit)})"


@dataclass(frozen=True, slots=True)
class HdrMetadata:
    """What a clip says about its light.

    Attributes:
        mastering: None where it does not say.
        max_content_light: brightest pixel of the clip (MaxCLL) in cd/m²; 0 where unknown.
        max_average_light: brightest frame average (MaxFALL) in cd/m²; 0 where unknown.
    """

    mastering: MasteringDisplay | None = None
    max_content_light: int = 0
    max_average_light: int = 0

    @property
    def peak(self) -> float | None:
        """cd/m² that no pixel is brighter than; None where nothing is known."""
        if self.max_content_light:
            return float(self.max_content_light)
        return float(self.mastering.max_luminance) if self.mastering and self.mastering.max_luminance > 0 else None


def hdr_metadata(frame: AVFrame) -> HdrMetadata | None:
    """What a decoded frame says about its light; None where it says nothing."""
    display = side_data(frame, "MASTERING_DISPLAY_METADATA")
    level = side_data(frame, "CONTENT_LIGHT_LEVEL")
    if display is None and level is None:
        return None
    max_content, max_average = struct.unpack("<2I", level[:8]) if level is not None else (0, 0)
    return HdrMetadata(_mastering(display) if display is not None else None, max_content, max_average)


def _mastering(data: bytes) -> MasteringDisplay | None:
    if len(data) < _PAIRS.size:
        return None
    *numbers, has_primaries, has_luminance = _PAIRS.unpack(data[: _PAIRS.size])
    if not (has_primaries and has_luminance) or 0 in numbers[1::2]:
        return None
    values = [Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
    red, green, blue, white = ((values[i], values[i + 1]) for i in range(0, 8, 2))
    return MasteringDisplay((red, green, blue), white, values[8], values[9])


def with_hdr_options(
    codec: str, hdr: HdrMetadata | None, options: Mapping[str, str], note: Callable[[str], None]
) -> dict[str, str]:
    """The encoder's options with HDR metadata among them; the user's own parameters win.

    Args:
        codec: FFmpeg's encoder name.
        hdr: of the source; None for nothing to keep.
        options: so far.
        note: told where the encoder cannot carry the metadata.
    """
    if hdr is None:
        return dict(options)
    if codec not in _PARAMETERS:
        note(f"{codec} cannot carry the HDR metadata (mastering display, light levels), only the colour tags are kept.")
        return dict(options)
    name, separator, parameters = _PARAMETERS[codec]
    wanted = [*parameters(hdr), *([options[name]] if options.get(name) else [])]
    return {**options, name: separator.join(wanted)} if wanted else dict(options)


def _x265(hdr: HdrMetadata) -> list[str]:
    light = f"{hdr.max_content_light},{hdr.max_average_light}"
    return ["hdr10=1", *_master_display("master-display", hdr, True), f"max-cll={light}"]


def _x264(hdr: HdrMetadata) -> list[str]:
    light = [f"cll={hdr.max_content_light},{hdr.max_average_light}"] if hdr.max_content_light else []
    return [*_master_display("mastering-display", hdr, True), *light]


def _svtav1(hdr: HdrMetadata) -> list[str]:
    light = [f"content-light={hdr.max_content_light},{hdr.max_average_light}"] if hdr.max_content_light else []
    return [*_master_display("mastering-display", hdr, False), *light]


def _master_display(name: str, hdr: HdrMetadata, in_units: bool) -> list[str]:
    if hdr.mastering is None:
        return []
    units = (Fraction(1, 50000), Fraction(1, 10000)) if in_units else (Fraction(1), Fraction(1))
    return [f"{name}={hdr.mastering.to_text(*units)}"]


_PARAMETERS: dict[str, tuple[str, str, Callable[[HdrMetadata], list[str]]]] = {
    "libx265": ("x265-params", ":", _x265),
    "libx264": ("x264-params", ":", _x264),
    "libsvtav1": ("svtav1-params", ":", _svtav1),
}
