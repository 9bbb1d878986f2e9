"""Encode and mux into NAME.part; the name itself appears only when everything is written."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import av
from av.container import OutputContainer
from av.packet import Packet as AVPacket
from av.stream import Stream

from vidstyle.errors import ConfigError, EncodeError, OpenError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media.color import RgbEncoder
from vidstyle.media.containers import Container, container_for
from vidstyle.media.encoder import EncoderSettings, choose_encoder
from vidstyle.media.failures import encode_errors
from vidstyle.media.outputs import claim_output
from vidstyle.media.reader import VideoReader
from vidstyle.media.streams import StreamPlan, copy_stream_tags, plan_streams
from vidstyle.media.timestamps import PacketClock, to_ticks
from vidstyle.media.transcode import AudioTranscoder, SubtitleTranscoder

# The muxer's own, or no longer true of the new file.
_FOREIGN_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")
_MAX_REORDERING_FRAMES = 1000
_MAX_TIMESCALE = 10_000_000


def open_writer(
    path: str | Path,
    source: VideoReader,
    *,
    size: tuple[int, int] | None = None,
    codec: str | None = None,
    crf: int | None = None,
    preset: str | None = None,
    pixel_format: str | None = None,
    encoder_options: Mapping[str, str] | None = None,
    overwrite: bool = False,
    audio: Literal["copy", "drop"] = "copy",
) -> VideoWriter:
    """Open an output for the frames and packets of ``source``. Everything that can be refused is refused here.

    Args:
        path: output; its suffix chooses the container (.mp4 .m4v .mov .mkv .webm).
        source: the clip being rendered: time base, colour tags, pixel shape, sound and chapters come from it.
        size: (width, height) in pixels of the frames to come; the source's upright size by default.
        codec: FFmpeg's name of a video encoder; libx264, or libvpx-vp9 for .webm, by default.
        crf: constant quality, where the encoder has it; 18 for libx264 by default.
        preset: speed preset, where the encoder has it.
        pixel_format: such as ``yuv420p``; chosen to suit the encoder by default.
        encoder_options: further options of the encoder.
        overwrite: replace an existing file, at the end and only if all went well.
        audio: ``drop`` leaves the sound out.

    Raises:
        OpenError: the output exists, is the source, or cannot be created.
        UnsupportedMediaError: no container has this suffix.
        ConfigError: an unknown codec or option, or settings the encoder or the container refuses.
        EncodeError: the disk is full.
    """
    path = Path(path)
    container = container_for(path)
    part = claim_output(path, source=source.path, overwrite=overwrite)
    info = source.info
    sideways = info.rotation_degrees % 180 == 90
    notes: list[str] = []
    settings = choose_encoder(
        codec or container.video_codec,
        size or info.upright_size,
        rate=info.average_rate,
        time_base=info.time_base,
        color=info.color,
        sample_aspect_ratio=1 / info.sample_aspect_ratio if sideways else info.sample_aspect_ratio,
        crf=crf,
        preset=preset,
        pixel_format=pixel_format,
        options=encoder_options or {},
        note=notes.append,
    )
    plan = plan_streams(source.path, source.streams, container, audio)
    return VideoWriter(
        path, part, source, container=container, settings=settings, plan=plan, notes=notes, overwrite=overwrite
    )


class VideoWriter:
    """An output being written; ``open_writer`` makes it. Use it from one thread at a time.

    As a context manager it aborts unless ``commit`` was called.

    Attributes:
        path: the output.
        settings: the video encoder's.
        plan: what becomes of every other stream of the source.
        notes: sentences a user should read.
        num_frames: frames written so far.
    """

    def __init__(
        self,
        path: Path,
        part: Path,
        source: VideoReader,
        *,
        container: Container,
        settings: EncoderSettings,
        plan: list[StreamPlan],
        notes: list[str],
        overwrite: bool,
    ) -> None:
        self.path = path
        self.settings = settings
        self.plan = plan
        self.notes = notes
        self.num_frames = 0
        self._overwrite = overwrite
        self._to_yuv = RgbEncoder(settings.color, settings.pixel_format)
        self._copies: dict[int, tuple[Stream, PacketClock]] = {}
        self._transcoders: dict[int, AudioTranscoder | SubtitleTranscoder] = {}
        self._last_pts: int | None = None
        self._max_delay = to_ticks(_MAX_REORDERING_FRAMES / settings.rate, settings.time_base)
        self._part: Path | None = part
        self._output: OutputContainer | None = None
        try:
            self._open(part, source, container)
        except BaseException:
            self.abort()
            raise

    def _open(self, part: Path, source: VideoReader, container: Container) -> None:
        try:
            part.unlink(missing_ok=True)
            part.touch()
        except OSError as error:
            self._part = None
            raise OpenError(
                f"Cannot create {self.path} ({error.strerror}); choose another folder.", self.path
            ) from error
        output = av.open(
            str(part.absolute()),
            "w",
            format=container.format_name,
            container_options=_container_options(container, source),
        )
        self._output = output
        try:
            video: Any = output.add_stream(
                self.settings.codec, rate=self.settings.rate, options=dict(self.settings.options)
            )
        except ValueError as error:
            raise ConfigError(
                f"{self.path.suffix} files cannot carry {self.settings.codec}; use .mkv or another --codec."
            ) from error
        self.settings.apply(video.codec_context)
        video.time_base = self.settings.time_base
        tag = self.settings.codec_tag(container.format_name)
        if tag is not None:
            video.codec_context.codec_tag = tag
        self._video = video
        with encode_errors(self.path):
            for planned in self.plan:
                self._add(planned, output, source)
            copy_stream_tags(source.video_stream, video)
            output.metadata.update({k: v for k, v in source.container.metadata.items() if k not in _FOREIGN_TAGS})
            output.set_chapters(_chapters(source))
            output.start_encoding()

    def _add(self, plan: StreamPlan, output: OutputContainer, source: VideoReader) -> None:
        stream = source.container.streams[plan.stream.index]
        if plan.action == "drop":
            return
        if plan.action == "copy":
            target: Any = output.add_stream_from_template(stream)
            self._copies[plan.stream.index] = (target, PacketClock())
        else:
            kind = AudioTranscoder if plan.stream.type == "audio" else SubtitleTranscoder
            transcoder = kind(output, stream, plan.target_codec or "", source.path)
            target = transcoder.stream
            self._transcoders[plan.stream.index] = transcoder
        if plan.stream.type != "attachment":
            copy_stream_tags(stream, target)

    def write(self, item: VideoFrame | Packet) -> None:
        """Encode a frame (uint8 RGB on the CPU, of the announced size), or pass a packet on.

        Raises:
            EncodeError: the encoder, the muxer or the disk refused.
            DecodeError: sound that has to be converted is damaged.
            ValueError: a frame of another size or type, or not later than the one before.
        """
        if self._output is None:
            raise ValueError(f"{self.path} is no longer open for writing")
        if isinstance(item, VideoFrame):
            self._write_frame(item)
        else:
            self._write_packet(item)

    def _write_frame(self, item: VideoFrame) -> None:
        expected = (3, self.settings.height, self.settings.width)
        if tuple(item.data.shape) != expected or str(item.data.dtype) != "torch.uint8":
            raise ValueError(f"expected uint8 {expected}, got {item.data.dtype} {tuple(item.data.shape)}")
        frame = self._to_yuv(item.data.permute(1, 2, 0).contiguous().numpy())
        frame.time_base = self.settings.time_base
        frame.pts = to_ticks(item.pts * item.time_base, frame.time_base)
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"frames must come in order: pts {frame.pts} after {self._last_pts}")
        if item.duration:
            frame.duration = max(1, to_ticks(item.duration * item.time_base, frame.time_base))
        self._last_pts = frame.pts
        with encode_errors(self.path):
            self._mux_video(self._video.encode(frame))
        self.num_frames += 1

    def _write_packet(self, item: Packet) -> None:
        payload: AVPacket[Stream] = item.payload
        with encode_errors(self.path):
            if item.stream_index in self._copies:
                target, clock = self._copies[item.stream_index]
                clock.stamp(payload)
                payload.stream = target
                self._mux([payload])
            elif item.stream_index in self._transcoders:
                self._mux(self._transcoders[item.stream_index].feed(payload))

    def _mux(self, packets: list[AVPacket[Stream]]) -> None:
        if self._output is not None:
            self._output.mux(packets)

    def _mux_video(self, packets: list[AVPacket[Stream]]) -> None:
        for packet in packets:
            # x265 gives uninitialised decode times to a clip shorter than its reordering delay.
            if packet.pts is not None and packet.dts is not None and abs(packet.pts - packet.dts) > self._max_delay:
                packet.dts = packet.pts
        self._mux(packets)

    def commit(self) -> None:
        """Flush, close, and move the result to its name.

        Raises:
            EncodeError: nothing was written, the disk is full, or the name cannot be taken. Nothing is left then.
        """
        if self._output is None or self._part is None:
            raise ValueError(f"{self.path} is no longer open for writing")
        try:
            if self.num_frames == 0:
                raise EncodeError(f"No frame was written to {self.path}; render a range that has frames.", self.path)
            with encode_errors(self.path):
                self._mux_video(self._video.encode(None))
                for transcoder in self._transcoders.values():
                    self._mux(transcoder.feed(None))
                self._output.close()
                self._output = None
                if not self._overwrite and self.path.exists():
                    raise EncodeError(f"{self.path} appeared during the render; pass --overwrite.", self.path)
                self._part.replace(self.path)
                self._part = None
        finally:
            self.abort()

    def abort(self) -> None:
        """Throw everything away; a no-op after ``commit``."""
        output, self._output = self._output, None
        part, self._part = self._part, None
        if output is not None:
            # The trailer of a broken output may fail again; the file is thrown away either way.
            with contextlib.suppress(av.FFmpegError, OSError):
                output.close()
        if part is not None:
            part.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()


def _container_options(container: Container, source: VideoReader) -> dict[str, str]:
    if container.format_name not in ("mp4", "mov"):
        return {}
    # Start offsets are stored in ticks of the movie; its default of 1 ms would round them.
    timescale = source.info.time_base.denominator
    for stream in source.container.streams.audio:
        common = math.lcm(timescale, stream.rate or 1)
        timescale = common if common <= _MAX_TIMESCALE else timescale
    # The index goes to the front, so that the file plays while it is being downloaded.
    return {"movie_timescale": str(timescale), "movflags": "+faststart"}


def _chapters(source: VideoReader) -> list[Any]:
    """The source's chapters, cut to its range and moved with it."""
    start, end = source.start or Fraction(0), source.end
    shift = start if source.shifts_to_zero else Fraction(0)
    chapters = []
    for chapter in source.container.chapters():
        time_base = chapter["time_base"]
        if time_base is None:
            continue
        first, last = chapter["start"] * time_base, chapter["end"] * time_base
        if last <= start or (end is not None and first >= end):
            continue
        first, last = max(first, start), last if end is None else min(last, end)
        chapters.append(
            chapter | {"start": to_ticks(first - shift, time_base), "end": to_ticks(last - shift, time_base)}
        )
    return chapters
