"""The full render, on a thread of its own: how far it is, and a way to stop it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from vidstyle.api import stylize
from vidstyle.config import RenderConfig
from vidstyle.errors import ConfigError, VidstyleError
from vidstyle.media.reader import VideoReader
from vidstyle.planning import open_source

Status = Literal["running", "done", "failed", "cancelled"]


class _CancelledError(Exception):
    """Stops a render from inside its own progress call, so that it cleans up as for any error."""


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a render is.

    Attributes:
        number: of the job.
        status: ``done``, ``failed`` and ``cancelled`` are final.
        source: the clip.
        output: the file being written.
        start_seconds: where in the clip its first frame is.
        done: frames painted.
        expected: frames there will be; None where the clip does not say.
        elapsed_seconds: since the start.
        remaining_seconds: likely; None while that is unknown.
        plan: what happens to the streams, a line each.
        summary: what was done, a line each.
        error: why it failed.
    """

    number: int
    status: Status
    source: str
    output: str
    start_seconds: float = 0.0
    done: int = 0
    expected: int | None = None
    elapsed_seconds: float = 0.0
    remaining_seconds: float | None = None
    plan: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_final(self) -> bool:
        """Nothing more will change."""
        return self.status != "running"

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class RenderJob:
    """One render.

    Args:
        number: of the job.
        source: clip.
        output: where to.
        config: settings.
        overwrite: replace an existing output.
        command: what would do the same on the command line, for a sidecar.
    """

    def __init__(
        self, number: int, source: Path, output: Path, config: RenderConfig, *, overwrite: bool, command: Sequence[str]
    ) -> None:
        self._source, self._output, self._config = source, output, config
        self._overwrite, self._command = overwrite, command
        self._state = JobState(number, "running", str(source), str(output))
        self._cancelled = threading.Event()
        self._started = time.perf_counter()
        self._painting_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"vidstyle-render-{number}", daemon=True)

    @property
    def state(self) -> JobState:
        """The latest; safe to read from any thread."""
        return self._state

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop before the next frame; nothing is left under the output's name."""
        self._cancelled.set()

    def join(self, timeout_seconds: float | None = None) -> None:
        """Wait for the end."""
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        try:
            self._update(start_seconds=self._first_seconds())
            report = stylize(
                self._source,
                self._output,
                config=self._config,
                overwrite=self._overwrite,
                on_plan=self._on_plan,
                on_progress=self._on_progress,
                command=self._command,
            )
        except _CancelledError:
            self._update(status="cancelled")
        except (VidstyleError, OSError) as error:
            self._update(status="failed", error=str(error))
        except Exception as error:  # noqa: BLE001  # a thread has nobody to raise to, and the page must not wait for ever
            self._update(status="failed", error=f"The render broke off: {type(error).__name__}: {error}.")
        else:
            width, height = report.size
            first = (
                f"{report.num_frames} frames of {width}x{height} in {report.wall_seconds:.1f} s "
                f"({report.frames_per_second:.1f} a second)"
            )
            self._update(status="done", done=report.num_frames, summary=(first, *report.streams, *report.notes))

    def _first_seconds(self) -> float:
        with open_source(self._source, None, self._config, lambda _: None) as reader:
            start = reader.start if isinstance(reader, VideoReader) else None
            return 0.0 if start is None else float(start - reader.origin)

    def _on_plan(self, lines: Sequence[str]) -> None:
        self._check()
        self._update(plan=tuple(lines))

    def _on_progress(self, done: int, expected: int | None) -> None:
        self._check()
        now = time.perf_counter()
        if self._painting_since is None:
            self._painting_since = now  # the first frame also waits for warm-up and loading
        since = now - self._painting_since
        remaining = since / (done - 1) * (expected - done) if expected and done > 3 else None
        self._update(done=done, expected=expected, remaining_seconds=None if remaining is None else max(remaining, 0.0))

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise _CancelledError

    def _update(self, **changes: Any) -> None:
        elapsed = time.perf_counter() - self._started
        self._state = replace(self._state, elapsed_seconds=elapsed, **changes)


class Jobs:
    """The renders of a session; one runs at a time."""

    def __init__(self) -> None:
        self._jobs: list[RenderJob] = []
        self._lock = threading.Lock()

    def start(
        self, source: Path, output: Path, config: RenderConfig, *, overwrite: bool, command: Sequence[str] = ()
    ) -> RenderJob:
        """Begin a render.

        Raises:
            ConfigError: one is under way.
        """
        with self._lock:
            if self._jobs and not self._jobs[-1].state.is_final:
                raise ConfigError("A render is under way; wait for it, or cancel it first.")
            job = RenderJob(len(self._jobs) + 1, source, output, config, overwrite=overwrite, command=command)
            self._jobs.append(job)
        job.start()
        return job

    def get(self, number: int) -> RenderJob:
        """A render by its number.

        Raises:
            ConfigError: there is none.
        """
        if not 1 <= number <= len(self._jobs):
            raise ConfigError(f"There is no render {number}.")
        return self._jobs[number - 1]

    def latest(self) -> RenderJob | None:
        """The last one started, so that a reloaded page finds it again."""
        return self._jobs[-1] if self._jobs else None

    def stop(self) -> None:
        """Stop what runs."""
        for job in self._jobs:
            job.cancel()

    def join(self) -> None:
        """Wait for what runs, so that no part file stays."""
        for job in self._jobs:
            job.join(10.0)
