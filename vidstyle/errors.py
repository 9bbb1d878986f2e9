"""Every error vidstyle raises on purpose.

    VidstyleError
    ├── ConfigError (also ValueError)        a setting that cannot be used
    ├── MediaError (carries ``path``)
    │   ├── OpenError                        missing, empty, not a video, unwritable
    │   ├── DecodeError (carries ``pts``)    broken in the middle; never reported as end of file
    │   ├── EncodeError                      the encoder, the muxer or the disk refused
    │   └── UnsupportedMediaError            a real file of a kind that cannot be handled
    ├── ModelError
    │   ├── UnsupportedCheckpointError       not a checkpoint, or one that is not safe to open
    │   ├── CheckpointMismatchError          a checkpoint of another architecture
    │   └── WeightsNotFoundError             an unknown style, or weights that are not at hand
    └── DeviceError                          a device that is not there, or that ran out of memory

A message is one sentence: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class VidstyleError(Exception):
    """Base of all errors vidstyle raises on purpose."""


class ConfigError(VidstyleError, ValueError):
    """A setting that cannot be used."""


class MediaError(VidstyleError):
    """Something is wrong with a media file.

    Attributes:
        path: the file in question.
    """

    def __init__(self, message: str, path: str | Path) -> None:
        super().__init__(message)
        self.path = Path(path)


class OpenError(MediaError):
    """A file cannot be opened for reading or writing."""


class DecodeError(MediaError):
    """A file broke off or is damaged in the middle.

    Attributes:
        pts: last presentation timestamp that was decoded, in the stream's time base; None before the first frame.
    """

    def __init__(self, message: str, path: str | Path, pts: int | None = None) -> None:
        super().__init__(message, path)
        self.pts = pts


class EncodeError(MediaError):
    """The encoder, the muxer or the disk refused."""


class UnsupportedMediaError(MediaError):
    """A real media file of a kind that cannot be handled."""


class ModelError(VidstyleError):
    """Something is wrong with a style or with its weights."""


class UnsupportedCheckpointError(ModelError):
    """Not a checkpoint, or one that is not safe to open."""


class CheckpointMismatchError(ModelError):
    """A checkpoint whose tensors belong to another architecture."""


class WeightsNotFoundError(ModelError):
    """An unknown style name, or weights that are not on this machine."""


class DeviceError(VidstyleError):
    """A device that is not there, or that ran out of memory."""
