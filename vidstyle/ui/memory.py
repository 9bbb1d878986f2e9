"""What has been computed once is not computed again: stylized frames and flows, found by the content they belong to."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from vidstyle.flow.dis_search import Grey
from vidstyle.flow.looking_back import OlderSearch
from vidstyle.protocols import FlowEstimator, Motion, Stylizer


def a_fair_share() -> int:
    """Bytes to hold: a quarter of the machine's memory or of its smallest GPU's, at least half a GiB and at most 8."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        installed = 4 << 30
    for index in range(torch.cuda.device_count()):  # what was painted stays where it was
        installed = min(installed, torch.cuda.get_device_properties(index).total_memory)
    return min(max(installed // 4, 1 << 29), 8 << 30)


class Memory:
    """Keeps what was used last, up to a size. Safe to use from several threads.

    Args:
        max_bytes: most bytes of tensors held.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any | None:
        """What was put under ``key``; None where it is not (or no longer) held."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def clear(self) -> None:
        """Hold nothing any more."""
        with self._lock:
            self._held.clear()
            self.num_bytes = 0

    def put(self, key: Hashable, value: Any, num_bytes: int) -> None:
        """Hold ``value``; what was unused for longest makes room. Something larger than all the room is not held."""
        if num_bytes > self.max_bytes:
            return
        with self._lock:
            if key in self._held:
                self.num_bytes -= self._held.pop(key)[1]
            self._held[key] = (value, num_bytes)
            self.num_bytes += num_bytes
            while self.num_bytes > self.max_bytes:
                self.num_bytes -= self._held.popitem(last=False)[1][1]


@lru_cache(maxsize=4)
def _weights(num: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(0x5EED)
    odd = torch.randint(-(2**62), 2**62, (num,), generator=generator, dtype=torch.int64) * 2 + 1
    return odd.to(device)


def fingerprint(picture: Tensor) -> tuple[Hashable, ...]:
    """Tells pictures apart by all of their pixels: a sum with random weights, modulo 2^64, and the shape.

    Args:
        picture: float32, any shape.
    """
    flat = picture.detach().contiguous().reshape(-1)
    if flat.numel() % 2:
        flat = torch.cat([flat, flat.new_zeros(1)])
    words = flat.view(torch.int64)
    return int((words * _weights(len(words), str(words.device))).sum()), tuple(picture.shape)


class RememberingStylizer:
    """A stylizer that paints no picture twice.

    Args:
        stylizer: paints what is not remembered.
        memory: shared.
        key: gives the same for stylizers that paint alike just now.
        check: called before every picture; raises to stop.
    """

    def __init__(
        self, stylizer: Stylizer, memory: Memory, key: Callable[[], Hashable], check: Callable[[], None]
    ) -> None:
        self.name = stylizer.name
        self._stylizer, self._memory, self._key, self._check = stylizer, memory, key, check

    def __call__(self, content: Tensor) -> Tensor:
        """As the stylizer's own."""
        return torch.cat([self._painted(content[i : i + 1]) for i in range(len(content))])

    def _painted(self, picture: Tensor) -> Tensor:
        self._check()
        key = ("stylized", self._key(), fingerprint(picture))
        held = self._memory.get(key)
        if held is None:
            painted = self._stylizer(picture)
            # Half precision has 2^-12 to spare, 0.06 of an 8-bit step. Always through it, so that repeats are equal.
            held = painted.half()
            self._memory.put(key, held, held.numel() * 2)
        return torch.as_tensor(held).float()

    def to(self, device: str, dtype: Any) -> RememberingStylizer:
        """As the stylizer's own."""
        self._stylizer = self._stylizer.to(device, dtype)
        return self


class RememberingFlow:
    """A flow estimator that measures no pair of frames twice.

    Args:
        estimator: measures what is not remembered; its state is this object's to change.
        memory: shared.
        key: equal for estimators that measure alike.
        check: called before every frame; raises to stop.
    """

    def __init__(self, estimator: FlowEstimator, memory: Memory, key: str, check: Callable[[], None]) -> None:
        self.name = estimator.name
        self._estimator, self._memory, self._key, self._check = estimator, memory, key, check
        self._previous: tuple[Hashable, Tensor] | None = None
        self._measured_to: Hashable = None

    def push(self, frame: Tensor) -> Motion | None:
        """As the estimator's own."""
        self._check()
        print_of = fingerprint(frame)
        previous, self._previous = self._previous, (print_of, frame)
        if previous is None:
            return None
        key = ("flow", self._key, previous[0], print_of)
        held = self._memory.get(key)
        if held is None:
            if self._measured_to != previous[0]:
                self._estimator.reset()
                self._estimator.push(previous[1])
            motion = self._estimator.push(frame)
            self._measured_to = print_of
            if motion is None:
                return None
            held = motion
            self._memory.put(key, motion, (motion.flow_backward.numel() + motion.flow_forward.numel()) * 4)
        return held if isinstance(held, Motion) else None

    def reset(self) -> None:
        """As the estimator's own."""
        self._previous = None


class RememberingSearch(OlderSearch):
    """The search for older frames, made for no pair of frames twice.

    Args:
        memory: shared.
        check: called before every search; raises to stop.
    """

    def __init__(self, memory: Memory, check: Callable[[], None]) -> None:
        super().__init__()
        self._memory, self._check = memory, check

    def flow(self, source: Grey, target: Grey) -> Tensor:
        """As the search's own."""
        self._check()
        prints = [hashlib.blake2b(each.pixels.tobytes(), digest_size=16).digest() for each in (source, target)]
        key = ("older", *prints, source.size, source.working)
        held = self._memory.get(key)
        if held is None:
            held = super().flow(source, target)
            self._memory.put(key, held, held.numel() * held.element_size())
        return torch.as_tensor(held)
