"""Samples as the source stores them: what is not painted is encoded again without a way through RGB.

RGB holds only a part of all YCbCr codes, and 4:2:0 has to be interpolated to become RGB: on the way there and back both
cost up to several levels where hard edges of saturated colours meet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from av import VideoFrame as AVFrame
from av.video.plane import VideoPlane

from vidstyle.frames import ColorInfo
from vidstyle.media.color import bit_depth, chroma_step, tag

if TYPE_CHECKING:
    from torch import Tensor

_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class StoredPicture:
    """A decoder's picture beside what became of it.

    Attributes:
        frame: as decoded.
        rgb: (3, H, W) uint8 or uint16, which it was turned into.
    """

    frame: AVFrame
    rgb: Tensor

    def is_like(self, pixel_format: str, size: tuple[int, int]) -> bool:
        """Whether its samples can be encoded as they are, in this format and (width, height)."""
        # FFmpeg's old names for full range say nothing about how samples are stored.
        same_format = _plain(self.frame.format.name) == _plain(pixel_format)
        return same_format and (self.frame.width, self.frame.height) == size

    def untouched(self, painted: Tensor) -> _Array:
        """(H, W) bool: where a painted picture shows what was decoded; nowhere, if it is of another size or depth."""
        ours, theirs = self.rgb.numpy(), painted.numpy()
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return np.zeros(theirs.shape[1:], np.bool_)
        return cast("_Array", (ours == theirs).all(axis=0))

    def copy(self, pixel_format: str, color: ColorInfo) -> AVFrame:
        """A copy, tagged with ``color``, without the decoder's timing and picture type."""
        copy = rows_of(self.frame, 0, self.frame.height, pixel_format)
        tag(copy, color, rgb=copy.format.is_rgb)
        return copy

    def restore(self, frame: AVFrame, untouched: _Array) -> None:
        """Put samples back into a frame of the same format and size, where all pixels they colour are untouched.

        Args:
            frame: planar YCbCr to be encoded; others are left as they are.
            untouched: (H, W) bool.
        """
        if not re.match(r"yuva?4\d\dp", _plain(frame.format.name)):
            return
        step = chroma_step(frame.format.name)
        chroma = untouched if step == (1, 1) else _surrounded(untouched, step)
        sample = np.uint8 if bit_depth(frame.format.name) == 8 else np.uint16
        for source, target, where in zip(
            self.frame.planes[:3], frame.planes[:3], (untouched, chroma, chroma), strict=True
        ):
            within = (slice(where.shape[0]), slice(where.shape[1]))
            np.copyto(_rows(target).view(sample)[within], _rows(source).view(sample)[within], where=where)


def rows_of(frame: AVFrame, top: int, bottom: int, pixel_format: str | None = None) -> AVFrame:
    """A copy of the rows from ``top`` up to ``bottom``, with neither tags nor time.

    Args:
        frame: of any format.
        top: first row; whole rows of chroma begin there.
        bottom: behind the last row.
        pixel_format: another name of the same format.
    """
    copy = AVFrame(frame.width, bottom - top, pixel_format or frame.format.name)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        rows, copied = _rows(source), _rows(target)
        first = top * len(rows) // frame.height
        width = min(rows.shape[1], copied.shape[1])
        copied[:, :width] = rows[first : first + len(copied), :width]
    return copy


def _surrounded(untouched: _Array, step: tuple[int, int]) -> _Array:
    """For each chroma sample whether its own pixels are untouched and those of all samples around it."""
    across, down = step
    height, width = untouched.shape
    padded = np.pad(untouched, ((0, -height % down), (0, -width % across)), mode="edge")
    blocks = np.logical_and.reduce([padded[y::down, x::across] for y in range(down) for x in range(across)])
    rows, columns = blocks.shape
    framed = np.pad(blocks, 1, mode="edge")
    return cast(
        "_Array",
        np.logical_and.reduce([framed[y : y + rows, x : x + columns] for y in range(3) for x in range(3)]),
    )


def _plain(pixel_format: str) -> str:
    return pixel_format.replace("yuvj", "yuv")


def _rows(plane: VideoPlane) -> _Array:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
    return cast("_Array", rows[: plane.height])
