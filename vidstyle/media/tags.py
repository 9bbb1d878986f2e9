"""What a file says about itself: metadata, chapters, timecode and the roles of its streams, carried to the output."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from vidstyle.media.containers import Container
from vidstyle.media.roles import writable_language
from vidstyle.media.timestamps import to_ticks
from vidstyle.moments import Timecode

if TYPE_CHECKING:
    from vidstyle.media.reader import VideoReader
    from vidstyle.media.sequence_reader import SequenceReader

# The muxer's own, or no longer true of the new file; in lower case.
_FOREIGN = frozenset(
    {
        "alpha_mode",  # of VP8 and VP9, set by the muxer where there is opacity
        "major_brand",
        "minor_version",
        "compatible_brands",
        "encoder",
        "software",  # what AVI calls it
        "vendor_id",
        "rotate",
        "timecode",  # set by itself, for it moves with the start
        "duration",
        "bps",
        "number_of_frames",
        "number_of_bytes",
    }
)
_STATISTICS = "_statistics_"  # mkvmerge's
_APPLE = "com.apple.quicktime."
_MAX_TIMESCALE = 10_000_000
# Of one stream before the others; more is no run-in of an encoder.
_MAX_RUN_IN_SECONDS = 1
_DROP_FRAME_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))


def copy_stream_tags(source: Stream, target: Any, format_name: str) -> None:
    """Language, title, role and whatever else is noted of a stream, for a container of this format."""
    # Matroska shouts the names of notes.
    notes = {k.lower() if k.isupper() else k: v for k, v in _kept(source.metadata).items()}
    title = stream_title(source.metadata)
    if title is not None:
        notes.pop("name", None)
        notes["title"] = title
    target.metadata.update(notes)
    language = writable_language(source, format_name)
    if language is not None:
        target.metadata["language"] = language
    target.disposition = source.disposition & ~Disposition.attached_pic


def stream_title(metadata: Mapping[str, str]) -> str | None:
    """What a stream is called: FFmpeg reads as ``name`` what it writes into MP4 and QuickTime as ``title``."""
    return metadata.get("title") or metadata.get("name") or metadata.get("NAME")


def output_metadata(source: InputContainer) -> dict[str, str]:
    """What is noted of the whole file."""
    return _kept(source.metadata)


def container_options(container: Container, source: InputContainer, time_base: Fraction) -> dict[str, str]:
    """Options of the muxer with which times and notes come out as they are.

    Args:
        container: what is written.
        source: where it comes from.
        time_base: seconds per tick of the picture.
    """
    if container.format_name in ("matroska", "webm"):
        starts = [s.start_time * s.time_base for s in source.streams if s.start_time is not None and s.time_base]
        # The run-in of a sound encoder comes before 0. By default everything else would be moved behind it.
        return {"avoid_negative_ts": "disabled"} if min(starts, default=0) > -_MAX_RUN_IN_SECONDS else {}
    # Start offsets are stored in ticks of the movie; its default of 1 ms would round them.
    timescale = time_base.denominator
    for stream in source.streams.audio:
        common = math.lcm(timescale, stream.rate or 1)
        timescale = common if common <= _MAX_TIMESCALE else timescale
    # The index goes to the front, so that the file plays while it is being downloaded.
    flags = "+faststart"
    if container.format_name == "mov" and any(key.startswith(_APPLE) for key in source.metadata):
        # As cameras of this make write them: under these names, not under the few that QuickTime had before.
        flags += "+use_metadata_tags"
    return {"movie_timescale": str(timescale), "movflags": flags}


def lost_metadata(container: Container, options: Mapping[str, str], metadata: Mapping[str, str]) -> list[str]:
    """Names of the notes that a container has no place for, found by writing a file of them into memory."""
    if not metadata or container.format_name in ("matroska", "webm"):  # they take any name
        return []
    file = io.BytesIO()
    # The index cannot be moved to the front of a file that has no name.
    options = {key: left for key, value in options.items() if (left := value.replace("+faststart", ""))}
    with av.open(file, "w", format=container.format_name, container_options=options) as output:
        output.metadata.update(metadata)
        stream: Any = output.add_mux_stream("mjpeg", width=16, height=16, time_base=Fraction(1, 25))
        packet = av.Packet(bytes(16))
        packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream = 0, 0, 1, Fraction(1, 25), stream
        output.mux_one(packet)
    file.seek(0)
    with av.open(file, metadata_errors="replace") as written:
        names = {key.lower() for key in written.metadata}
    return [key for key in metadata if key.lower() not in names]


def chapters(source: InputContainer, start: Fraction | None, end: Fraction | None, shift: Fraction) -> list[Any]:
    """A source's chapters, cut to a range and moved with it.

    Args:
        source: an open file.
        start: first moment kept, in seconds on the source's own clock; None is the beginning.
        end: moment from which on nothing is kept; None is the end.
        shift: seconds that all times are moved back by.
    """
    result = []
    for chapter in source.chapters():
        time_base = chapter["time_base"]
        if time_base is None:
            continue
        first, last = chapter["start"] * time_base, chapter["end"] * time_base
        if (start is not None and last <= start) or (end is not None and first >= end):
            continue
        first = first if start is None else max(first, start)
        last = last if end is None else min(last, end)
        result.append(chapter | {"start": to_ticks(first - shift, time_base), "end": to_ticks(last - shift, time_base)})
    return result


def timecode_after(start: Timecode, num_frames: int, rate: Fraction) -> Timecode:
    """The label of a later frame; labels start again at midnight.

    Args:
        start: label of the first frame.
        num_frames: how much later.
        rate: frames per second.

    Raises:
        ValueError: no frame has the label ``start`` at this rate.
    """
    nominal = round(rate)
    number = start.frame_number(rate) + num_frames
    dropped = 0
    if start.is_drop_frame:
        # SMPTE ST 12-1: of every ten minutes all but the first leave out their first labels.
        dropped = nominal // 15
        per_minute = 60 * nominal - dropped
        per_ten_minutes = 10 * per_minute + dropped
        tens, rest = divmod(number, per_ten_minutes)
        num_dropping_minutes = max(0, rest - dropped) // per_minute
        number += dropped * (9 * tens + num_dropping_minutes)
    seconds, frames = divmod(number, nominal)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return Timecode(hours % 24, minutes, seconds, frames, start.is_drop_frame)


def start_timecode(source: VideoReader | SequenceReader, rate: Fraction) -> str | None:
    """The timecode of the first frame of a source's range, as muxers take it; None where the source has none.

    Args:
        source: the clip.
        rate: frames per second of the output.
    """
    timecode = source.start_timecode
    if timecode is None:
        return None
    video = source.video_stream
    if source.start is not None and source.shifts_to_zero:
        source_rate, tick = source.own_rate, Fraction(video.time_base or 0)
        skipped = source.start - (video.start_time or 0) * tick
        # Clocks round: a frame begins up to half a tick later than its number says, and so does the first one.
        slack = min(tick if video.start_time else tick / 2, 1 / source_rate / 4)
        num_skipped = math.ceil((skipped - slack) * source_rate)
        try:
            timecode = timecode_after(timecode, max(0, num_skipped), source_rate)
        except ValueError:  # a label that does not exist at this rate labels nothing
            return None
    # Drop-frame counting exists at two rates only, and a slower rate has fewer labels.
    timecode = replace(
        timecode,
        frames=min(timecode.frames, round(rate) - 1),
        is_drop_frame=timecode.is_drop_frame and rate in _DROP_FRAME_RATES,
    )
    return str(timecode)


def _kept(metadata: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in metadata.items()
        if key.lower() not in _FOREIGN and not key.lower().startswith(_STATISTICS)
    }
