"""Cut lists: where the shots of a finished clip begin. OpenTimelineIO, an optional dependency, reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

from vidstyle.errors import OpenError
from vidstyle.moments import standard_rate

_EVENT_TIMES = re.compile(r"(?P<event>\d+\s.*?)(?P<source>(?:\s+[\d:;.]+){2})(?P<record>(?:\s+[\d:;.]+){2})\s*")


@dataclass(frozen=True, slots=True)
class Event:
    """One shot of a cut list.

    Attributes:
        start: seconds from the first frame of the cut.
        end: seconds to the first frame behind it.
        names: what it goes by: its clip, its file, its reel; the first is for people. Some have none.
    """

    start: Fraction
    end: Fraction
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CutList:
    """The shots of a cut, in order; gaps are none.

    Attributes:
        events: shots.
        rate: frames a second the list counts.
        label: timecode of the cut's first frame, as frames from 00:00:00:00; None where the list does not say.
    """

    events: tuple[Event, ...]
    rate: Fraction
    label: int | None = None


def read_cut_list(path: Path, rate: Fraction) -> CutList:
    """Read an EDL (CMX 3600), an OTIO file, or what else an installed adapter of OpenTimelineIO reads.

    Of an EDL the picture events count, by their record timecode: the first event begins the cut. Of a timeline with
    several picture tracks counts what is seen.

    Args:
        path: of the file.
        rate: frames a second of the clip that was cut, which an EDL does not say. A list that counts frames at the same
            nominal rate (24 and 23.976) is matched frame by frame, any other by seconds.

    Raises:
        OpenError: OpenTimelineIO is not installed, or the file cannot be read as a cut list.
    """
    rate = standard_rate(rate)
    otio = _library(path)
    if not path.is_file():
        raise OpenError(f"There is no cut list {path}; check shots_from.", path)
    try:
        timeline, label = _timeline(otio, path, rate)
        track = _picture_track(otio, timeline, path)
        events = tuple(_events(otio, track, rate))
    except (
        *(otio.exceptions.OTIOError, OSError, ValueError, TypeError),
        *(LookupError, AttributeError, RuntimeError),  # adapters raise these where a file surprises them
    ) as error:
        why = " ".join(str(error).split()).strip("\"'.") or type(error).__name__
        is_about_timecode = path.suffix.lower() == ".edl" and isinstance(error, ValueError)
        hint = f"; it was read at the clip's {float(rate):.5g} frames a second" if is_about_timecode else ""
        raise OpenError(f"The cut list {path} cannot be used: {why}{hint}; export it again.", path) from error
    if not events:
        raise OpenError(f"The cut list {path} has no picture events; export the picture track.", path)
    return CutList(events, standard_rate(Fraction(track.duration().rate)), label)


def _library(path: Path) -> Any:
    try:
        otio = import_module("opentimelineio")
        known = otio.adapters.suffixes_with_defined_adapters(read=True)
    except ImportError as error:
        raise _not_installed(path) from error
    suffix = path.suffix.lower().removeprefix(".")
    if suffix == "edl" and suffix not in known:
        raise _not_installed(path)
    if suffix not in known:
        raise OpenError(f"{path} is no cut list by its name; the kinds are {', '.join(sorted(known))}.", path)
    return otio


def _not_installed(path: Path) -> OpenError:
    return OpenError(f"Reading {path} needs OpenTimelineIO, which is not there: pip install 'vidstyle[otio]'.", path)


def _timeline(otio: Any, path: Path, rate: Fraction) -> tuple[Any, int | None]:
    if path.suffix.lower() == ".edl":
        timeline = otio.adapters.read_from_string(_record_side(_text(path)), "cmx_3600", rate=float(rate))
        picture = next(iter(timeline.video_tracks()), None)
        # What comes before the first event is a source range that begins as far before zero.
        begins = picture.source_range.start_time.value if picture is not None and picture.source_range else 0
        for track in timeline.tracks:
            track.source_range = None
        return timeline, -round(begins)
    timeline = otio.adapters.read_from_file(str(path))
    if not isinstance(timeline, otio.schema.Timeline):
        raise ValueError("it holds no timeline")  # noqa: TRY004  # of the file, not of a caller
    label = timeline.global_start_time
    return timeline, None if label is None else round(label.value)


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _record_side(text: str) -> str:
    """An EDL whose sources are said to be what is recorded.

    Nothing is asked of the sources, which may have other rates and speeds, and would be refused for it. ``FCM: DROP
    FRAME`` becomes the semicolon that the reader of timecodes goes by. What stands before the first event is left out.
    """
    lines: list[str] = []
    drops_frames = False
    for line in text.splitlines():
        if line.startswith("FCM:"):
            drops_frames = "NON" not in line.upper()
        elif match := _EVENT_TIMES.fullmatch(line.strip()):
            record = re.sub(r":(\d+)(?=\s|$)", r";\1", match["record"]) if drops_frames else match["record"]
            lines.append(f"{match['event']}{record}{record}")
        elif lines or line[:1].isdigit():
            lines.append(line)
    return "\n".join(lines)


def _picture_track(otio: Any, timeline: Any, path: Path) -> Any:
    tracks = [track for track in timeline.video_tracks() if len(track)]
    if not tracks:
        raise ValueError("it has no picture track")
    if len(tracks) == 1 or path.suffix.lower() == ".edl":  # tracks of an EDL do not say how they lie to each other
        return tracks[0]
    return otio.algorithms.flatten_stack(tracks)


def _events(otio: Any, track: Any, rate: Fraction) -> Iterator[Event]:
    for item in track:
        if isinstance(item, otio.schema.Transition | otio.schema.Gap) or not item.enabled:
            continue
        place = item.range_in_parent()
        start = _seconds(place.start_time, rate)
        yield Event(start, start + _seconds(place.duration, rate), tuple(dict.fromkeys(_names(item))))


def _seconds(time: Any, rate: Fraction) -> Fraction:
    own = standard_rate(Fraction(time.rate))
    return Fraction(str(round(time.value, 6))) / (rate if round(own) == round(rate) else own)


def _names(item: Any) -> Iterator[str]:
    media = getattr(item, "media_reference", None)
    url = getattr(media, "target_url", None) or ""
    reel = item.metadata.get("cmx_3600", {}).get("reel", "")
    for name in (item.name, PurePath(url).name, getattr(media, "name", ""), reel):
        if name:
            yield str(name)
            yield PurePath(str(name)).stem
