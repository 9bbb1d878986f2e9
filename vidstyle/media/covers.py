"""Cover pictures: a still that a player shows for a file, kept as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
from av.container import OutputContainer
from av.packet import Packet as AVPacket
from av.stream import Disposition, Stream

from vidstyle.media.probe import open_container

_SUFFIXES = {"mjpeg": "jpg", "png": "png"}
_MIME_TYPES = {"mjpeg": "image/jpeg", "png": "image/png"}


def is_carried(codec: str) -> bool:
    """Whether containers take covers of this codec."""
    return codec in _SUFFIXES


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover picture.

    Attributes:
        codec: ``mjpeg`` or ``png``.
        data: the file it would be.
        size: (width, height) in pixels.
        metadata: its title and the like.
    """

    codec: str
    data: bytes
    size: tuple[int, int]
    metadata: dict[str, str]

    def add_to(self, output: OutputContainer, how: Literal["stream", "attachment"] | None) -> Stream | None:
        """Announce it before the header is written; a stream wants its ``packet`` muxed behind the header."""
        if how == "attachment":
            name = f"cover.{_SUFFIXES[self.codec]}"
            output.add_attachment(name, _MIME_TYPES[self.codec], self.data)
            return None
        width, height = self.size
        stream: Any = output.add_mux_stream(self.codec, width=width, height=height)
        stream.disposition = Disposition.attached_pic
        stream.metadata.update(self.metadata)
        return stream  # type: ignore[no-any-return]  # typed Any for its settable attributes

    def packet(self, stream: Stream) -> AVPacket[Stream]:
        """What to mux into the stream that ``add_to`` made."""
        packet: AVPacket[Stream] = av.Packet(self.data)
        packet.pts = packet.dts = 0
        packet.stream = stream
        return packet


def read_cover(path: Path, index: int) -> Cover | None:
    """The cover that is stream ``index`` of a file; None where it is empty or cannot be read."""
    with open_container(path) as source:
        stream: Any = source.streams[index]
        try:
            packet = next((packet for packet in source.demux(stream) if packet.size), None)
        except av.FFmpegError:
            return None
        if packet is None:
            return None
        context = stream.codec_context
        metadata = {key: value for key, value in stream.metadata.items() if key in ("title", "comment")}
        return Cover(context.codec.canonical_name, bytes(packet), (context.width, context.height), metadata)
