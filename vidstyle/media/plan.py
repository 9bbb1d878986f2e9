"""What an output is going to be: container, encoder and every stream's fate, decided before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from av.container import InputContainer

from vidstyle.errors import ConfigError
from vidstyle.frames import VideoInfo
from vidstyle.media.containers import RAW_FORMATS, Container, container_for, suffixes_for
from vidstyle.media.encoder import EncoderSettings, choose_encoder
from vidstyle.media.hdr import HdrMetadata
from vidstyle.media.pixel_format import PixelNeeds
from vidstyle.media.probe import StreamInfo
from vidstyle.media.roles import lost_roles
from vidstyle.media.streams import AudioMode, StreamPlan, plan_streams
from vidstyle.media.tags import container_options, lost_metadata, output_metadata


class Clip(Protocol):
    """What is known about a source: an open reader."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def info(self) -> VideoInfo:
        """About its picture."""
        ...

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        """Every stream."""
        ...

    @property
    def container(self) -> InputContainer:
        """The open file, for what is noted in it."""
        ...


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """A container file to be written.

    Attributes:
        container: of the output.
        settings: the video encoder's, tried.
        streams: what becomes of every stream but the main picture.
        notes: sentences a user should read.
    """

    container: Container
    settings: EncoderSettings
    streams: tuple[StreamPlan, ...]
    notes: tuple[str, ...]


def plan_output(
    path: str | Path,
    clip: Clip,
    *,
    size: tuple[int, int] | None = None,
    pixel_shape: Fraction | None = None,
    codec: str | None = None,
    crf: int | None = None,
    bitrate: int | None = None,
    preset: str | None = None,
    pixel_format: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    audio: AudioMode = "copy",
    keeps_alpha: bool = False,
    unpainted: bool = False,
    hdr: HdrMetadata | None = None,
) -> OutputPlan:
    """Decide how ``clip`` would be written to ``path``; nothing is written.

    Args:
        path: output; its suffix chooses the container (.mp4 .m4v .mov .mkv .webm).
        clip: the source: time base, colour tags, pixel shape and streams come from it.
        size: (width, height) in pixels of the frames to come; the source's upright size by default.
        pixel_shape: width of their pixels over their height; the source's by default.
        codec: FFmpeg's name of a video encoder; libx264, or libvpx-vp9 for .webm, by default.
        crf: constant quality, where the encoder has it; 18 for libx264 by default.
        bitrate: bits a second, instead of a constant quality.
        preset: speed preset, where the encoder has it.
        pixel_format: such as ``yuv420p``; chosen to suit the encoder by default.
        encoder_options: further options of the encoder.
        audio: ``copy`` converts only what the container refuses, ``transcode`` everything; ``drop`` leaves it out.
        keeps_alpha: frames will come with opacity.
        unpainted: frames, or some of them, will come as they were decoded, and are to stay so.
        hdr: the source's HDR metadata.

    Raises:
        UnsupportedMediaError: no container has this suffix.
        ConfigError: an unknown codec or option, or settings the encoder or the container refuses.
    """
    container = container_for(Path(path))
    info = clip.info
    notes: list[str] = []
    settings = choose_encoder(
        codec or container.video_codec,
        size or info.upright_size,
        rate=info.average_rate,
        time_base=info.time_base,
        color=info.color,
        sample_aspect_ratio=pixel_shape or info.upright_pixel_shape,
        crf=crf,
        bitrate=bitrate,
        preset=preset,
        pixel_format=pixel_format,
        options=encoder_options or {},
        note=notes.append,
        needs=PixelNeeds.of(info, keeps_alpha, unpainted),
        hdr=hdr,
    )
    if not container.takes_video(settings.codec):
        raise ConfigError(cannot_carry(Path(path), settings.codec))
    if settings.has_alpha and settings.codec == "libvpx-vp9" and container.format_name in ("mp4", "mov"):
        raise ConfigError(cannot_carry(Path(path), settings.codec, "with opacity"))
    raw = RAW_FORMATS.get(container.format_name, ())
    if settings.codec == "rawvideo" and settings.pixel_format not in raw:
        raise ConfigError(
            f"{Path(path).suffix} files cannot carry rawvideo as {settings.pixel_format}; use --pix-fmt with one of "
            f"{', '.join(raw)}, or another --codec."
        )
    if container.format_name in ("matroska", "webm"):
        notes += settings.pixel_shape_notes()
    streams = plan_streams(clip.path, clip.streams, container, audio)
    notes += _losses(clip, container, settings.time_base, streams)
    return OutputPlan(container, settings, tuple(streams), tuple(notes))


def _losses(clip: Clip, container: Container, time_base: Fraction, streams: list[StreamPlan]) -> list[str]:
    """What is noted in the source and has no place in the output, a sentence each."""
    name = container.format_name
    options = container_options(container, clip.container, time_base)
    lost = lost_metadata(container, options, output_metadata(clip.container))
    losses = [f"metadata {', '.join(lost)}"] if lost else []
    for stream in streams:
        if stream.action != "drop" and stream.kind in ("audio", "subtitle"):
            lost = lost_roles(clip.container.streams[stream.stream.index], name)
            losses += [f"{' and '.join(lost)} of {stream.stream.describe()}"] if lost else []
    return [f"{name} has no place for the {loss}." for loss in losses]


def cannot_carry(path: Path, codec: str, why: str = "") -> str:
    """The sentence for a video codec that a container does not take."""
    known = [suffix for suffix in suffixes_for(codec) if suffix != path.suffix.lower()]
    places = f"write to {' or '.join(known)}, or use" if known else "use"
    return f"{path.suffix} files cannot carry {codec}{f' ({why})' if why else ''}; {places} another --codec."
