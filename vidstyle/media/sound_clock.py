"""Where decoded sound belongs: one run of samples, counted, unless its stamps say that something is missing."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from av import AudioFrame

# Stamps of milliseconds, and packets that are cut unevenly, stay far below; a lip out of step is seen above.
_GAP_SECONDS = Fraction(1, 20)
# Stamps that jump back further, or ahead by more than all the silence allowed, are wrong: the sound goes on.
_MAX_OVERLAP_SECONDS = 1
_MAX_SILENCE_SECONDS = 600
# Blocks of Vorbis are of two sizes and soon change between them.
_MAX_HELD = 64


class SoundClock:
    """Tells how decoded frames of one stream follow each other.

    Args:
        has_blocks: the stream is Vorbis, whose blocks some programs stamp with their end (the granule position of Ogg).
            The first few are held back until the blocks' sizes tell.

    Attributes:
        start: time of the first sample in seconds; None before the first frame.
    """

    def __init__(self, has_blocks: bool = False) -> None:
        self.start: Fraction | None = None
        self._end = Fraction(0)
        self._shift = Fraction(0)  # what wrong stamps are corrected by
        self._silence_left = Fraction(_MAX_SILENCE_SECONDS)
        self._is_settled = not has_blocks
        self._stamps_ends = False
        self._held: list[AudioFrame] = []

    def place(self, frames: list[AudioFrame], *, is_last: bool = False) -> list[tuple[AudioFrame, Fraction]]:
        """Frames in order, each with the seconds of silence due before it; below 0 it overlaps by so much.

        Args:
            frames: decoded next.
            is_last: none follows.
        """
        self._held += frames
        if not self._is_settled:
            stamps_ends = _stamps_ends(self._held)
            if stamps_ends is None and not is_last and len(self._held) < _MAX_HELD:
                return []
            self._is_settled, self._stamps_ends = True, bool(stamps_ends)
        placed, self._held = self._held, []
        return [(frame, self._missing_before(frame)) for frame in placed]

    def _missing_before(self, frame: AudioFrame) -> Fraction:
        length = Fraction(frame.samples, frame.sample_rate)
        time = _time(frame)
        if time is not None:
            time -= length if self._stamps_ends else 0
            if abs(time - self._end) <= _GAP_SECONDS:
                self._shift = Fraction(0)  # a single stamp was wrong
            time += self._shift
        if self.start is None:
            self.start = self._end = time or Fraction(0)
        missing = Fraction(0) if time is None else time - self._end
        if abs(missing) <= _GAP_SECONDS:
            missing = Fraction(0)
        elif not -_MAX_OVERLAP_SECONDS <= missing <= self._silence_left:
            self._shift -= missing
            missing = Fraction(0)
        self._silence_left -= max(missing, Fraction(0))
        self._end += missing + length
        return missing


def _time(frame: AudioFrame) -> Fraction | None:
    return None if frame.pts is None or frame.time_base is None else frame.pts * Fraction(frame.time_base)


def _stamps_ends(frames: list[AudioFrame]) -> bool | None:
    """Whether frames are stamped with their end: then the way from one to the next is the next one's length."""
    for before, frame in pairwise(frames):
        first, second = _time(before), _time(frame)
        if first is None or second is None or frame.samples == before.samples:
            continue
        way = (second - first) * frame.sample_rate
        return abs(way - frame.samples) < abs(way - before.samples)
    return None
