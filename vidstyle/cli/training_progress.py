"""What every training command shows while it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidstyle.cli import INTERRUPTED
from vidstyle.cli.terminal import printable, say
from vidstyle.training.settings import Schedule

if TYPE_CHECKING:
    from tqdm import tqdm

    from vidstyle.training.trainer import StepReport, TrainingPlan


class TrainingProgress:
    """What a run is about to do, then a bar with losses and time left.

    Args:
        label: what the bar is called.
        schedule: of the run.

    Attributes:
        checkpoint: where the run's state is kept; None before ``on_plan``.
    """

    def __init__(self, label: str, schedule: Schedule) -> None:
        self.checkpoint: Path | None = None
        self._label = label
        self._schedule = schedule
        self._bar: tqdm[Any] | None = None
        self._losses: dict[str, float] = {}

    def on_plan(self, plan: TrainingPlan) -> None:
        """Say what will happen and open the bar."""
        from tqdm import tqdm

        self.checkpoint = plan.checkpoint
        for line in plan.lines:
            say(line)
        say(f"training on {self._schedule.device}")
        if plan.step:
            say(f"resumed at step {plan.step} from {plan.checkpoint}; remove that file to start afresh")
        self._bar = tqdm(
            total=self._schedule.steps,
            initial=plan.step,
            desc=printable(self._label),
            unit="step",
            dynamic_ncols=True,
            leave=False,
            # In a log every renewal of the bar is a line of its own.
            mininterval=0.1 if sys.stderr.isatty() else 10.0,
        )

    def on_step(self, report: StepReport) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        # Single steps jump with their crops, so the bar shows a moving average.
        self._losses = {name: 0.95 * self._losses.get(name, new) + 0.05 * new for name, new in report.losses.items()}
        # Whichever of steps and minutes ends the run, the bar's time left is right.
        self._bar.total = max(round(report.step / report.progress), report.step)
        self._bar.set_postfix_str(listed(self._losses), refresh=False)
        self._bar.update(report.step - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


@contextmanager
def shown(label: str, schedule: Schedule) -> Iterator[TrainingProgress]:
    """Show a run while it lasts; Ctrl-C says how to go on, if there is something to go on from, and exits with 130."""
    progress = TrainingProgress(label, schedule)
    try:
        yield progress
    except KeyboardInterrupt:
        progress.close()
        if progress.checkpoint is None or not progress.checkpoint.is_file():
            raise
        say(f"vidstyle: interrupted; the same command goes on from {progress.checkpoint}.", err=True)
        sys.exit(INTERRUPTED)
    finally:
        progress.close()


def say_result(path: Path, final: StepReport) -> None:
    """What was written, and where the run ended."""
    say(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB)")
    say(f"  {final.step} steps in {final.seconds / 60:.1f} min; losses of the result: {listed(final.losses)}")


def listed(losses: Mapping[str, float]) -> str:
    """Losses in one line."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in losses.items())
