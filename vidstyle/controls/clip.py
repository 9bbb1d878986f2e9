"""What the controls have to know of the clip they are turned for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from vidstyle.control_settings import ControlSettings
from vidstyle.controls.shots import ShotList, resolve_shots
from vidstyle.errors import OpenError
from vidstyle.frames import VideoFrame
from vidstyle.media.reader import VideoReader, open_video
from vidstyle.media.sequence_frames import FrameChoice
from vidstyle.media.sequence_reader import SequenceReader
from vidstyle.moments import moment_of_picture

#: Frames that statistics of a whole clip are taken from, spread evenly over it.
NUM_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """A clip, as far as controls care.

    Attributes:
        matrix: YCbCr matrix.
        seconds_of: when a frame starts, counted from the clip's first.
        moment: reads a moment as people write it, into such seconds.
        frame_seconds: when every frame starts; empty for a single picture.
        samples: some (3, H, W) uint8 or uint16 frames, the same whichever part is rendered: what is measured on them
            holds for preview and render alike, and does not change from frame to frame.
        shots: finds those that settings mean; a single picture has none.
    """

    matrix: str
    seconds_of: Callable[[VideoFrame], Fraction]
    moment: Callable[[float | str], Fraction]
    frame_seconds: Callable[[], list[Fraction]]
    samples: Callable[[], list[Tensor]]
    shots: Callable[[ControlSettings], ShotList | None] = lambda _: None


def facts_of_picture(picture: Tensor) -> ClipFacts:
    """Of a single (3, H, W) picture; every moment is its own."""
    return ClipFacts("bt709", lambda _: Fraction(0), moment_of_picture, list, lambda: [picture])


def facts_of(
    reader: VideoReader | SequenceReader, *, video_stream: int | None = None, deinterlace: bool = False
) -> ClipFacts:
    """Of an open clip or sequence; the settings are those it was opened with."""
    if isinstance(reader, SequenceReader):
        return ClipFacts(
            reader.info.color.matrix,
            reader.clip_seconds,
            reader.moment,
            reader.frame_seconds,
            lambda: _sequence_samples(reader),
            lambda settings: resolve_shots(settings, reader),
        )
    return ClipFacts(
        reader.info.color.matrix,
        reader.clip_seconds,
        reader.moment,
        reader.frame_seconds,
        lambda: _clip_samples(reader, video_stream, deinterlace),
        lambda settings: resolve_shots(settings, reader),
    )


def _clip_samples(reader: VideoReader, video_stream: int | None, deinterlace: bool) -> list[Tensor]:
    times = _spread(reader)
    found = []
    for moment in times:
        try:
            with open_video(
                reader.path,
                start_seconds=moment,
                from_shown=True,
                video_stream=video_stream,
                deinterlace=deinterlace,
                on_error="skip",
            ) as clip:
                frame = next((item for item in clip if isinstance(item, VideoFrame)), None)
        except OpenError:  # a header that promises more than there is
            continue
        if frame is not None:
            found.append(frame.data)
    return found


def _spread(reader: VideoReader) -> list[Fraction]:
    duration = reader.info.duration_seconds
    length = Fraction(str(duration)) if duration else max(reader.frame_seconds(), default=Fraction(0))
    return [length * (2 * number + 1) / (2 * NUM_SAMPLES) for number in range(NUM_SAMPLES)]


def _sequence_samples(reader: SequenceReader) -> list[Tensor]:
    numbers = reader.sequence.pattern.numbers_on_disk()
    whole = replace(reader.sequence, choice=FrameChoice(numbers), sound=None)
    found = []
    for sample in range(NUM_SAMPLES):
        index = len(numbers) * (2 * sample + 1) // (2 * NUM_SAMPLES)
        with whole.read(index, index + 1) as clip:
            found += [item.data for item in clip if isinstance(item, VideoFrame)]
    return found


def as_float(picture: Tensor) -> Tensor:
    """(3, H, W) uint8 or uint16 to float32 in [0, 1]."""
    return picture.to(torch.float32, memory_format=torch.contiguous_format) / torch.iinfo(picture.dtype).max
