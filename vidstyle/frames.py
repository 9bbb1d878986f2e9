"""The values that walk through a render: frames, packets, and what is known about the clip."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class ColorInfo:
    """Resolved colour tags, by FFmpeg's names; nothing is left 'unspecified'.

    Attributes:
        matrix: YCbCr matrix, such as ``bt709`` or ``smpte170m``.
        primaries: such as ``bt709``.
        transfer: such as ``bt709``.
        range: ``tv`` (limited) or ``pc`` (full).
    """

    matrix: str
    primaries: str
    transfer: str
    range: str

    def __post_init__(self) -> None:
        if self.range not in ("tv", "pc"):
            raise ValueError(f"range must be 'tv' or 'pc', got {self.range!r}")


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known about a clip's picture before the first frame is decoded.

    Attributes:
        width: stored width in pixels, before rotation.
        height: stored height in pixels, before rotation.
        average_rate: frames per second; exact, 24000/1001 stays 24000/1001.
        time_base: seconds per pts tick.
        color: resolved colour tags.
        rotation_degrees: counter-clockwise rotation (0, 90, 180, 270) a player applies to the stored picture; frames
            from a reader are already upright.
        flipped: a player also mirrors the stored picture left to right, before it rotates it.
        sample_aspect_ratio: width of a stored pixel over its height.
        bit_depth: bits of one stored component.
        codec: decoder name, such as ``h264``.
        pixel_format: FFmpeg's name of the stored pixel format.
        has_alpha: the stored picture has an opacity channel.
        is_interlaced: a stored picture is two fields of different moments.
        num_frames_from_header: for progress only, never for loop control.
        duration_seconds: from the header; for progress only.
    """

    width: int
    height: int
    average_rate: Fraction
    time_base: Fraction
    color: ColorInfo
    rotation_degrees: int = 0
    flipped: bool = False
    sample_aspect_ratio: Fraction = Fraction(1)
    bit_depth: int = 8
    codec: str = ""
    pixel_format: str = ""
    has_alpha: bool = False
    is_interlaced: bool = False
    num_frames_from_header: int | None = None
    duration_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a picture is at least 1x1, got {self.width}x{self.height}")
        if self.rotation_degrees not in (0, 90, 180, 270):
            raise ValueError(f"rotation_degrees must be 0, 90, 180 or 270, got {self.rotation_degrees}")

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) in pixels as a viewer sees the picture, and as readers deliver it."""
        return (self.height, self.width) if self.rotation_degrees % 180 else (self.width, self.height)

    @property
    def upright_pixel_shape(self) -> Fraction:
        """Width of a pixel over its height, likewise."""
        return 1 / self.sample_aspect_ratio if self.rotation_degrees % 180 else self.sample_aspect_ratio


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One decoded picture.

    Attributes:
        data: (3, H, W) RGB, upright and display-referred: uint8, or uint16 over its whole range where the source (on
            the way to the sink: the output) has more than 8 bits.
        pts: presentation time in ticks of ``time_base``.
        time_base: seconds per tick.
        duration: ticks the picture is shown for; None where the source does not say.
        alpha: (1, H, W) opacity, straight, of the dtype of ``data``; None where there is none or it is not kept.
        stored: what the source holds of this picture, which a writer keeps wherever ``data`` still shows it; None where
            nobody asked for it. Only ``vidstyle.media`` looks inside.
        own_time: the source's own time of the picture, in seconds, where a constant rate shows it at the nearest of
            its times; None where it is shown at its own, or again.
    """

    data: Tensor
    pts: int
    time_base: Fraction
    duration: int | None = None
    alpha: Tensor | None = None
    stored: Any | None = None
    own_time: Fraction | None = None

    @property
    def seconds(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)


@dataclass(frozen=True, slots=True, eq=False)
class Packet:
    """A compressed piece of audio or subtitle, carried from reader to writer untouched.

    Attributes:
        stream_index: index of its stream in the source.
        payload: the media library's own packet; only ``vidstyle.media`` looks inside.
    """

    stream_index: int
    payload: Any
