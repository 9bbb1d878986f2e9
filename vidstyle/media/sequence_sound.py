"""The sound that lies beside a sequence, in the form a writer expects of a clip's own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from vidstyle.errors import DecodeError, OpenError, UnsupportedMediaError
from vidstyle.frames import Packet
from vidstyle.media.failures import reason
from vidstyle.media.pcm import packet_from, packet_until
from vidstyle.media.picture_files import PictureFormat, encode_picture
from vidstyle.media.probe import StreamInfo, describe_streams, open_container
from vidstyle.media.sequence_names import FramePattern
from vidstyle.media.timestamps import packet_time, to_ticks


def find_sound(pattern: FramePattern) -> Path | None:
    """The WAV of the same name beside a sequence: ``shot.wav`` beside ``shot.%04d.exr``; None where there is none."""
    if not pattern.sound_stem:
        return None
    candidates = (pattern.path.with_name(pattern.sound_stem + suffix) for suffix in (".wav", ".WAV"))
    return next((path for path in candidates if path.is_file()), None)


class SequenceSound:
    """Sound streams of a file, cut to a range and moved to start with it.

    Args:
        path: a WAV or any other file with sound; None stands for silence.
        start: seconds of it that come before the range.
        duration: seconds of the range.

    Attributes:
        path: the file; None for silence.
        container: it, or an empty one, open.
        video_stream: of an empty container: a picture without any tags of its own.
        streams: the sound streams.

    Raises:
        OpenError: the file cannot be opened.
        UnsupportedMediaError: it has no sound.
    """

    def __init__(self, path: Path | None, start: Fraction, duration: Fraction) -> None:
        self.path = path
        self._start = start
        self._end = start + duration
        self._blank: InputContainer = av.open(io.BytesIO(_blank_picture()), "r")
        self.video_stream: VideoStream = self._blank.streams.video[0]
        self.container: InputContainer = self._blank
        self.streams: tuple[StreamInfo, ...] = ()
        if path is None:
            return
        try:
            self.container = _open_sound(path)
            found = describe_streams(self.container, self.video_stream)
        except BaseException:
            self.close()
            raise
        self.streams = tuple(replace(s, is_main_video=False) for s in found if s.type == "audio")
        if not self.streams:
            self.close()
            raise UnsupportedMediaError(f"{path} has no sound; name a WAV with --sound, or leave it out.", path)

    def packets(self) -> Iterator[tuple[Fraction, Packet]]:
        """Packets within the range and when they sound, in seconds from its start.

        Raises:
            DecodeError: the file is damaged.
        """
        if self.path is None:
            return
        wanted = [self.container.streams[stream.index] for stream in self.streams]
        try:
            for whole in self.container.demux(wanted):
                packet = packet_from(whole, self._start) if whole.size else None
                if packet is None:
                    continue
                time = packet_time(packet)
                if time >= self._end:
                    return
                packet = packet_until(packet, self._end)
                offset = to_ticks(self._start, packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - offset
                packet.dts = None if packet.dts is None else packet.dts - offset
                yield time - self._start, Packet(packet.stream_index, packet)
        except av.FFmpegError as error:
            raise DecodeError(
                f"The sound {self.path} is damaged ({reason(error)}); copy it again or pass --audio drop.", self.path
            ) from error

    def close(self) -> None:
        """Release the file."""
        self.container.close()
        self._blank.close()


def _open_sound(path: Path) -> InputContainer:
    try:
        return open_container(path)
    except OpenError as error:
        what = f"{path} cannot be read as sound" if path.exists() else f"There is no file {path}"
        raise OpenError(f"{what}; name a WAV or another file with sound by --sound, or leave it out.", path) from error


def _blank_picture() -> bytes:
    return encode_picture(np.zeros((3, 1, 1), np.uint8), None, PictureFormat("png", "rgb24", {}), Path("blank.png"))
