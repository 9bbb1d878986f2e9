"""What decoders say beside a frame."""

from __future__ import annotations

from typing import Any

from av import VideoFrame as AVFrame


def side_data(frame: AVFrame, kind: str) -> bytes | None:
    """Side data of a frame by PyAV's name, such as ``DISPLAYMATRIX``; None where it has none of this kind."""
    try:
        found: Any = frame.side_data.get(kind)
    except ValueError:  # a kind that PyAV has no name for (Exif, in JPEG and PNG) hides all the others
        return None
    return None if found is None else bytes(found)
