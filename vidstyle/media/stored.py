"""Decoded pictures that are encoded again as they are."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from av import VideoFrame as AVFrame
from av.video.plane import VideoPlane

from vidstyle.frames import ColorInfo
from vidstyle.media.color import tag


def copy_as(frame: AVFrame, pixel_format: str, size: tuple[int, int], color: ColorInfo) -> AVFrame | None:
    """A copy without the decoder's timing and picture type.

    Args:
        frame: as decoded.
        pixel_format: the encoder's.
        size: (width, height) the encoder was opened for.
        color: tags for the copy.

    Returns:
        The copy; None where the picture is of another format or size, so that it would have to be converted.
    """
    # FFmpeg's old names for full range say nothing about how samples are stored.
    same_format = frame.format.name.replace("yuvj", "yuv") == pixel_format.replace("yuvj", "yuv")
    if not same_format or (frame.width, frame.height) != size:
        return None
    copy = AVFrame(*size, pixel_format)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        rows, copied = _rows(source), _rows(target)
        width = min(rows.shape[1], copied.shape[1])
        copied[:, :width] = rows[: len(copied), :width]
    tag(copy, color, rgb=copy.format.is_rgb)
    return copy


def _rows(plane: VideoPlane) -> np.ndarray[Any, np.dtype[np.uint8]]:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return cast("np.ndarray[Any, np.dtype[np.uint8]]", rows[: plane.height])
