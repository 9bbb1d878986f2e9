"""Figures over time in a bounded number of points, so that memory does not grow with the clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

#: Names whose worst value is the smallest: neighbouring points are merged to their minimum, all others to their mean.
_SMALLEST = ("drift",)


@dataclass(slots=True)
class _Point:
    seconds: float
    num_frames: int
    values: dict[str, float]


@dataclass(slots=True)
class TimeSeries:
    """Named figures by time; where there would be more than ``max_points``, neighbours are merged two by two.

    Attributes:
        max_points: most points kept; even.
    """

    max_points: int = 1200
    _points: list[_Point] = field(default_factory=list)
    _frames_per_point: int = 1

    def add(self, seconds: float, values: Mapping[str, float]) -> None:
        """Take the next frame's figures; a name may be missing, NaN counts as missing."""
        known = {name: value for name, value in values.items() if not math.isnan(value)}
        last = self._points[-1] if self._points else None
        if last is not None and last.num_frames < self._frames_per_point:
            _merge(last, _Point(seconds, 1, known))
            return
        if len(self._points) == self.max_points:
            merged = self._points[::2]
            for first, second in zip(merged, self._points[1::2], strict=True):
                _merge(first, second)
            self._points = merged
            self._frames_per_point *= 2
        self._points.append(_Point(seconds, 1, known))

    @property
    def frames_per_point(self) -> int:
        """How many frames one point stands for; the last may stand for fewer."""
        return self._frames_per_point

    @property
    def seconds(self) -> list[float]:
        """Time of the first frame of every point."""
        return [point.seconds for point in self._points]

    def names(self) -> list[str]:
        """Every name there is a figure of, in order of appearance."""
        return list(dict.fromkeys(name for point in self._points for name in point.values))

    def values(self, name: str) -> list[float]:
        """One figure at every point; NaN where it is missing."""
        return [point.values.get(name, math.nan) for point in self._points]


def _merge(first: _Point, second: _Point) -> None:
    for name, value in second.values.items():
        if name not in first.values:
            first.values[name] = value
            continue
        combine: Callable[[float, float], float] = min if name in _SMALLEST else _weighted(first, second)
        first.values[name] = combine(first.values[name], value)
    first.num_frames += second.num_frames


def _weighted(first: _Point, second: _Point) -> Callable[[float, float], float]:
    a, b = first.num_frames, second.num_frames
    return lambda x, y: (a * x + b * y) / (a + b)
