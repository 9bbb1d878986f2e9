"""What becomes of a source's sound, subtitles and other streams: decided by trying, before the first frame."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
from av.container import InputContainer
from av.packet import Packet as AVPacket
from av.stream import Discard, Disposition, Stream

from vidstyle.media.containers import Container
from vidstyle.media.covers import is_carried
from vidstyle.media.failures import reason
from vidstyle.media.probe import StreamInfo, open_container
from vidstyle.media.timestamps import PacketClock

# Some muxers refuse a stream only in the trailer, after having taken its packets; a few are enough to find out.
_NUM_PROBE_PACKETS = 8
# Subtitles may start late: looking on for their first packet ends after so many packets of sound and subtitles.
_NUM_PROBE_LIMIT = 500

AudioMode = Literal["copy", "transcode", "drop"]
Action = Literal["copy", "convert", "drop"]
StreamKind = Literal["audio", "subtitle", "attachment", "cover", "video", "timecode", "chapters", "data"]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What becomes of one stream that is not the main picture.

    Attributes:
        stream: as it is in the source.
        action: ``copy`` (packets untouched), ``convert`` or ``drop``.
        target_codec: encoder of a converted stream, else None.
        reason: why it is not copied; empty for a copy.
        kind: what it is for: ``cover`` is a still picture, ``timecode`` and ``chapters`` are kept as the container's
            own, not as a stream.
    """

    stream: StreamInfo
    action: Action
    target_codec: str | None = None
    reason: str = ""
    kind: StreamKind = "data"

    def __str__(self) -> str:
        name = self.stream.describe()
        if self.action == "copy":
            how = {"cover": " as cover picture", "timecode": " as timecode", "chapters": " as chapters"}
            return f"{name}: copied{how.get(self.kind, '')}"
        if self.action == "convert":
            return f"{name}: converted to {self.target_codec}, {self.reason}"
        return f"{name}: dropped, {self.reason}"


def plan_streams(
    path: Path, streams: tuple[StreamInfo, ...], container: Container, audio: AudioMode = "copy"
) -> list[StreamPlan]:
    """Decide for every stream but the main picture, by muxing its first packets into memory.

    Opens the source a second time for that; nothing is written to disk.

    Args:
        path: the source.
        streams: its streams.
        container: what will be written.
        audio: ``transcode`` converts all sound to the container's customary codec, ``drop`` leaves it out.
    """
    others = [s for s in streams if not s.is_main_video]
    if not others:
        return []
    with open_container(path) as source:
        kinds = {s.index: _kind(source.streams[s.index]) for s in others}
        carried = [s for s in others if kinds[s.index] in ("audio", "subtitle")]
        vague = {s.index for s in carried if kinds[s.index] == "audio" and not _is_known(source.streams[s.index])}
        refusals = _copy_refusals(source, carried, container) if carried else {}
    return [_plan(s, kinds[s.index], refusals, container, audio, can_decode=s.index not in vague) for s in others]


def _is_known(sound: Any) -> bool:
    """Whether it is known what sound a stream holds; a damaged one may not say."""
    context = sound.codec_context
    return context is not None and bool(context.channels and context.sample_rate and context.format)


def _kind(stream: Stream) -> StreamKind:
    match stream.type:
        case "audio" | "subtitle" | "attachment":
            kind: StreamKind = stream.type
        case "video":
            is_cover = stream.disposition & Disposition.attached_pic
            kind = "cover" if is_cover and not stream.disposition & Disposition.timed_thumbnails else "video"
        case _ if any(key.lower() == "timecode" for key in stream.metadata):
            kind = "timecode"
        # The demuxer of MP4 gives the text of chapters as a stream which it asks everybody to leave alone.
        case "data" if stream.discard == Discard.all:
            kind = "chapters"
        case _:
            kind = "data"
    return kind


def _plan(
    stream: StreamInfo,
    kind: StreamKind,
    refusals: Mapping[int, str | None],
    container: Container,
    audio: AudioMode,
    *,
    can_decode: bool,
) -> StreamPlan:
    if kind not in ("audio", "subtitle"):
        refusal = _refusal(stream, kind, container)
        return StreamPlan(stream, "copy" if refusal is None else "drop", None, refusal or "", kind)

    def plan(action: Action, why: str = "", target: str | None = None) -> StreamPlan:
        return StreamPlan(stream, action, target, why, kind)

    refusal = refusals.get(stream.index)
    why = f"{container.format_name} does not take {stream.codec or 'its codec'} ({refusal})"
    match kind:
        case "audio" if audio == "drop":
            result = plan("drop", "as asked")
        case "audio" if audio == "transcode" and can_decode:
            result = plan("convert", "as asked", container.audio_codec)
        case _ if refusal is None:
            result = plan("copy")
        case "audio" if can_decode:
            result = plan("convert", why, container.audio_codec)
        case "subtitle" if stream.codec and av.Codec(stream.codec, "r").text_sub:
            styles = "; their styling is lost" if stream.codec in ("ass", "ssa") else ""
            result = plan("convert", why + styles, container.subtitle_codec)
        case _:
            result = plan("drop", f"{why} and it cannot be converted")
    return result


def _refusal(stream: StreamInfo, kind: StreamKind, container: Container) -> str | None:
    """Why what is neither sound nor subtitle cannot be kept; None where it can."""
    name = container.format_name
    match kind:
        case "attachment":
            return None if container.takes_attachments else f"{name} carries no attachments"
        case "cover" if container.cover is None:
            return f"{name} carries no cover picture"
        case "cover":
            return None if is_carried(stream.codec) else "a cover is carried as JPEG or PNG only"
        case "video":
            return "only the main picture is painted; --video-stream chooses another"
        case "timecode" | "chapters":
            return None
        case _:
            return "data streams are not carried (chapters and timecode are)"


def _copy_refusals(source: InputContainer, streams: list[StreamInfo], container: Container) -> dict[int, str | None]:
    """Why each audio and subtitle stream cannot be copied; None where it can."""
    wanted = [source.streams[s.index] for s in streams]
    refused = {s.index: _refused_by_players(s, source, container) for s in streams}
    for stream in source.streams:
        if stream not in wanted:
            stream.discard = Discard.all
    packets: dict[int, list[AVPacket[Stream]]] = {stream.index: [] for stream in wanted}
    try:
        for number, packet in enumerate(source.demux(wanted)):
            # A flushing packet (of no size) names the wrong stream.
            if packet.size and len(packets[packet.stream_index]) < _NUM_PROBE_PACKETS:
                packets[packet.stream_index].append(packet)
            if number > _NUM_PROBE_LIMIT or all(len(p) == _NUM_PROBE_PACKETS for p in packets.values()):
                break
    except av.FFmpegError:
        pass  # Damage is reported by the reader, with a position; what was found until here is enough.
    return {s.index: refused[s.index] or _copy_refusal(s, packets[s.index], container) for s in wanted}


def _refused_by_players(stream: StreamInfo, source: InputContainer, container: Container) -> str | None:
    if not stream.codec.startswith(container.refused):
        return None
    # What the source plays from such a file, the output may hold as well.
    is_mp4 = source.format.name.startswith("mov") and source.metadata.get("major_brand", "qt").strip() != "qt"
    return None if is_mp4 and container.format_name == "mp4" else "players do not understand it there"


def _copy_refusal(stream: Stream, packets: list[AVPacket[Stream]], container: Container) -> str | None:
    clock = PacketClock()
    try:
        output = av.open(io.BytesIO(), "w", format=container.format_name)
        target = output.add_stream_from_template(stream)
        output.start_encoding()
        for packet in packets:
            clock.stamp(packet)
            packet.stream = target
            output.mux_one(packet)
        output.close()
    except av.FFmpegError as error:
        return reason(error)
    except ValueError:
        return "not in its list of codecs"
    return None
