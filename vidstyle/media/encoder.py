"""Which encoder writes the picture, with what options; checked before anything is rendered."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from vidstyle.errors import ConfigError
from vidstyle.frames import ColorInfo
from vidstyle.media.color import bit_depth, has_alpha, is_rgb, tag
from vidstyle.media.encoder_options import encoder_options, near_matches, stand_in_options
from vidstyle.media.failures import captured_warnings, reason
from vidstyle.media.hardware import encoder_named, silence, software_for, translate_preset, unusable, usual_priority
from vidstyle.media.hdr import HdrMetadata, with_hdr_options
from vidstyle.media.pixel_format import (
    PixelNeeds,
    fits,
    note_losses,
    profile_options,
    rank_pixel_formats,
    refuse_profile_without_alpha,
)

# QuickTime and Safari play HEVC under this tag only.
_HEVC_ENCODERS = ("libx265", "hevc_nvenc", "hevc_videotoolbox")
# These write the pixel shape into the picture's own header. MP4 and MOV have it in theirs for all; PyAV has no way to
# put it into Matroska's.
_PIXEL_SHAPE_ENCODERS = (*_HEVC_ENCODERS, "libx264", "h264_nvenc", "mpeg4", "mpeg2video")
_MAX_THREADS = 8
# What encoders say of the keys inside x264-params and the like, before they go on without them.
_IGNORED = re.compile(r"Error parsing option|Unknown option|Invalid value|Unrecognized option", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """A video encoder that has been opened once with exactly this and works.

    Attributes:
        codec: FFmpeg's encoder name.
        width: of the encoded picture, in pixels.
        height: of the encoded picture, in pixels.
        pixel_format: of the encoded picture.
        options: for the encoder.
        rate: frames per second; for rate control only.
        time_base: seconds per pts tick.
        color: tags.
        sample_aspect_ratio: width of a pixel over its height.
    """

    codec: str
    width: int
    height: int
    pixel_format: str
    options: dict[str, str]
    rate: Fraction
    time_base: Fraction
    color: ColorInfo
    sample_aspect_ratio: Fraction

    def apply(self, context: VideoCodecContext) -> None:
        """Set up an encoder that is not open yet."""
        context.width, context.height = self.width, self.height
        context.pix_fmt = self.pixel_format
        context.framerate = self.rate
        context.time_base = self.time_base
        context.sample_aspect_ratio = self.sample_aspect_ratio
        context.flags |= av.codec.context.Flags.frame_duration
        context.thread_count = min(_MAX_THREADS, os.cpu_count() or 1)
        tag(context, self.color, rgb=is_rgb(self.pixel_format))

    @property
    def has_alpha(self) -> bool:
        """Whether opacity is encoded."""
        return has_alpha(self.pixel_format)

    @property
    def bit_depth(self) -> int:
        """Bits of a stored component."""
        return bit_depth(self.pixel_format)

    def pixel_shape_notes(self) -> list[str]:
        """A sentence where pixels are not square and only the container could say so."""
        if self.sample_aspect_ratio == 1 or self.codec in _PIXEL_SHAPE_ENCODERS:
            return []
        return [
            f"{self.codec} does not record that pixels are {float(self.sample_aspect_ratio):.3f} times as wide as "
            "high, players will show them square; use libx264 or libx265, or write to .mp4 or .mov, to keep the shape."
        ]

    def codec_tag(self, format_name: str) -> str | None:
        """Four-character tag that players of this container expect, where it is not the muxer's own choice."""
        return "hvc1" if self.codec in _HEVC_ENCODERS and format_name in ("mp4", "mov") else None


def choose_encoder(
    codec: str,
    size: tuple[int, int],
    *,
    rate: Fraction,
    time_base: Fraction,
    color: ColorInfo,
    sample_aspect_ratio: Fraction,
    crf: int | None,
    bitrate: int | None = None,
    preset: str | None,
    pixel_format: str | None,
    options: Mapping[str, str],
    note: Callable[[str], None],
    needs: PixelNeeds | None = None,
    hdr: HdrMetadata | None = None,
) -> EncoderSettings:
    """Complete the settings, check every name, and open the encoder once to see that it takes them.

    A hardware encoder that this machine cannot open is replaced by the software encoder of its family, with a note.
    Where no pixel format is asked for, it follows ``needs``, the source's; ``hdr`` is its HDR metadata.

    Raises:
        ConfigError: an unknown codec, option or pixel format (near matches are named), or values it refuses.
    """
    codec, preset, options = _usable(codec, preset, options, note)
    encoder = _find(codec)
    all_options = encoder_options(encoder.name, crf=crf, bitrate=bitrate, preset=preset, given=options)
    formats = [f.name for f in encoder.video_formats or []]
    if pixel_format is not None and formats and pixel_format not in formats:
        raise ConfigError(f"{encoder.name} has no pixel format {pixel_format!r}{_near_formats(pixel_format, formats)}")
    needs = needs or PixelNeeds()
    if needs.alpha:
        refuse_profile_without_alpha(encoder.name, options)
    candidates = [pixel_format] if pixel_format else rank_pixel_formats(encoder.name, formats, needs, size, options)
    if pixel_format is not None and needs.alpha and not has_alpha(pixel_format):
        better = rank_pixel_formats(encoder.name, formats, needs, size, options)[0]
        raise ConfigError(f"{pixel_format} has no opacity; use --pix-fmt {better}, or leave it out with --alpha drop.")
    all_options = with_hdr_options(encoder.name, hdr, all_options, note)
    failure: Exception | None = None
    for candidate in candidates:
        implied = {k: v for k, v in profile_options(encoder.name, candidate).items() if k not in options}
        settings = EncoderSettings(
            encoder.name, *size, candidate, all_options | implied, rate, time_base, color, sample_aspect_ratio
        )
        refusal = _try_to_open(settings)
        failure = failure or refusal  # that of the first is about the format people are told
        if refusal is None:
            if not fits(candidates[0], size) and candidate != candidates[0]:
                note(
                    f"The size {size[0]}x{size[1]} is odd: written as {candidate} to keep it exactly, which not every "
                    "player takes; an even --size plays everywhere."
                )
            else:
                note_losses(encoder.name, candidate, needs, chosen=pixel_format is None, note=note)
            return settings
    what = ", ".join(f"{key}={value}" for key, value in all_options.items())
    raise ConfigError(
        f"{encoder.name} cannot encode {size[0]}x{size[1]} {candidates[0]} with {what or 'no options'} "
        f"({reason(failure) if failure else 'no pixel format'}); change --codec, its options or --size."
    )


def _usable(
    codec: str, preset: str | None, options: Mapping[str, str], note: Callable[[str], None]
) -> tuple[str, str | None, Mapping[str, str]]:
    """Codec, preset and options as asked for, or those of the software that stands in for missing hardware."""
    codec = encoder_named(codec)
    software = software_for(codec)
    why = unusable(codec) if software is not None else None
    if software is None or why is None:
        return codec, preset, options
    note(f"{codec} cannot be used on this machine ({why}); encoded with {software} instead.")
    return software, preset and translate_preset(preset, software), stand_in_options(options, codec, software, note)


def _find(name: str) -> av.Codec:
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError as error:
        raise ConfigError(f"There is no video encoder {name!r}{_near_encoders(name)}") from error
    if codec.type != "video":
        raise ConfigError(f"{name!r} encodes {codec.type}, not video; use for example libx264.")
    return codec


def _near_formats(name: str, formats: list[str]) -> str:
    return near_matches(name, formats, f"it has {', '.join(formats)}")


def _near_encoders(name: str) -> str:
    return near_matches(name, _video_encoders(), "leave --codec out, or see 'vidstyle doctor' for those at hand")


def _video_encoders() -> list[str]:
    names = []
    for name in av.codecs_available:
        try:
            codec = av.Codec(name, "w")
        except UnknownCodecError:
            continue
        if codec.type == "video":
            names += [name, codec.name]
    return names


def _try_to_open(settings: EncoderSettings) -> Exception | None:
    context = av.CodecContext.create(settings.codec, "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{settings.codec} is not a video encoder")
    settings.apply(context)
    context.options = dict(settings.options)
    silence(settings.codec)
    try:
        with captured_warnings() as warnings, usual_priority():
            context.open()
    except (av.FFmpegError, ValueError) as error:
        return error
    return next((ValueError(line) for line in warnings if _IGNORED.search(line)), None)
