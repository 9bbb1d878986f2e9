"""Sound and text subtitles converted for a container that does not take them as they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.layout import AudioLayout
from av.container import OutputContainer
from av.packet import Packet as AVPacket
from av.stream import Stream
from av.subtitles.subtitle import SubtitleSet

from vidstyle.errors import ConfigError, DecodeError
from vidstyle.media.failures import reason
from vidstyle.media.sound_clock import SoundClock
from vidstyle.media.subtitle_lines import Line, OneAtATime

_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
_BIT_RATE_PER_CHANNEL = 96_000


class Transcoder(ABC):
    """Decodes a source's packets and encodes them for an output.

    Args:
        output: container not yet started; the stream is added here.
        source: stream the packets come from.
        codec: encoder name.
        path: the source, for messages.
        on_damage: told, in a sentence, what was left out because it is damaged; None makes damage an error.

    Attributes:
        stream: of the output.
    """

    def __init__(
        self,
        output: OutputContainer,
        source: Any,
        codec: str,
        path: Path,
        on_damage: Callable[[str], None] | None = None,
    ) -> None:
        self.stream: Any
        self._path = path
        self._on_damage = on_damage
        self._decoder = source.codec_context
        self._set_up(output, source, codec)

    @abstractmethod
    def _set_up(self, output: OutputContainer, source: Any, codec: str) -> None:
        """Add the stream."""

    @abstractmethod
    def feed(self, packet: AVPacket[Stream] | None) -> Iterator[AVPacket[Stream]]:
        """Packets to mux for one source packet; None flushes.

        Raises:
            DecodeError: it is damaged.
        """


class AudioTranscoder(Transcoder):
    """Sound, as one run of samples; damaged pieces become silence, of which is told once."""

    def _set_up(self, output: OutputContainer, source: Any, codec: str) -> None:
        self._was_damaged = False
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
        self._check_encoder(source)
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None
        self._clock = SoundClock(has_blocks=self._decoder.name == "vorbis")
        self._fifo = av.AudioFifo()
        self._num_surplus = 0  # samples to leave out
        self._num_encoded = 0

    def feed(self, packet: AVPacket[Stream] | None) -> Iterator[AVPacket[Stream]]:  # noqa: D102  # as the base class
        for frame, missing in self._clock.place(self._decode(packet), is_last=packet is None):
            yield from self._fill(missing)
            for converted in self._convert(frame):
                yield from self._take(converted)
        if packet is None:
            for converted in self._drain():
                yield from self._take(converted)
            yield from self._encode(self._fifo.read())
            yield from self.stream.encode(None)

    def _check_encoder(self, source: Any) -> None:
        """Whether it takes such sound: a container that fails to open later does not say which stream it was."""
        context = self.stream.codec_context
        trial: Any = av.CodecContext.create(context.name, "w")
        trial.rate, trial.layout, trial.format = context.rate, self._layout, context.format.name
        trial.time_base = Fraction(1, context.rate)
        try:
            trial.open()
        except (av.FFmpegError, ValueError) as error:
            raise ConfigError(
                f"The sound of {self._path} ({source.codec_context.name}, {source.channels} channels) cannot be "
                f"converted to {context.name}; leave it out with --audio drop, or write to a container that copies it, "
                "such as .mkv."
            ) from error

    def _decode(self, packet: AVPacket[Stream] | None) -> list[av.AudioFrame]:
        try:
            frames: list[av.AudioFrame] = self._decoder.decode(packet)
        except av.FFmpegError as error:
            if self._on_damage is None:
                raise DecodeError(
                    f"The sound of {self._path} is damaged ({reason(error)}); copy the file again, leave the sound out "
                    "or go on with --on-error skip.",
                    self._path,
                ) from error
            at = float(packet.pts * packet.time_base) if packet is not None and packet.pts is not None else 0.0
            if not self._was_damaged:
                self._on_damage(
                    f"The sound of {self._path} is damaged, first at {at:.3f} s; damaged pieces are silent."
                )
            self._was_damaged = True
            frames = self._silence_for(packet)
        return frames

    def _silence_for(self, packet: AVPacket[Stream] | None) -> list[av.AudioFrame]:
        """As much as a packet lasts, so that the sound behind it stays in step."""
        rate = self._decoder.sample_rate
        if packet is None or packet.pts is None or not packet.duration or not rate or self._decoder.format is None:
            return []
        silence = self._silence(self._decoder.format.name, rate, round(packet.duration * packet.time_base * rate))
        silence.pts, silence.time_base = packet.pts, packet.time_base
        return [silence]

    def _silence(self, sample_format: str, rate: int, num_samples: int) -> av.AudioFrame:
        silence = av.AudioFrame(sample_format, self._layout, num_samples)
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        silence.sample_rate = rate
        return silence

    def _fill(self, missing: Fraction) -> Iterator[AVPacket[Stream]]:
        """Silence where sound is missing; where it overlaps, note how much of what follows is too much."""
        context = self.stream.codec_context
        num_samples = round(missing * context.rate)
        self._num_surplus -= min(num_samples, 0)
        while num_samples > 0:
            piece = min(num_samples, context.rate)
            num_samples -= piece
            yield from self._take(self._silence(context.format.name, context.rate, piece))

    def _convert(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        """In the encoder's format; a stream may change its own on the way."""
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        rest = self._drain() if self._resampler is not None and kind != self._kind else []
        if self._resampler is None:
            context = self.stream.codec_context
            self._resampler = av.AudioResampler(context.format, self._layout, context.rate)
        self._kind = kind
        frame.pts = None
        return rest + self._resampler.resample(frame)

    def _drain(self) -> list[av.AudioFrame]:
        resampler, self._resampler = self._resampler, None
        # What needs no conversion is passed on, the end too.
        return [] if resampler is None else [frame for frame in resampler.resample(None) if frame is not None]

    def _take(self, frame: av.AudioFrame) -> Iterator[AVPacket[Stream]]:
        """Encode what fills whole frames of the encoder."""
        context = self.stream.codec_context
        frame.pts, frame.time_base = None, Fraction(1, context.rate)
        self._fifo.write(frame)
        if surplus := min(self._num_surplus, self._fifo.samples):
            self._fifo.read(surplus)
            self._num_surplus -= surplus
        while (ready := self._fifo.read(context.frame_size)) is not None:
            yield from self._encode(ready)

    def _encode(self, frame: av.AudioFrame | None) -> Iterator[AVPacket[Stream]]:
        if frame is None:
            return
        rate = self.stream.codec_context.rate
        frame.pts = round((self._clock.start or 0) * rate) + self._num_encoded
        frame.time_base = Fraction(1, rate)
        self._num_encoded += frame.samples
        yield from self.stream.encode(frame)


class SubtitleTranscoder(Transcoder):
    """Text subtitles, in another text format; times are kept, where the format shows one at a time by joining rows."""

    def _set_up(self, output: OutputContainer, source: Any, codec: str) -> None:
        self._decoder.open(strict=False)
        stream: Any = output.add_stream(codec)
        self.stream = stream
        self._encoder = stream.codec_context
        self._encoder.subtitle_header = self._decoder.subtitle_header
        self._encoder.time_base = Fraction(1, 1000)
        self._lines = OneAtATime() if codec == "mov_text" else None
        self._time_base = source.time_base

    def feed(self, packet: AVPacket[Stream] | None) -> Iterator[AVPacket[Stream]]:  # noqa: D102  # as the base class
        if packet is None:
            if self._lines is not None:
                yield from map(self._packet_of, self._lines.rest())
            return
        subtitle = self._decoded(packet)
        if subtitle is None or len(subtitle) == 0:
            return
        if self._lines is not None and packet.pts is not None and packet.duration:
            end = packet.pts + packet.duration
            for event in subtitle:
                yield from map(self._packet_of, self._lines.add(Line(packet.pts, end, event.ass)))
            return
        yield self._encoded(subtitle, packet.pts, packet.duration, packet.time_base)

    def _decoded(self, packet: AVPacket[Stream]) -> Any:
        try:
            return self._decoder.decode2(packet)
        except av.FFmpegError as error:
            if self._on_damage is not None:
                self._on_damage(f"A subtitle of {self._path} is damaged and was left out.")
                return None
            raise DecodeError(
                f"The subtitles of {self._path} are damaged ({reason(error)}); copy the file again.", self._path
            ) from error

    def _packet_of(self, line: Line) -> AVPacket[Stream]:
        duration = line.end - line.start
        return self._encoded(SubtitleSet.create(line.text, 0, duration), line.start, duration, self._time_base)

    def _encoded(self, subtitle: Any, pts: int | None, duration: int | None, time_base: Any) -> AVPacket[Stream]:
        encoded: AVPacket[Stream] = self._encoder.encode_subtitle(subtitle)
        encoded.pts = encoded.dts = pts
        encoded.duration = duration
        encoded.time_base = time_base
        encoded.stream = self.stream
        return encoded


def _nearest_rate(codec: str, rate: int) -> int:
    allowed = av.Codec(codec, "w").audio_rates
    # Of equally near rates the higher one loses nothing.
    return min(allowed, key=lambda r: (abs(r - rate), -r)) if allowed else rate
