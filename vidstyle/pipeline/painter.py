"""Frames in, painted and steady frames out: stylizer, flow and temporal filter in the order a GPU likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.controls.look import Look, Prepared
from vidstyle.errors import DeviceError
from vidstyle.flow.looking_back import LookingBack
from vidstyle.frames import VideoFrame
from vidstyle.out_of_memory import is_out_of_memory
from vidstyle.protocols import FlowEstimator, Motion, Stylizer, TemporalFilter
from vidstyle.temporal.shots import CutDetector


def quantize(picture: Tensor, dtype: torch.dtype) -> Tensor:
    """Float in [0, 1] to uint8 or uint16, rounded; on the CPU where the device has no such integers."""
    if picture.device.type == "mps" and dtype == torch.uint16:
        picture = picture.to("cpu")
    return picture.mul(torch.iinfo(dtype).max).add_(0.5).to(dtype)


def _stacked(pictures: Sequence[Tensor]) -> Tensor:
    if pictures[0].dtype != torch.uint16:
        return torch.stack(list(pictures))
    # Not every version of torch stacks uint16; the bits are the same.
    return torch.stack([picture.view(torch.int16) for picture in pictures]).view(torch.uint16)


def _to_float(picture: Tensor) -> Tensor:
    """uint8 or uint16 to float32 in [0, 1], contiguous."""
    floats = picture.to(torch.float32, memory_format=torch.contiguous_format)
    return floats.div_(torch.iinfo(picture.dtype).max)


class StageClock:
    """Seconds spent in each stage; on CUDA measured by events, so that measuring does not stop the GPU.

    Args:
        device: where the stages run.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = Lock()
        self._cuda = device.type == "cuda"
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def stage(self, name: str, *, on_host: bool = False) -> Iterator[None]:
        """Count the enclosed work towards ``name``; ``on_host`` for what never runs on the device."""
        if self._cuda and not on_host:
            begin, end = self._event(), self._event()
            begin.record()
            yield
            end.record()
            self._events.append((name, begin, end))
            return
        started = perf_counter()
        yield
        self._add(name, perf_counter() - started)

    @staticmethod
    def _event() -> torch.cuda.Event:
        return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def settle(self) -> None:
        """Wait for the last event and read them all."""
        if self._events:
            self._events[-1][2].synchronize()
        for name, begin, end in self._events:
            self._add(name, begin.elapsed_time(end) / 1000)
        self._events.clear()

    def _add(self, name: str, seconds: float) -> None:
        with self._lock:  # batches may be stylized on one thread and made steady on another
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@dataclass(frozen=True, slots=True, eq=False)
class PaintedFrame:
    """A finished frame beside its source.

    Attributes:
        source: as decoded.
        data: (3, H, W) uint8 or uint16 RGB on the CPU, painted, at the output size.
        starts_shot: a cut was found before this frame.
        alpha: (1, H, W) the source's opacity, of the dtype and size of ``data``; None where there is none.
    """

    source: VideoFrame
    data: Tensor
    starts_shot: bool
    alpha: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StylizedBatch:
    """Frames whose paintings have not been made steady yet.

    Attributes:
        frames: as decoded.
        prepared: what the look made of them.
        layers: for each stylizer its painting of each frame, (1, 3, H, W) float32; None where it paints none.
    """

    frames: Sequence[VideoFrame]
    prepared: Prepared
    layers: Sequence[Sequence[Tensor | None]]


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """How a frame follows the one before it.

    Attributes:
        starts_shot: not at all.
        motion: against the frame before; None for a shot's first frame, and where flow is not wanted.
    """

    starts_shot: bool
    motion: Motion | None


@dataclass
class Painter:
    """Paints a stream of frames, a batch at a time; keeps flow and filter state between calls.

    Stylization depends on one frame alone and runs batched, and several batches at once where nothing forbids it.
    Motion is measured in order and of the source alone; warp and blend run in order behind both. There is one upload
    and one download a batch.

    Attributes:
        stylizers: paint single frames, already on ``device``; the look makes one picture of what several paint.
        temporal: filter, or None for per-frame output.
        flow: estimator, or None for per-frame output.
        cuts: detector that restarts flow and filter, or None.
        device: where to compute.
        size: (width, height) to work and deliver at; None keeps the source's.
        batch_size: most frames handed to the network at once; halved for good when the device runs out of memory.
        output_dtype: of the frames given back: uint8, or uint16 over its whole range for an output of more than 8 bits.
        look: what is done to frames before they are painted, and to paintings after; None does nothing.
        keeps_last: hold on to what ``at_strength`` needs.
        on_states: called after each filtered frame with whether it starts a shot and the filter's states, one a
            stylizer; what it gives back is gone on with.
    """

    stylizers: tuple[Stylizer, ...]
    temporal: TemporalFilter | None
    flow: FlowEstimator | None
    cuts: CutDetector | None
    device: torch.device
    size: tuple[int, int] | None
    batch_size: int
    output_dtype: torch.dtype = torch.uint8
    look: Look | None = None
    keeps_last: bool = False
    on_states: Callable[[bool, Sequence[Any]], list[Any]] | None = None
    fallbacks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = StageClock(self.device)
        self._halving = Lock()
        self._states: list[Any] = [None] * len(self.stylizers)
        self._last: tuple[VideoFrame, Prepared, Sequence[Tensor | None]] | None = None

    def paint(self, frames: Sequence[VideoFrame]) -> list[PaintedFrame]:
        """Paint the next frames of the stream, in order.

        Args:
            frames: consecutive, all of one size.

        Returns:
            One painted frame each.

        Raises:
            DeviceError: the device is out of memory even for one frame.
        """
        batch = self.stylize(frames)
        return self.steady(batch, self.measure(batch))

    @property
    def stylizes_in_any_order(self) -> bool:
        """Whether ``stylize`` may be called for several batches at once: not where stylizers change over time."""
        return self.look is None or not self.look.turned

    @torch.inference_mode()
    def stylize(self, frames: Sequence[VideoFrame]) -> StylizedBatch:
        """The part of ``paint`` that looks at each frame alone; arguments and errors as there."""
        with self._on_device():
            prepared = self._prepare(frames)
            with self.clock.stage("stylize"):
                layers = [self._stylize(index, prepared.content, frames) for index in range(len(self.stylizers))]
        return StylizedBatch(frames, prepared, layers)

    @torch.inference_mode()
    def measure(self, batch: StylizedBatch) -> list[Movement]:
        """Cuts and motion, a frame each; batches come in the order of the stream."""
        with self._on_device():
            contents = torch.split(batch.prepared.content, 1)
            return [self._movement(frame, content) for frame, content in zip(batch.frames, contents, strict=True)]

    @torch.inference_mode()
    def steady(self, batch: StylizedBatch, movements: Sequence[Movement]) -> list[PaintedFrame]:
        """The rest of ``paint``; batches come in the order of the stream."""
        with self._on_device():
            return self._steadied(batch, movements)

    @torch.inference_mode()
    def glimpse(self, frames: Sequence[VideoFrame]) -> None:
        """Let flow see frames of the same shot from before the first one that is painted."""
        if not frames or not isinstance(self.flow, LookingBack):
            return
        with self._on_device():
            for content in torch.split(self._prepare(frames).content, 1):
                self.flow.glimpse(content)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        try:
            with torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext():
                yield
        except Exception as error:
            if is_out_of_memory(error):
                raise self._too_small() from error
            raise

    @torch.inference_mode()
    def at_strength(self, strength: float) -> Tensor:
        """The frame painted last, mixed with its source once more; nothing is painted anew.

        Args:
            strength: 0 (the source) to 1 (the painting), in place of the look's own.

        Returns:
            (3, H, W), as ``PaintedFrame.data`` would be.
        """
        if self._last is None:
            raise ValueError("no frame was painted while keeps_last was set")
        frame, prepared, steady = self._last
        look = self.look or Look()
        return quantize(look.finish(frame, prepared, steady, strength)[0], self.output_dtype).to("cpu")

    def _movement(self, frame: VideoFrame, content: Tensor) -> Movement:
        starts_shot = self._starts_shot(frame)
        if self.temporal is None or self.flow is None:
            return Movement(starts_shot, None)
        if starts_shot:
            self.flow.reset()
        with self.clock.stage("flow"):
            return Movement(starts_shot, self.flow.push(content))

    def _steadied(self, batch: StylizedBatch, movements: Sequence[Movement]) -> list[PaintedFrame]:
        frames = batch.frames
        finished = [
            self._finished(frame, batch.prepared.frame(i), [layer[i] for layer in batch.layers], movement)
            for i, (frame, movement) in enumerate(zip(frames, movements, strict=True))
        ]
        with self.clock.stage("download"):
            pictures = quantize(torch.cat(finished), self.output_dtype).to("cpu")
        self.clock.settle()
        return [
            PaintedFrame(frame, picture, movement.starts_shot, self._alpha(frame))
            for frame, picture, movement in zip(frames, pictures, movements, strict=True)
        ]

    def _alpha(self, frame: VideoFrame) -> Tensor | None:
        alpha, wanted = frame.alpha, self.output_dtype
        if alpha is None:
            return None
        sized = self.size is not None and self.size != (alpha.shape[-1], alpha.shape[-2])
        if not sized and alpha.dtype == wanted:
            return alpha
        return quantize(self._resized(_to_float(alpha[None])), wanted)[0]

    def _starts_shot(self, frame: VideoFrame) -> bool:
        is_told = self.look is not None and self.look.starts_shot(frame)
        if self.cuts is None:
            return is_told
        with self.clock.stage("cuts", on_host=True):
            return self.cuts.push(frame.data) or is_told

    def _prepare(self, frames: Sequence[VideoFrame]) -> Prepared:
        with self.clock.stage("upload"):
            source = self._upload(frames)
        if self.look is None:
            return Prepared(source, source)
        with self.clock.stage("look"):
            return self.look.prepare(source, frames)

    def _upload(self, frames: Sequence[VideoFrame]) -> Tensor:
        batch = _stacked([frame.data for frame in frames])
        if self.device.type == "cuda":
            batch = batch.pin_memory().to(self.device, non_blocking=True)
        elif self.device.type == "cpu" or batch.dtype == torch.uint8:
            batch = batch.to(self.device)
        # MPS has no uint16: such frames become float on their way.
        return self._resized(_to_float(batch).to(self.device))

    def _resized(self, picture: Tensor) -> Tensor:
        if self.size is None or self.size == (picture.shape[-1], picture.shape[-2]):
            return picture
        size = (self.size[1], self.size[0])
        return F.interpolate(picture, size=size, mode="bicubic", antialias=True).clamp_(0.0, 1.0)

    def _stylize(self, index: int, content: Tensor, frames: Sequence[VideoFrame]) -> list[Tensor | None]:
        painted: list[Tensor | None] = []
        while len(painted) < len(content):
            done, num = len(painted), self.batch_size
            if self.look is not None:
                num = min(num, self.look.num_alike(frames[done:]))
                if not self.look.paints(frames[done])[index]:
                    painted += [None] * num
                    continue
                self.look.turn(frames[done])
            several = content[done : done + num]
            try:
                picture = self.stylizers[index](several)
                painted += torch.split(picture.contiguous(memory_format=torch.channels_last), 1)
                continue
            except Exception as error:
                if len(several) == 1 or not is_out_of_memory(error):
                    raise
            self._halve_batch(len(several))  # after the except block, whose exception holds on to the memory
        return painted

    def _halve_batch(self, num: int) -> None:
        """What ``num`` frames were too many for; batches that are stylized at once may fail at once."""
        with self._halving:
            if self.batch_size > num // 2:
                self.batch_size = num // 2
                self.fallbacks.append(f"{self.device} ran out of memory: batches halved to {self.batch_size}")
        torch.cuda.empty_cache()

    def _too_small(self) -> DeviceError:
        return DeviceError(f"{self.device} has too little memory for frames of this size; render smaller with --size.")

    def _finished(
        self, frame: VideoFrame, prepared: Prepared, painted: Sequence[Tensor | None], movement: Movement
    ) -> Tensor:
        steady = self._steady(frame, prepared.content, painted, movement)
        if self.keeps_last:
            self._last = frame, prepared, steady
        if self.look is None:
            return next(each for each in steady if each is not None)
        with self.clock.stage("look"):
            return self.look.finish(frame, prepared, steady)

    def _steady(
        self, frame: VideoFrame, content: Tensor, painted: Sequence[Tensor | None], movement: Movement
    ) -> Sequence[Tensor | None]:
        if self.temporal is None or self.flow is None:
            return painted
        consistency = self.look.consistency(frame) if self.look is not None else None
        temporal = self.temporal if consistency is None else self.temporal.at(consistency)
        jumps = self.look.jumping(frame) if self.look is not None else [False] * len(painted)
        self._states = [
            None if movement.starts_shot or jumps_now else state
            for state, jumps_now in zip(self._states, jumps, strict=True)
        ]
        with self.clock.stage("filter"):
            steps = [
                (None, None) if layer is None else temporal.step(content, layer, movement.motion, state)
                for layer, state in zip(painted, self._states, strict=True)
            ]
        self._states = [state for _, state in steps]
        if self.on_states is not None:
            self._states = self.on_states(movement.starts_shot, self._states)
        return [steady for steady, _ in steps]
