"""3D look-up tables, read and applied by FFmpeg's lut3d."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

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


class _Domain(NamedTuple):
    """What a table's first and last entries stand for: colours of three components."""

    low: tuple[float, ...] = (0.0, 0.0, 0.0)
    high: tuple[float, ...] = (1.0, 1.0, 1.0)


class Lut3d:
    """A look-up table for display-referred RGB, interpolated between its entries in tetrahedra.

    A ``.cube`` may say which colours its entries stand for (``DOMAIN_MIN``, ``DOMAIN_MAX``, Resolve's
    ``LUT_3D_INPUT_RANGE``); colours outside are taken for the nearest inside.

    Args:
        path: ``.cube``, ``.3dl``, ``.dat``, ``.m3d`` or ``.csp``.

    Raises:
        ConfigError: there is no such file, it is none that FFmpeg reads, or its domain is none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ticks = 0
        self._one_at_a_time = Lock()
        if not path.is_file():
            raise ConfigError(f"There is no look-up table {path}; check the name.")
        if path.suffix.lower() not in LUT_SUFFIXES:
            raise ConfigError(f"{path} is not a look-up table; use one of {' '.join(LUT_SUFFIXES)}.")
        is_cube = path.suffix.lower() == ".cube"
        self._domain, self._table = _plain_cube(path) if is_cube else (_Domain(), "")
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
            low, high = self._domain.low[channel], self._domain.high[channel]
            plane[:, :shown] = picture[channel] if (low, high) == (0, 1) else (picture[channel] - low) / (high - low)
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
            with TemporaryDirectory(prefix="vidstyle-") as folder:
                file = self.path
                if self._table:
                    file = Path(folder) / "table.cube"
                    file.write_text(self._table, encoding="utf-8")
                table = graph.add("lut3d", file=str(file), interp="tetrahedral")
        except (av.FFmpegError, ValueError, OSError) as error:
            why = reason(error) if isinstance(error, av.FFmpegError) else str(error)
            raise ConfigError(
                f"{self.path} is not a look-up table FFmpeg can read ({why}); export it again."
            ) from error
        frames.link_to(table)
        table.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


def _plain_cube(path: Path) -> tuple[_Domain, str]:
    """The domain of a ``.cube``, and the table without it.

    lut3d sees a domain only behind the size, and never where it begins; Resolve's name for it is an error to it. Of
    curves before the table it takes the first entries for the table's.
    """
    low, high = _Domain()
    table = []
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ConfigError(f"The look-up table {path} cannot be read ({error.strerror}); check the file.") from error
    for line in text.splitlines():
        name, *values = line.partition("#")[0].split() or [""]
        if name == "LUT_1D_SIZE":
            raise ConfigError(f"{path} has curves (LUT_1D_SIZE), which are not read; export a 3D table alone.")
        try:
            if name == "DOMAIN_MIN":
                low = _color(values)
            elif name == "DOMAIN_MAX":
                high = _color(values)
            elif name == "LUT_3D_INPUT_RANGE":
                low, high = (_color(values[index : index + 1] * 3) for index in (0, 1))
            else:
                table.append(line)
        except ValueError as error:
            raise ConfigError(f"The line '{line.strip()}' of {path} is no domain; export it again.") from error
    if not all(least < most for least, most in zip(low, high, strict=True)):
        raise ConfigError(f"The domain of {path} ends at {high}, before it begins at {low}; export it again.")
    return _Domain(low, high), "\n".join([*table, ""])


def _color(values: list[str]) -> tuple[float, ...]:
    color = tuple(float(value) for value in values)
    if len(color) != len(_GBR) or not np.isfinite(color).all():
        raise ValueError(values)
    return color


def _float_planes(frame: AVFrame) -> list[_Array]:
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.float32).reshape(-1, plane.line_size // 4)  # type: ignore[call-overload]
        views.append(rows[: plane.height, : plane.width])
    return views
