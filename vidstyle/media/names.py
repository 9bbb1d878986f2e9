"""What file names say: which files can be painted, and what their results are called."""

from __future__ import annotations

from pathlib import Path

from vidstyle.media.containers import WRITABLE_SUFFIXES
from vidstyle.media.sequence_names import is_sequence

#: Suffixes of pictures, and Pillow's name of the format.
STILL_FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
_READABLE_SUFFIXES = {
    *WRITABLE_SUFFIXES,
    *(".avi", ".flv", ".gif", ".m2ts", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".wmv"),
}


def is_still(path: str | Path) -> bool:
    """Whether the name is that of a picture file vidstyle reads and writes; a pattern of many is not."""
    return Path(path).suffix.lower() in STILL_FORMATS and not is_sequence(path)


def is_clip(path: Path) -> bool:
    """Whether the name's suffix is that of a video or GIF."""
    return path.suffix.lower() in _READABLE_SUFFIXES


def paintable_files(folder: Path) -> list[Path]:
    """Clips, GIFs and stills directly inside a folder, sorted by name; not hidden ones, as macOS's ``._clip.mp4``."""
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in files if is_still(path) or is_clip(path))


def output_name(source: Path) -> str:
    """Name for the result of ``source``: the same, or ``.mp4`` where its container is not written."""
    kept = is_still(source) or is_sequence(source) or source.suffix.lower() in (*WRITABLE_SUFFIXES, ".gif")
    return source.name if kept else f"{source.stem}.mp4"
