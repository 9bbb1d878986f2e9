"""Animated GIF output: streamed frame by frame, timing kept to the centisecond, colours that do not flicker."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from vidstyle.errors import EncodeError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.outputs import claim_output, unwritable
from vidstyle.part_file import PartFile

_Bytes = npt.NDArray[np.uint8]

_TICKS_PER_SECOND = 100
_MIN_DELAY = 2  # viewers show anything shorter for ten ticks
_DEFAULT_DELAY = 10
_MAX_DELAY = 65535
_MAX_SIDE_PX = 65535
_NUM_COLORS = 255
_TRANSPARENT = 255  # the last index: "what was shown before"
_LOOP_FOREVER = 0
_TRAILER = b"\x3b"


class GifWriter:
    """A MediaSink that writes an animated GIF, which loops as often as the GIF it is made of, or else forever.

    One picture is held at a time, whatever the clip's length. Sound and subtitle packets are ignored: GIF has neither.
    Frames closer together than 2/100 s, which no viewer shows, are merged with the one before.

    Attributes:
        num_frames_written: frames in the file so far.
        num_frames_merged: frames left out because they were too close to the one before.
    """

    def __init__(self, path: str | Path, *, source: Path | None = None, overwrite: bool = False) -> None:
        """Open ``NAME.part``.

        Args:
            path: where the GIF appears on ``commit``.
            source: the input, which is never overwritten.
            overwrite: replace an existing file.

        Raises:
            OpenError: exists already, is the input itself, is being written by another run, or cannot be written
                there.
        """
        self._path = Path(path)
        self._source = source
        self._overwrite = overwrite
        self._part = PartFile(claim_output(self._path, source=source, overwrite=overwrite), self._path)
        try:
            self._file = self._part.path.open("wb")
        except OSError as error:
            self._part.discard()
            raise unwritable(self._path, error) from error
        self._finished = False
        self._canvas: _Canvas | None = None
        self._first_pts = 0
        self._pending: tuple[int, bytes] | None = None
        self._end: int | None = None
        self._last_delay = _DEFAULT_DELAY
        self.num_frames_written = 0
        self.num_frames_merged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.abort()

    def write(self, item: VideoFrame | Packet) -> None:
        """Encode a frame; packets are ignored.

        Raises:
            EncodeError: the frame's size differs from the first one's or is more than GIF holds, or the disk is full.
        """
        if self._finished:
            raise ValueError(f"{self._path}: the GIF is closed")
        if isinstance(item, Packet):
            return
        picture = to_eight_bits(item.data).permute(1, 2, 0).cpu().numpy()
        if self._canvas is None:
            self._start(picture, item.pts)
        canvas = self._canvas
        assert canvas is not None  # noqa: S101
        if picture.shape != canvas.shape:
            (height, width), (new_height, new_width) = canvas.shape[:2], picture.shape[:2]
            sizes = f"from {width}x{height} to {new_width}x{new_height}"
            raise EncodeError(
                f"{self._path}: the frame size changes {sizes}; scale all frames to one size.", self._path
            )

        # Rounding each absolute time, not each delay, keeps the total from drifting.
        tick = self._tick(item.pts, item.time_base)
        self._end = None if item.duration is None else self._tick(item.pts + item.duration, item.time_base)
        if self._pending is not None:
            delay = tick - self._pending[0]
            if delay < _MIN_DELAY:
                self.num_frames_merged += 1
                return
            self._flush(delay)
        self._pending = (tick, canvas.encode(picture))

    def commit(self) -> None:
        """Write the last frame, close, and move the result to its name.

        Raises:
            EncodeError: no frame was written, or the disk is full.
            OpenError: a file of that name has appeared meanwhile.
        """
        if self._finished:
            raise ValueError(f"{self._path}: the GIF is closed")
        try:
            if self._pending is None:
                raise EncodeError(f"{self._path}: no frames to write; check the chosen time range.", self._path)
            self._flush(self._last_delay if self._end is None else self._end - self._pending[0])
            self._put(_TRAILER)
            claim_output(self._path, source=self._source, overwrite=self._overwrite)
            try:
                self._file.close()
                self._part.publish()
            except OSError as error:
                raise self._refused(error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Throw everything away; a no-op after ``commit``."""
        if self._finished:
            return
        self._finished = True
        with suppress(OSError):
            self._file.close()
        self._part.discard()
        self._pending = None

    def _start(self, picture: _Bytes, pts: int) -> None:
        height, width = picture.shape[:2]
        if max(height, width) > _MAX_SIDE_PX:
            raise EncodeError(f"{self._path}: GIF holds at most {_MAX_SIDE_PX} pixels a side; scale down.", self._path)
        self._canvas = _Canvas(picture)
        self._first_pts = pts
        self._put(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + self._canvas.global_palette.tobytes())
        loops = _loops_of(self._source)
        if loops is not None:
            self._put(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", loops, 0))

    def _tick(self, pts: int, time_base: Fraction) -> int:
        return round((pts - self._first_pts) * time_base * _TICKS_PER_SECOND)

    def _flush(self, delay: int) -> None:
        assert self._pending is not None  # noqa: S101
        self._last_delay = delay = max(delay, _MIN_DELAY)
        keep_and_transparent = 0b000_001_0_1
        while delay:
            # A picture that is shown for longer than a delay can say is there several times; no part is too short.
            part = delay if delay <= _MAX_DELAY else min(_MAX_DELAY, delay - _MIN_DELAY)
            control = struct.pack("<BBBBHBB", 0x21, 0xF9, 4, keep_and_transparent, part, _TRANSPARENT, 0)
            self._put(control + self._pending[1])
            delay -= part
        self._pending = None
        self.num_frames_written += 1

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> EncodeError:
        self.abort()
        return EncodeError(
            f"{self._path}: writing failed ({error.strerror}); free some space or write elsewhere.", self._path
        )


def _loops_of(source: Path | None) -> int | None:
    """How often a GIF is repeated, as it says itself; None of one that plays once, forever of anything else."""
    if source is None or source.suffix.lower() != ".gif":
        return _LOOP_FOREVER
    with suppress(OSError, ValueError, Image.DecompressionBombError), Image.open(source) as picture:
        loops: int | None = picture.info.get("loop")
        return loops
    return _LOOP_FOREVER


class _Canvas:
    """What a viewer shows so far: turns each picture into the image block that updates it.

    A palette is kept while it serves (changing it every frame makes flat areas shimmer) and made anew when colours
    turn up that it lacks, as after a cut. Dithering is ordered, so that it stands still where the picture does.
    """

    _REBUILD_AT = 1.3  # times the error the palette had on the picture it was made for
    _TOLERATED_ERROR = 0.5  # of 255; below this no palette is worth a change

    def __init__(self, first: _Bytes) -> None:
        self.shape = first.shape
        self._pattern = _dither_pattern(first.shape)
        self._shown: _Bytes | None = None
        self._make_palette(first)
        self.global_palette = self._palette

    def encode(self, picture: _Bytes) -> bytes:
        """An image block for (H, W, 3) uint8: descriptor, palette where it differs from the global one, LZW data."""
        indices, error = self._match(picture)
        if error > self._REBUILD_AT * self._expected_error + self._TOLERATED_ERROR:
            self._make_palette(picture)
            indices, _ = self._match(picture)

        colors = self._palette[indices]
        left, top, right, bottom = 0, 0, colors.shape[1], colors.shape[0]
        if self._shown is not None:
            changed = (colors != self._shown).any(axis=2)
            indices = np.where(changed, indices, _TRANSPARENT).astype(np.uint8)
            left, right = _extent(changed.any(axis=0))
            top, bottom = _extent(changed.any(axis=1))
        self._shown = colors
        block = struct.pack("<BHHHH", 0x2C, left, top, right - left, bottom - top)
        if self._palette is self.global_palette:
            block += b"\x00"
        else:
            block += b"\x87" + self._palette.tobytes()
        return block + _lzw(indices[top:bottom, left:right])

    def _make_palette(self, picture: _Bytes) -> None:
        image = Image.fromarray(np.ascontiguousarray(picture))
        quantized = image.quantize(_NUM_COLORS, method=Image.Quantize.MEDIANCUT, kmeans=1)
        found = np.asarray(quantized.getpalette(), dtype=np.uint8).reshape(-1, 3)[:_NUM_COLORS]
        # Filling up with the first colour keeps unused entries from attracting pixels.
        self._palette = np.concatenate([found, np.repeat(found[:1], 256 - len(found), axis=0)])
        self._palette_image = Image.new("P", (1, 1))
        self._palette_image.putpalette(self._palette.tobytes())
        self._strength = 0.0
        _, plain_error = self._match(picture)
        self._strength = min(2.5 * plain_error, 12.0)
        _, self._expected_error = self._match(picture)

    def _match(self, picture: _Bytes) -> tuple[_Bytes, float]:
        """Palette indices (H, W) of the dithered picture, and their mean absolute error."""
        wanted = np.ascontiguousarray(picture)
        if self._strength > 0:
            wanted = np.clip(wanted + np.rint(self._strength * self._pattern).astype(np.int16), 0, 255).astype(np.uint8)
        image = Image.fromarray(wanted).quantize(palette=self._palette_image, dither=Image.Dither.NONE)
        indices = np.array(image)
        indices[indices == _TRANSPARENT] = 0  # same colour, see _make_palette
        error = np.abs(self._palette[indices].astype(np.int16) - wanted).mean()
        return indices, float(error)


def _dither_pattern(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Bayer's 8x8 threshold matrix in (-0.5, 0.5), tiled over (H, W, 1)."""
    matrix = np.zeros((1, 1))
    for _ in range(3):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    height, width = shape[:2]
    rows, columns = np.arange(height)[:, None] % 8, np.arange(width)[None, :] % 8
    return ((matrix[rows, columns] + 0.5) / 64 - 0.5).astype(np.float32)[..., None]


def _extent(flags: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """First true index and one past the last; (0, 1) where none is."""
    where = np.flatnonzero(flags)
    return (int(where[0]), int(where[-1]) + 1) if len(where) else (0, 1)


def _lzw(indices: _Bytes) -> bytes:
    """GIF's LZW data of (H, W) indices: code size, sub-blocks, terminator. Cut out of a one-picture file by Pillow."""
    image = Image.fromarray(np.ascontiguousarray(indices))  # mode L: indices stay as they are
    buffer = io.BytesIO()
    image.save(buffer, format="GIF", optimize=False, interlace=False)
    data = buffer.getvalue()
    position = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[position] == 0x21:
        position += 2
        while data[position]:
            position += data[position] + 1
        position += 1
    return data[position + 10 : -1]
