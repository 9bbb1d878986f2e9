"""How far a render is: for people as a bar and a summary, for programs as one JSON object a line, or not at all."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from vidstyle.cli import INTERRUPTED, INTERRUPTION
from vidstyle.cli.exit_codes import FAILED, exit_code_of, sentence_of
from vidstyle.cli.terminal import printable, say

if TYPE_CHECKING:
    from tqdm import tqdm

    from vidstyle.api import PreviewReport
    from vidstyle.previewing.cells import PreviewCell
    from vidstyle.report import RenderReport

#: Between two progress events of one render.
_EVERY_SECONDS = 0.5
#: In a log every renewal of the bar is a line of its own.
_BAR_SECONDS, _BAR_SECONDS_IN_LOG = 0.1, 2.0


class Quiet:
    """What is told of the renders of one command: here errors alone, on stderr. Used as a context manager."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def note(self, sentence: str) -> None:
        """Something about the command as a whole."""

    def render(self, source: Path, output: Path) -> AbstractContextManager[Any]:  # noqa: ARG002  # others tell them
        """Around one render."""
        return nullcontext()

    def plan(self, lines: Sequence[str]) -> None:
        """What the render is going to write."""

    def progress(self, done: int, expected: int | None) -> None:
        """Frames done, and frames expected (None where unknown)."""

    def done(self, report: RenderReport) -> None:
        """The render is whole."""

    def cell(self, cell: PreviewCell) -> None:
        """A frame of a preview is painted."""

    def previewed(self, report: PreviewReport) -> None:
        """The preview is there."""

    def failed(self, error: Exception) -> None:
        """The render failed, and the others go on."""
        say(f"vidstyle: {sentence_of(error)}", err=True)


class ForPeople(Quiet):
    """Plan, bar and summary, in words.

    Args:
        shows_bar: of progress, on stderr.
    """

    def __init__(self, *, shows_bar: bool = True) -> None:
        self._shows_bar = shows_bar
        self._names = ("", "")
        self._bar: tqdm[Any] | None = None

    def note(self, sentence: str) -> None:
        """A line on stderr."""
        say(f"note: {sentence}", err=True)

    def render(self, source: Path, output: Path) -> AbstractContextManager[Any]:
        """With a bar."""
        from tqdm import tqdm

        self._names = (str(source), str(output))
        if not self._shows_bar or sys.stderr is None:
            return nullcontext()
        seconds = _BAR_SECONDS if sys.stderr.isatty() else _BAR_SECONDS_IN_LOG
        name = printable(source.name)
        self._bar = tqdm(unit=" frames", dynamic_ncols=True, desc=name, leave=False, mininterval=seconds)
        bar: AbstractContextManager[Any] = self._bar
        return bar

    def plan(self, lines: Sequence[str]) -> None:
        """Names and plan, a line each."""
        if self._bar is not None:
            self._bar.clear()  # or the plan would begin behind it, on the same line
        say(" -> ".join(self._names))
        for line in lines:
            say(f"  {line}")

    def progress(self, done: int, expected: int | None) -> None:
        """The bar moves."""
        if self._bar is None:
            return
        if self._bar.total is None and expected is not None:
            self._bar.reset(total=expected)
        self._bar.update(done - self._bar.n)

    def done(self, report: RenderReport) -> None:
        """The summary."""
        for line in summary_lines(report):
            say(line)

    def cell(self, cell: PreviewCell) -> None:
        """A line."""
        say(
            f"{cell.label} at {cell.at_seconds:g} s: frame of {cell.shown_seconds:.3f} s, "
            f"warmed up over {cell.num_warmup_frames} frames"
        )

    def previewed(self, report: PreviewReport) -> None:
        """The summary, and what the full render would take."""
        if report.clip is not None:
            self.done(report.clip)
        else:
            if report.flow:
                say(f"flow: {report.flow}")
            say(f"wrote {report.output}")
        for found in report.estimates:
            style = f" in {found.style}" if len(report.estimates) > 1 else ""
            say(f"full render{style}: {found}")


class ForPrograms(Quiet):
    """One JSON object a line on stdout, at once. The last one says how the command ended, whatever ended it.

    docs/scripting.md describes them.
    """

    def __init__(self) -> None:
        self._names: dict[str, str | None] = {"input": None, "output": None}
        self._first: tuple[float, int] | None = None
        self._last_told = (float("-inf"), -1)
        self._latest: tuple[int, int | None] = (0, None)
        self._counts = (0, 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        num_done, num_failed = self._counts
        code = FAILED if num_failed else 0
        if error is not None:
            code = exit_code_of(error)
            num_failed += self._names["input"] is not None
            self._tell_error(error, code)
        self._names = {"input": None, "output": None}
        self._tell("end", done=num_done, failed=num_failed, exit_code=code)

    def note(self, sentence: str) -> None:
        """A ``note``."""
        self._tell("note", text=sentence)

    def render(self, source: Path, output: Path) -> AbstractContextManager[Any]:
        """Names the input and the output of the events to come."""
        self._names = {"input": str(source), "output": str(output)}
        self._first, self._last_told, self._latest = None, (float("-inf"), -1), (0, None)
        return nullcontext()

    def plan(self, lines: Sequence[str]) -> None:
        """A ``plan``."""
        self._tell("plan", lines=list(lines))

    def progress(self, done: int, expected: int | None) -> None:
        """A ``progress``, about twice a second."""
        now = time.monotonic()
        self._first = self._first or (now, done)
        self._latest = (done, expected)
        if now - self._last_told[0] >= _EVERY_SECONDS:
            self._tell_progress(now)

    def done(self, report: RenderReport) -> None:
        """A last ``progress``, and ``done``."""
        self._done(report)

    def cell(self, cell: PreviewCell) -> None:
        """A ``cell``."""
        names = ("style", "strength", "at_seconds", "shown_seconds", "num_warmup_frames")
        self._tell("cell", **{name: getattr(cell, name) for name in names})

    def previewed(self, report: PreviewReport) -> None:
        """``done``, with what the full render would take."""
        self._done(report.clip, estimates=[asdict(found) | {"seconds": found.seconds} for found in report.estimates])

    def failed(self, error: Exception) -> None:
        """An ``error``, also in words on stderr."""
        super().failed(error)
        self._tell_error(error, exit_code_of(error))
        self._counts = (self._counts[0], self._counts[1] + 1)
        self._names = {"input": None, "output": None}

    def _done(self, report: RenderReport | None, **more: Any) -> None:
        if self._latest[0] != max(self._last_told[1], 0):
            self._tell_progress(time.monotonic())
        fields = None
        if report is not None:
            fields = asdict(report) | {"frames_per_second": report.frames_per_second}
            del fields["output"]  # every event has it
        self._tell("done", report=fields, **more)
        self._counts = (self._counts[0] + 1, self._counts[1])
        self._names = {"input": None, "output": None}

    def _tell_progress(self, now: float) -> None:
        done, expected = self._latest
        since, num_before = self._first or (now, done)
        # From the first frame on, which also waits for loading and warming up.
        rate = (done - num_before) / (now - since) if now > since and done > num_before else None
        left = (expected - done) / rate if expected is not None and rate else None
        self._tell(
            "progress",
            frame=done,
            frames=expected,
            fps=None if rate is None else round(rate, 3),
            seconds_left=None if left is None else round(max(left, 0.0), 1),
        )
        self._last_told = (now, done)

    def _tell_error(self, error: BaseException, code: int) -> None:
        if code == INTERRUPTED or isinstance(error, SystemExit):
            kind, sentence = "Interrupted", INTERRUPTION
        else:
            kind, sentence = type(error).__name__, sentence_of(error)
        self._tell("error", kind=kind, message=sentence, exit_code=code)

    def _tell(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event, **self._names, **values}, default=str)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def told(progress: str, *, quiet: bool, has_bar: bool = True) -> Quiet:
    """Who is told, as the options ``--progress`` and ``--quiet`` say.

    Args:
        progress: ``bar``, ``json`` or ``none``.
        quiet: errors alone.
        has_bar: what is done has frames to count.

    Raises:
        UsageError: they contradict each other.
    """
    if quiet and progress == "json":
        raise click.UsageError("--quiet says nothing and --progress json says everything; give one of them.")
    if quiet:
        return Quiet()
    return ForPrograms() if progress == "json" else ForPeople(shows_bar=has_bar and progress == "bar")


def summary_lines(report: RenderReport) -> list[str]:
    """What was done, in words."""
    width, height = report.size
    notes = [f"  note: {line}" for line in report.notes]
    if report.num_frames == 0:
        wrote = f": wrote {report.sidecar}" if report.sidecar else ""
        return [f"nothing left to render of {report.output}{wrote}", *notes]
    lines = [
        f"wrote {report.output}{f' and {report.sidecar}' if report.sidecar else ''}",
        f"  {report.num_frames} frame{'s' * (report.num_frames != 1)} of {width}x{height} in style '{report.style}' "
        f"in {report.wall_seconds:.1f} s ({report.frames_per_second:.1f} fps)",
    ]
    if report.stage_seconds:
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in report.stage_rates().items())
        lines.append(f"  fps by stage: {rates}")
    if report.flow:
        cuts = ", ".join(f"{seconds:.2f} s" for seconds in report.cut_seconds) or "none"
        lines += [f"  flow: {report.flow}", f"  cuts: {cuts}"]
    return [*lines, *(f"  {line}" for line in report.streams), *notes]
