"""What passes between the stages of reading: a decoder's frame with its final time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av import VideoFrame as AVFrame


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A decoder's frame that has its final pts, and is not yet converted to RGB.

    Attributes:
        frame: the picture; one picture may be shown at several times.
        pts: presentation time in ticks of ``time_base``.
        time_base: seconds per tick.
        duration: ticks it is shown for; None where the file does not say.
        own_time: the file's own time of the picture, in seconds, where it is shown at the nearest of other times; None
            where it is shown at its own, or again.
    """

    frame: AVFrame
    pts: int
    time_base: Fraction
    duration: int | None = None
    own_time: Fraction | None = None

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds."""
        return self.pts * self.time_base
