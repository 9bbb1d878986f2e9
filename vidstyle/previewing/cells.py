"""Single frames as the full render would paint them, at one or more strengths, and the sheet that shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.compose import Composition
from vidstyle.config import RenderConfig
from vidstyle.controls.clip import facts_of_picture
from vidstyle.errors import ConfigError, OpenError
from vidstyle.flow.select import FlowChoice
from vidstyle.frames import VideoFrame
from vidstyle.media.comparisons import Compare, compared, difference, difference_gain, wiped
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.media.reader import VideoReader
from vidstyle.media.sequence_names import is_sequence
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import is_still, read_still
from vidstyle.pipeline.painter import Painter
from vidstyle.pipeline.preview import PreviewFrame, preview_frame
from vidstyle.planning import open_moment, open_source
from vidstyle.previewing.estimate import Estimator
from vidstyle.protocols import MediaSource
from vidstyle.rendering import clip_facts, num_warmup


@dataclass(frozen=True, slots=True, eq=False)
class PreviewCell:
    """One style at one moment, at one strength.

    Attributes:
        style: name of the style.
        at_seconds: moment asked for, counted from the clip's first frame.
        shown_seconds: when the frame shown at that moment starts, likewise.
        original: (3, H, W) uint8 RGB, at the output size.
        stylized: (3, H, W) uint8 RGB, as the full render would deliver it to the encoder.
        num_warmup_frames: frames of the same shot before it that the filter saw.
        strength: where several were asked for, that of this cell; None otherwise.
    """

    style: str
    at_seconds: float
    shown_seconds: float
    original: Tensor
    stylized: Tensor
    num_warmup_frames: int
    strength: float | None = None

    @property
    def label(self) -> str:
        """Style and strength, as a sheet of several styles names them."""
        return self.style if self.strength is None else f"{self.style}, {self.strength:g}"


@dataclass(frozen=True, slots=True)
class CellMaker:
    """Paints the cells of one style.

    Attributes:
        source: video, GIF, still, or pattern of a sequence.
        composition: the style, loaded.
        flow: flow estimator.
        strengths: make a cell for each of these, of one painting; empty makes one of the settings' own.
        estimator: measures what is painted of a clip.
    """

    source: Path
    composition: Composition
    flow: FlowChoice
    strengths: Sequence[float] = ()
    estimator: Estimator | None = None

    def rows(
        self, times: Sequence[float | str], on_cell: Callable[[PreviewCell], None] | None = None
    ) -> list[list[PreviewCell]]:
        """A row for each strength, of a cell for each moment.

        Raises:
            VidstyleError: the source cannot be read, or has no such moment; or strengths change over time.
        """
        if self.strengths and self.composition.config.changes("strength"):
            raise ConfigError(
                "The preset changes strength over time, which leaves no strengths to compare; leave it out of its "
                "keyframes and shots, or give no --strength."
            )
        columns = []
        for moment in times:
            columns.append(self._column(moment))
            for cell in columns[-1]:
                if on_cell is not None:
                    on_cell(cell)
        return [list(row) for row in zip(*columns, strict=True)]

    def _column(self, at: float | str) -> list[PreviewCell]:
        if is_still(self.source):
            return self._of_still()
        return self._of_sequence(at) if is_sequence(self.source) else self._of_clip(at)

    def _of_still(self) -> list[PreviewCell]:
        picture = read_still(self.source).data
        size = (picture.shape[-1], picture.shape[-2])
        painter = self.composition.painter(size, clip=facts_of_picture(picture))
        painter.keeps_last = bool(self.strengths)
        painted = painter.paint([VideoFrame(picture, 0, Fraction(1))])[0]
        variants = tuple(painter.at_strength(strength) for strength in self.strengths)
        return self._cells(PreviewFrame(painted, 0, variants), 0.0, Fraction(0))

    def _of_clip(self, at: float | str) -> list[PreviewCell]:
        config = self.composition.config
        with open_moment(self.source, config, at, num_warmup(config)) as reader:
            info, at_seconds = reader.info, moment_in_range(reader, config, at)
            facts = clip_facts(reader, config)
            painter = self.composition.painter(info.upright_size, info.average_rate, self._fresh_flow(), facts)
            found = self._found(reader, painter, float(reader.origin + at_seconds))
            if found is None:
                length = f", which is {info.duration_seconds:.2f} s long" if info.duration_seconds else ""
                raise OpenError(
                    f"{float(at_seconds):g} s is outside {self.source}{length}; choose a moment within it.", self.source
                )
            return self._cells(found, float(at_seconds), reader.origin)

    def _of_sequence(self, at: float | str) -> list[PreviewCell]:
        config = self.composition.config
        with open_source(self.source, None, config, lambda _: None) as reader:
            if not isinstance(reader, SequenceReader):
                raise TypeError(f"{self.source} is no sequence")
            sequence = reader.sequence
        index, info = sequence.index_at(at), sequence.info
        last = None if self.estimator is not None else index + 1
        with sequence.read(index, last, num_warmup(config)) as part:
            facts = clip_facts(part, config)
            painter = self.composition.painter(info.upright_size, info.average_rate, self._fresh_flow(), facts)
            found = self._found(part, painter, float((index + Fraction(1, 2)) * info.time_base))
        if found is None:
            raise OpenError(f"{self.source} has no frame at {at}; choose another moment.", self.source)
        return self._cells(found, float(index * info.time_base), Fraction(0))

    def _fresh_flow(self) -> FlowChoice:
        if self.flow.estimator is not None:
            self.flow.estimator.reset()
        return self.flow

    def _found(self, source: MediaSource, painter: Painter, at_seconds: float) -> PreviewFrame | None:
        if self.estimator is None:
            return preview_frame(source, painter, at_seconds, strengths=self.strengths)
        with self.estimator.meter(self.composition.name, painter.batch_size) as meter:
            return preview_frame(source, painter, at_seconds, strengths=self.strengths, meter=meter)

    def _cells(self, found: PreviewFrame, at_seconds: float, origin: Fraction) -> list[PreviewCell]:
        source, painted = found.painted.source, found.painted.data
        original = fitted(to_eight_bits(source.data), painted)
        shown_seconds = float(source.pts * source.time_base - origin)
        pictures = zip(self.strengths, found.variants, strict=True) if self.strengths else [(None, painted)]
        return [
            PreviewCell(
                self.composition.name,
                at_seconds,
                shown_seconds,
                original,
                picture,
                found.num_warmup_frames,
                strength,
            )
            for strength, picture in pictures
        ]


def moment_in_range(reader: VideoReader, config: RenderConfig, at: float | str) -> Fraction:
    """Seconds from a clip's first frame to a moment.

    Raises:
        ConfigError: it cannot be read, or is not in the range that the settings ask for.
    """
    at_seconds = reader.moment(at)
    begin, end = (None if m is None else reader.moment(m) for m in (config.start_seconds, config.end_seconds))
    if at_seconds < (begin or 0) or (end is not None and at_seconds >= end):
        raise ConfigError(
            f"{float(at_seconds):g} s is outside the range to render; choose a moment between start and end."
        )
    return at_seconds


def fitted(picture: Tensor, like: Tensor) -> Tensor:
    """A (3, H, W) uint8 picture at the size of another, by the painter's own interpolation."""
    size = (like.shape[-2], like.shape[-1])
    if tuple(picture.shape[-2:]) == size:
        return picture
    resized = F.interpolate(picture[None].to(torch.float32), size=size, mode="bicubic", antialias=True)[0]
    return resized.add_(0.5).clamp_(0.0, 255.0).to(torch.uint8)


def sheet_of(rows: Sequence[Sequence[PreviewCell]], compare: Compare) -> Tensor:
    """One cell in the comparison asked for, or a labelled sheet: moments from left to right, rows below each other.

    Args:
        rows: of a cell for each moment.
        compare: ``side`` shows the originals in a row of their own above, the others in every cell.

    Returns:
        (3, H, W) uint8 RGB.
    """
    cells = [cell for row in rows for cell in row]
    gain = difference_gain([(cell.original, cell.stylized) for cell in cells]) if compare == "diff" else 1
    first = cells[0]
    if len(cells) == 1:
        return compared(compare, first.original, first.stylized, first.label, gain)
    has_one_style = len({cell.style for cell in cells}) == 1
    names = [_row_name(row[0], has_one_style) + (f", diff x{gain}" if compare == "diff" else "") for row in rows]
    pictures = [[_shown(cell, compare, gain) for cell in row] for row in rows]
    times = [f"{cell.at_seconds:g} s" for cell in rows[0]]
    if compare == "wipe":
        return contact_sheet(pictures, names, times)
    return contact_sheet([[cell.original for cell in rows[0]], *pictures], ["original", *names], times)


def _row_name(cell: PreviewCell, has_one_style: bool) -> str:
    return f"strength {cell.strength:g}" if has_one_style and cell.strength is not None else cell.label


def _shown(cell: PreviewCell, compare: Compare, gain: int) -> Tensor:
    if compare == "wipe":
        return wiped(cell.original, cell.stylized)
    return difference(cell.original, cell.stylized, gain) if compare == "diff" else cell.stylized
