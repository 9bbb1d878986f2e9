"""Lost frames: which they are, what stands in for them, and where."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from av import VideoFrame as AVFrame

# Times of so many frames are remembered; no decoder holds back as many.
_MAX_EXPECTED = 512
# Behind damage decoders give frames out of order, by a few.
_MAX_HELD = 8
_MAX_PLACES = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture and when to show it.

    Attributes:
        key: grows in display order: the frame's pts, or its position; None where the file has neither.
        picture: to show.
        stands_in: it stands in for one that was lost.
    """

    key: int | None
    picture: AVFrame
    stands_in: bool


class Concealer:
    """Gives the last good frame in place of those that were lost, so that number and timing stay.

    A packet announces a frame under a key. Not every packet becomes a frame, so one counts as lost only behind damage,
    and before the next keyframe; there frames are put in order, too. What is predicted from a lost or damaged frame is
    no good either, though decoders call it whole: nothing is before the next keyframe, which refers to nothing.
    """

    def __init__(self) -> None:
        self._places: list[tuple[Fraction, int]] = []
        self._in_place = False
        self._expected: list[int] = []
        self._distrusted: set[int] = set()
        self._damaged_until: int | None = None
        self._num_uncounted = 0  # lost frames that have no key
        self._num_without_key = 0  # frames that came without one
        self._held: list[tuple[int, int, AVFrame]] = []
        self._order = count()  # frames cannot be compared
        self._last_key: int | None = None
        self._last_good: AVFrame | None = None
        self._lacks_reference = False
        self._lost_before_any: list[int | None] = []

    def expect(self, key: int | None) -> None:
        """A packet went to the decoder."""
        if key is not None:
            self._expected.append(key)
            del self._expected[:-_MAX_EXPECTED]

    def damage(self, key: int | None) -> None:
        """A packet could not be read or decoded; which one is not sure, decoders say so late."""
        self.expect(key)
        if self._expected:
            self._damaged_until = max(self._expected)
        else:
            self._num_uncounted += 1

    def distrust(self, key: int | None) -> None:
        """A packet is incomplete: it helps to decode others, but its own picture is not shown."""
        if key is not None:
            self._distrusted.add(key)

    def push(self, key: int | None, frame: AVFrame) -> Iterator[Shown]:
        """A frame came out of the decoder; gives what is to be shown by now."""
        if key is None:
            self.arrive(None)
            yield from self._lost([None] * self._num_uncounted)
            self._num_uncounted = 0
            yield from self._came(None, frame)
        elif self._damaged_until is None or self._last_key is None or key > self._last_key:  # else its place is taken
            heapq.heappush(self._held, (key, next(self._order), frame))
            while self._held and not self._must_wait():
                yield from self._release()

    def flush(self, *, is_whole: bool) -> Iterator[Shown]:
        """The rest, at the end of the file; what a file lost because it breaks off is not replaced."""
        while self._held:
            yield from self._release()
        if is_whole:
            yield from self._lost(self.never_came())
            yield from self._lost([None] * self._num_uncounted)

    def arrive(self, key: int | None) -> None:
        """Tick a frame off, and all before it."""
        if key is None:
            self._num_without_key += 1
            return
        self._expected = [k for k in self._expected if k > key]
        self._last_key = key if self._last_key is None else max(key, self._last_key)

    def never_came(self) -> list[int]:
        """Keys of frames behind the last one that the decoder has given, at the end of the file."""
        if self._num_without_key:
            return []
        return sorted({key for key in self._expected if self._last_key is None or key > self._last_key})

    def _must_wait(self) -> bool:
        if self._damaged_until is None:
            return False
        return len(self._held) <= _MAX_HELD and any(key < self._held[0][0] for key in self._expected)

    def _release(self) -> Iterator[Shown]:
        key, _, frame = heapq.heappop(self._held)
        if self._damaged_until is not None:
            yield from self._lost(sorted({k for k in self._expected if k < key}))
            if frame.key_frame and key > self._damaged_until:
                self._damaged_until = None
        self.arrive(key)
        yield from self._came(key, frame)

    def _lost(self, keys: list[int] | list[None]) -> Iterator[Shown]:
        self._lacks_reference = self._lacks_reference or bool(keys)
        for key in keys:
            if self._last_good is None:
                self._lost_before_any.append(key)
            else:
                yield Shown(key, self._last_good, stands_in=True)

    def _came(self, key: int | None, frame: AVFrame) -> Iterator[Shown]:
        is_damaged = frame.is_corrupt or key in self._distrusted
        if frame.key_frame or is_damaged:  # a keyframe mends what was, if it is whole itself
            self._lacks_reference = is_damaged
        if self._lacks_reference and self._last_good is not None:
            yield Shown(key, self._last_good, stands_in=True)
            return
        self._lacks_reference = False  # a recording may begin amid a group, and have nothing better for a while
        for earlier in self._lost_before_any:
            yield Shown(earlier, frame, stands_in=True)
        self._lost_before_any.clear()
        self._last_good = frame
        yield Shown(key, frame, stands_in=False)

    def note(self, shown: Shown, time: Fraction) -> None:
        """Remember where frames were replaced.

        Args:
            shown: what is shown.
            time: when, in seconds.
        """
        if shown.stands_in and self._in_place:
            start, num = self._places[-1]
            self._places[-1] = (start, num + 1)
        elif shown.stands_in:
            self._places.append((time, 1))
        self._in_place = shown.stands_in

    def sentences(self, origin: Fraction) -> Iterator[str]:
        """What happened, one sentence for each place, at most a screenful.

        Args:
            origin: where the times people read count from, in seconds.
        """
        for time, num in self._places[:_MAX_PLACES]:
            frames = "1 frame was" if num == 1 else f"{num} frames were"
            yield f"is damaged at {float(time - origin):.3f} s: {frames} lost, and a good one beside stands in"
        if len(self._places) > _MAX_PLACES:
            num = sum(num for _, num in self._places[_MAX_PLACES:])
            yield f"is damaged at {len(self._places) - _MAX_PLACES} further places, where {num} frames were lost"
