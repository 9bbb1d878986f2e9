"""Mattes: pictures, numbered files or clips whose brightness says where a style goes."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vidstyle.errors import ConfigError, DecodeError
from vidstyle.frames import VideoFrame
from vidstyle.media.picture_files import read_picture
from vidstyle.media.reader import VideoReader, open_video
from vidstyle.media.sequence_names import SEQUENCE_FORMATS, is_sequence, missing_frames, parse_pattern
from vidstyle.media.stills import is_still, read_still

#: Luma of BT.709; a matte is grey, so that any weights would do.
_WEIGHTS = (0.2126, 0.7152, 0.0722)


class Matte(Protocol):
    """Brightness of a matte, frame by frame.

    Attributes:
        moves: every frame has a picture of its own.
    """

    moves: bool

    def picture(self, index: int) -> Tensor:
        """(1, H, W) float32 in [0, 1], for frame ``index`` of the clip, counted from 0.

        Raises:
            MediaError: it cannot be read.
        """
        ...


def matte_moves(path: Path) -> bool:
    """Whether a matte of this name has a picture for every frame."""
    return is_sequence(path) or not (is_still(path) or path.suffix.lower() in SEQUENCE_FORMATS)


def open_matte(path: Path, sizes: tuple[tuple[int, int], ...], num_frames: int | None) -> Matte:
    """Open a matte and see that it fits the clip.

    Args:
        path: a picture, a pattern of numbered pictures (``matte.%04d.png``, ``matte.####.exr``), or a clip.
        sizes: (width, height) that will do: the clip's, and the output's.
        num_frames: how many frames the clip has, which a matte that moves must have too; None for a still.

    Raises:
        ConfigError: there is none, or it is of another size or length than the clip.
        MediaError: it cannot be read.
    """
    matte: Matte
    if not (parse_pattern(path).numbers_on_disk() if is_sequence(path) else path.is_file()):
        raise ConfigError(f"There is no mask {path}; check the name.")
    if is_sequence(path):
        matte, length = _SequenceMatte(path), len(parse_pattern(path).numbers_on_disk())
    elif matte_moves(path):
        matte = _ClipMatte(path)
        length = len(matte.times)
    else:
        matte, length = _StillMatte(path), None
    _check(path, matte, length, sizes, num_frames)
    return matte


def _check(
    path: Path, matte: Matte, length: int | None, sizes: tuple[tuple[int, int], ...], num_frames: int | None
) -> None:
    if length is not None and num_frames is None:
        raise ConfigError(f"The mask {path} moves, but the source is a single picture; use a picture as mask.")
    if length is not None and length != num_frames:
        raise ConfigError(
            f"The mask {path} has {length} frames and the clip {num_frames}; make one for every frame of the clip."
        )
    first = matte.picture(0)
    size = (first.shape[-1], first.shape[-2])
    if size not in sizes:
        wanted = " or ".join(f"{width}x{height}" for width, height in dict.fromkeys(sizes))
        raise ConfigError(f"The mask {path} is {size[0]}x{size[1]}, and the picture {wanted}; scale the mask to that.")


class _StillMatte:
    moves = False

    def __init__(self, path: Path) -> None:
        self._picture = _read(path)

    def picture(self, index: int) -> Tensor:  # noqa: ARG002  # the protocol's signature
        return self._picture


class _SequenceMatte:
    moves = True

    def __init__(self, path: Path) -> None:
        self._pattern = parse_pattern(path)
        self._numbers = self._pattern.numbers_on_disk()
        if lacking := missing_frames(self._numbers, path):
            raise ConfigError(f"The mask {path} lacks frame {lacking[0]}; make a mask for every frame of the clip.")

    def picture(self, index: int) -> Tensor:
        return _read(self._pattern.file(self._numbers[min(index, len(self._numbers) - 1)]))


class _ClipMatte:
    moves = True

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_video(path) as reader:
            self.times = reader.frame_seconds()
        self._reader: VideoReader | None = None
        self._frames: Generator[VideoFrame] | None = None
        self._index = -1
        self._picture = torch.empty(0)

    def picture(self, index: int) -> Tensor:
        index = min(index, len(self.times) - 1)
        if index < self._index or self._reader is None:
            self._open_at(index)
        while self._index < index:
            frame = next(self._frames, None) if self._frames is not None else None
            if frame is None:
                raise DecodeError(f"The mask {self.path} ends before frame {index}; export it again.", self.path, None)
            self._index += 1
            if self._index == index:
                self._picture = _brightness(frame.data)
        return self._picture

    def _open_at(self, index: int) -> None:
        if self._frames is not None and self._reader is not None:
            self._frames.close()
            self._reader.close()
        start = None if index == 0 else self.times[index]
        reader = open_video(self.path, start_seconds=start, shift_to_zero=False)
        self._reader, self._index = reader, index - 1
        self._frames = (item for item in reader if isinstance(item, VideoFrame))


def _read(path: Path) -> Tensor:
    if path.suffix.lower() not in SEQUENCE_FORMATS:
        return _brightness(read_still(path).data)
    rgb = read_picture(path).rgb
    if rgb.dtype.kind == "f":  # a matte is data: values are opacities, not light
        rgb = np.nan_to_num(rgb.astype(np.float32)).clip(0.0, 1.0)
    return _brightness(torch.from_numpy(np.ascontiguousarray(rgb)))


def _brightness(picture: Tensor) -> Tensor:
    """(3, H, W) of any dtype to (1, H, W) float32 in [0, 1]."""
    top = 1.0 if picture.is_floating_point() else float(torch.iinfo(picture.dtype).max)
    weights = torch.tensor(_WEIGHTS)
    return torch.einsum("c,chw->hw", weights, picture.float())[None].div_(top).clamp_(0.0, 1.0)
