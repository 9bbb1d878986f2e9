"""A clip or a sequence from its name to its report: opened, planned, painted, written, in as many runs as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import RenderConfig, output_size
from vidstyle.controls.clip import ClipFacts, facts_of
from vidstyle.errors import ConfigError
from vidstyle.flow.select import FlowChoice
from vidstyle.media.gif import GifWriter
from vidstyle.media.plan import OutputPlan
from vidstyle.media.reader import VideoReader
from vidstyle.media.sequence_plan import SequencePlan
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.media.sequence_resume import FrameRun, PartOfClip
from vidstyle.media.sequence_writer import SequenceWriter
from vidstyle.media.writer import VideoWriter, open_writer
from vidstyle.pipeline.painter import PaintedFrame
from vidstyle.pipeline.render import RenderStats, render
from vidstyle.planning import open_source, plan_render
from vidstyle.protocols import MediaSink, MediaSource
from vidstyle.report import RenderPlan, RenderReport
from vidstyle.sidecar import settings_changed
from vidstyle.temporal.filter import warmup_frames

#: Told what is about to happen (sentences), before the first frame.
OnPlan = Callable[[Sequence[str]], None]
#: Told frames done and frames expected (None where unknown).
OnProgress = Callable[[int, int | None], None]

_WHOLE = FrameRun()


class Presentation(Protocol):
    """What is written of painted frames, where it is not the paintings alone."""

    def size(self, painted: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of what is written of a painting of (width, height)."""
        ...

    def __call__(self, painted: PaintedFrame) -> Tensor:
        """(3, H, W) uint8 to write of a frame."""
        ...


def num_warmup(config: RenderConfig) -> int:
    """How many frames before the first the temporal filter has to see."""
    return 0 if config.flow == "none" else warmup_frames(max(config.values("consistency")))


def clip_facts(reader: VideoReader | SequenceReader, config: RenderConfig) -> ClipFacts:
    """What the controls have to know of an open clip."""
    return facts_of(reader, video_stream=config.video_stream, deinterlace=config.deinterlace)


def render_clip(
    source: Path,
    output: Path,
    config: RenderConfig,
    overwrite: bool,
    *,
    on_plan: OnPlan | None = None,
    on_progress: OnProgress | None = None,
    show: Presentation | None = None,
) -> RenderReport:
    """Paint a clip or a sequence; see ``vidstyle.stylize``. ``show`` writes something else of each frame.

    Raises:
        VidstyleError: input, output, style or settings cannot be used.
    """
    warnings: list[str] = []
    if config.continue_ and (others := settings_changed(output, config)):
        names = ", ".join(others)
        warnings.append(f"The frames that are there were made with another {names}; --overwrite renders all anew.")
    with open_source(source, output, config, warnings.append, warmup_frames=num_warmup(config)) as reader:
        composition = Composition.load(config)
        flow = composition.flow()
        size = None if show is None else show.size(output_size(config.size, reader.info.upright_size))
        plan, planned = plan_render(reader, source, output, config, warnings, size=size)
        job = _Job(source, output, config, overwrite, reader, composition, flow, plan, planned)
        runs = job.runs()
        stats = RenderStats()
        notes: list[str] = []
        expected = _num_expected(reader, runs)
        for number, run in enumerate(runs):
            with job.part(run) as part, job.sink(run, part) as sink:
                if isinstance(part, VideoReader):
                    part.keeps_stored = composition.leaves_samples
                facts = clip_facts(part.clip if isinstance(part, PartOfClip) else part, config)
                painter = composition.painter(reader.info.upright_size, reader.info.average_rate, flow, facts)
                painter.output_dtype = _frame_dtype(sink)
                if flow.estimator is not None:
                    flow.estimator.reset()
                if number == 0 and on_plan is not None:
                    on_plan([composition.compute.reason, flow.reason, *plan.lines()])
                num_before = _num_expected(reader, runs[:number]) or 0
                on_frame = on_progress and _counting_on(on_progress, num_before, expected)
                _add(stats, render(part, sink, painter, on_frame, first_seconds=part.first_seconds, show=show), sink)
                notes += [*painter.fallbacks, *_sink_notes(sink)]
        if not runs and on_plan is not None:
            on_plan([composition.compute.reason, *plan.lines()])
        if runs != [_WHOLE]:
            notes.append(_what_was_kept(stats.num_frames))
    return RenderReport(
        output=output,
        style=composition.name,
        num_frames=stats.num_frames,
        size=plan.size,
        wall_seconds=stats.wall_seconds,
        stage_seconds=stats.stage_seconds,
        compute=composition.compute.reason,
        flow=flow.reason,
        streams=plan.stream_lines(),
        cut_seconds=tuple(stats.cut_seconds),
        notes=tuple(dict.fromkeys((*warnings, *plan.notes, *notes))),
        plan=plan,
        flow_weights=flow.weights,
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """What the runs of a render have in common."""

    source: Path
    output: Path
    config: RenderConfig
    overwrite: bool
    reader: VideoReader | SequenceReader
    composition: Composition
    flow: FlowChoice
    plan: RenderPlan
    planned: OutputPlan | SequencePlan | None

    def runs(self) -> list[FrameRun]:
        """All frames in one, but for a sequence that is continued."""
        if not isinstance(self.planned, SequencePlan):
            return [_WHOLE]
        if self.overwrite and self.config.continue_:
            raise ConfigError("--overwrite renders all frames anew, --continue keeps those that are there; give one.")
        return self.planned.unfinished(num_warmup(self.config), overwrite=self.overwrite, keep=self.config.continue_)

    @contextmanager
    def part(self, run: FrameRun) -> Iterator[VideoReader | SequenceReader | PartOfClip]:
        """The frames of a run."""
        if run == _WHOLE:
            yield self.reader
        elif isinstance(self.reader, SequenceReader):
            with self.reader.sequence.read(run.first, run.last, num_warmup(self.config)) as reader:
                yield reader
        else:
            warmup = num_warmup(self.config)
            with open_source(self.source, self.output, self.config, lambda _: None, warmup_frames=warmup) as clip:
                yield PartOfClip(clip, run, warmup, clip.first_seconds)

    @contextmanager
    def sink(self, run: FrameRun, part: MediaSource) -> Iterator[MediaSink]:
        """Where the frames of a run go; what is unfinished is thrown away in the end."""
        sink: MediaSink
        if isinstance(self.planned, SequencePlan):
            skipped = part.num_warmup_frames if isinstance(part, PartOfClip) else 0
            replaces = self.overwrite or self.config.continue_
            sink = self.planned.open_writer(run, overwrite=replaces, num_warmup_frames=skipped)
        elif self.planned is None:
            sink = GifWriter(self.output, source=self.reader.path, overwrite=self.overwrite)
        else:
            sink = open_writer(self.output, self.reader, self.planned, overwrite=self.overwrite)
        try:
            yield sink
        finally:
            sink.abort()


def _counting_on(on_progress: OnProgress, num_before: int, expected: int | None) -> Callable[[int], None]:
    return lambda num: on_progress(num_before + num, expected)


def _num_expected(reader: VideoReader | SequenceReader, runs: Sequence[FrameRun]) -> int | None:
    if list(runs) == [_WHOLE]:
        return reader.num_frames_expected
    total = 0
    for run in runs:
        last = run.last if run.last is not None else reader.num_frames_expected
        if last is None:
            return None
        total += max(last - run.first, 0)
    return total


def _add(total: RenderStats, run: RenderStats, sink: MediaSink) -> None:
    # A sequence's writer leaves out frames that were there before; it knows how many it has written.
    total.num_frames += sink.num_frames if isinstance(sink, SequenceWriter) else run.num_frames
    total.num_packets += run.num_packets
    total.cut_seconds += run.cut_seconds
    total.wall_seconds += run.wall_seconds
    for stage, seconds in run.stage_seconds.items():
        total.stage_seconds[stage] = total.stage_seconds.get(stage, 0.0) + seconds


def _frame_dtype(sink: MediaSink) -> torch.dtype:
    return torch.uint16 if getattr(sink, "bit_depth", 8) > 8 else torch.uint8


def _sink_notes(sink: MediaSink) -> list[str]:
    if isinstance(sink, VideoWriter):
        return sink.notes
    if isinstance(sink, GifWriter) and sink.num_frames_merged:
        return [f"{sink.num_frames_merged} frames closer than a GIF can show (2/100 s) were merged."]
    return []


def _what_was_kept(num_frames: int) -> str:
    if num_frames == 0:
        return "All frames were there already."
    return f"Frames that were there already were kept; rendered because they were missing: {num_frames}."
