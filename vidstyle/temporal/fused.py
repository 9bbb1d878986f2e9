"""The temporal filter on a CPU, its steps fused into passes over rows by kernels/, in a third of the time."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from vidstyle.protocols import LOOK_BACK, Motion
from vidstyle.temporal.consistency import DEVIATION_GAIN_RANGE, MEAN_COLOR_BETA
from vidstyle.temporal.filter import (
    ENERGY_FLOOR,
    GAIN_RANGE,
    LEAST_SHARE,
    MAX_DRIFT,
    MOST_NOISE,
    ConsistencyFilter,
    FilterState,
    Past,
)
from vidstyle.temporal.refinement import GRADIENT_FLOOR, MAX_STEP_PX

#: Smaller pictures have no room for the windows.
_LEAST_SIDE = 8
_GIVEN = (
    *("content", "stylized", "previous", "remembered", "flow_backward", "flow_forward", "flow_older"),
    *("past_content", "past_remembered"),
)
_WANTED = ("kept_content", "output", "new_remembered", "small", "kept")
_STRIDES = ("content_channel", "content_pixel", "stylized_channel", "stylized_pixel")
_SIZES = ("height", "width", "flow_height", "flow_width", "older_height", "older_width", "num_threads")
_NUMBERS = (
    *("beta", "low_beta", "mean_share", "max_drift", "least_deviation_gain", "most_deviation_gain"),
    *("photometric_weight", "most_noise", "least_share", "gradient_floor", "max_step", "energy_floor"),
    *("least_gain", "most_gain"),
)


class _Frame(ctypes.Structure):
    """What kernels/frame.h calls a frame: its fields in its order."""

    _fields_ = [  # ctypes wants a list
        *((name, ctypes.c_void_p) for name in (*_GIVEN, *_WANTED)),
        *((name, ctypes.c_int64) for name in _STRIDES),
        *((name, ctypes.c_int32) for name in _SIZES),
        *((name, ctypes.c_float) for name in _NUMBERS),
        *(("ticket", ctypes.c_int64), ("done", ctypes.c_int64), ("failed", ctypes.c_int32), ("work", ctypes.c_void_p)),
    ]


class FusedFilter(ConsistencyFilter):
    """``ConsistencyFilter`` in a third of the time, where kernels/ can work: on a CPU that it was compiled for.

    The same numbers but for rounding, and for positions, which are exact here and thirty-seconds of a pixel there.
    Frames on other devices or in other dtypes, with sides below 8 pixels, or whose forward flow is on another grid than
    the backward flow are left to ``ConsistencyFilter``; states of one do for the other. Arguments as there.
    """

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: FilterState | None
    ) -> tuple[Tensor, FilterState | None]:
        """Filter one frame; see ``vidstyle.protocols.TemporalFilter``.

        Raises:
            MemoryError: there is too little for what lies between the steps.
        """
        kernels = load_kernels()
        if kernels is None or self.beta == 0.0 or motion is None or state is None:
            return super().step(content, stylized, motion, state)
        older = motion.flow_older if len(state.past) == LOOK_BACK else None
        if not _fit(content, stylized, motion, state, older):
            return super().step(content, stylized, motion, state)
        frame = self._frame()
        content, stylized = (_dense(image) for image in (content, stylized))
        height, width = content.shape[-2:]
        half = (-(-height // 2), -(-width // 2))
        given = {"previous": state.content, "remembered": state.remembered}
        given |= {"flow_backward": motion.flow_backward, "flow_forward": motion.flow_forward}
        if older is not None:
            given |= {"flow_older": older, "past_content": state.past[0].content}
            given |= {"past_remembered": state.past[0].remembered}
            frame.older_height, frame.older_width = older.shape[-2:]
        held = {name: image.permute(0, 2, 3, 1).contiguous() for name, image in given.items()}
        for name in ("kept_content", "output", "new_remembered"):
            held[name] = torch.empty(1, height, width, 3, dtype=torch.float32, device="cpu")
        for name, size in (("kept", (height, width)), ("small", half)):
            held[name] = torch.empty(1, *size, 3, dtype=torch.float16, device="cpu")
        for name, image in (held | {"content": content, "stylized": stylized}).items():
            setattr(frame, name, image.data_ptr())
        frame.content_channel, frame.content_pixel = content.stride(1), content.stride(3)
        frame.stylized_channel, frame.stylized_pixel = stylized.stride(1), stylized.stride(3)
        frame.height, frame.width = height, width
        frame.flow_height, frame.flow_width = motion.flow_backward.shape[-2:]
        _run(kernels.library, frame)
        made = {name: held[name].permute(0, 3, 1, 2) for name in _WANTED}
        past = (*state.past, Past(made["kept"], made["small"]))[-self._num_past :]
        return made["output"], FilterState(made["new_remembered"], made["kept_content"], past)

    def _frame(self) -> _Frame:
        return _Frame(
            beta=self.beta,
            low_beta=self._low_beta,
            mean_share=MEAN_COLOR_BETA / max(self._low_beta, MEAN_COLOR_BETA),
            max_drift=MAX_DRIFT,
            least_deviation_gain=DEVIATION_GAIN_RANGE[0],
            most_deviation_gain=DEVIATION_GAIN_RANGE[1],
            photometric_weight=self._photometric_weight,
            most_noise=MOST_NOISE,
            least_share=LEAST_SHARE,
            gradient_floor=16 * GRADIENT_FLOOR,
            max_step=MAX_STEP_PX,
            energy_floor=ENERGY_FLOOR,
            least_gain=GAIN_RANGE[0],
            most_gain=GAIN_RANGE[1],
        )


def _fit(content: Tensor, stylized: Tensor, motion: Motion, state: FilterState, older: Tensor | None) -> bool:
    """Whether memory is laid out as kernels/ takes it, which sees addresses alone."""
    height, width = content.shape[-2:]
    picture, half = (1, 3, height, width), (1, 3, -(-height // 2), -(-width // 2))
    flow = (1, 2, *motion.flow_backward.shape[-2:])
    pictures = (content, stylized, state.content, state.remembered)
    wanted = [(each, picture, torch.float32) for each in pictures]
    wanted += [(each, flow, torch.float32) for each in (motion.flow_backward, motion.flow_forward)]
    if older is not None:
        wanted.append((older, (1, 2, *older.shape[-2:]), torch.float32))
        wanted += [(state.past[0].content, half, torch.float16), (state.past[0].remembered, picture, torch.float16)]
    return min(height, width) >= _LEAST_SIDE and all(
        each.device.type == "cpu" and each.dtype == dtype and tuple(each.shape) == shape
        for each, shape, dtype in wanted
    )


def _dense(image: Tensor) -> Tensor:
    """(1, 3, H, W) as planes, or with its channels interleaved, whichever it is."""
    return image if image.is_contiguous(memory_format=torch.channels_last) else image.contiguous()


def _run(library: ctypes.CDLL, frame: _Frame) -> None:
    frame.num_threads = num_threads = torch.get_num_threads()
    address = ctypes.byref(frame)  # which keeps the frame alive for a helper that comes late
    try:
        for _ in range(num_threads - 1):
            _helpers(num_threads).submit(library.help, address)
        failed = library.steady(address)
    finally:
        library.stop(address)  # or helpers would wait for ever after an interrupt
    if failed:
        raise MemoryError("too little memory for the temporal filter")


@cache
def _helpers(num_threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(num_threads - 1, "filter-helper")  # for as long as the process lives, like OpenMP's


class Kernels(NamedTuple):
    """What kernels/ was compiled to when vidstyle was installed.

    Attributes:
        name: the instruction set.
        library: loaded.
    """

    name: str
    library: ctypes.CDLL


@cache
def load_kernels() -> Kernels | None:
    """The best that this processor runs; None where there are none, or they are of another version."""
    folder = Path(__file__).parent / "kernels"
    sources = sorted([*folder.glob("*.c"), *folder.glob("*.h")])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    for name in instruction_sets():
        try:
            library = ctypes.CDLL(str(folder / f"{name}.so"))
        except OSError:
            continue
        library.digest.restype, library.help.restype, library.stop.restype = ctypes.c_char_p, None, None
        if library.digest().decode() == digest:
            return Kernels(name, library)
    return None


def instruction_sets() -> tuple[str, ...]:
    """Those that this processor has and kernels/ may have been compiled for, the best first."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ("x86_64", "aarch64"):
        return ()
    if machine == "x86_64" and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
        return "x86_64_v3", machine
    return (machine,)
