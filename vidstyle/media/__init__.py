"""Video files in and out; the only package that knows PyAV."""

from vidstyle.media.containers import WRITABLE_SUFFIXES
from vidstyle.media.probe import StreamInfo, list_encoders_available, media_versions, probe_video
from vidstyle.media.reader import VideoReader, open_video
from vidstyle.media.streams import StreamPlan
from vidstyle.media.writer import VideoWriter, open_writer

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
