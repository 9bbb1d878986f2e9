"""What a render is going to do, and what it did, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

StreamAction = Literal["paint", "copy", "convert", "drop"]


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """What becomes of one stream of the source.

    Attributes:
        index: position in the source.
        type: ``video``, ``audio``, ``subtitle``, ``data`` or ``attachment``.
        codec: in the source.
        language: as tagged; None where untagged.
        title: as tagged.
        action: ``paint`` for the picture, ``copy`` (packets untouched), ``convert`` or ``drop``.
        target_codec: encoder of what is painted or converted; None otherwise.
        reason: why it is not copied; empty for the picture and for a copy.
        line: the same in words.
    """

    index: int
    type: str
    codec: str
    language: str | None
    title: str | None
    action: StreamAction
    target_codec: str | None
    reason: str
    line: str


@dataclass(frozen=True, slots=True)
class RenderPlan:
    """What a render is going to write: the same from ``vidstyle probe`` and before a render's first frame.

    Attributes:
        source: name of the input.
        output: name of the output.
        container: FFmpeg's name of the output's format, ``gif``, or the suffix of a picture.
        size: (width, height) of the output in pixels.
        codec: video encoder; None where the format is its own.
        pixel_format: of the encoded picture; None where the format is its own.
        encoder_options: of the video encoder.
        num_frames: frames expected, from the header; None where it does not say.
        streams: every stream of the source; empty for a picture.
        notes: what cannot be kept, a sentence each.
    """

    source: str
    output: str
    container: str
    size: tuple[int, int]
    codec: str | None = None
    pixel_format: str | None = None
    encoder_options: dict[str, str] = field(default_factory=dict)
    num_frames: int | None = None
    streams: tuple[PlannedStream, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The plan in words: the picture, every other stream, and what cannot be kept."""
        width, height = self.size
        options = ", ".join(f"{key}={value}" for key, value in self.encoder_options.items())
        how = f" by {self.codec} as {self.pixel_format}" if self.codec else f" as {self.container}"
        picture = f"picture: {width}x{height}, written{how}{f' ({options})' if options else ''}"
        return [picture, *self.stream_lines(), *(f"note: {note}" for note in self.notes)]

    def stream_lines(self) -> tuple[str, ...]:
        """A line for every stream but the picture."""
        return tuple(stream.line for stream in self.streams if stream.action != "paint")


@dataclass(frozen=True, slots=True)
class RenderReport:
    """Result of ``vidstyle.stylize``.

    Attributes:
        output: the file written.
        style: name of the style.
        num_frames: frames painted; 1 for a still.
        size: (width, height) of the output in pixels.
        wall_seconds: duration of the whole render.
        stage_seconds: busy seconds by stage; stages overlap.
        compute: device and precision, one sentence.
        flow: flow estimator and why it was chosen, one sentence.
        streams: a line for every other stream: copied, converted or dropped, and why.
        cut_seconds: times at which a new shot starts.
        notes: fallbacks and everything that could not be kept, a sentence each.
        plan: what was to be written, decided before the first frame; None where nothing was planned.
        flow_weights: file of the flow estimator's network; None where it has none.
        sidecar: the JSON file beside the output; None where none was asked for.
    """

    output: Path
    style: str
    num_frames: int
    size: tuple[int, int]
    wall_seconds: float
    compute: str
    stage_seconds: dict[str, float] = field(default_factory=dict)
    flow: str = ""
    streams: tuple[str, ...] = ()
    cut_seconds: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    plan: RenderPlan | None = None
    flow_weights: Path | None = None
    sidecar: Path | None = None

    @property
    def frames_per_second(self) -> float:
        """Frames a second, end to end."""
        return self.num_frames / self.wall_seconds if self.wall_seconds else 0.0

    def stage_rates(self) -> dict[str, float]:
        """Frames a second of each stage on its own."""
        return {name: self.num_frames / seconds for name, seconds in self.stage_seconds.items() if seconds > 0}


@dataclass(frozen=True, slots=True)
class RenderEstimate:
    """What the full render would take, as far as a preview can tell; ``str`` says it in words.

    Attributes:
        style: what is painted.
        size: (width, height) of the output in pixels.
        num_frames: that would be painted; None where the clip does not say.
        frames_per_second: painted at, start-up apart; None where too few frames were painted to tell.
        memory_bytes: peak of this process so far, scaled to the output's size; None where the system does not say.
        device_memory_bytes: likewise, of the GPU's memory; None without one.
        output_bytes: of the file; None where nothing could be measured.
        suffix: kind of that file, such as ``.mp4``.
    """

    style: str
    size: tuple[int, int]
    num_frames: int | None
    frames_per_second: float | None
    memory_bytes: int | None
    device_memory_bytes: int | None
    output_bytes: int | None
    suffix: str

    @property
    def seconds(self) -> float | None:
        """How long it takes, start-up apart."""
        if self.num_frames is None or not self.frames_per_second:
            return None
        return self.num_frames / self.frames_per_second

    def __str__(self) -> str:
        """Such as ``about 4 min (240 frames of 640x360 at 1 fps), 0.8 GB of memory, about 12 MB as .mp4``."""
        frames = f"{self.num_frames} frames" if self.num_frames is not None else "frames"
        rate = f" at {_two_digits(self.frames_per_second)} fps" if self.frames_per_second else ""
        what = f"{frames} of {self.size[0]}x{self.size[1]}{rate}"
        parts = [what if self.seconds is None else f"about {duration_in_words(self.seconds)} ({what})"]
        if self.memory_bytes is not None:
            parts.append(f"{self.memory_bytes / 1e9:.1f} GB of memory")
        if self.device_memory_bytes is not None:
            parts.append(f"{self.device_memory_bytes / 1e9:.1f} GB of the GPU's")
        if self.output_bytes is not None:
            parts.append(f"about {bytes_in_words(self.output_bytes)} as {self.suffix}")
        return ", ".join(parts)


def duration_in_words(seconds: float) -> str:
    """Seconds, minutes or hours to two digits, such as ``4.2 min``."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{_two_digits(seconds / length)} {unit}"
    return f"{_two_digits(max(seconds, 1))} s"


def bytes_in_words(num_bytes: int) -> str:
    """Kilobytes (1000 bytes) to gigabytes to two digits, such as ``12 MB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if num_bytes >= size:
            return f"{_two_digits(num_bytes / size)} {unit}"
    return f"{_two_digits(max(num_bytes / 1000, 1))} kB"


def _two_digits(value: float) -> str:
    if value < 9.95:
        return f"{value:.1f}".removesuffix(".0")
    digits = 10 ** max(len(str(round(value))) - 2, 0)
    return str(round(value / digits) * digits)
