"""What a clip or a picture is, in plain values for people and programs; only its first frame is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from vidstyle.frames import VideoInfo
from vidstyle.media.color import HDR_TRANSFERS, MATRICES, PRIMARIES, RANGES, TRANSFERS
from vidstyle.media.containers import timing_of
from vidstyle.media.hdr import HdrMetadata
from vidstyle.media.probe import FirstLook, StreamInfo, describe_streams, look_at, main_video, open_container

# Enough to tell an uneven rate from a rounded one; bounded, because packets of an edit codec are megabytes.
_NUM_TIMING_PACKETS = 600
_MAX_TIMING_BYTES = 64 << 20
# Packets come in decoding order: the last ones may wait for others that were not read.
_MAX_REORDERING = 32

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """One stream.

    Attributes:
        index: position in the file.
        type: ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``.
        codec: such as ``aac``; empty where it is unknown.
        language: as tagged; None where untagged.
        title: as tagged.
        dispositions: such as ``default``, ``forced``, ``attached_pic``.
        is_main_video: this is the picture that is painted.
        start_seconds: of its first packet, on the clip's own clock.
        duration_seconds: as the header says.
        properties: ``sample_rate``, ``channels``, ``layout`` of sound; ``width``, ``height`` of a picture;
            ``filename``, ``mimetype`` of an attachment.
    """

    index: int
    type: str
    codec: str
    language: str | None
    title: str | None
    dispositions: tuple[str, ...]
    is_main_video: bool
    start_seconds: float | None
    duration_seconds: float | None
    properties: dict[str, Value]


@dataclass(frozen=True, slots=True)
class PictureDescription:
    """The picture that is painted.

    Attributes:
        codec: decoder.
        pixel_format: by FFmpeg's name.
        bit_depth: bits a component.
        width: as shown (upright), in pixels.
        height: as shown, in pixels.
        stored_width: before rotation.
        stored_height: before rotation.
        rotation_degrees: counter-clockwise, as a player applies it.
        flipped: a player also mirrors it.
        sample_aspect_ratio: width of a stored pixel over its height, as a fraction.
        rate: frames per second, as a fraction; the average where it varies.
        is_variable_rate: frames are unevenly spaced (as far as was looked); None where there is one frame only.
        num_frames: as the header says, or estimated from duration and rate; None where neither is known.
        color: matrix, primaries, transfer, range, resolved.
        untagged: those of the four that the file does not say and that were guessed as players do.
        is_hdr: PQ or HLG.
        mastering_display: of HDR, as x265 writes it: ``G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)``, in CIE 1931 and cd/m².
        max_content_light: of HDR: brightest pixel (MaxCLL) in cd/m²; None where unknown.
        max_average_light: of HDR: brightest frame average (MaxFALL) in cd/m²; None where unknown.
        has_alpha: it has an opacity channel.
        is_interlaced: a stored picture is two fields of different moments.
    """

    codec: str
    pixel_format: str
    bit_depth: int
    width: int
    height: int
    stored_width: int
    stored_height: int
    rotation_degrees: int
    flipped: bool
    sample_aspect_ratio: str
    rate: str
    is_variable_rate: bool | None
    num_frames: int | None
    color: dict[str, str]
    untagged: tuple[str, ...]
    is_hdr: bool
    mastering_display: str | None
    max_content_light: int | None
    max_average_light: int | None
    has_alpha: bool
    is_interlaced: bool


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named part of a clip.

    Attributes:
        start_seconds: where it begins.
        end_seconds: where it ends.
        title: may be empty.
    """

    start_seconds: float
    end_seconds: float
    title: str


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """A file.

    Attributes:
        path: its name; of a sequence the pattern.
        container: FFmpeg's short name of its format, such as ``mov,mp4,m4a,3gp,3g2,mj2``, or ``png sequence``.
        size_bytes: of the file, or of all pictures of a sequence.
        duration_seconds: as the header says; None where it does not.
        timecode: of the first frame, such as ``01:00:00:00``; None where there is none.
        picture: what is painted.
        streams: every stream, the picture included.
        chapters: in order.
        metadata: tags of the file, such as ``title``.
        notes: what cannot be kept or had to be repaired, a sentence each.
        frames: frame numbers of a sequence in fileseq's syntax, such as ``1001-1100``; None for a single file.
    """

    path: str
    container: str
    size_bytes: int
    duration_seconds: float | None
    timecode: str | None
    picture: PictureDescription
    streams: tuple[StreamDescription, ...]
    chapters: tuple[Chapter, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    frames: str | None = None


def describe_media(path: str | Path, *, video_stream: int | None = None) -> MediaDescription:
    """Look at a clip, a GIF or a still.

    Args:
        path: a local file.
        video_stream: which picture of several, counted from 0; None takes the one players show.

    Raises:
        OpenError: missing, a directory, empty, or not a media file.
        UnsupportedMediaError: no picture, or no decoder for it.
        DecodeError: no frame can be decoded.
        ConfigError: there is no such video stream.
    """
    path = Path(path)
    notes: list[str] = []
    look = look_at(path, notes.append, stream_number=video_stream)
    with open_container(path) as container:
        video = main_video(container, path, look.stream_number)
        streams = describe_streams(container, video)
        return MediaDescription(
            path=str(path),
            container=container.format.name,
            size_bytes=path.stat().st_size,
            duration_seconds=look.info.duration_seconds,
            timecode=str(look.start_timecode) if look.start_timecode else None,
            picture=_of_video(look, video, container),
            streams=tuple(describe_stream(container.streams[s.index], s) for s in streams),
            chapters=_chapters(container),
            metadata=dict(container.metadata),
            notes=tuple(notes),
        )


def _of_video(look: FirstLook, video: VideoStream, container: InputContainer) -> PictureDescription:
    context = video.codec_context
    tagged = {
        "matrix": MATRICES.get(context.colorspace),
        "primaries": PRIMARIES.get(context.color_primaries),
        "transfer": TRANSFERS.get(context.color_trc),
        "range": RANGES.get(context.color_range),
    }
    untagged = tuple(name for name, value in tagged.items() if value is None)
    return describe_picture(look.info, look.hdr, is_variable_rate=_is_variable(container, video), untagged=untagged)


def describe_picture(
    info: VideoInfo,
    hdr: HdrMetadata | None = None,
    *,
    is_variable_rate: bool | None = False,
    untagged: tuple[str, ...] = (),
) -> PictureDescription:
    """What is known about a picture, in plain values; arguments as the attributes of ``PictureDescription``."""
    width, height = info.upright_size
    color = info.color
    return PictureDescription(
        codec=info.codec,
        pixel_format=info.pixel_format,
        bit_depth=info.bit_depth,
        width=width,
        height=height,
        stored_width=info.width,
        stored_height=info.height,
        rotation_degrees=info.rotation_degrees,
        flipped=info.flipped,
        sample_aspect_ratio=str(info.sample_aspect_ratio),
        rate=str(info.average_rate),
        is_variable_rate=is_variable_rate,
        num_frames=info.num_frames_from_header,
        color={
            "matrix": color.matrix,
            "primaries": color.primaries,
            "transfer": color.transfer,
            "range": color.range,
        },
        untagged=untagged,
        is_hdr=color.transfer in HDR_TRANSFERS,
        mastering_display=hdr.mastering.to_text(Fraction(1), Fraction(1)) if hdr and hdr.mastering else None,
        max_content_light=(hdr.max_content_light if hdr else 0) or None,
        max_average_light=(hdr.max_average_light if hdr else 0) or None,
        has_alpha=info.has_alpha,
        is_interlaced=info.is_interlaced,
    )


def describe_stream(stream: Stream, info: StreamInfo) -> StreamDescription:
    """One stream of an open file."""
    properties: dict[str, Any] = {}
    context: Any = stream.codec_context
    if info.type == "audio" and context is not None:
        properties = {"sample_rate": context.rate, "channels": context.channels, "layout": context.layout.name}
    elif info.type == "video" and context is not None:
        properties = {"width": context.width, "height": context.height}
    elif info.type == "attachment":
        properties = {key: stream.metadata[key] for key in ("filename", "mimetype") if key in stream.metadata}
    return StreamDescription(
        index=info.index,
        type=info.type,
        codec=info.codec,
        language=info.language,
        title=info.title,
        dispositions=tuple(str(flag.name) for flag in Disposition if stream.disposition & flag),
        is_main_video=info.is_main_video,
        start_seconds=_seconds(stream.start_time, stream.time_base),
        duration_seconds=_seconds(stream.duration, stream.time_base),
        properties=properties,
    )


def _seconds(ticks: int | None, time_base: Fraction | None) -> float | None:
    return None if ticks is None or time_base is None else float(ticks * time_base)


def _chapters(container: InputContainer) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(
            start_seconds=float(chapter["start"] * chapter["time_base"]),
            end_seconds=float(chapter["end"] * chapter["time_base"]),
            title=_title(chapter["metadata"]),
        )
        for chapter in container.chapters()
        if chapter["time_base"] is not None
    )


def _title(metadata: Mapping[str, str]) -> str:
    return metadata.get("title", "")


def _is_variable(container: InputContainer, video: VideoStream) -> bool | None:
    """Whether frames are spaced unevenly by more than rounding to ticks explains."""
    if timing_of(container.format.name) != "pts":
        return False
    ticks: list[int] = []
    num_bytes = 0
    is_whole = True
    try:
        for packet in container.demux(video):
            if packet.size and packet.pts is not None:
                ticks.append(packet.pts)
            num_bytes += packet.size
            if len(ticks) >= _NUM_TIMING_PACKETS or num_bytes > _MAX_TIMING_BYTES:
                is_whole = False
                break
    except av.FFmpegError:
        pass  # Damage is reported when it is decoded; what was found until here is enough.
    shown = sorted(set(ticks))
    if not is_whole:
        shown = shown[: max(len(shown) - _MAX_REORDERING, 2)]
    gaps = [b - a for a, b in pairwise(shown)]
    return max(gaps) - min(gaps) > 1 if gaps else None
