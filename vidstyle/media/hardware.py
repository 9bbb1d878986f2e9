"""Encoders in graphics hardware: whether they really open here, and the software that stands in for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext

from vidstyle.media.failures import captured_warnings, reason

_NAME = re.compile(r"(h264|hevc|av1|prores|vp9|mjpeg)_(nvenc|videotoolbox|qsv|amf|vaapi|mf|v4l2m2m|mediacodec|vulkan)")
_SOFTWARE = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "prores": "prores_ks",
    "vp9": "libvpx-vp9",
    "mjpeg": "mjpeg",
}
_KNOWN_ENCODERS = (
    "libx264",
    "libx265",
    "libvpx-vp9",
    "libsvtav1",
    "prores_ks",
    "dnxhd",
    "ffv1",
    "h264_nvenc",
    "hevc_nvenc",
    "av1_nvenc",
    "h264_videotoolbox",
    "hevc_videotoolbox",
    "prores_videotoolbox",
    "aac",
    "libopus",
    "flac",
)
# x264's names for speed and NVENC's, fastest first.
_SPEEDS = {
    "ultrafast": "p1",
    "superfast": "p1",
    "veryfast": "p2",
    "faster": "p3",
    "fast": "p3",
    "medium": "p4",
    "slow": "p5",
    "slower": "p6",
    "veryslow": "p7",
}
_TRIAL_SIZE_PX = (256, 144)
_TRIAL_OPTIONS = {"dnxhd": {"profile": "dnxhr_hq"}, "libx265": {"x265-params": "log-level=error"}}
# Families by the names people call them; FFmpeg's own choice for these depends on how it was built.
_FAMILIES = _SOFTWARE | {"h265": "libx265", "vp8": "libvpx"}


def encoder_named(name: str) -> str:
    """The encoder that is meant: of a family such as ``hevc`` the software one, else the name itself."""
    return _FAMILIES.get(name, name)


def software_for(codec: str) -> str | None:
    """The software encoder of the same family; None where ``codec`` is no hardware encoder."""
    match = _NAME.fullmatch(codec)
    return _SOFTWARE[match[1]] if match else None


def is_nvenc(codec: str) -> bool:
    """Whether this is one of NVIDIA's encoders."""
    return codec.endswith("_nvenc")


def is_videotoolbox(codec: str) -> bool:
    """Whether this is one of Apple's encoders."""
    return codec.endswith("_videotoolbox")


def translate_preset(preset: str, codec: str) -> str:
    """The speed preset as ``codec`` calls it, between x264's names and NVENC's; others are left as they are."""
    if is_nvenc(codec):
        return _SPEEDS.get(preset, preset)
    if codec in ("libx264", "libx265"):
        # Of two names for the same speed the slower is x264's.
        return {theirs: ours for ours, theirs in _SPEEDS.items()}.get(preset, preset)
    return preset


def unusable(codec: str) -> str | None:
    """Why a video encoder cannot be opened on this machine; None where it can."""
    try:
        context = av.CodecContext.create(codec, "w")
    except UnknownCodecError:
        return "this FFmpeg is built without it"
    if not isinstance(context, VideoCodecContext):
        return "it does not encode video"
    context.width, context.height = _TRIAL_SIZE_PX
    formats = [f.name for f in context.codec.video_formats or []]
    context.pix_fmt = "yuv420p" if "yuv420p" in formats or not formats else formats[0]
    context.framerate, context.time_base = Fraction(24), Fraction(1, 24)
    context.options = dict(_TRIAL_OPTIONS.get(codec, {}))
    silence(codec)
    try:
        with captured_warnings(), usual_priority():  # the warnings put what the encoder says into the error
            context.open()
    except (av.FFmpegError, ValueError) as error:
        return reason(error)
    return None


def silence(codec: str) -> None:
    """Keep an encoder from writing to the terminal on its own."""
    if codec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; it reads nothing else


@contextmanager
def usual_priority() -> Iterator[None]:
    """Give the thread its own priority back after an encoder was opened on it.

    SVT-AV1, started by root, makes the thread that opens it a real-time one. Every thread and process that comes from
    it would be one as well, and keep all others from the processor.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def list_encoders_available() -> dict[str, bool]:
    """Which of the encoders vidstyle knows of can be used here: in this FFmpeg, and with this hardware."""
    return {name: _is_available(name) for name in _KNOWN_ENCODERS}


def _is_available(name: str) -> bool:
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError:
        return False
    return codec.type != "video" or unusable(name) is None
