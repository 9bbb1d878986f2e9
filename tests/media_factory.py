"""Tiny clips made in code: moving gradients, tones, subtitles, uneven times, colour tags, rotation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from vidstyle.media import VideoWriter, open_writer
from vidstyle.media.plan import plan_output

MS = Fraction(1, 1000)
VFR_PTS_MS = (0, 40, 80, 200, 240, 500, 533, 567, 900, 1000)

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm", ".avi": "avi", ".ts": "mpegts"}
_VIDEO_CODECS = {".webm": "libvpx-vp9", ".avi": "mpeg4"}
_FAST = {
    "libx264": {"preset": "ultrafast", "crf": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "10"},
}
_TAGS = {
    "bt709": {"colorspace": 1, "color_primaries": 1, "color_trc": 1},
    "smpte170m": {"colorspace": 6, "color_primaries": 6, "color_trc": 6},
}
_RANGES = {"tv": 1, "pc": 2}


def picture(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """(H, W, 3) uint8 smooth gradients that move with ``index``, different in every corner and channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 40 + 170 * x / width
    green = 60 + 150 * y / height
    blue = 128 + 60 * np.sin(2 * np.pi * (x / width + y / height + index / 24))
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def tone(start: int, num_samples: int, rate: int = 48000, channels: int = 2) -> np.ndarray:
    """(channels, samples) float32 in [-.5, .5], another pitch in every channel."""
    t = (start + np.arange(num_samples)) / rate
    return np.stack([0.5 * np.sin(2 * np.pi * 220 * (c + 1) * t) for c in range(channels)]).astype(np.float32)


def make_clip(
    path: Path,
    *,
    num_frames: int = 24,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 24,
    time_base: Fraction | None = None,
    pts: Sequence[int] | None = None,
    codec: str | None = None,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    audio: str | Sequence[str] | None = None,
    audio_start_seconds: float = 0.0,
    matrix: str | None = None,
    color_range: str | None = None,
    rotation: tuple[int, bool] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    subtitles: str | None = None,
    lines: Sequence[tuple[int, int, str]] = ((100, 300, "Hello there"), (500, 400, "Goodbye")),
    metadata: dict[str, str] | None = None,
    chapters: bool = False,
    format_name: str | None = None,
    keyframe_interval: int | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip and return its path.

    Args:
        pts: frame times in ticks of ``time_base`` (1/rate by default); 0, 1, 2 ... by default.
        audio: encoder, or one for every sound stream.
        matrix: ``bt709`` or ``smpte170m``: pixels are converted with it and tagged; None tags nothing.
        rotation: (degrees counter-clockwise, mirrored left to right before that).
        subtitles: encoder for ``lines``.
        lines: start and duration in milliseconds, and text.
    """
    rate = Fraction(rate)
    time_base = time_base or 1 / rate
    times = list(range(num_frames)) if pts is None else list(pts)
    codec = codec or _VIDEO_CODECS.get(path.suffix, "libx264")
    with av.open(
        str(path),
        "w",
        format=format_name or _FORMATS[path.suffix],
        container_options={"movie_timescale": str(time_base.denominator), **(container_options or {})}
        if path.suffix in (".mp4", ".mov")
        else container_options or {},
    ) as container:
        container.metadata.update(metadata or {})
        video: Any = container.add_stream(codec, rate=rate, options=_FAST.get(codec, {}) | (options or {}))
        video.width, video.height = size
        video.pix_fmt = pixel_format
        video.codec_context.time_base = video.time_base = time_base
        video.codec_context.flags |= Flags.frame_duration
        if keyframe_interval:
            video.codec_context.gop_size = keyframe_interval
        for name, value in _color_tags(matrix, color_range).items():
            setattr(video.codec_context, name, value)
        if sample_aspect_ratio:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if rotation:
            degrees, mirrored = rotation
            # FFmpeg mirrors after it rotates; mirroring first equals rotating the other way and mirroring then.
            video.set_display_rotation(-degrees if mirrored else degrees, hflip=mirrored)
        names = [audio] if isinstance(audio, str) else list(audio or ())
        sounds = [_add_audio(container, name) for name in names]
        text = _add_subtitles(container, subtitles) if subtitles else None
        if chapters:
            container.set_chapters(
                [
                    {"id": 1, "start": 0, "end": 500, "time_base": MS, "metadata": {"title": "first"}},
                    {"id": 2, "start": 500, "end": 1000, "time_base": MS, "metadata": {"title": "second"}},
                ]
            )
        container.start_encoding()
        if text is not None:
            _mux_subtitles(container, text, lines)
        end_seconds = float((times[-1] + 1) * time_base) if pts is None else float(times[-1] * time_base)
        durations = [b - a for a, b in pairwise(times)] + [max(1, round(1 / rate / time_base))]
        written = 0.0
        for index, (tick, duration) in enumerate(zip(times, durations, strict=True)):
            frame = _frame(picture(index, *size), pixel_format, matrix, color_range)
            frame.pts, frame.time_base, frame.duration = tick, time_base, duration
            container.mux(video.encode(frame))
            until = min(end_seconds, float((tick + duration) * time_base))
            for sound in sounds:
                _mux_tone(container, sound, audio_start_seconds, written, until)
            written = max(written, until)
        container.mux(video.encode(None))
        for sound in sounds:
            container.mux(sound.encode(None))
    return path


def make_audio_only(path: Path, codec: str = "aac") -> Path:
    """A file with sound and no picture."""
    with av.open(str(path), "w", format=_FORMATS[path.suffix]) as container:
        sound = _add_audio(container, codec)
        _mux_tone(container, sound, 0.0, 0.0, 1.0)
        container.mux(sound.encode(None))
    return path


def make_without_frames(path: Path) -> Path:
    """A file with sound that promises a picture and has no frame."""
    with av.open(str(path), "w", format=_FORMATS[path.suffix]) as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height = 64, 48
        sound = _add_audio(container, "aac")
        _mux_tone(container, sound, 0.0, 0.0, 1.0)
        container.mux(sound.encode(None))
    return path


def open_output(path: Path, reader: Any, *, overwrite: bool = False, **settings: Any) -> VideoWriter:
    """A writer with a plan made of ``plan_output``'s settings."""
    plan = plan_output(path, reader, keeps_alpha=reader.keeps_alpha, hdr=reader.hdr, **settings)
    return open_writer(path, reader, plan, overwrite=overwrite)


def audio_packets(path: Path, index: int = 0) -> list[bytes]:
    """Bytes of every packet of one sound stream."""
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[index]) if p.size]


def audio_samples(path: Path) -> tuple[int, float]:
    """(number of samples a channel, time of the first in seconds) of the first sound stream, decoded."""
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.audio[0]))
    return sum(f.samples for f in frames), float(frames[0].pts * frames[0].time_base)


def rgb_frames(path: Path) -> np.ndarray:
    """(N, H, W, 3) uint8, every frame as FFmpeg converts it."""
    reformatter = VideoReformatter()  # one for all: a frame's own starts its threads anew
    with av.open(str(path)) as container:
        shown = [reformatter.reformat(frame, format="rgb24", threads=1) for frame in container.decode(video=0)]
    return np.stack([frame.to_ndarray() for frame in shown])


def stored_color(path: Path) -> tuple[int, int, int, int]:
    """(matrix, primaries, transfer, range) code points as tagged on the first frame."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range


def _color_tags(matrix: str | None, color_range: str | None) -> dict[str, int]:
    tags = dict(_TAGS[matrix]) if matrix else {}
    return tags | ({"color_range": _RANGES[color_range]} if color_range else {})


def _frame(rgb: np.ndarray, pixel_format: str, matrix: str | None, color_range: str | None) -> Any:
    """Converts with numpy's own arithmetic where a matrix is named, so that tests do not trust swscale twice."""
    if matrix is None:
        return av.VideoFrame.from_ndarray(rgb).reformat(format=pixel_format, threads=1)
    if pixel_format != "yuv444p":
        raise ValueError("named matrices are made in yuv444p")
    kr, kb = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114)}[matrix]
    r, g, b = (rgb[..., c].astype(np.float64) for c in range(3))
    luma = kr * r + (1 - kr - kb) * g + kb * b
    blue_difference, red_difference = (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)
    if color_range == "pc":
        planes = [luma, blue_difference + 128, red_difference + 128]
    else:
        planes = [16 + luma * 219 / 255, 128 + blue_difference * 224 / 255, 128 + red_difference * 224 / 255]
    stacked = np.stack(planes).round().clip(0, 255).astype(np.uint8)
    frame = av.VideoFrame.from_ndarray(stacked, format="yuv444p")
    for name, value in _color_tags(matrix, color_range).items():
        setattr(frame, name, value)
    return frame


def _add_audio(container: Any, codec: str) -> Any:
    # FFmpeg's own encoder of Vorbis asks whether one means it.
    stream = container.add_stream(codec, rate=48000, options={"strict": "-2"} if codec == "vorbis" else {})
    stream.layout = "stereo"
    stream.metadata["language"] = "deu"
    return stream


def _mux_tone(container: Any, stream: Any, offset: float, begin: float, end: float) -> None:
    first, last = round(begin * 48000), round(end * 48000)
    if last <= first:
        return
    frame = av.AudioFrame.from_ndarray(tone(first, last - first), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, first + round(offset * 48000), Fraction(1, 48000)
    container.mux(stream.encode(frame))


def _add_subtitles(container: Any, codec: str) -> Any:
    stream = container.add_stream(codec)
    # Text encoders want the header of an ASS script, which the reader of an SRT makes.
    decoder = av.CodecContext.create("subrip", "r")
    decoder.open(strict=False)
    stream.codec_context.subtitle_header = decoder.subtitle_header
    stream.codec_context.time_base = MS
    stream.metadata["language"] = "eng"
    return stream


def _mux_subtitles(container: Any, stream: Any, lines: Sequence[tuple[int, int, str]]) -> None:
    for start, duration, text in lines:
        subtitle = av.subtitles.subtitle.SubtitleSet.create(
            text=f"0,0,Default,,0,0,0,,{text}".encode(), start=0, end=duration, pts=start
        )
        packet = stream.codec_context.encode_subtitle(subtitle)
        packet.pts = packet.dts = start
        packet.duration, packet.time_base, packet.stream = duration, MS, stream
        container.mux(packet)
