"""Subtitles that overlap in time, one after the other: MP4's text track shows a single sample at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Line(NamedTuple):
    """What is shown from ``start`` to ``end``, in ticks; ``text`` is an ASS event as FFmpeg passes it on."""

    start: int
    end: int
    text: bytes


class OneAtATime:
    """Takes lines in the order of their starts and gives back such that do not overlap.

    Where several are shown at once they become one of several rows, the one that was there first on top.
    """

    def __init__(self) -> None:
        self._shown: list[Line] = []
        self._now: int | None = None

    def add(self, line: Line) -> Iterator[Line]:
        """What is shown before ``line`` begins, now that nothing can be added to it any more."""
        yield from self._until(line.start)
        self._now = line.start if self._now is None else max(self._now, line.start)
        if line.end > self._now:
            self._shown.append(line)

    def rest(self) -> Iterator[Line]:
        """What is left behind the last line."""
        yield from self._until(None)

    def _until(self, moment: int | None) -> Iterator[Line]:
        while self._shown and self._now is not None and (moment is None or self._now < moment):
            end = min(line.end for line in self._shown)
            if moment is not None:
                end = min(end, moment)
            yield Line(self._now, end, _joined([line.text for line in self._shown]))
            self._now = end
            self._shown = [line for line in self._shown if line.end > end]


def _joined(events: list[bytes]) -> bytes:
    """One event with the rows of all: the text is an event's ninth field."""
    first, *others = events
    return b"\\N".join([first, *(event.split(b",", 8)[-1] for event in others)])
