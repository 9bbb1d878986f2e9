"""Encode and mux into NAME.part; the name itself appears only when everything is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import torch
from av import VideoFrame as AVFrame
from av.container import OutputContainer
from av.packet import Packet as AVPacket
from av.stream import Stream

from vidstyle.errors import ConfigError, EncodeError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media.covers import Cover, read_cover
from vidstyle.media.failures import encode_errors, out_of_space, reason
from vidstyle.media.hardware import usual_priority
from vidstyle.media.packets import CopiedPackets, VideoPackets
from vidstyle.media.pixels import RgbEncoder
from vidstyle.media.plan import OutputPlan, cannot_carry
from vidstyle.media.reader import VideoReader
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.media.stored import StoredPicture
from vidstyle.media.streams import StreamPlan
from vidstyle.media.tags import (
    chapters,
    container_options,
    copy_stream_tags,
    output_metadata,
    start_timecode,
)
from vidstyle.media.timestamps import to_ticks
from vidstyle.media.transcode import AudioTranscoder, SubtitleTranscoder, Transcoder
from vidstyle.outputs import claim_output
from vidstyle.part_file import PartFile

_MAX_REORDERING_FRAMES = 1000


def open_writer(
    path: str | Path, source: VideoReader | SequenceReader, plan: OutputPlan, *, overwrite: bool = False
) -> VideoWriter:
    """Open an output for the frames and packets of ``source``. Everything that can be refused is refused here.

    Args:
        path: output.
        source: the clip being rendered: time base, colour tags, pixel shape, sound and chapters come from it.
        plan: ``plan_output``'s for this source and path.
        overwrite: replace an existing file, at the end and only if all went well.

    Raises:
        OpenError: the output exists, is the source, or cannot be created.
        ConfigError: settings that the container refuses.
        EncodeError: the disk is full.
    """
    path = Path(path)
    return VideoWriter(
        path, claim_output(path, source=source.path, overwrite=overwrite), source, plan, overwrite=overwrite
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
        source: VideoReader | SequenceReader,
        plan: OutputPlan,
        *,
        overwrite: bool,
    ) -> None:
        settings = plan.settings
        self.path = path
        self.settings = settings
        self.plan = list(plan.streams)
        self.notes = list(plan.notes)
        self._container = plan.container
        self.num_frames = 0
        self._overwrite = overwrite
        self._packets = VideoPackets(to_ticks(_MAX_REORDERING_FRAMES / settings.rate, settings.time_base))
        self._to_yuv = RgbEncoder(settings.color, settings.pixel_format, source.curve)
        self._curved = source.curve is not None
        self._source_color = source.info.color
        self._copies: dict[int, CopiedPackets] = {}
        self._transcoders: dict[int, Transcoder] = {}
        self._last_pts: int | None = None
        self._covers: list[tuple[Stream, Cover]] = []
        self._output: OutputContainer | None = None
        self._part = PartFile(part, path)
        try:
            self._open(source)
        except BaseException:
            self.abort()
            raise

    def _open(self, source: VideoReader | SequenceReader) -> None:
        container = self._container
        options = container_options(container, source.container, self.settings.time_base)
        output = av.open(str(self._part.path.absolute()), "w", format=container.format_name, container_options=options)
        self._output = output
        encoder_options = dict(self.settings.options)
        video: Any = output.add_stream(self.settings.codec, rate=self.settings.rate, options=encoder_options)
        self.settings.apply(video.codec_context)
        video.time_base = self.settings.time_base
        tag = self.settings.codec_tag(container.format_name)
        if tag is not None:
            video.codec_context.codec_tag = tag
        self._video = video
        with encode_errors(self.path):
            for planned in self.plan:
                self._add(planned, output, source)
        copy_stream_tags(source.video_stream, video, container.format_name)
        timecode = start_timecode(source, self.settings.rate)
        if timecode is not None:
            video.metadata["timecode"] = timecode
        output.metadata.update(output_metadata(source.container))
        shift = source.start if source.shifts_to_zero and source.start is not None else Fraction(0)
        output.set_chapters(chapters(source.container, source.start, source.end, shift))
        try:
            with usual_priority():
                output.start_encoding()
        except (av.FFmpegError, OSError) as error:
            # Every other stream has been tried before.
            if not out_of_space(error):
                raise ConfigError(cannot_carry(self.path, self.settings.codec, reason(error))) from error
            with encode_errors(self.path):
                raise
        with encode_errors(self.path):
            for stream, cover in self._covers:
                self._mux([cover.packet(stream)])

    def _add(self, plan: StreamPlan, output: OutputContainer, source: VideoReader | SequenceReader) -> None:
        stream = source.container.streams[plan.stream.index]
        target: Any
        if plan.action == "drop" or plan.kind in ("timecode", "chapters"):
            return
        if plan.kind == "cover":
            cover = read_cover(source.path, plan.stream.index)
            if cover is None:
                self.notes.append(f"The cover picture of {source.path} is damaged and was left out.")
            elif (target := cover.add_to(output, self._container.cover)) is not None:
                self._covers.append((target, cover))
            return
        if plan.action == "copy":
            target = output.add_stream_from_template(stream)
            self._copies[plan.stream.index] = CopiedPackets(stream, target)
        else:
            kind = AudioTranscoder if plan.stream.type == "audio" else SubtitleTranscoder
            on_damage = self.notes.append if source.skips_damage else None
            transcoder = kind(output, stream, plan.target_codec or "", source.path, on_damage)
            target = transcoder.stream
            self._transcoders[plan.stream.index] = transcoder
        if plan.stream.type != "attachment":
            copy_stream_tags(stream, target, self._container.format_name)

    @property
    def bit_depth(self) -> int:
        """Bits of a component that frames are worth having."""
        return 16 if self._curved else self.settings.bit_depth

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
        if tuple(item.data.shape) != expected or item.data.dtype not in (torch.uint8, torch.uint16):
            raise ValueError(f"expected uint8 or uint16 {expected}, got {item.data.dtype} {tuple(item.data.shape)}")
        frame = self._encodable(item)
        frame.time_base = self.settings.time_base
        frame.pts = to_ticks(item.pts * item.time_base, frame.time_base)
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise ValueError(f"frames must come in order: pts {frame.pts} after {self._last_pts}")
        if item.duration:
            frame.duration = max(1, to_ticks(item.duration * item.time_base, frame.time_base))
        self._last_pts = frame.pts
        self._packets.show(frame.pts, frame.duration or to_ticks(1 / self.settings.rate, frame.time_base))
        with encode_errors(self.path):
            self._mux(self._packets.push(self._video.encode(frame)))
        self.num_frames += 1

    def _encodable(self, item: VideoFrame) -> AVFrame:
        """As the encoder takes it; what is not painted keeps the source's samples, where the formats are the same."""
        settings, stored = self.settings, item.stored
        alpha = item.alpha.numpy() if item.alpha is not None and settings.has_alpha else None
        if not isinstance(stored, StoredPicture) or settings.color != self._source_color:
            return self._to_yuv(item.data.numpy(), alpha)
        untouched = stored.untouched(item.data)
        if not stored.is_like(settings.pixel_format, (settings.width, settings.height)) or not untouched.any():
            return self._to_yuv(item.data.numpy(), alpha)
        if untouched.all():
            return stored.copy(settings.pixel_format, settings.color)
        frame = self._to_yuv(item.data.numpy(), alpha)
        stored.restore(frame, untouched)
        return frame

    def _write_packet(self, item: Packet) -> None:
        payload: AVPacket[Stream] = item.payload
        with encode_errors(self.path):
            if item.stream_index in self._copies:
                self._mux([self._copies[item.stream_index].pass_on(payload)])
            elif item.stream_index in self._transcoders:
                self._mux(self._transcoders[item.stream_index].feed(payload))

    def _mux(self, packets: Iterable[AVPacket[Stream]]) -> None:
        if self._output is not None:
            for packet in packets:
                self._output.mux_one(packet)

    def commit(self) -> None:
        """Flush, close, and move the result to its name.

        Raises:
            EncodeError: nothing was written, the disk is full, or the name cannot be taken. Nothing is left then.
        """
        if self._output is None:
            raise ValueError(f"{self.path} is no longer open for writing")
        try:
            if self.num_frames == 0:
                raise EncodeError(f"No frame was written to {self.path}; render a range that has frames.", self.path)
            with encode_errors(self.path):
                self._mux(self._packets.push(self._video.encode(None)))
                self._mux(self._packets.flush())
                for transcoder in self._transcoders.values():
                    self._mux(transcoder.feed(None))
                self._output.close()
                self._output = None
                if not self._overwrite and self.path.exists():
                    raise EncodeError(f"{self.path} appeared during the render; pass --overwrite.", self.path)
                self._part.publish()
        finally:
            self.abort()

    def abort(self) -> None:
        """Throw everything away; a no-op after ``commit``."""
        output, self._output = self._output, None
        # First the name: closing an MP4 would copy all of a file that can still be found, to put its index in front.
        self._part.discard()
        if output is not None:
            # The trailer of a broken output may fail again; the file is thrown away either way.
            with contextlib.suppress(av.FFmpegError, OSError):
                output.close()
        self._part.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
