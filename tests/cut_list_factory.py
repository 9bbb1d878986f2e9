"""Cut lists as editors export them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

HEADER = "TITLE: test\nFCM: NON-DROP FRAME\n\n"


def event(number: int, begin: str, end: str, name: str = "", *, reel: str = "AX", source: str = "10:00:00:00") -> str:
    """One picture event, from and to a record timecode."""
    line = f"{number:03d}  {reel:<8} V     C        {source} {source} {begin} {end}\n"
    return line + (f"* FROM CLIP NAME: {name}\n" if name else "")


def write_edl(path: Path, *events: str, header: str = HEADER) -> Path:
    path.write_text(header + "".join(events), encoding="utf-8")
    return path


def write_otio(path: Path, tracks: Sequence[Sequence[tuple[str, int]]], rate: float = 24) -> Path:
    """Picture tracks of (name, number of frames); a clip without a name is a gap."""
    import opentimelineio as otio

    timeline = otio.schema.Timeline("test")
    for index, clips in enumerate(tracks):
        track = otio.schema.Track(f"V{index + 1}", kind=otio.schema.TrackKind.Video)
        for name, num_frames in clips:
            duration = otio.opentime.RationalTime(num_frames, rate)
            place = otio.opentime.TimeRange(otio.opentime.RationalTime(1000, rate), duration)
            track.append(otio.schema.Clip(name, source_range=place) if name else otio.schema.Gap(source_range=place))
        timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))
    return path
