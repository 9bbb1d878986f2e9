"""A sequence of pictures as an output: each frame is a file of its own, whole from the moment it has its name."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from torch import Tensor

from vidstyle.errors import ConfigError, EncodeError, MediaError, OpenError
from vidstyle.frames import Packet, VideoFrame, VideoInfo
from vidstyle.media.encoder_options import near_matches, option_names
from vidstyle.media.failures import encode_errors, reason
from vidstyle.media.linear_light import DisplayTransform, limit_highlights
from vidstyle.media.picture_files import Array, PictureFormat, encode_picture, is_float, open_encoder, read_picture
from vidstyle.media.sequence_names import FramePattern, describe_frames
from vidstyle.outputs import claim_output
from vidstyle.part_file import write_whole

#: What each encoder is given for pictures of 8, 10, 12 and more bits, without and with opacity.
_PIXEL_FORMATS = {
    "png": {8: ("rgb24", "rgba"), 16: ("rgb48be", "rgba64be")},
    "tiff": {8: ("rgb24", "rgba"), 16: ("rgb48le", "rgba64le")},
    "dpx": {
        8: ("rgb24", "rgba"),
        10: ("gbrp10le", "rgba64be"),
        12: ("gbrp12le", "rgba64be"),
        16: ("rgb48be", "rgba64be"),
    },
    "exr": {32: ("gbrpf32le", "gbrapf32le")},
    "mjpeg": {8: ("rgb24", "rgb24")},
}
_OPTIONS = {
    "png": {"pred": "up", "compression_level": "1"},  # a third of the default's time for 4 % more bytes
    "tiff": {"compression_algo": "deflate"},
    "dpx": {},
    "exr": {"compression": "zip16"},
    "mjpeg": {},
}
_JPEG_OPTIONS = {"quality"}
_NUM_WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Numbering:
    """Which number each output frame gets.

    Attributes:
        numbers: of all frames, in order; None where they are counted.
        start: number of the first frame, where they are counted.
    """

    numbers: Sequence[int] | None = None
    start: int = 1

    def number(self, index: int) -> int:
        """Number of the frame of an index."""
        return self.start + index if self.numbers is None else self.numbers[index]


def number_frames(pattern: FramePattern, source_numbers: Sequence[int] | None) -> Numbering:
    """Number an output: as the pattern says, else as the source does, else from 1.

    Args:
        pattern: of the output; a range in it, or the number of the first frame, wins.
        source_numbers: of the source; None where it is a clip.

    Raises:
        ConfigError: the pattern names more or fewer frames than there are.
    """
    wanted = pattern.wanted
    if wanted is None:
        return Numbering(source_numbers)
    if len(wanted) == 1:
        start = wanted[0]
        return Numbering(None if source_numbers is None else range(start, start + len(source_numbers)), start)
    if source_numbers is None:
        raise ConfigError(f"{pattern.path} names its frames, but a clip has its own count; name the first number only.")
    if len(wanted) != len(source_numbers):
        raise ConfigError(
            f"{pattern.path} names {len(wanted)} frames, but {len(source_numbers)} are to be rendered; leave them out."
        )
    return Numbering(wanted)


def choose_format(
    pattern: FramePattern,
    info: VideoInfo,
    *,
    pixel_shape: Fraction,
    alpha: bool = False,
    pixel_format: str | None = None,
    options: Mapping[str, str] | None = None,
) -> PictureFormat:
    """How to encode the files of an output: with the depth of the source, as far as the format goes.

    Args:
        pattern: of the output.
        info: of the source.
        pixel_shape: width of a pixel over its height.
        alpha: its opacity is kept.
        pixel_format: by FFmpeg's name, instead of the one that suits the source.
        options: of the encoder.

    Raises:
        ConfigError: the format has no such pixel format or option.
    """
    codec = pattern.codec
    all_options = dict(_OPTIONS[codec])
    known = _JPEG_OPTIONS if codec == "mjpeg" else option_names(codec)
    for name, value in (options or {}).items():
        if name not in known:
            raise ConfigError(f"{codec} has no option {name!r}{near_matches(name, known)}")
        all_options[name] = str(value)
    if codec == "exr":
        all_options.setdefault("format", "float" if "f32" in info.pixel_format else "half")
    if codec == "mjpeg" and not _is_quality(str(all_options.get("quality", "95"))):
        raise ConfigError(f"The quality of a JPEG is a number from 1 to 100, not {all_options['quality']}.")
    depths = _PIXEL_FORMATS[codec]
    # A DPX has 10 bits by custom; one that was made with 8 keeps them.
    wanted = 10 if codec == "dpx" and info.bit_depth <= 10 and info.codec != "dpx" else info.bit_depth
    depth = next((known for known in sorted(depths) if known >= wanted), max(depths))
    chosen = depths[depth][1 if alpha else 0]
    if pixel_format is not None:
        allowed = [name for pair in depths.values() for name in pair]
        if pixel_format not in allowed:
            near = near_matches(pixel_format, allowed, f"they have {', '.join(dict.fromkeys(allowed))}")
            raise ConfigError(f"{pattern.suffix} sequences have no pixel format {pixel_format!r}{near}")
        chosen = pixel_format
    form = PictureFormat(codec, chosen, all_options, pixel_shape)
    _try(form)
    return form


def _is_quality(text: str) -> bool:
    return re.fullmatch("[1-9][0-9]?|100", text) is not None


def _try(form: PictureFormat) -> None:
    if form.codec == "mjpeg":
        return
    try:
        open_encoder(form, (16, 16))
    except (av.FFmpegError, ValueError) as error:
        what = ", ".join(f"{key}={value}" for key, value in form.options.items())
        raise ConfigError(f"{form.codec} does not take {what} ({reason(error)}); change its options.") from error


class SequenceWriter:
    """Writes frames to numbered files, each to ``NAME.part`` first.

    Args:
        pattern: names of the files.
        numbering: of the frames.
        form: how they are encoded.
        size: (width, height) in pixels of the frames to come.
        first_index: index of the first frame to come.
        num_warmup_frames: frames to take and not to write, before that one.
        kept: indices of frames to take and not to write, because their files are there and stay.
        display: what takes display-referred pixels back to linear light, where the format stores that.
        overwrite: replace existing files.
        may_be_empty: no frame at all is no error: the others are there already.

    Attributes:
        num_frames: frames written so far.

    Raises:
        OpenError: there is no such folder.
    """

    def __init__(
        self,
        pattern: FramePattern,
        numbering: Numbering,
        form: PictureFormat,
        *,
        size: tuple[int, int],
        first_index: int = 0,
        num_warmup_frames: int = 0,
        kept: Collection[int] = (),
        display: DisplayTransform | None = None,
        overwrite: bool = False,
        may_be_empty: bool = False,
    ) -> None:
        if is_float(form.pixel_format) and display is None:
            raise ValueError("a format of linear light needs to know the display")
        self.num_frames = 0
        self._pattern = pattern
        self._numbering = numbering
        self._form = form
        self._shape = (size[1], size[0])
        self._next_index = first_index
        self._kept = kept
        self._num_to_skip = num_warmup_frames
        self._display = display
        self._overwrite = overwrite
        self._may_be_empty = may_be_empty
        # Compressing takes longer than anything else here, and every frame is its own file.
        self._pool = ThreadPoolExecutor(_NUM_WORKERS, thread_name_prefix="vidstyle-encode")
        self._pending: deque[Future[None]] = deque()
        self._is_open = True
        claim_output(pattern.file(numbering.number(first_index)), overwrite=True)

    @property
    def bit_depth(self) -> int:
        """Bits of a component of the frames wanted."""
        return self._form.bit_depth

    def write(self, item: VideoFrame | Packet) -> None:
        """Begin to write a frame; a packet is dropped, since pictures have no sound.

        Raises:
            OpenError: the file exists, or cannot be created; that of this frame or of one shortly before it.
            EncodeError: the encoder or the disk refused, likewise.
            ValueError: a frame of another size or type.
        """
        if not self._is_open:
            raise ValueError(f"{self._pattern.path} is no longer open for writing")
        if isinstance(item, Packet):
            return
        if self._num_to_skip:
            self._num_to_skip -= 1
            return
        if tuple(item.data.shape) != (3, *self._shape) or str(item.data.dtype) not in ("torch.uint8", "torch.uint16"):
            raise ValueError(f"expected uint8 or uint16 {(3, *self._shape)}, got {item.data.dtype} {item.data.shape}")
        index = self._next_index
        self._next_index += 1
        limits = None
        if self._display is not None and self._display.keeps_highlights:
            limits = self._display.highlights.take(item.pts * item.time_base)
        if index in self._kept:
            return
        path = self._pattern.file(self._numbering.number(index))
        self._pending.append(self._pool.submit(self._write_file, item, path, limits))
        self.num_frames += 1
        while len(self._pending) > _NUM_WORKERS:
            self._pending.popleft().result()

    def _write_file(self, item: VideoFrame, path: Path, limits: Tensor | None) -> None:
        data = self._encode(item, path, limits)
        with encode_errors(path):
            write_whole(path, data, overwrite=self._overwrite)

    def _encode(self, item: VideoFrame, path: Path, limits: Tensor | None) -> bytes:
        alpha = item.alpha if self._form.has_alpha else None
        if not is_float(self._form.pixel_format) or self._display is None:
            deep = self._form.bit_depth > 8
            rgb = _integers(item.data, deep)
            return encode_picture(rgb, None if alpha is None else _integers(alpha, deep), self._form, path)
        light = self._display.from_display(item.data.numpy())
        if self._display.keeps_highlights:
            light = limit_highlights(light, limits)
        opacity = None
        if alpha is not None:
            opacity = alpha.numpy().astype(np.float32) / np.float32(np.iinfo(alpha.numpy().dtype).max)
        return encode_picture(light, opacity, self._form, path)

    def commit(self) -> None:
        """Wait until every frame has its name.

        Raises:
            OpenError, EncodeError: as ``write``; or no frame came.
        """
        while self._pending:
            self._pending.popleft().result()
        self.abort()
        if self.num_frames == 0 and not self._may_be_empty:
            raise EncodeError(
                f"No frame was written to {self._pattern.path}; render a range that has frames.", self._pattern.path
            )

    def abort(self) -> None:
        """Throw away what has not been begun; frames that are whole stay. A no-op after ``commit``."""
        self._is_open = False
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pending.clear()


def _integers(channels: Tensor, deep: bool) -> Array:
    values: Array = channels.numpy()
    if deep and values.dtype == np.uint8:
        return values.astype(np.uint16) * np.uint16(257)
    if not deep and values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return values


def check_free(
    pattern: FramePattern, numbering: Numbering, source: FramePattern | Path, *, overwrite: bool, keep: bool
) -> None:
    """See that no file is in the way of an output.

    Args:
        pattern: of the output.
        numbering: of its frames.
        source: what is rendered.
        overwrite: existing files may be replaced.
        keep: existing files may stay.

    Raises:
        OpenError: it would be written over its source, or over files that exist.
    """
    if isinstance(source, FramePattern) and _same_files(pattern, source):
        raise OpenError(f"{pattern.path} is the input itself; give the output another name.", pattern.path)
    claim_output(pattern.file(numbering.number(0)), overwrite=True)
    numbers = set(numbering.numbers) if numbering.numbers is not None else None
    there = [n for n in pattern.numbers_on_disk() if (n >= numbering.start if numbers is None else n in numbers)]
    if there and not overwrite and not keep:
        raise OpenError(
            f"{pattern.path} exists already (frames {describe_frames(there)}); pass --overwrite, or --continue to keep "
            "them and render the others, or choose another name.",
            pattern.path,
        )


def _same_files(one: FramePattern, other: FramePattern) -> bool:
    same_name = (one.stem, one.suffix) == (other.stem, other.suffix)
    return same_name and one.path.parent.resolve() == other.path.parent.resolve()


def finished_frames(
    pattern: FramePattern, numbering: Numbering, form: PictureFormat, size: tuple[int, int]
) -> set[int]:
    """Indices of the frames of an output whose files are there and whole.

    Raises:
        OpenError: one is of another kind than these are going to be: it is somebody's work, and no part of this.
    """
    numbers = pattern.numbers_on_disk()
    if numbering.numbers is None:
        indices = {number - numbering.start: number for number in numbers if number >= numbering.start}
    else:
        known = set(numbers)
        indices = {index: number for index, number in enumerate(numbering.numbers) if number in known}
    with ThreadPoolExecutor(_NUM_WORKERS, thread_name_prefix="vidstyle-check") as pool:
        are_whole = pool.map(lambda number: _is_whole(pattern.file(number), form, size), indices.values())
        return {index for index, is_whole in zip(indices, are_whole, strict=True) if is_whole}


def _is_whole(path: Path, form: PictureFormat, size: tuple[int, int]) -> bool:
    try:
        picture = read_picture(path)
    except MediaError:
        return False
    found, wanted = (
        f"{width}x{height} with {kind.bit_depth} bits{' and opacity' if kind.has_alpha else ''}"
        for (width, height), kind in (
            (picture.size, PictureFormat(form.codec, picture.pixel_format, {})),
            (size, form),
        )
    )
    if found != wanted:
        raise OpenError(
            f"{path} is {found}, and this render would go on with {wanted}; pass --overwrite instead of --continue to "
            "render all frames anew, or choose another name.",
            path,
        )
    return True
