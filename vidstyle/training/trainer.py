"""The loop that every run shares: schedule, averaged weights, checkpoints; what is minimised comes from outside."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from vidstyle.errors import CheckpointMismatchError, ConfigError, DeviceError
from vidstyle.out_of_memory import is_out_of_memory
from vidstyle.training.checkpoints import read_checkpoint, write_checkpoint
from vidstyle.training.settings import Schedule
from vidstyle.weights.files import to_float

_Net = TypeVar("_Net", bound=nn.Module)


# What comes of loading state that another program wrote, or that was changed.
_DAMAGE = (RuntimeError, LookupError, ValueError, TypeError, AttributeError, OverflowError)
#: Steps between the losses that are remembered.
HISTORY_EVERY = 5


class Objective(Protocol[_Net]):
    """What a run minimises.

    Attributes:
        net: the network to train, on the run's device.
        weights: how much each loss counts, by its name.
        identity: plain values that make a checkpoint this run's and no other's.
    """

    net: _Net
    weights: Mapping[str, float]
    identity: Mapping[str, Any]

    def losses(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Unweighted losses of ``net`` on a fresh batch: scalars by the names of ``weights``."""
        ...


@dataclass(frozen=True, slots=True)
class StepReport:
    """Where a run stands after a step.

    Attributes:
        step: steps done.
        seconds: time the run has taken, samples and checkpoints before it included.
        progress: share of the schedule that is done, 0 to 1.
        losses: unweighted, by name.
    """

    step: int
    seconds: float
    progress: float
    losses: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run is about to do.

    Attributes:
        lines: what it trains on and what judges it, for people.
        step: steps done already; above 0 where a run goes on.
        checkpoint: where the run's state is kept until it is done.
    """

    lines: tuple[str, ...]
    step: int
    checkpoint: Path


class Trainer(Generic[_Net]):
    """One run: a network, its optimiser and its place in the schedule.

    Adam with linear warm-up, a cosine to a hundredth of the peak rate, gradient clipping and an exponential average of
    the weights, which is what is kept.

    Args:
        objective: what to minimise.
        schedule: how.
        checkpoint: file the state is kept in; an existing one is resumed from.

    Attributes:
        step: steps done.
        seconds: time the run has taken up to its last step, samples and checkpoints before it included.
        history: (step, unweighted losses) of the first step and every ``HISTORY_EVERY``, interruptions or not.

    Raises:
        UnsupportedCheckpointError: the checkpoint is not a safe, readable file.
        CheckpointMismatchError: the checkpoint is another run's, or damaged.
    """

    def __init__(self, objective: Objective[_Net], schedule: Schedule, checkpoint: Path | None = None) -> None:
        self.objective = objective
        self.schedule = schedule
        self.step = 0
        self.seconds = 0.0
        self.history: list[tuple[int, dict[str, float]]] = []
        self.averaged = AveragedModel(objective.net, multi_avg_fn=_exponential_average(schedule.ema_decay))
        trained = [parameter for parameter in objective.net.parameters() if parameter.requires_grad]
        self._trained = trained
        self._optimizer = torch.optim.Adam(trained, lr=schedule.learning_rate)
        self._generator = torch.Generator().manual_seed(schedule.seed)
        self._checkpoint = checkpoint
        if checkpoint is not None and checkpoint.is_file():
            self._resume(checkpoint)

    @property
    def net(self) -> _Net:
        """The network as the last step left it."""
        return self.objective.net

    @property
    def averaged_net(self) -> _Net:
        """The network with averaged weights: the one to keep."""
        return cast("_Net", self.averaged.module)  # AveragedModel hides the type it was given

    @property
    def progress(self) -> float:
        """Share of the schedule that is done, 0 to 1."""
        by_time = self.seconds / (self.schedule.minutes * 60) if self.schedule.minutes else 0.0
        return min(max(self.step / self.schedule.steps, by_time), 1.0)

    def run(self, on_step: Callable[[StepReport], None] | None = None) -> None:
        """Train until the schedule ends; a kill at any time loses no more than ``checkpoint_every`` steps.

        Args:
            on_step: told after every step.

        Raises:
            ConfigError: losses or weights are no longer finite; the checkpoint stays as it was before.
            DeviceError: the device ran out of memory.
            MediaError: the checkpoint cannot be written.
        """
        every = self.schedule.checkpoint_every
        started = time.perf_counter() - self.seconds
        while self.progress < 1.0:
            try:
                losses = self._train_step()
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise DeviceError(
                    f"{self.schedule.device} ran out of memory at step {self.step + 1}; "
                    "use a smaller batch size or crop."
                ) from error
            self.seconds = time.perf_counter() - started
            if not all(map(math.isfinite, losses.values())):
                raise self._diverged()
            if self.step == 1 or self.step % HISTORY_EVERY == 0:
                self.history.append((self.step, losses))
            if on_step is not None:
                on_step(StepReport(self.step, self.seconds, self.progress, losses))
            if self.step % every == 0 or self.progress == 1.0:
                self.save()

    def measure(self, num_batches: int = 4) -> StepReport:
        """Losses of the averaged network, the one that is kept, on a batch of its own; the same at every call."""
        generator = torch.Generator().manual_seed(self.schedule.seed + 1)
        with torch.no_grad():
            rows = [_floats(self.objective.losses(self.averaged, generator)) for _ in range(num_batches)]
        means = {name: sum(row[name] for row in rows) / num_batches for name in rows[0]}
        return StepReport(self.step, self.seconds, self.progress, means)

    def _train_step(self) -> dict[str, float]:
        schedule = self.schedule
        warm = min((self.step + 1) / schedule.warmup_steps, 1.0)
        rate = schedule.learning_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self._optimizer.param_groups:
            group["lr"] = rate

        losses = self.objective.losses(self.net, self._generator)
        total = torch.stack([weight * losses[name] for name, weight in self.objective.weights.items()]).sum()
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._trained, schedule.gradient_clip)
        self._optimizer.step()
        self.averaged.update_parameters(self.net)
        self.step += 1
        return _floats(losses)

    def save(self) -> None:
        """Renew the checkpoint now, if there is to be one.

        Raises:
            ConfigError: weights are no longer finite; the checkpoint stays as it was before.
            MediaError: it cannot be written.
        """
        if not (_fits_half(self.net) and _fits_half(self.averaged_net)):
            raise self._diverged()
        if self._checkpoint is None:
            return
        state: dict[str, Any] = {
            "settings": dict(self.objective.identity),
            "step": self.step,
            "seconds": self.seconds,
            "net": self.net.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "history": self.history,
        }
        write_checkpoint(self._checkpoint, state)

    def _diverged(self) -> ConfigError:
        what = f"The training diverged at step {self.step}; lower the learning rate"
        has_choice = len(self.objective.weights) > 1  # one loss alone has no weight to set
        if self._checkpoint is None or not self._checkpoint.is_file():
            return ConfigError(f"{what} or the largest loss weight." if has_choice else f"{what}.")
        # Other loss weights would be another run's.
        otherwise = ", or remove that file and lower the largest loss weight" if has_choice else ""
        return ConfigError(f"{what} to go on from {self._checkpoint}{otherwise}.")

    def _resume(self, path: Path) -> None:
        state = read_checkpoint(path)
        try:
            different = _different(self.objective.identity, state["settings"])
            if not different:
                self._restore(state, path)
        except (*_DAMAGE, CheckpointMismatchError) as error:
            raise CheckpointMismatchError(
                f"{path} is damaged or does not fit this version's network; remove it to start afresh."
            ) from error
        if different:
            raise CheckpointMismatchError(
                f"{path} belongs to a run with other settings ({', '.join(different)}); "
                "use the same ones or remove it to start afresh."
            )

    def _restore(self, state: Mapping[str, Any], path: Path) -> None:
        """Take over a checkpoint's state; raises whatever comes of one that is damaged."""
        self.net.load_state_dict(to_float(state["net"], path))
        self.averaged.load_state_dict(to_float(state["averaged"], path))
        self._restore_optimizer(state["optimizer"], path)
        self._generator.set_state(state["generator"])
        # Earlier versions kept no history.
        self.history = [
            (int(step), {str(name): float(loss) for name, loss in losses.items()})
            for step, losses in state.get("history", [])
        ]
        if state["step"] < 0 or not 0 <= state["seconds"] < math.inf:
            raise ValueError("a run has no such length")
        self.step, self.seconds = state["step"], state["seconds"]

    def _restore_optimizer(self, state: Mapping[str, Any], path: Path) -> None:
        """Adam's moments; torch would take any shapes and settings, and stumble over them in the next step."""
        mine = self._optimizer.state_dict()
        for group, own in zip(state["param_groups"], mine["param_groups"], strict=True):
            if any(group[name] != own[name] for name in ("params", "betas", "eps", "weight_decay", "amsgrad")):
                raise ValueError("other settings of Adam")
        moments = {}
        for index, values in state["state"].items():
            moments[index] = to_float({name: values[name] for name in ("step", "exp_avg", "exp_avg_sq")}, path)
            shape = self._trained[index].shape
            if [value.shape for value in moments[index].values()] != [torch.Size(), shape, shape]:
                raise ValueError("moments of another network")
            if not moments[index]["step"] >= 1:  # Adam divides by what is 0 at step 0
                raise ValueError("moments of no step")
        self._optimizer.load_state_dict({**mine, "state": moments})


def _different(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Names of settings that differ, or that only one of the two has."""
    return [str(name) for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]


def _exponential_average(decay: float) -> Callable[..., None]:
    """Average with a decay that grows to ``decay``: otherwise a short run's average is mostly its first weights."""
    average = cast("Callable[[float], Callable[..., None]]", get_ema_multi_avg_fn)  # torch leaves it untyped

    def update(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor) -> None:
        num = int(num_averaged)
        average(min(decay, (1 + num) / (10 + num)))(averaged, current, num_averaged)

    return update


def _fits_half(net: nn.Module) -> bool:
    """Whether the network can be saved in float16; weights beyond its range are as broken as those that are NaN."""
    return all(bool(parameter.detach().half().isfinite().all()) for parameter in net.parameters())


def _floats(losses: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(loss.detach()) for name, loss in losses.items()}
