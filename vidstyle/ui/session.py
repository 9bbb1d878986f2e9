"""What a running page may see: the opened folders, the styles, the pictures it was given."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidstyle.compose import STYLE_IMAGE_SIDE_PX
from vidstyle.config import RenderConfig, make_config
from vidstyle.errors import ConfigError, MediaError, OpenError, VidstyleError, WeightsNotFoundError
from vidstyle.media.in_memory import encode_png
from vidstyle.media.names import is_clip, is_still
from vidstyle.media.sequence_names import is_sequence, parse_pattern
from vidstyle.media.stills import read_style_image, still_size
from vidstyle.stylizers.mixture import parse_mixture
from vidstyle.weights.registry import ANY_STYLE, IDENTITY, shipped_styles, user_folder, user_styles

#: Largest picture file the page may hand over.
MAX_UPLOAD_BYTES = 24 * 2**20
#: Most pixels of it: a small file can decode to gigabytes.
MAX_PICTURE_PIXELS = 64_000_000
_MAX_LISTED = 200


class RefusedError(VidstyleError):
    """A request for something outside what was opened."""


@dataclass(slots=True)
class Session:
    """One run of ``vidstyle ui``.

    Attributes:
        folders: opened folders, resolved; nothing outside is read or written, but styles.
        clip: the clip to begin with; None to choose one on the page.
        base: settings given on the command line.
        token: what a browser must know to be answered.
    """

    folders: tuple[Path, ...]
    clip: Path | None = None
    base: RenderConfig = field(default_factory=make_config)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def resolve(self, path: str) -> Path:
        """A path inside an opened folder, symbolic links followed; a relative one counts from the first folder.

        Raises:
            RefusedError: it leads elsewhere.
        """
        wanted = Path(path)
        try:
            found = (wanted if wanted.is_absolute() else self.folders[0] / wanted).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise RefusedError(f"{path!r} is no path that can be used; choose a file on the page.") from error
        if not self._is_inside(found) or not all(map(self._is_inside, _members(found))):
            raise RefusedError(f"{path} is outside the opened folders; start 'vidstyle ui' there to use it.")
        return found

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self.folders)

    def resolve_clip(self, path: str) -> Path:
        """A clip inside an opened folder.

        Raises:
            RefusedError: it leads elsewhere.
            OpenError: it is no file, or no clip by its name.
        """
        found = self.resolve(path)
        if not found.is_file():
            raise OpenError(f"There is no file {found}; choose another clip.", found)
        if not is_clip(found):
            raise OpenError(f"{found.name} is not a clip by its name; 'vidstyle stylize' paints pictures.", found)
        return found

    def clips(self) -> list[dict[str, str]]:
        """Clips directly inside the opened folders."""
        found = [path for path in self._listed() if path.is_file() and is_clip(path)]
        return [{"path": str(path), "name": path.name} for path in found][:_MAX_LISTED]

    def files(self, suffixes: Collection[str]) -> list[str]:
        """Files of some kinds directly inside the opened folders, by name; those of the first folder by name alone."""
        found = [path for path in self._listed() if path.suffix.lower() in suffixes]
        return [path.name if path.parent == self.folders[0] else str(path) for path in found][:_MAX_LISTED]

    def _listed(self) -> Iterator[Path]:
        """What is directly inside the opened folders, but for links that lead out, and names that are no text."""
        for folder in self.folders:
            yield from (path for path in sorted(folder.iterdir()) if is_text(path) and self._is_inside(path.resolve()))

    def check_style(self, style: str) -> str:
        """Let known styles, the one given at the start, handed-over pictures and files in opened folders through.

        Raises:
            RefusedError: a file elsewhere.
            WeightsNotFoundError: no such style.
        """
        if style == self.base.style or any(style == known["name"] for known in self.styles()):
            return style
        parts = parse_mixture(style)
        if len(parts) > 1:
            return "+".join(f"{self.check_style(name)}:{share:g}" for name, share in parts)
        if Path(style).name == style and not Path(style).suffix:
            raise WeightsNotFoundError(f"There is no style '{style}'; choose one on the page.")
        return str(self.resolve(style))

    def styles(self) -> list[dict[str, Any]]:
        """Styles to choose from: the user's own, those that ship, and pictures; undamaged ones only."""
        own = [style for style in user_styles() if not style.is_damaged]
        named = [{"name": style.name, "label": style.name, "title": style.title, "kind": "own"} for style in own]
        named += [
            {"name": style.name, "label": style.name, "title": style.title, "kind": "shipped"}
            for style in shipped_styles()
        ]
        if self.picture_model() is not None:
            named += [
                {"name": str(path), "label": _label(path), "title": "your picture", "kind": "picture"}
                for path in sorted(pictures_folder().glob("*.png"))
            ]
        given = self.base.style
        if given not in {IDENTITY, *(style["name"] for style in named)}:
            named.insert(0, {"name": given, "label": Path(given).stem, "title": "given at the start", "kind": "given"})
        return [*named, {"name": IDENTITY, "label": "none", "title": "paints nothing", "kind": "shipped"}]

    def picture_model(self) -> Path | None:
        """The AdaIN model that makes a style of a picture; None where there is none."""
        model = self.base.adain_model or ANY_STYLE
        return model if model.exists() else None

    def add_picture(self, name: str, content: bytes) -> dict[str, Any]:
        """Keep a picture as a style: decoded, reduced to what a style needs, and written anew.

        Args:
            name: of the file it was.
            content: its bytes.

        Returns:
            As an entry of ``styles``.

        Raises:
            WeightsNotFoundError: there is no model for pictures.
            ConfigError: the file is too large, or the picture.
            MediaError: it is not a picture.
        """
        if self.picture_model() is None:
            raise WeightsNotFoundError(NO_PICTURE_MODEL)
        if len(content) > MAX_UPLOAD_BYTES:
            raise ConfigError(too_large(name))
        suffix = Path(name).suffix.lower()
        folder = pictures_folder()
        folder.mkdir(parents=True, exist_ok=True)
        stem = re.sub(r"[^\w-]+", "-", Path(name).stem)[:40].strip("-") or "picture"
        path = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.png"
        if not path.exists():
            arrived = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{suffix if is_still(name) else '.png'}")
            try:
                arrived.write_bytes(content)
                width, height = still_size(arrived)
                if width * height > MAX_PICTURE_PIXELS:
                    raise ConfigError(f"{name} is {width}x{height} pixels, too many for a style; scale it down first.")
                image = read_style_image(arrived, STYLE_IMAGE_SIDE_PX)
                arrived.write_bytes(encode_png(image.mul(255).round().byte()))
                arrived.replace(path)
            except MediaError as error:
                raise OpenError(f"{name} is not a picture that can be read; try a JPEG or PNG.", path) from error
            finally:
                arrived.unlink(missing_ok=True)
        return {"name": str(path), "label": _label(path), "title": "your picture", "kind": "picture"}


NO_PICTURE_MODEL = (
    "This installation lacks the model that paints in the style of a picture; install vidstyle again, or name one with "
    "'vidstyle ui --adain-model FILE'."
)


def too_large(name: str) -> str:
    """Why a picture is not taken."""
    return f"{name} is larger than {MAX_UPLOAD_BYTES >> 20} MiB; scale it down first."


def pictures_folder() -> Path:
    """Where handed-over pictures are kept, so that a copied command finds them again."""
    return user_folder().parent / "pictures"


def _members(path: Path) -> Iterator[Path]:
    """What the files of a sequence's pattern are, links followed; none where it is no pattern."""
    if is_sequence(path) and path.parent.is_dir():
        pattern = parse_pattern(path)
        yield from (pattern.file(number).resolve() for number in pattern.numbers_on_disk())


def _label(path: Path) -> str:
    return path.stem.rsplit("-", 1)[0]


def is_text(path: Path) -> bool:
    """Whether a path is valid text; of others Python keeps the bytes as surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in str(path))
