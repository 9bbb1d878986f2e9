"""What a sequence of pictures is, in the plain values that describe a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vidstyle.media.describe import MediaDescription, describe_picture, describe_stream
from vidstyle.media.sequence_names import describe_frames
from vidstyle.media.sequence_reader import SequenceReader

__all__ = ["SequenceReader", "describe_sequence"]


def describe_sequence(reader: SequenceReader, notes: Sequence[str] = ()) -> MediaDescription:
    """Describe an open sequence; its streams are those of the sound that lies beside it.

    Args:
        reader: the sequence.
        notes: what is known already that cannot be kept.
    """
    pattern, numbers = reader.sequence.pattern, reader.sequence.choice.numbers
    return MediaDescription(
        path=str(pattern.path),
        container=f"{pattern.suffix[1:].lower()} sequence",
        size_bytes=sum(pattern.file(number).stat().st_size for number in numbers),
        duration_seconds=reader.info.duration_seconds,
        timecode=None,
        # What the video range is said of is a clip made of it; the files' own values go from black to white.
        picture=describe_picture(replace(reader.info, color=replace(reader.info.color, range="pc"))),
        streams=tuple(describe_stream(reader.container.streams[s.index], s) for s in reader.streams),
        notes=tuple(notes),
        frames=describe_frames(numbers),
    )
