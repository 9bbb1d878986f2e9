"""An output sequence before its first frame: its names, its format, and which frames are still to be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vidstyle.media.linear_light import DisplayTransform
from vidstyle.media.picture_files import PictureFormat, is_float
from vidstyle.media.reader import VideoReader
from vidstyle.media.sequence_names import FramePattern, parse_pattern
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.media.sequence_resume import FrameRun, unfinished_runs
from vidstyle.media.sequence_writer import (
    Numbering,
    SequenceWriter,
    check_free,
    choose_format,
    finished_frames,
    number_frames,
)


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """How an output sequence is written.

    Attributes:
        pattern: names of its files.
        numbering: of its frames.
        form: how they are encoded.
        size: (width, height) in pixels.
        display: how display-referred pixels become linear light; None where the format stores none.
        num_frames: how many there are going to be; None where that is not known.
        source: what is rendered.
    """

    pattern: FramePattern
    numbering: Numbering
    form: PictureFormat
    size: tuple[int, int]
    display: DisplayTransform | None
    num_frames: int | None
    source: FramePattern | Path

    def unfinished(self, num_warmup_frames: int, *, overwrite: bool, keep: bool) -> list[FrameRun]:
        """What is to be rendered; nothing where all frames are there.

        Args:
            num_warmup_frames: how many frames before a run have to be painted again.
            overwrite: existing files may be replaced.
            keep: existing files stay, if they are whole.

        Raises:
            OpenError: files are in the way, or are of another kind than those to come.
        """
        check_free(self.pattern, self.numbering, self.source, overwrite=overwrite, keep=keep)
        finished = finished_frames(self.pattern, self.numbering, self.form, self.size) if keep else set()
        if not finished:
            return [FrameRun()]
        return unfinished_runs(finished, self.num_frames, num_warmup_frames)

    def open_writer(self, run: FrameRun, *, overwrite: bool, num_warmup_frames: int = 0) -> SequenceWriter:
        """A writer for the frames of a run, after so many that it is to leave out."""
        return SequenceWriter(
            self.pattern,
            self.numbering,
            self.form,
            size=self.size,
            first_index=run.first,
            num_warmup_frames=num_warmup_frames,
            display=self.display,
            kept=run.kept,
            overwrite=overwrite,
            may_be_empty=run.first > 0 and run.last is None,
        )


def plan_sequence(
    output: Path,
    reader: VideoReader | SequenceReader,
    *,
    size: tuple[int, int],
    pixel_shape: Fraction,
    display: DisplayTransform,
    pixel_format: str | None = None,
    options: Mapping[str, str] | None = None,
) -> SequencePlan:
    """Decide how a source becomes a sequence; nothing is written.

    Args:
        output: pattern.
        reader: the source, open.
        size: (width, height) in pixels of the frames to come.
        pixel_shape: width of their pixels over their height.
        display: of linear light, for formats that store it; where the source is linear too, its own is used.
        pixel_format: by FFmpeg's name; follows the source by default.
        options: of the encoder.

    Raises:
        UnsupportedMediaError: the pattern cannot be used.
        ConfigError: nor can a setting.
    """
    pattern = parse_pattern(output)
    source = reader.sequence if isinstance(reader, SequenceReader) else None
    numbers = None if source is None else source.choice.numbers
    form = choose_format(
        pattern,
        reader.info,
        pixel_shape=pixel_shape,
        alpha=reader.keeps_alpha,
        pixel_format=pixel_format,
        options=options,
    )
    back = (None if source is None else source.display) or replace(display, keeps_highlights=False)
    return SequencePlan(
        pattern=pattern,
        numbering=number_frames(pattern, numbers),
        form=form,
        size=size,
        display=back if is_float(form.pixel_format) else None,
        num_frames=None if numbers is None else len(numbers),
        source=reader.path if source is None else source.pattern,
    )


def lost_in_sequence(reader: VideoReader | SequenceReader, plan: SequencePlan) -> list[str]:
    """What a sequence cannot keep of its source, a sentence each."""
    notes = []
    if isinstance(reader, VideoReader):
        rate = reader.info.average_rate
        notes.append(f"A sequence keeps no times; play it at {rate} frames a second.")
        if reader.curve is not None:
            notes.append("HDR becomes display-referred pictures: a sequence has no tags to say what they mean.")
    elif plan.pattern.codec == "exr" and reader.info.codec == "exr":
        notes.append("Of OpenEXR, colour and opacity are kept; other layers and attributes are not.")
    if reader.keeps_alpha and not plan.form.has_alpha:
        notes.append(f"{plan.pattern.suffix} has no place for opacity: it is left out.")
    return notes
