"""Sound and text subtitles converted for a container that does not take them as they are."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.audio.layout import AudioLayout
from av.container import OutputContainer
from av.packet import Packet as AVPacket
from av.stream import Stream

from vidstyle.errors import DecodeError
from vidstyle.media.failures import reason

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_BIT_RATE_PER_CHANNEL = 96_000


class AudioTranscoder:
    """Decodes a source's audio packets and encodes them for an output.

    Args:
        output: container not yet started; the stream is added here.
        source: audio stream the packets come from.
        codec: encoder name.
        path: the source, for messages.
    """

    def __init__(self, output: OutputContainer, source: Any, codec: str, path: Any) -> None:
        self.stream: Any
        self._path = path
        self._decoder = source.codec_context
        self._layout = _LAYOUTS.get(source.channels, source.layout.name)
        # Some containers give a channel count without a layout, which resampler and encoders refuse.
        if source.layout.name.endswith("channels"):
            self._decoder.layout = self._layout
        stream: Any = output.add_stream(codec, rate=_nearest_rate(codec, source.rate))
        self.stream = stream
        stream.layout = self._layout
        if codec == "flac" and source.format.bytes > 2:
            stream.format = "s32"
        if codec in ("aac", "libopus"):
            stream.bit_rate = _BIT_RATE_PER_CHANNEL * len(AudioLayout(self._layout).channels)
        self._resampler: av.AudioResampler | None = None

    def feed(self, packet: AVPacket[Stream] | None) -> list[AVPacket[Stream]]:
        """Packets to mux for one source packet; None flushes.

        Raises:
            DecodeError: the sound is damaged.
        """
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError as error:
            raise DecodeError(
                f"The sound of {self._path} is damaged ({reason(error)}); copy the file again or leave the sound out.",
                self._path,
            ) from error
        packets: list[AVPacket[Stream]] = []
        for frame in frames:
            for ready in self._get_resampler().resample(frame):
                packets += self.stream.encode(ready)
        if packet is None:
            if self._resampler is not None:
                for ready in self._resampler.resample(None):
                    packets += self.stream.encode(ready)
            packets += self.stream.encode(None)
        return packets

    def _get_resampler(self) -> av.AudioResampler:
        # The frame size is known once the encoder is open, which the output does when it starts.
        if self._resampler is None:
            context = self.stream.codec_context
            self._resampler = av.AudioResampler(
                context.format, self._layout, context.rate, frame_size=context.frame_size or None
            )
        return self._resampler


class SubtitleTranscoder:
    """Decodes text subtitles and writes them in another text format; times are kept. Arguments as AudioTranscoder."""

    def __init__(self, output: OutputContainer, source: Any, codec: str, path: Any) -> None:
        self.stream: Any
        self._path = path
        self._decoder = source.codec_context
        self._decoder.open(strict=False)
        stream: Any = output.add_stream(codec)
        self.stream = stream
        self._encoder = stream.codec_context
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self._encoder.time_base = Fraction(1, 1000)

    def feed(self, packet: AVPacket[Stream] | None) -> list[AVPacket[Stream]]:
        """Packets to mux for one source packet; None flushes.

        Raises:
            DecodeError: the subtitles are damaged.
        """
        if packet is None:
            return []
        try:
            subtitle = self._decoder.decode2(packet)
        except av.FFmpegError as error:
            raise DecodeError(
                f"The subtitles of {self._path} are damaged ({reason(error)}); copy the file again.", self._path
            ) from error
        if subtitle is None or len(subtitle) == 0:
            return []
        encoded: AVPacket[Stream] = self._encoder.encode_subtitle(subtitle)
        encoded.pts = encoded.dts = packet.pts
        encoded.duration = packet.duration
        encoded.time_base = packet.time_base
        encoded.stream = self.stream
        return [encoded]


def _nearest_rate(codec: str, rate: int) -> int:
    allowed = av.Codec(codec, "w").audio_rates
    # Of equally near rates the higher one loses nothing.
    return min(allowed, key=lambda r: (abs(r - rate), -r)) if allowed else rate
