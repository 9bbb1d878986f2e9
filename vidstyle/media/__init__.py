"""Video files in and out; the only package that knows PyAV.

What reads and writes frames needs torch, what looks at files does not: each is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidstyle.media.containers import WRITABLE_SUFFIXES as WRITABLE_SUFFIXES
    from vidstyle.media.hardware import list_encoders_available as list_encoders_available
    from vidstyle.media.probe import StreamInfo as StreamInfo
    from vidstyle.media.probe import media_versions as media_versions
    from vidstyle.media.probe import probe_video as probe_video
    from vidstyle.media.reader import VideoReader as VideoReader
    from vidstyle.media.reader import open_video as open_video
    from vidstyle.media.streams import StreamPlan as StreamPlan
    from vidstyle.media.writer import VideoWriter as VideoWriter
    from vidstyle.media.writer import open_writer as open_writer

_HOMES = {
    "WRITABLE_SUFFIXES": "containers",
    "StreamInfo": "probe",
    "StreamPlan": "streams",
    "VideoReader": "reader",
    "VideoWriter": "writer",
    "list_encoders_available": "hardware",
    "media_versions": "probe",
    "open_video": "reader",
    "open_writer": "writer",
    "probe_video": "probe",
}
__all__ = [
    "WRITABLE_SUFFIXES",
    "StreamInfo",
    "StreamPlan",
    "VideoReader",
    "VideoWriter",
    "list_encoders_available",
    "media_versions",
    "open_video",
    "open_writer",
    "probe_video",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"vidstyle.media.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
