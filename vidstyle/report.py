"""What a render did, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


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

    @property
    def frames_per_second(self) -> float:
        """Frames a second, end to end."""
        return self.num_frames / self.wall_seconds if self.wall_seconds else 0.0

    def stage_rates(self) -> dict[str, float]:
        """Frames a second of each stage on its own."""
        return {name: self.num_frames / seconds for name, seconds in self.stage_seconds.items() if seconds > 0}
