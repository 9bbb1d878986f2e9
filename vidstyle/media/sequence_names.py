"""Names of image sequences: which frame is which file, which frames there are, and which are missing.

A pattern is written as in FFmpeg (``shot.%04d.exr``), in Nuke (``shot.####.exr``) or in fileseq's way
(``shot.1001-1100#.exr``, where one ``#`` alone is four digits). Ranges and paddings are fileseq's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fileseq.constants import PAD_STYLE_HASH1, PAD_STYLE_HASH4
from fileseq.exceptions import MaxSizeException, ParseException
from fileseq.filesequence import FileSequence
from fileseq.frameset import FrameSet

from vidstyle.errors import OpenError, UnsupportedMediaError

#: File formats of single frames, by suffix, and the encoder of each.
SEQUENCE_FORMATS = {
    ".exr": "exr",
    ".dpx": "dpx",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
}

#: A longer sequence than any film; ranges beyond it are typing errors that would fill the memory.
_MAX_FRAMES = 10_000_000
# Digits before the padding are a range of frames, but in 'take2####.png' they are part of the name.
_PATTERN = re.compile(
    r"(?P<stem>.*?)(?P<range>(?<![A-Za-z0-9])-?\d+(?:[-,:x]-?\d+)*)?(?P<padding>%0?\d*d|#+|@+)(?P<suffix>\.\w+)"
)


@dataclass(frozen=True)
class FramePattern:
    """A parsed pattern.

    Attributes:
        path: as it was given.
        stem: the name before the number.
        width: digits a number has at least.
        suffix: with its dot, as it was written.
        wanted: frame numbers named in the pattern; None where it names none.
    """

    path: Path
    stem: str
    width: int
    suffix: str
    wanted: tuple[int, ...] | None = None

    def file(self, number: int) -> Path:
        """Where a frame is, or belongs."""
        return self.path.with_name(f"{self.stem}{number:0{self.width}d}{self.suffix}")

    @property
    def codec(self) -> str:
        """FFmpeg's name of the format."""
        return SEQUENCE_FORMATS[self.suffix.lower()]

    @cached_property
    def sound_stem(self) -> str:
        """Name of the whole shot: the pattern's without number and separators."""
        return self.stem.rstrip("._- ")

    def files(self) -> list[Path]:
        """Files of the numbers asked for, or else those on disk, in order.

        Raises:
            OpenError: there is no such folder.
        """
        return [self.file(number) for number in self.wanted or self.numbers_on_disk()]

    def numbers_on_disk(self, width: int | None = None) -> tuple[int, ...]:
        """Numbers of the files that fit the pattern, in order.

        Args:
            width: digits to look for instead of the pattern's; 0 takes any.

        Raises:
            OpenError: there is no such folder.
        """
        width = self.width if width is None else width
        number = re.compile(re.escape(self.stem) + r"(\d+)" + re.escape(self.suffix))
        try:
            with os.scandir(self.path.parent) as entries:
                digits = [match[1] for entry in entries if (match := number.fullmatch(entry.name))]
        except OSError as error:
            raise OpenError(f"There is no folder {self.path.parent}; check the name.", self.path) from error
        # Frame 10000 of a sequence with four digits has five.
        fits = (d for d in digits if not width or len(d) == width or (len(d) > width and d[0] != "0"))
        return tuple(sorted({int(d) for d in fits}))


def is_sequence(path: str | Path) -> bool:
    """Whether the name is a pattern of numbered pictures, and no file itself."""
    path = Path(path)
    match = _PATTERN.fullmatch(path.name)
    return match is not None and match["suffix"].lower() in SEQUENCE_FORMATS and not path.is_file()


def parse_pattern(path: str | Path) -> FramePattern:
    """Read a pattern.

    Raises:
        UnsupportedMediaError: it is none, has two numbers, or names frames that cannot be.
    """
    path = Path(path)
    match = _PATTERN.fullmatch(path.name)
    if match is None or match["suffix"].lower() not in SEQUENCE_FORMATS:
        known = " ".join(SEQUENCE_FORMATS)
        raise UnsupportedMediaError(
            f"{path} is not a sequence of pictures; write it like shot.%04d.exr or shot.####.png, with one of {known}.",
            path,
        )
    if re.search(r"%0?\d*d|##|@@", match["stem"]):
        raise UnsupportedMediaError(f"{path} has more than one frame number; write one.", path)
    padding = match["padding"]
    style = PAD_STYLE_HASH4 if padding == "#" else PAD_STYLE_HASH1
    width = max(FileSequence.getPaddingNum(padding, pad_style=style), 1)
    wanted = None if match["range"] is None else parse_frames(match["range"], path)
    return FramePattern(path, match["stem"], width, match["suffix"], wanted)


def parse_frames(text: str, path: Path) -> tuple[int, ...]:
    """Frame numbers of a range in fileseq's syntax, such as ``1001-1100``, ``1001-1100x2`` or ``1-3,7``.

    Raises:
        UnsupportedMediaError: it cannot be read, runs backwards, or has negative numbers.
    """
    ends = [int(number) for number in re.findall(r"\d+", text)]
    if ends and max(ends) - min(ends) > _MAX_FRAMES:
        raise UnsupportedMediaError(f"The frames {text} of {path} are too many; check the range.", path)
    try:
        numbers = tuple(int(number) for number in FrameSet(text))
    except (ParseException, MaxSizeException, ValueError) as error:
        raise UnsupportedMediaError(
            f"'{text}' is not a range of frames; write it like 1001-1100 or 1001-1100x2.", path
        ) from error
    if min(numbers) < 0:
        raise UnsupportedMediaError(f"{path}: frame numbers start at 0, but {text} has negative ones.", path)
    if list(numbers) != sorted(numbers):
        raise UnsupportedMediaError(f"{path}: the frames {text} run backwards; write the smaller number first.", path)
    return numbers


def describe_frames(numbers: Iterable[int]) -> str:
    """Numbers as a range in fileseq's syntax."""
    return str(FrameSet.framesToFrameRange(sorted(numbers)))


def missing_frames(numbers: Sequence[int], path: Path) -> tuple[int, ...]:
    """What lacks between the first and the last of some frame numbers of a sequence, in order.

    Raises:
        OpenError: they lie too far apart to be one sequence.
    """
    if len(numbers) < 2:
        return ()
    if numbers[-1] - numbers[0] >= _MAX_FRAMES:
        raise OpenError(
            f"The frames of {path} go from {numbers[0]} to {numbers[-1]}, too far apart for a sequence; move the stray "
            "file away, or choose frames with --frames.",
            path,
        )
    gaps = FrameSet.from_iterable(numbers, sort=True).invertedFrameRange()
    return tuple(int(number) for number in FrameSet(gaps)) if gaps else ()


def no_such_sequence(pattern: FramePattern) -> OpenError:
    """The error for a pattern that no file fits; it names the padding that would have fitted."""
    others = pattern.numbers_on_disk(width=0)
    if others:
        digits = re.compile(re.escape(pattern.stem) + r"(\d+)" + re.escape(pattern.suffix))
        names = sorted(entry.name for entry in pattern.path.parent.iterdir() if digits.fullmatch(entry.name))
        width = len(digits.fullmatch(names[0])[1])  # type: ignore[index]  # they were chosen by it
        hint = f"{names[0]} has {width}: write {pattern.stem}%0{width}d{pattern.suffix}"
        return OpenError(
            f"There is no file {pattern.path} with {pattern.width}-digit numbers, but {hint}.", pattern.path
        )
    return OpenError(
        f"There is no file like {pattern.file(1).name}, whatever its number, in {pattern.path.parent}; check the name.",
        pattern.path,
    )


def find_sequences(files: Iterable[Path], at_least: int = 3) -> list[str]:
    """Patterns that so many of some files follow, as fileseq writes them."""
    pictures = [str(file) for file in files if file.suffix.lower() in SEQUENCE_FORMATS]
    found = FileSequence.yield_sequences_in_list(pictures)
    return sorted(str(sequence) for sequence in found if sequence.frameSet() and len(sequence) >= at_least)
