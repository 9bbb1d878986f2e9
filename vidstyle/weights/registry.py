"""The styles that ship with vidstyle: one weight file and one model card (TOML) each, in this folder."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from vidstyle.errors import WeightsNotFoundError

_FOLDER = Path(__file__).parent
IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class ShippedStyle:
    """One style of the package.

    Attributes:
        name: what ``--style`` takes.
        title: one line about it.
        path: its weight file.
    """

    name: str
    title: str
    path: Path


def shipped_styles() -> list[ShippedStyle]:
    """Every style in the package, sorted by name."""
    styles = []
    for card_path in sorted(_FOLDER.glob("*.toml")):
        card = tomllib.loads(card_path.read_text(encoding="utf-8"))
        styles.append(ShippedStyle(card_path.stem, card["title"], card_path.with_suffix(".safetensors")))
    return styles


def find_style(name: str) -> ShippedStyle:
    """Look a shipped style up; ``starry_night`` finds ``starry-night``.

    Raises:
        WeightsNotFoundError: there is none of that name; the message offers near ones.
    """
    styles = {style.name: style for style in shipped_styles()}
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    if wanted in styles:
        return styles[wanted]
    names = [*styles, IDENTITY]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"shipped are {', '.join(names)}."
    raise WeightsNotFoundError(f"There is no style or file '{name}'; {hint}")
