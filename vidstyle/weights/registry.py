"""Styles by name: those that ship in this folder (one weight file and one model card each), and the user's own."""

from __future__ import annotations

import difflib
import os
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from platformdirs import user_data_path
from safetensors import SafetensorError, safe_open

from vidstyle.errors import ConfigError, OpenError, WeightsNotFoundError

_FOLDER = Path(__file__).parent
_SUFFIX = ".safetensors"
_MAX_NAME, _MAX_NAME_BYTES, _MAX_TITLE = 64, 200, 100
IDENTITY = "identity"
#: The AdaIN model that makes a style of any picture.
ANY_STYLE = _FOLDER / f"any-style{_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Style:
    """A style that has a name.

    Attributes:
        name: what ``--style`` takes.
        title: one line about it; may be empty for the user's own.
        path: its weight file.
        is_own: the user added it; otherwise it ships with vidstyle.
        is_damaged: the file cannot be read.
    """

    name: str
    title: str
    path: Path
    is_own: bool = False
    is_damaged: bool = False


@cache
def shipped_styles() -> tuple[Style, ...]:
    """Every style in the package, sorted by name; the cards are read once."""
    styles = []
    for card_path in sorted(_FOLDER.glob("*.toml")):
        if card_path.stem == ANY_STYLE.stem:  # no style of its own
            continue
        card = tomllib.loads(card_path.read_text(encoding="utf-8"))
        styles.append(Style(card_path.stem, card["title"], card_path.with_suffix(_SUFFIX)))
    return tuple(styles)


def user_folder() -> Path:
    """Where the user's own styles are kept; it may not exist yet."""
    return user_data_path("vidstyle", appauthor=False) / "styles"


def user_styles() -> list[Style]:
    """The user's own styles, sorted by name; a damaged file is listed as such."""
    files = {_normalised(path.stem): path for path in user_folder().glob(f"*{_SUFFIX}") if path.is_file()}
    return [_own_style(name, files[name]) for name in sorted(files) if _can_be_typed(name)]


def _own_style(name: str, path: Path) -> Style:
    try:
        with safe_open(path, framework="numpy") as file:  # reads the header only
            title = (file.metadata() or {}).get("title", "")
    except (SafetensorError, OSError, ValueError):
        return Style(name, "", path, is_own=True, is_damaged=True)
    return Style(name, one_line(title), path, is_own=True)


def one_line(text: str) -> str:
    """Text of a file, which anyone may have written, fit for a terminal: 100 printable letters at most."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:_MAX_TITLE]


def find_style(name: str, besides: Sequence[str] = (IDENTITY,)) -> Style:
    """Look a style up, the user's own before those that ship; ``starry_night`` finds ``starry-night``.

    Args:
        name: of the style.
        besides: names without a weight file that could be used as well; offered where there is no such style.

    Raises:
        WeightsNotFoundError: there is none of that name; the message offers near ones.
    """
    own = {style.name: style for style in user_styles()}
    shipped = {style.name: style for style in shipped_styles()}
    wanted = _normalised(name)
    if style := own.get(wanted) or shipped.get(wanted):
        return style
    near = difflib.get_close_matches(wanted, [*own, *shipped, *besides], n=3, cutoff=0.5)
    yours = f"; yours are {', '.join(own)}" if own else ""
    hint = f"did you mean {' or '.join(near)}?" if near else f"shipped are {', '.join([*shipped, *besides])}{yours}."
    raise WeightsNotFoundError(f"There is no style or file '{name}'; {hint}")


def new_style_path(name: str, *, overwrite: bool = False) -> Path:
    """Where an own style of this name is to be kept.

    Raises:
        ConfigError: the name cannot be typed as ``--style``, or belongs to a shipped style.
        OpenError: it is taken, and ``overwrite`` is off.
    """
    wanted = _normalised(name)
    if not _can_be_typed(wanted) or len(wanted) > _MAX_NAME or len(os.fsencode(wanted)) > _MAX_NAME_BYTES:
        raise ConfigError(
            f"'{name}' cannot name a style; use up to {_MAX_NAME} letters, digits and hyphens, such as --name my-style."
        )
    if wanted in {IDENTITY, *(style.name for style in shipped_styles())}:
        raise ConfigError(f"'{wanted}' is a style that ships with vidstyle; choose another name with --name.")
    taken = next((style.path for style in user_styles() if style.name == wanted), None)
    if taken and not overwrite:
        raise OpenError(
            f"You have a style '{wanted}' already; pass --overwrite or choose another name with --name.", taken
        )
    return taken or user_folder() / f"{wanted}{_SUFFIX}"


def remove_style(name: str) -> Style:
    """Delete one of the user's own styles.

    Returns:
        What was removed.

    Raises:
        WeightsNotFoundError: the user has none of that name.
    """
    own = {style.name: style for style in user_styles()}
    wanted = _normalised(name)
    if wanted in own:
        own[wanted].path.unlink()
        return own[wanted]
    if wanted in {IDENTITY, *(style.name for style in shipped_styles())}:
        raise WeightsNotFoundError(f"'{wanted}' ships with vidstyle and cannot be removed; name a style of your own.")
    hint = f"yours are {', '.join(own)}." if own else "you have none yet, 'vidstyle styles add' keeps one."
    raise WeightsNotFoundError(f"You have no style '{name}'; {hint}")


def _normalised(name: str) -> str:
    # Composed: macOS gives file names with their accents apart.
    return unicodedata.normalize("NFC", name.strip().lower()).replace("_", "-").replace(" ", "-")


def _can_be_typed(name: str) -> bool:
    """Letters with their marks, digits and hyphens: a dot would make it a file name to --style."""
    if not name or not name[0].isalnum():  # a hyphen there would make it an option
        return False
    return all(char.isalnum() or char == "-" or unicodedata.category(char).startswith("M") for char in name)
