"""Which frames of a sequence are rendered, decided before anything is opened: ranges, handles and gaps."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from vidstyle.errors import ConfigError, OpenError
from vidstyle.media.sequence_names import (
    FramePattern,
    describe_frames,
    missing_frames,
    no_such_sequence,
    parse_frames,
)
from vidstyle.moments import parse_moment, seconds_into

#: Frames a second of a sequence, which does not say it itself: film's.
DEFAULT_RATE = Fraction(24)


@dataclass(frozen=True, slots=True)
class FrameChoice:
    """Frames of a sequence.

    Attributes:
        numbers: to be rendered, in order, all of them on disk.
        before: those right before the first, without a gap, for the temporal filter to see; in order.
        num_skipped: how many files of the sequence come before the first, of every second where every second is meant:
            where its sound has got to.
    """

    numbers: tuple[int, ...]
    before: tuple[int, ...] = ()
    num_skipped: int = 0

    @property
    def leaps(self) -> bool:
        """Whether the distance between numbers changes, so that no sound can go along."""
        return len({after - before for before, after in pairwise(self.numbers)}) > 1


def choose_frames(
    pattern: FramePattern,
    *,
    frames: str | None = None,
    start: float | str | None = None,
    end: float | str | None = None,
    handles: int = 0,
    rate: Fraction = DEFAULT_RATE,
    warn: Callable[[str], None] = lambda _: None,
) -> FrameChoice:
    """Find the frames that are meant, and see that all are there.

    Args:
        pattern: names of the files; a range in it says which frames are meant.
        frames: frame numbers, such as ``1001-1100``; instead of the pattern's own range.
        start: first moment wanted, in seconds from the first of the frames meant, or as a timecode.
        end: moment to stop before, likewise.
        handles: so many frames more on both sides of a range, as far as there are any.
        rate: frames a second.
        warn: told where a handle is shorter than asked for.

    Raises:
        OpenError: there are no such files, or some are missing; it names them.
        ConfigError: a range cannot be used.
        UnsupportedMediaError: frame numbers that cannot be.
    """
    there = pattern.numbers_on_disk()
    if not there:
        raise no_such_sequence(pattern)
    named = pattern.wanted if frames is None else parse_frames(frames, pattern.path)
    wanted: Sequence[int] = there if named is None else named
    first, last = _moments(start, end, rate, pattern)
    chosen = wanted[first:last]
    if not chosen:
        raise OpenError(
            f"{pattern.path} is {float(len(wanted) / rate):.3f} s long at {float(rate):g} frames a second; "
            "use an earlier time.",
            pattern.path,
        )
    if handles and (named is not None or first or last is not None):
        chosen = _widened(pattern, chosen, there, handles, warn)
    _check_gaps(pattern, chosen, there, explicit=named is not None)
    position = bisect_left(there, chosen[0])
    step = _step(chosen)
    num_skipped = sum((chosen[0] - number) % step == 0 for number in there[:position])
    return FrameChoice(tuple(chosen), _run_before(there, position, step), num_skipped)


def _moments(
    start: float | str | None, end: float | str | None, rate: Fraction, pattern: FramePattern
) -> tuple[int, int | None]:
    """Indices of the first frame that is not before ``start``, and of the first not before ``end``."""
    try:
        first, last = (None if m is None else seconds_into(parse_moment(m), rate) for m in (start, end))
    except ValueError as error:
        raise ConfigError(f"The range cannot be used: {error}.") from error
    if last is not None and last <= (first or 0):
        raise ConfigError(f"The end ({float(last):g} s) must be later than the start of {pattern.path}.")
    return math.ceil((first or 0) * rate), None if last is None else math.ceil(last * rate)


def _widened(
    pattern: FramePattern, chosen: Sequence[int], there: Sequence[int], num: int, warn: Callable[[str], None]
) -> tuple[int, ...]:
    step = _step(chosen)
    before = [n for n in range(chosen[0] - num * step, chosen[0], step) if n >= there[0]]
    after = [n for n in range(chosen[-1] + step, chosen[-1] + num * step + 1, step) if n <= there[-1]]
    for side, found in (("before", before), ("after", after)):
        if len(found) < num:
            frames = f"{len(found)} frame{'s' * (len(found) != 1)}"
            warn(f"{pattern.path} has {frames} {side} the range; the handle there is that long, not {num}.")
    return (*before, *chosen, *after)


def _step(numbers: Sequence[int]) -> int:
    return numbers[1] - numbers[0] if len(numbers) > 1 else 1


def _check_gaps(pattern: FramePattern, chosen: Sequence[int], there: Sequence[int], *, explicit: bool) -> None:
    lacking: Sequence[int] = sorted(set(chosen) - set(there)) if explicit else missing_frames(chosen, pattern.path)
    if not lacking:
        return
    few = "is" if len(lacking) == 1 else "are"
    steps = describe_frames(chosen)
    is_even = not explicit and "x" in steps and "," not in steps  # such as an animation on twos
    raise OpenError(
        f"Of the frames {chosen[0]}-{chosen[-1]} of {pattern.path}, {describe_frames(lacking)} {few} missing; "
        f"render them first, or choose {f'those there with --frames {steps}' if is_even else 'others with --frames'}.",
        pattern.path,
    )


def _run_before(there: Sequence[int], position: int, step: int) -> tuple[int, ...]:
    known = set(there[:position])
    run = []
    number = there[position] - step
    while number in known:
        run.append(number)
        number -= step
    return tuple(reversed(run))
