"""Line charts as inline SVG with labels in HTML, so that text keeps its size on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

#: The SVG's own coordinates; it is stretched to whatever room there is.
_SIDE = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart.

    Attributes:
        label: for the legend.
        kind: CSS class, which gives the colour.
        values: one at every time; NaN leaves a gap.
    """

    label: str
    kind: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over time.

    Attributes:
        title: what is shown.
        note: unit and reading help, one short sentence.
        seconds: time of every value.
        lines: in drawing order; the last is on top.
        span: (lowest, highest) value shown; None fits the values, from 0 up.
        allowed: (lowest, highest) value a gate allows, shaded; an end may be infinite.
        marks: (seconds, text): numbered moments.
        cuts: seconds at which a shot starts.
    """

    title: str
    note: str
    seconds: Sequence[float]
    lines: Sequence[Line]
    span: tuple[float, float] | None = None
    allowed: tuple[float, float] | None = None
    marks: Sequence[tuple[float, str]] = ()
    cuts: Sequence[float] = ()


def chart_html(chart: Chart) -> str:
    """The chart as a ``figure``; its classes are styled by the report page."""
    known = [value for line in chart.lines for value in line.values if math.isfinite(value)]
    ticks = _ticks(*(chart.span or (0.0, max(known, default=1.0) or 1.0)))
    low, high = chart.span or (0.0, max(ticks[-1], max(known, default=1.0)))
    first, last = (chart.seconds[0], chart.seconds[-1]) if chart.seconds else (0.0, 1.0)
    length = max(last - first, 1e-9)

    def across(seconds: float) -> float:
        return (seconds - first) / length

    def down(value: float) -> float:
        return 1.0 - min(max((value - low) / (high - low), 0.0), 1.0)

    parts = [f'<line class="grid" x1="0" x2="{_SIDE}" y1="{_at(down(t))}" y2="{_at(down(t))}"/>' for t in ticks]
    if chart.allowed is not None:
        top, bottom = down(min(chart.allowed[1], high)), down(max(chart.allowed[0], low))
        height = max(bottom - top, 0.0)
        parts.insert(0, f'<rect class="allowed" x="0" width="{_SIDE}" y="{_at(top)}" height="{_at(height)}"/>')
    places = [_at(across(cut)) for cut in chart.cuts]
    parts += [f'<line class="cut" x1="{place}" x2="{place}" y1="0" y2="{_SIDE}"/>' for place in places]
    for line in chart.lines:
        path = _path([(across(t), down(v)) for t, v in zip(chart.seconds, line.values, strict=True)], line.values)
        parts.append(f'<path class="curve {line.kind}" d="{path}"/>')
    labels = "".join(f'<span style="top:{100 * down(tick):.2f}%">{_number(tick)}</span>' for tick in ticks)
    times = "".join(
        f'<span style="left:{100 * across(tick):.2f}%">{_number(tick)} s</span>'
        for tick in _ticks(first, last, 6)
        if first <= tick <= last
    )
    marks = "".join(
        f'<span class="mark" style="left:{100 * across(seconds):.2f}%">{escape(text)}</span>'
        for seconds, text in chart.marks
    )
    legend = "".join(f'<span class="key {line.kind}">{escape(line.label)}</span>' for line in chart.lines)
    return (
        f'<figure class="chart"><figcaption><h3>{escape(chart.title)}</h3><p>{escape(chart.note)}</p>'
        f'<div class="legend">{legend}</div></figcaption>'
        f'<div class="plot"><div class="y">{labels}</div><div class="area">{marks}'
        f'<svg viewBox="0 0 {_SIDE} {_SIDE}" preserveAspectRatio="none" role="img" aria-label="{escape(chart.title)}">'
        f'{"".join(parts)}</svg></div><div class="x">{times}</div></div></figure>'
    )


def _path(points: Sequence[tuple[float, float]], values: Sequence[float]) -> str:
    commands, pen_down = [], False
    for (x, y), value in zip(points, values, strict=True):
        if math.isfinite(value):
            commands.append(f"{'L' if pen_down else 'M'}{_at(x)} {_at(y)}")
        pen_down = math.isfinite(value)
    return "".join(commands)


def _ticks(low: float, high: float, num: int = 4) -> list[float]:
    """Round numbers from ``low`` to at least ``high``, some ``num`` of them."""
    rough = (high - low) / num
    if rough <= 0:
        return [low]
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    count = math.floor((high - low) / step + 1e-9)
    return [round((first + i) * step, 12) for i in range(count + 1)]


def _at(share: float) -> str:
    return f"{share * _SIDE:.1f}"


def _number(value: float) -> str:
    return f"{value:.6g}"
