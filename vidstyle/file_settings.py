"""Settings that name files, found from somewhere else than the current folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_FILES = ("adain_model", "color_config", "flow_weights", "lut", "mask", "shots_from", "sound")
#: Settings that are tables with settings in them.
_TABLES = ("keyframes", "regions", "shots")


def beside(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Settings whose relative files are looked for in ``folder`` first, and in the current one otherwise.

    Args:
        values: settings as a preset has them.
        folder: of the preset.
    """
    return _with_files(values, lambda name, is_there: str(folder / name) if is_there(folder / name) else name)


def absolute(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose files have their whole path, which holds in any folder."""
    return _with_files(values, lambda name, is_there: str(Path(name).absolute()) if is_there(Path(name)) else name)


_Find = Callable[[str, Callable[[Path], bool]], str]


def _with_files(values: Mapping[str, Any], find: _Find) -> dict[str, Any]:
    changed = dict(values)
    for name, value in values.items():
        if name in _FILES and isinstance(value, str) and value:
            changed[name] = find(value, _is_there)
        elif name == "style" and isinstance(value, str):
            # Names of styles are no files; those of a mixture stand between weights and plus signs.
            whole = find(value, Path.is_file)
            parts = re.split(r"((?::[\d.]+)?\s*\+\s*|:[\d.]+\s*$)", value) if whole == value else [whole]
            changed[name] = "".join(find(part, Path.is_file) if part else part for part in parts)
        elif name in _TABLES and isinstance(value, list | tuple):
            changed[name] = [_with_files(each, find) if isinstance(each, Mapping) else each for each in value]
    return changed


def _is_there(path: Path) -> bool:
    """Whether there is such a file or folder, or a file that a pattern may mean."""
    if path.exists():
        return True
    beginning = re.split("[%#]", path.name)[0]
    if beginning == path.name or not path.parent.is_dir():
        return False
    return any(each.name.startswith(beginning) for each in path.parent.iterdir())
