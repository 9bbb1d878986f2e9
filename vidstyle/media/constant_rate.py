"""Frames dropped and repeated until their rate is constant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from vidstyle.frames import Packet
from vidstyle.media.decoded import DecodedFrame

_NEVER = 2**63
#: Of an output frame: clocks as coarse as frames say nothing of halves.
_MOST_SLACK = Fraction(1, 16)


def at_constant_rate(
    items: Iterable[DecodedFrame | Packet], rate: Fraction, until: Fraction | None = None
) -> Iterator[DecodedFrame | Packet]:
    """Show every frame at the nearest multiple of 1/rate, as FFmpeg's ``fps`` filter does; packets pass.

    Where several frames fall on one multiple the last is kept; where none does, the one before is repeated. The last
    frame stays for as long as the file says. Unlike there, a time half way between two multiples goes to the later one
    even where the file's clock rounded it down, as a Matroska's milliseconds do: at half the rate every second frame
    is shown, and not now and then its neighbour.

    Args:
        items: frames in display order.
        rate: frames per second to give out.
        until: nothing is repeated after this moment, in seconds: a broken timestamp may lie years behind it.
    """
    period = 1 / rate
    held: DecodedFrame | None = None
    first = number = nearest = 0
    last_wanted = _NEVER if until is None else math.ceil(until * rate) + 1
    for item in items:
        if isinstance(item, Packet):
            yield item
            continue
        following = min(_nearest(item.time * rate, item.time_base * rate), last_wanted)
        if held is None:
            first = number = following
        while held is not None and number < following:
            yield DecodedFrame(held.frame, number, period, 1, held.time if number == nearest else None)
            number += 1
        held, nearest = item, following
    if held is not None:
        shown = held.duration * held.time_base if held.duration else period
        end = min(_nearest((held.time + shown) * rate, held.time_base * rate), last_wanted)
        for last in range(number, max(end, first + 1)):  # one at least
            yield DecodedFrame(held.frame, last, period, 1, held.time if last == nearest else None)


def _nearest(value: Fraction, tick: Fraction) -> int:
    """The nearest integer; the later one of two for what is a tick of the clock from half way, or less."""
    return math.floor(value + min(tick, _MOST_SLACK) + Fraction(1, 2))
