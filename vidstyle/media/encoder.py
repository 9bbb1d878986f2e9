"""Which encoder writes the picture, with what options; checked before anything is rendered."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from vidstyle.errors import ConfigError
from vidstyle.frames import ColorInfo
from vidstyle.media.color import is_rgb, tag
from vidstyle.media.failures import reason

_DEFAULT_CRF = {"libx264": 18, "libx265": 20, "libvpx-vp9": 24, "libaom-av1": 24, "libsvtav1": 28}
_DEFAULT_PRESET = {"libx264": "fast", "libx265": "fast", "libsvtav1": "8"}
_DEFAULT_PIXEL_FORMAT = {"prores_ks": "yuv422p10le", "dnxhd": "yuv422p", "ffv1": "bgr0"}
_DEFAULT_OPTIONS = {
    "prores_ks": {"profile": "hq", "vendor": "apl0"},
    "dnxhd": {"profile": "dnxhr_hq"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "4", "row-mt": "1"},
}
# QuickTime and Safari play HEVC under this tag only.
_HEVC_ENCODERS = ("libx265", "hevc_nvenc")
# These write the pixel shape into the picture's own header; PyAV has no way to put it into the container's.
_PIXEL_SHAPE_ENCODERS = (*_HEVC_ENCODERS, "libx264", "h264_nvenc", "mpeg4", "mpeg2video")
_MAX_THREADS = 8


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
    preset: str | None,
    pixel_format: str | None,
    options: Mapping[str, str],
    note: Callable[[str], None],
) -> EncoderSettings:
    """Complete the settings, check every name, and open the encoder once to see that it takes them.

    Raises:
        ConfigError: an unknown codec, option or pixel format (near matches are named), or values it refuses.
    """
    encoder = _find(codec)
    context = av.CodecContext.create(encoder.name, "w")
    all_options = _options(encoder.name, context, crf, preset, options)
    formats = [f.name for f in encoder.video_formats or []]
    if pixel_format is not None and formats and pixel_format not in formats:
        raise ConfigError(f"{encoder.name} has no pixel format {pixel_format!r}{_near(pixel_format, formats)}.")
    candidates = [pixel_format] if pixel_format else _pixel_formats(encoder.name, formats)
    failure: Exception | None = None
    for candidate in candidates:
        settings = EncoderSettings(
            encoder.name, *size, candidate, all_options, rate, time_base, color, sample_aspect_ratio
        )
        failure = _try_to_open(settings)
        if failure is None:
            if candidate != candidates[0]:
                note(
                    f"The size {size[0]}x{size[1]} is odd: written as {candidate} to keep it exactly, which not every "
                    "player takes; an even --size plays everywhere."
                )
            if sample_aspect_ratio != 1 and encoder.name not in _PIXEL_SHAPE_ENCODERS:
                note(
                    f"{encoder.name} does not record that pixels are {float(sample_aspect_ratio):.3f} times as wide as "
                    "high, players will show them square; use libx264 or libx265 to keep the shape."
                )
            return settings
    what = ", ".join(f"{key}={value}" for key, value in all_options.items())
    raise ConfigError(
        f"{encoder.name} cannot encode {size[0]}x{size[1]} {candidates[0]} with {what or 'no options'} "
        f"({reason(failure) if failure else 'no pixel format'}); change --codec, its options or --size."
    )


def _find(name: str) -> av.Codec:
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError as error:
        raise ConfigError(f"There is no video encoder {name!r}{_near(name, _video_encoders())}.") from error
    if codec.type != "video":
        raise ConfigError(f"{name!r} encodes {codec.type}, not video; use for example libx264.")
    return codec


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


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, set(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _options(
    codec: str, context: av.CodecContext, crf: int | None, preset: str | None, given: Mapping[str, str]
) -> dict[str, str]:
    # FFmpeg drops option names it does not know without a word.
    supported = context.supported_options
    known = {option.name for option in (*supported.private, *supported.generic)}
    options = dict(_DEFAULT_OPTIONS.get(codec, {}))
    for name, value, default in (
        ("crf", crf, _DEFAULT_CRF.get(codec)),
        ("preset", preset, _DEFAULT_PRESET.get(codec)),
    ):
        if value is not None and name not in known:
            raise ConfigError(f"{codec} has no {name}; leave it out or use libx264.")
        # Another rate control asked for by name replaces the default quality.
        replaced = name == "crf" and {"b", "qp", "lossless"} & given.keys()
        if value is not None or (default is not None and not replaced):
            options[name] = str(default if value is None else value)
    for name, text in given.items():
        if name not in known:
            raise ConfigError(f"{codec} has no option {name!r}{_near(name, known)}.")
        options[name] = str(text)
    if codec == "libx265":
        # It writes its statistics to the terminal otherwise.
        options["x265-params"] = ":".join(filter(None, ("log-level=error", options.get("x265-params"))))
    return options


def _pixel_formats(codec: str, formats: list[str]) -> list[str]:
    preferred = [_DEFAULT_PIXEL_FORMAT.get(codec, "yuv420p"), "yuv444p", "yuv444p10le"]
    return [f for f in preferred if not formats or f in formats] or formats[:1]


def _try_to_open(settings: EncoderSettings) -> Exception | None:
    context = av.CodecContext.create(settings.codec, "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{settings.codec} is not a video encoder")
    settings.apply(context)
    context.options = dict(settings.options)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        return error
    return None
