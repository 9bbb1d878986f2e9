"""Lines that overlap, one after the other."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vidstyle.media.subtitle_lines import Line, OneAtATime

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 12)), max_size=12)


def event(text: str) -> bytes:
    return f"0,0,Default,,0,0,0,,{text}".encode()


def settled(lines: list[Line]) -> list[Line]:
    timeline = OneAtATime()
    return [*(done for line in lines for done in timeline.add(line)), *timeline.rest()]


def test_a_sign_over_dialogue() -> None:
    found = settled([Line(0, 16, event("SIGN")), Line(2, 5, event("one, two")), Line(17, 19, event("three"))])
    assert [(line.start, line.end, line.text.split(b",", 8)[8]) for line in found] == [
        (0, 2, b"SIGN"),
        (2, 5, b"SIGN\\None, two"),
        (5, 16, b"SIGN"),
        (17, 19, b"three"),
    ]


@given(spans)
def test_every_line_is_shown_for_as_long_as_it_was_and_never_two_at_once(found: list[tuple[int, int]]) -> None:
    lines = [Line(start, start + length, event(f"t{n}")) for n, (start, length) in enumerate(sorted(found))]
    result = settled(lines)
    assert all(line.start < line.end for line in result)
    assert all(first.end <= second.start for first, second in pairwise(result))
    for tick in range(60):
        wanted = {line.text.split(b",", 8)[8] for line in lines if line.start <= tick < line.end}
        shown = [set(line.text.split(b",", 8)[8].split(b"\\N")) for line in result if line.start <= tick < line.end]
        assert shown == ([wanted] if wanted else [])


def test_one_line_is_passed_on_as_it_is() -> None:
    line = Line(3, 9, event("{\\i1}a, b{\\i0}"))
    assert settled([line]) == [line]
