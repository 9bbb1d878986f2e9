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
