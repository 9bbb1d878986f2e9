"""Frames that lack between others of a constant rate, found by the timestamps of those that came."""

from __future__ import annotations

from fractions import Fraction

# A longer gap is a jump of the clock, as where recordings are joined.
_MAX_GAP_SECONDS = 10


class Gaps:
    """Watches timestamps in display order.

    Args:
        time_base: seconds per tick.
        rate: frames per second the stream is said to have; None where it is not sure, then nothing ever lacks.

    Attributes:
        expected: something was lost, so a gap from now on means lost frames; before, it means a rate that varies.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self.expected = False
        self._frame_ticks = None if rate is None else 1 / rate / time_base
        self._max_frames = 0 if rate is None else int(_MAX_GAP_SECONDS * rate)
        self._last: int | None = None

    def before(self, pts: int) -> list[int]:
        """Timestamps of the frames that lack between the last one and this."""
        last, self._last = self._last, pts
        if last is None or self._frame_ticks is None:
            return []
        num = round((pts - last) / self._frame_ticks)
        is_even = num >= 1 and abs(pts - last - num * self._frame_ticks) <= 1
        if not self.expected and not (is_even and num == 1):
            self._frame_ticks = None  # it varies by itself
            return []
        if not is_even or num > self._max_frames:
            return []
        return [last + round(index * self._frame_ticks) for index in range(1, num)]
