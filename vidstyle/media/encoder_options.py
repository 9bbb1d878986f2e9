"""What an encoder is told: quality or bitrate, speed, and whatever else was asked for; unknown names are refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping

import av
from av.codec.context import OptionFlags

from vidstyle.errors import ConfigError
from vidstyle.media.hardware import is_nvenc, is_videotoolbox, translate_preset

_DEFAULT_CRF = {
    "libx264": 18,
    "libx265": 20,
    "libvpx-vp9": 24,
    "libaom-av1": 24,
    "libsvtav1": 28,
    "h264_nvenc": 19,
    "hevc_nvenc": 21,
    "av1_nvenc": 28,
}
_MAX_CRF = {"libx264": 51, "libx265": 51, "h264_nvenc": 51, "hevc_nvenc": 51}
# x264 and x265 take these names, or their positions; x264 writes to the terminal about any other, and any other tune.
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_TUNES = {
    "libx264": ("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency", "touhou"),
    "libx265": ("psnr", "ssim", "grain", "fastdecode", "zerolatency", "animation"),
}
# Software encoders have these too, and take other values.
_MEANT_FOR_HARDWARE = frozenset({"tune", "profile"})
_ONE_CONTROL = frozenset({"crf", "qp", "b"})  # of x264 and x265, which drop the others without a word
_DEFAULT_PRESET = {"libx264": "faster", "libx265": "fast", "libsvtav1": "8"}
_DEFAULT_OPTIONS = {
    "prores_ks": {"profile": "hq", "vendor": "apl0"},
    "dnxhd": {"profile": "dnxhr_hq"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "4", "row-mt": "1"},
}
# Ways of controlling the rate which the default quality would get in the way of.
_RATE_CONTROLS = frozenset({"b", "crf", "qp", "cq", "lossless", "global_quality"})
_LAMBDA_PER_QUALITY = 118  # FFmpeg's FF_QP2LAMBDA


def encoder_options(
    codec: str, *, crf: int | None, bitrate: int | None, preset: str | None, given: Mapping[str, str]
) -> dict[str, str]:
    """Complete the options of an encoder.

    Args:
        codec: FFmpeg's encoder name.
        crf: constant quality; translated where the encoder has another scale for it.
        bitrate: bits a second, instead of a constant quality.
        preset: speed preset.
        given: further options, which win over all others.

    Raises:
        ConfigError: the encoder has no such option, control or preset (near matches are named), or controls of the
            rate exclude each other.
    """
    known = option_names(codec)
    for name in given:
        if name not in known:
            raise ConfigError(f"{codec} has no option {name!r}{near_matches(name, known)}")
    if crf is not None and bitrate is not None:
        raise ConfigError("A constant quality (--crf) and a bitrate (--bitrate) exclude each other; give one of them.")
    options = dict(_DEFAULT_OPTIONS.get(codec, {}))
    if bitrate is not None:
        options |= _bitrate_options(codec, bitrate)
    elif crf is not None:
        options |= _quality_options(codec, crf, known)
    elif codec in _DEFAULT_CRF and not _RATE_CONTROLS & given.keys():
        options |= _quality_options(codec, _DEFAULT_CRF[codec], known)
    if preset is None:
        preset = _DEFAULT_PRESET.get(codec)
    if preset is not None:
        if "preset" not in known:
            raise ConfigError(f"{codec} has no preset; leave it out or use libx264.")
        options["preset"] = translate_preset(preset, codec)
    options |= {name: str(value) for name, value in given.items()}
    _check_values(codec, options)
    if codec == "libx265":
        # It writes its statistics to the terminal otherwise.
        options["x265-params"] = ":".join(filter(None, ("log-level=error", options.get("x265-params"))))
    return options


def stand_in_options(
    given: Mapping[str, str], wanted: str, stand_in: str, note: Callable[[str], None]
) -> dict[str, str]:
    """Those of a hardware encoder's options that the software encoder has too; the others are named in a note.

    Raises:
        ConfigError: an option that the hardware encoder does not have either, where this FFmpeg knows it.
    """
    wanted_names = option_names(wanted)
    names = option_names(stand_in)
    for name in given:
        if name not in names and wanted_names and name not in wanted_names:
            raise ConfigError(f"{wanted} has no option {name!r}{near_matches(name, wanted_names)}")
    kept = {name: value for name, value in given.items() if name in names and name not in _MEANT_FOR_HARDWARE}
    if left_out := [name for name in given if name not in kept]:
        note(f"{stand_in} does not understand {', '.join(left_out)} of {wanted}: left out.")
    return kept


def option_names(codec: str) -> set[str]:
    """What an encoder can be told; FFmpeg drops names it does not know without a word. Empty for an unknown codec."""
    try:
        supported = av.CodecContext.create(codec, "w").supported_options
    except av.codec.codec.UnknownCodecError:
        return set()
    of_video_encoders = OptionFlags.ENCODING_PARAM | OptionFlags.VIDEO_PARAM
    return {
        option.name
        for option in (*supported.private, *supported.generic)
        if option.flags & of_video_encoders == of_video_encoders
    }


def near_matches(name: str, known: Iterable[str], otherwise: str = "check the name") -> str:
    """The end of a sentence about an unknown name: ``; did you mean ...?``, or what else to do."""
    near = difflib.get_close_matches(name, set(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else f"; {otherwise}."


def _check_values(codec: str, options: Mapping[str, str]) -> None:
    if codec not in ("libx264", "libx265"):
        return
    preset = options["preset"]
    if preset not in _PRESETS and preset not in map(str, range(len(_PRESETS))):
        raise ConfigError(
            f"{codec} has no preset {preset!r}{near_matches(preset, _PRESETS, f'it has {_in_words(_PRESETS)}')}"
        )
    tunes = _TUNES[codec]
    for tune in re.split("[,./+-]", options.get("tune", "")):  # x264 puts several together
        if tune and tune not in tunes:
            raise ConfigError(f"{codec} has no tune {tune!r}{near_matches(tune, tunes, f'it has {_in_words(tunes)}')}")
    controls = sorted(_ONE_CONTROL & options.keys())
    if len(controls) > 1:
        raise ConfigError(f"{codec} takes one of {' and '.join(controls)}, they exclude each other; give one of them.")
    try:
        crf = float(options.get("crf", 0))
    except ValueError:
        return  # it says so itself
    if not 0 <= crf <= _MAX_CRF[codec]:
        raise ConfigError(f"{codec} takes a crf from 0 to {_MAX_CRF[codec]}, not {options['crf']}.")


def _in_words(names: Iterable[str]) -> str:
    return ", ".join(names)


def _bitrate_options(codec: str, bitrate: int) -> dict[str, str]:
    properties = av.Codec(codec, "w")
    if not properties.lossy or codec.startswith("prores"):
        raise ConfigError(f"{codec} has no bitrate to set, its quality decides; leave --bitrate out or use libx264.")
    options = {"b": str(bitrate)}
    if is_nvenc(codec):
        options["rc"] = "vbr"
    return options


def _quality_options(codec: str, crf: int, known: set[str]) -> dict[str, str]:
    if crf > _MAX_CRF.get(codec, crf):
        raise ConfigError(f"{codec} takes a crf from 0 to {_MAX_CRF[codec]}, not {crf}.")
    if "crf" in known:
        return {"crf": str(crf)}
    if is_nvenc(codec):
        return {"rc": "vbr", "cq": str(crf), "b": "0"}
    if is_videotoolbox(codec):
        # Its scale goes from 1 to 100, best last; x264's useful range lies in the middle of it.
        quality = min(max(100 - 2 * crf, 1), 100)
        return {"flags": "+qscale", "global_quality": str(quality * _LAMBDA_PER_QUALITY)}
    raise ConfigError(f"{codec} has no crf; leave it out or use libx264.")
