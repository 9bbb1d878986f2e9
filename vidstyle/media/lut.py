"""3D look-up tables, read and applied by FFmpeg's lut3d."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av import VideoFormat
from av import VideoFrame as AVFrame
from av.filter import Graph

from vidstyle.errors import ConfigError
from vidstyle.media.failures import reason

if TYPE_CHECKING:
    from torch import Tensor

_Array = np.ndarray[Any, np.dtype[np.float32]]

#: Suffixes by which FFmpeg tells the formats.
LUT_SUFFIXES = (".cube", ".3dl", ".dat", ".m3d", ".csp")
# Planar 32-bit float, in FFmpeg's order of planes: nothing is rounded between the stylizer and the table.
_FORMAT = "gbrpf32le"
_GBR = (1, 2, 0)
# lut3d works in place, so many pixels at a time, and would write past the rows of a narrower frame that PyAV makes.
_STEP = 32


class Lut3d:
    """A look-up table for display-referred RGB, interpolated between its entries in tetrahedra.

    Args:
        path: ``.cube``, ``.3dl``, ``.dat``, ``.m3d`` or ``.csp``.

    Raises:
        ConfigError: there is no such file, or it is none that FFmpeg reads.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ticks = 0
        self._one_at_a_time = Lock()
        if not path.is_file():
            raise ConfigError(f"There is no look-up table {path}; check the name.")
        if path.suffix.lower() not in LUT_SUFFIXES:
            raise ConfigError(f"{path} is not a look-up table; use one of {' '.join(LUT_SUFFIXES)}.")
        self._graph, self._size = self._open(_STEP, 2), (_STEP, 2)

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) float32 in [0, 1] to the same, on the same device."""
        from torch import from_numpy, stack  # noqa: PLC0415  # to plan a render needs no torch

        with self._one_at_a_time:  # a graph is no place for two frames of different threads
            done = [from_numpy(self._apply(picture)) for picture in pictures.to("cpu").float().numpy()]
        return stack(done).to(pictures.device).clamp_(0.0, 1.0)

    def _apply(self, picture: _Array) -> _Array:
        height, shown = picture.shape[1:]
        width = -(-shown // _STEP) * _STEP
        if self._size != (width, height):
            self._graph, self._size = self._open(width, height), (width, height)
        frame = AVFrame(width, height, _FORMAT)
        for channel, plane in zip(_GBR, _float_planes(frame), strict=True):
            plane[:, :shown] = picture[channel]
            plane[:, shown:] = 0.0
        frame.pts, self._ticks = self._ticks, self._ticks + 1
        self._graph.vpush(frame)
        result = np.empty_like(picture)
        for channel, plane in zip(_GBR, _float_planes(self._graph.vpull()), strict=True):
            result[channel] = plane[:, :shown]
        return result

    def _open(self, width: int, height: int) -> Graph:
        graph = Graph()
        frames = graph.add_buffer(
            width=width, height=height, format=VideoFormat(_FORMAT, width, height), time_base=Fraction(1, 25)
        )
        try:
            table = graph.add("lut3d", file=str(self.path), interp="tetrahedral")
        except (av.FFmpegError, ValueError, OSError) as error:
            why = reason(error) if isinstance(error, av.FFmpegError) else str(error)
            raise ConfigError(
                f"{self.path} is not a look-up table FFmpeg can read ({why}); export it again."
            ) from error
        frames.link_to(table)
        table.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


def _float_planes(frame: AVFrame) -> list[_Array]:
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.float32).reshape(-1, plane.line_size // 4)  # type: ignore[call-overload]
        views.append(rows[: plane.height, : plane.width])
    return views
