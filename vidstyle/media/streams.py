"""What becomes of a source's sound, subtitles and other streams: decided by trying, before the first frame."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
from av.packet import Packet as AVPacket
from av.stream import Disposition, Stream

from vidstyle.media.containers import Container
from vidstyle.media.failures import reason
from vidstyle.media.probe import StreamInfo, open_container
from vidstyle.media.timestamps import PacketClock

# Some muxers refuse a stream only in the trailer, after having taken its packets; a few are enough to find out.
_NUM_PROBE_PACKETS = 8
# Subtitles may start late: looking on for their first packet ends after so many packets of the file.
_NUM_PROBE_LIMIT = 2000

Action = Literal["copy", "convert", "drop"]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What becomes of one stream that is not the main picture.

    Attributes:
        stream: as it is in the source.
        action: ``copy`` (packets untouched), ``convert`` or ``drop``.
        target_codec: encoder of a converted stream, else None.
        reason: why it is not copied; empty for a copy.
    """

    stream: StreamInfo
    action: Action
    target_codec: str | None = None
    reason: str = ""

    def __str__(self) -> str:
        name = self.stream.describe()
        if self.action == "copy":
            return f"{name}: copied"
        if self.action == "convert":
            return f"{name}: converted to {self.target_codec}, {self.reason}"
        return f"{name}: dropped, {self.reason}"


def plan_streams(
    path: Path, streams: tuple[StreamInfo, ...], container: Container, audio: Literal["copy", "drop"]
) -> list[StreamPlan]:
    """Decide for every stream but the main picture, by muxing its first packets into memory.

    Opens the source a second time for that; nothing is written to disk.

    Args:
        path: the source.
        streams: its streams.
        container: what will be written.
        audio: ``drop`` leaves the sound out.
    """
    others = [s for s in streams if not s.is_main_video]
    carried = [s for s in others if s.type in ("audio", "subtitle")]
    refusals = _copy_refusals(path, carried, container) if carried else {}
    return [_plan(stream, refusals, container, audio) for stream in others]


def _plan(
    stream: StreamInfo, refusals: Mapping[int, str | None], container: Container, audio: Literal["copy", "drop"]
) -> StreamPlan:
    def plan(action: Action, why: str = "", target: str | None = None) -> StreamPlan:
        return StreamPlan(stream, action, target, why)

    refusal = refusals.get(stream.index)
    why = f"{container.format_name} does not take {stream.codec or 'its codec'} ({refusal})"
    match stream.type:
        case "audio" if audio == "drop":
            result = plan("drop", "as asked")
        case "audio" | "subtitle" if refusal is None:
            result = plan("copy")
        case "audio" if stream.codec:
            result = plan("convert", why, container.audio_codec)
        case "subtitle" if stream.codec and av.Codec(stream.codec, "r").text_sub:
            result = plan("convert", why, container.subtitle_codec)
        case "audio" | "subtitle":
            result = plan("drop", f"{why} and it cannot be converted")
        case "attachment" if container.takes_attachments:
            result = plan("copy")
        case "attachment":
            result = plan("drop", f"{container.format_name} carries no attachments")
        case "video":
            result = plan("drop", "only the main picture is stylized")
        case _:
            result = plan("drop", "data streams are not carried (chapters are)")
    return result


def _copy_refusals(path: Path, streams: list[StreamInfo], container: Container) -> dict[int, str | None]:
    """Why each audio and subtitle stream cannot be copied; None where it can."""
    with open_container(path) as source:
        wanted = [source.streams[s.index] for s in streams]
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
        return {s.index: _copy_refusal(s, packets[s.index], container) for s in wanted}


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


def copy_stream_tags(source: Stream, target: Any) -> None:
    """Language, title and role of a stream."""
    for key in ("language", "title", "handler_name", "timecode"):
        if key in source.metadata:
            target.metadata[key] = source.metadata[key]
    target.disposition = source.disposition & ~Disposition.attached_pic
