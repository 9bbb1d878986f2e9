"""Frames that lack between others of a constant rate, found by the timestamps of those that came."""

from __future__ import annotations

from fractions import Fraction

# A longer gap is a jump of the clock, as where recordings are joined.
_MAX_GAP_SECONDS = 10
# So many frames in a row show that the rate was constant.
_NUM_STEADY = 12


class Gaps:
    """Watches timestamps in display order.

    Args:
        time_base: seconds per tick.
        rate: frames per second the stream is said to have; None where it is not sure, then nothing ever lacks.

    Attributes:
        expected: something was lost, so a gap from now on means lost frames; before, it means a rate that varies.
        unexplained: timestamps around a gap which nothing says was a loss, though the rate was constant until then.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self.expected = False
        self.unexplained: tuple[int, int] | None = None
        self._frame_ticks = None if rate is None else 1 / rate / time_base
        self._max_frames = 0 if rate is None else int(_MAX_GAP_SECONDS * rate)
        self._last: int | None = None
        self._num_steady = 0
        self._num_unstamped = 0

    def before(self, pts: int | None) -> list[int]:
        """Timestamps of the frames that lack between the last one and this; one without a timestamp takes a place."""
        if pts is None:
            self._num_unstamped += 1
            return []
        last, self._last = self._last, pts
        num_taken, self._num_unstamped = self._num_unstamped, 0
        if last is None or self._frame_ticks is None:
            return []
        num = round((pts - last) / self._frame_ticks)
        is_even = num >= 1 and abs(pts - last - num * self._frame_ticks) <= 1
        if not self.expected and not (is_even and num == 1 + num_taken):
            if is_even and num <= self._max_frames and self._num_steady >= _NUM_STEADY:
                self.unexplained = (last, pts)
            self._frame_ticks = None  # it varies by itself
            return []
        self._num_steady += 1
        if not is_even or num > self._max_frames:
            return []
        return [last + round(index * self._frame_ticks) for index in range(1 + num_taken, num)]
