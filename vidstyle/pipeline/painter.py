"""Frames in, painted and steady frames out: stylizer, flow and temporal filter in the order a GPU likes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.errors import DeviceError
from vidstyle.frames import VideoFrame
from vidstyle.protocols import FlowEstimator, Stylizer, TemporalFilter
from vidstyle.temporal.shots import CutDetector


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory; it has a class of its own for that on a GPU, and there not always."""
    texts = ("DefaultCPUAllocator", "CUDA error: out of memory", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in texts)


class StageClock:
    """Seconds spent in each stage; on CUDA measured by events, so that measuring does not stop the GPU.

    Args:
        device: where the stages run.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
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
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@dataclass(frozen=True, slots=True, eq=False)
class PaintedFrame:
    """A finished frame beside its source.

    Attributes:
        source: as decoded.
        data: (3, H, W) uint8 RGB on the CPU, painted, at the output size.
        starts_shot: a cut was found before this frame.
    """

    source: VideoFrame
    data: Tensor
    starts_shot: bool


@dataclass
class Painter:
    """Paints a stream of frames, a batch at a time; keeps flow and filter state between calls.

    Stylization depends on one frame alone and runs batched; warp and blend run in order. There is one upload and one
    download a batch.

    Attributes:
        stylizer: paints single frames, already on ``device``.
        temporal: filter, or None for per-frame output.
        flow: estimator, or None for per-frame output.
        cuts: detector that restarts flow and filter, or None.
        device: where to compute.
        size: (width, height) to work and deliver at; None keeps the source's.
        batch_size: most frames handed to the network at once; halved for good when the device runs out of memory.
    """

    stylizer: Stylizer
    temporal: TemporalFilter | None
    flow: FlowEstimator | None
    cuts: CutDetector | None
    device: torch.device
    size: tuple[int, int] | None
    batch_size: int
    fallbacks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = StageClock(self.device)
        self._state: Any = None

    @torch.inference_mode()
    def paint(self, frames: Sequence[VideoFrame]) -> list[PaintedFrame]:
        """Paint the next frames of the stream, in order.

        Args:
            frames: consecutive, all of one size.

        Returns:
            One painted frame each.

        Raises:
            DeviceError: the device is out of memory even for one frame.
        """
        try:
            with torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext():
                return self._paint(frames)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise self._too_small() from error
            raise

    def _paint(self, frames: Sequence[VideoFrame]) -> list[PaintedFrame]:
        with self.clock.stage("upload"):
            content = self._upload(frames)
        with self.clock.stage("stylize"):
            stylized = self._stylize(content)
        starts = [self._starts_shot(frame) for frame in frames]
        steady = torch.cat(
            [self._steady(content[i : i + 1], stylized[i : i + 1], starts_shot) for i, starts_shot in enumerate(starts)]
        )
        with self.clock.stage("download"):
            pictures = steady.mul(255.0).add_(0.5).to(torch.uint8).to("cpu")
        self.clock.settle()
        return [
            PaintedFrame(frame, picture, starts_shot)
            for frame, picture, starts_shot in zip(frames, pictures, starts, strict=True)
        ]

    def _starts_shot(self, frame: VideoFrame) -> bool:
        if self.cuts is None:
            return False
        with self.clock.stage("cuts", on_host=True):
            return self.cuts.push(frame.data)

    def _upload(self, frames: Sequence[VideoFrame]) -> Tensor:
        batch = torch.stack([frame.data for frame in frames])
        if self.device.type == "cuda":
            batch = batch.pin_memory().to(self.device, non_blocking=True)
        else:
            batch = batch.to(self.device)
        content = batch.to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)
        if self.size is not None and self.size != (content.shape[-1], content.shape[-2]):
            size = (self.size[1], self.size[0])
            content = F.interpolate(content, size=size, mode="bicubic", antialias=True).clamp_(0.0, 1.0)
        return content

    def _stylize(self, content: Tensor) -> Tensor:
        parts: list[Tensor] = []
        done = 0
        while done < len(content):
            chunk = content[done : done + self.batch_size]
            try:
                parts.append(self.stylizer(chunk))
                done += len(chunk)
                continue
            except RuntimeError as error:
                if self.batch_size == 1 or not is_out_of_memory(error):
                    raise
            self._halve_batch()  # after the except block, whose exception holds on to the memory
        return torch.cat(parts).contiguous()

    def _halve_batch(self) -> None:
        self.batch_size //= 2
        self.fallbacks.append(f"{self.device} ran out of memory: batches halved to {self.batch_size}")
        torch.cuda.empty_cache()

    def _too_small(self) -> DeviceError:
        return DeviceError(f"{self.device} has too little memory for frames of this size; render smaller with --size.")

    def _steady(self, content: Tensor, stylized: Tensor, starts_shot: bool) -> Tensor:
        if self.temporal is None or self.flow is None:
            return stylized
        if starts_shot:
            self.flow.reset()
            self._state = None
        with self.clock.stage("flow"):
            motion = self.flow.push(content)
        with self.clock.stage("filter"):
            steady, self._state = self.temporal.step(content, stylized, motion, self._state)
        return steady
