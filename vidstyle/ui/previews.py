"""Frames for the page: the preview that ``vidstyle preview`` makes, with what was computed before kept at hand."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import RenderConfig, make_config, output_size
from vidstyle.controls.clip import ClipFacts
from vidstyle.errors import DeviceError, OpenError, VidstyleError
from vidstyle.flow.looking_back import LookingBack
from vidstyle.flow.select import FlowChoice
from vidstyle.frames import Packet, VideoFrame, VideoInfo
from vidstyle.heap import keep_freed_memory
from vidstyle.media.probe import probe_video
from vidstyle.media.reader import VideoReader
from vidstyle.pipeline.painter import Painter
from vidstyle.pipeline.preview import PreviewFrame, preview_frame
from vidstyle.planning import open_moment
from vidstyle.protocols import LOOK_BACK, FlowEstimator
from vidstyle.rendering import clip_facts, num_warmup
from vidstyle.stylizers.changing import ChangingStylizer, Turn
from vidstyle.ui.controls import same_painting_key, same_steady_key, same_stylizer_key
from vidstyle.ui.memory import Memory, RememberingFlow, RememberingSearch, RememberingStylizer, a_fair_share
from vidstyle.ui.states import (
    NEIGHBOURS,
    StateKeeper,
    find_beginning,
    keep_states,
    kept_indices,
)
from vidstyle.ui.thumbnails import resized

#: ``source``: as decoded. ``draft``: painted on its own, no frame before it seen. ``parity``: as the render's.
Kind = Literal["source", "draft", "parity"]

#: Of what is held, so much may be decoded frames.
_WINDOW_SHARE = 0.25
#: Held for each pixel of a frame: stylized (6), flows both ways (16 at most), refined (8), older (2), trust (2).
_BYTES_A_PIXEL = 34
#: And for each pixel of a stylizer's states (51): two at each consistency painted ahead.
_STATE_BYTES_A_PIXEL = 2 * 51 * len(NEIGHBOURS)
_MAX_COMPOSITIONS = 4
#: Clips, or ways to read one, whose samples are held.
_MAX_FACTS = 2
_MAX_TABS = 64
#: What a thumbnail of a style goes by.
_STYLE_FIELDS = {"style", "style_weight", "adain_model", "device", "precision", "fps", "video_stream", "deinterlace"}


class SupersededError(VidstyleError):
    """The page has asked for something newer meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A frame for the page.

    Attributes:
        data: (3, H, W) uint8 RGB at the output size.
        shown_seconds: when the frame begins, counted from the clip's first.
        num_warmup_frames: frames of the same shot that the filter saw before it.
        seconds: it took.
    """

    data: Tensor
    shown_seconds: float
    num_warmup_frames: int
    seconds: float


@dataclass(slots=True, eq=False)
class Window:
    """The frames around a moment, decoded so that they can be read again and again, or as they come; a ``MediaSource``.

    Attributes:
        info: of the clip.
        frames: those before the moment, the one shown at it, and the one after it if there is one.
        at: the moment on the clip's own clock.
        origin: where the clip begins, on the same clock.
        facts: what the controls have to know of the clip.
        num_before: frames before the one shown.
        wanted_before: as many had been wanted.
    """

    info: VideoInfo
    frames: tuple[VideoFrame, ...] | VideoReader
    at: Fraction
    origin: Fraction
    facts: ClipFacts
    num_before: int
    wanted_before: int

    def __iter__(self) -> Iterator[VideoFrame | Packet]:
        return iter(self.frames)

    def close(self) -> None:
        """Nothing to release."""

    @property
    def shown(self) -> VideoFrame:
        """The frame shown at the moment; only of decoded frames."""
        return self._decoded[self.num_before]

    @property
    def expected_bytes(self) -> int:
        """Of all the pictures."""
        width, height = self.info.upright_size
        return 3 * width * height * (2 if self.info.bit_depth > 8 else 1) * (self.num_before + 2)

    @property
    def _decoded(self) -> tuple[VideoFrame, ...]:
        if not isinstance(self.frames, tuple):
            raise TypeError("frames that come from the file can be read once only")
        return self.frames

    @property
    def times(self) -> list[float] | None:
        """When the frames up to the one shown begin; None where they come from the file, and cannot be left out."""
        if not isinstance(self.frames, tuple):
            return None
        return [frame.seconds for frame in self.frames[: self.num_before + 1]]

    def last_before(self, index: int, num: int) -> tuple[VideoFrame, ...]:
        """So many frames before one of those decoded."""
        return self._decoded[max(0, index - num) : index]

    def beginning(self, num_before: int) -> Window:
        """With no more than so many frames before the one shown."""
        dropped = max(0, self.num_before - num_before)
        return replace(self, frames=self._decoded[dropped:], num_before=self.num_before - dropped)


class Previewer:
    """Makes frames, one at a time; a newer request of the same tab stops an older one.

    Args:
        memory_bytes: for decoded and stylized frames and flows; None takes a fair share of the machine's.
    """

    def __init__(self, memory_bytes: int | None = None) -> None:
        keep_freed_memory()  # before the server's threads begin, which would get heaps of their own
        in_all = a_fair_share() if memory_bytes is None else memory_bytes
        self._windows = Memory(round(in_all * _WINDOW_SHARE))
        self._memory = Memory(in_all - self._windows.max_bytes)
        self._compositions: OrderedDict[str, Composition] = OrderedDict()
        self._flows: dict[tuple[str, ...], FlowChoice] = {}
        self._facts: OrderedDict[tuple[Any, ...], ClipFacts] = OrderedDict()
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._stopped = threading.Event()
        self._counting = threading.Lock()
        self._working = threading.Lock()

    def frame(
        self, clip: Path, at_seconds: float, config: RenderConfig, kind: Kind, *, tab: str = "", view: int = 0
    ) -> Picture:
        """Make one frame.

        Args:
            clip: the file.
            at_seconds: moment, counted from the clip's first frame.
            config: settings.
            kind: which frame.
            tab: of the browser that asks.
            view: number of the request in that tab; it gives way to a higher one.

        Raises:
            SupersededError: a higher one came.
            VidstyleError: as ``vidstyle.preview``.
        """
        started = time.perf_counter()
        wanted = num_warmup(config) if kind == "parity" else 0
        with self._turn(tab, view) as check, self._opened(clip, at_seconds, config, wanted) as source:
            if kind == "source":
                shown, num = source.shown, 0
                data = resized(shown.data, output_size(config.size, source.info.upright_size))
            else:
                found = self._painted_with_room(source, clip, config, check, alone=kind == "draft")
                shown, data, num = found.painted.source, found.painted.data, found.num_warmup_frames
            shown_seconds = float(shown.pts * shown.time_base - source.origin)
        return Picture(data, shown_seconds, num, time.perf_counter() - started)

    def prepare(self, clip: Path, at_seconds: float, config: RenderConfig, *, tab: str = "", view: int = 0) -> None:
        """Paint ahead what any consistency needs at a moment, where there is room to hold it.

        Args:
            clip: the file.
            at_seconds: moment, counted from the clip's first frame.
            config: settings.
            tab: as for ``frame``.
            view: likewise.

        Raises:
            SupersededError: the page has asked for something newer.
        """
        steadiest = config.model_copy(update={"consistency": 1.0})
        num_frames = num_warmup(steadiest)
        width, height = output_size(config.size, probe_video(clip).upright_size)
        needed = width * height * (_BYTES_A_PIXEL * num_frames + _STATE_BYTES_A_PIXEL)
        if not max(config.values("consistency")) or needed > self._memory.max_bytes:
            return
        for consistency in reversed(NEIGHBOURS):  # the longest first, which paints what the others need
            ahead = config.model_copy(update={"consistency": consistency})
            self.frame(clip, at_seconds, ahead, "parity", tab=tab, view=view)
            if config.changes_over_time:
                return

    def stop(self) -> None:
        """Break off what is being made, and make nothing more."""
        self._stopped.set()

    def style_thumbnail(self, clip: Path, at_seconds: float, config: RenderConfig, height_px: int) -> Tensor:
        """Paint a small version of a frame on its own.

        Returns:
            (3, ``height_px``, W) uint8 RGB.
        """
        small = make_config(size=f"{height_px}p", **config.model_dump(include=_STYLE_FIELDS))
        return self.frame(clip, at_seconds, small, "draft").data

    @contextmanager
    def _turn(self, tab: str, view: int) -> Iterator[Callable[[], None]]:
        with self._counting:
            _hold(self._newest, tab, max(view, self._newest.pop(tab, 0)), _MAX_TABS)

        def check() -> None:
            if self._stopped.is_set():
                raise SupersededError("vidstyle ends.")
            if view < self._newest.get(tab, 0):
                raise SupersededError("A newer frame was asked for.")

        with self._working:
            check()
            yield check

    @contextmanager
    def _opened(self, clip: Path, at_seconds: float, config: RenderConfig, num_before: int) -> Iterator[Window]:
        reading = (str(clip), clip.stat().st_mtime_ns, config.fps, config.video_stream, config.deinterlace)
        key = (reading, config.on_error, at_seconds)
        held = self._windows.get(key)
        if isinstance(held, Window) and held.wanted_before >= num_before:
            yield held.beginning(num_before)
            return
        with open_moment(clip, config, at_seconds, num_before) as reader:
            facts = self._facts.pop(reading, None) or _measured_once(clip_facts(reader, config))
            _hold(self._facts, reading, facts, _MAX_FACTS)
            at = reader.origin + reader.moment(at_seconds)
            coming = Window(reader.info, reader, at, reader.origin, facts, num_before, num_before)
            if coming.expected_bytes > self._windows.max_bytes:  # too large to hold: read it as a render does
                yield coming
                return
            window = _decoded(coming)
        self._windows.put(key, window, window.expected_bytes)
        yield window

    def _painted_with_room(
        self, window: Window, clip: Path, config: RenderConfig, check: Callable[[], None], *, alone: bool
    ) -> PreviewFrame:
        try:
            return self._painted(window, clip, config, check, alone=alone)
        except DeviceError:
            if not self._memory.num_bytes or window.times is None:
                raise
        self._memory.clear()  # what is remembered is worth less than what is asked for
        torch.cuda.empty_cache()
        return self._painted(window, clip, config, check, alone=alone)

    def _painted(
        self, window: Window, clip: Path, config: RenderConfig, check: Callable[[], None], *, alone: bool
    ) -> PreviewFrame:
        composition = self._composition(config)
        flow = self._flow(composition)
        if flow.estimator is not None:
            flow.estimator.reset()
        painter = composition.painter(window.info.upright_size, window.info.average_rate, flow, window.facts)
        self._remember_paintings(painter, clip, config, check)
        if alone:
            painter.temporal = None
        if painter.flow is None or painter.temporal is None:
            return _shown(window, painter)
        key = f"{flow.name} {flow.weights or ''} {composition.compute.device}"
        painter.flow = _remembering(painter.flow, self._memory, key, check)
        times = window.times
        if times is None:
            return _shown(window, painter)
        state_key = f"{key} {same_steady_key(config, clip)}"
        begins = find_beginning(self._memory, state_key, config.consistency, times)
        part = window if begins is None else window.beginning(window.num_before - begins.index)
        if begins is not None:
            painter.glimpse(window.last_before(begins.index, min(begins.num_before, LOOK_BACK - 1)))
        keeper = painter.on_states = StateKeeper(begins, kept_indices(part.num_before + 1))
        found = replace(_shown(part, painter), num_warmup_frames=keeper.num_before)
        keep_states(self._memory, state_key, config.consistency, times[-part.num_before - 1 :], keeper.kept)
        return found

    def _remember_paintings(
        self, painter: Painter, clip: Path, config: RenderConfig, check: Callable[[], None]
    ) -> None:
        key, turned = same_painting_key(config, clip), painter.look.turned if painter.look is not None else ()
        painter.stylizers = tuple(
            RememberingStylizer(stylizer, self._memory, partial(_key, f"{number} {key}", turned), check)
            for number, stylizer in enumerate(painter.stylizers)
        )

    def _composition(self, config: RenderConfig) -> Composition:
        key = same_stylizer_key(config)
        held = self._compositions.pop(key, None) or Composition.load(config)
        _hold(self._compositions, key, held, _MAX_COMPOSITIONS)
        return replace(held, config=config)

    def _flow(self, composition: Composition) -> FlowChoice:
        config = composition.config
        key = (
            str(max(config.values("consistency")) == 0),
            config.flow,
            str(config.flow_weights),
            str(composition.compute.device),
        )
        if key not in self._flows:
            self._flows[key] = composition.flow()
        return self._flows[key]


def _hold(held: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    held[key] = value
    while len(held) > most:
        held.popitem(last=False)


def _remembering(flow: FlowEstimator, memory: Memory, key: str, check: Callable[[], None]) -> FlowEstimator:
    if isinstance(flow, LookingBack):
        return LookingBack(RememberingFlow(flow.estimator, memory, key, check), RememberingSearch(memory, check))
    return RememberingFlow(flow, memory, key, check)


def _key(key: str, turned: Sequence[ChangingStylizer]) -> tuple[str, Turn | None]:
    return key, turned[0].turn if turned else None  # all are turned alike


def _decoded(coming: Window) -> Window:
    frames: list[VideoFrame] = []
    num_shown = 0
    for item in coming:
        if not isinstance(item, VideoFrame):
            continue
        frames.append(item)
        if item.pts * item.time_base > coming.at:
            break
        num_shown += 1
    if not num_shown:
        raise _outside(coming)
    return replace(coming, frames=tuple(frames), num_before=num_shown - 1)


def _shown(window: Window, painter: Painter) -> PreviewFrame:
    found = preview_frame(window, painter, float(window.at))
    if found is None:
        raise _outside(window)
    return found


def _measured_once(facts: ClipFacts) -> ClipFacts:
    """Facts that read the clip for samples and times when they are first asked for, and not again."""
    return replace(facts, samples=cache(facts.samples), frame_seconds=cache(facts.frame_seconds))


def _outside(window: Window) -> OpenError:
    return OpenError(f"The clip has no frame at {float(window.at - window.origin):g} s; choose an earlier moment.", "")
