"""Why settings cannot be used, in one sentence that says where and what would do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

_Location = tuple[str | int, ...]
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def explain(
    error: ValidationError, model: type[BaseModel], preset: str = "", text: str = "", given: Sequence[str] = ()
) -> str:
    """One sentence about the first thing that is wrong.

    Args:
        error: of ``model``.
        model: the settings.
        preset: name of the preset some of them come from; empty where there is none.
        text: of the preset.
        given: settings that do not come from it.
    """
    first = error.errors()[0]
    location: _Location = first["loc"]
    key = ".".join(str(part) for part in location)
    place = ""
    if preset and location and location[0] not in given:
        place = place_of(preset, text, location)
    around, field = _at(model, location)
    if first["type"] == "extra_forbidden":
        known = list(around.model_fields)
        unknown = str(location[-1])
        near = [name for name in known if name.startswith(f"{unknown}_")]  # start, of start_seconds
        near = near or difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}."
        return f"There is no setting '{key}'{place.rstrip(',')}; {hint}"
    if first["type"] == "tuple_type" and isinstance(first["input"], dict):
        return f"Setting '{key}'{place} is a list of tables; write [[{key}]]."
    message = str(first["msg"]).removeprefix("Value error, ").removesuffix(".")
    allowed = _allowed(field, first["type"])
    if first["type"] == "missing":
        return f"Setting '{key}'{place} is missing{allowed}; add it."
    if isinstance(first["input"], dict) and first["type"] == "value_error":  # about several settings together
        return f"{message[0].upper()}{message[1:]}{place.rstrip(',')}."
    return f"Setting '{key}'{place} cannot be {first['input']!r}: {message[0].lower()}{message[1:]}{allowed}."


def place_of(preset: str, text: str, location: _Location) -> str:
    """Where a setting stands, to be put behind its name: `` in preset look.toml, line 3,``."""
    line = line_of(text, location)
    return f" in preset {preset}" + (f", line {line}," if line else "")


def allowed_values(field: FieldInfo) -> str:
    """The range of a number, or the words of a choice; empty where neither is declared."""
    kinds = (field.annotation, *get_args(field.annotation))  # those of an optional setting are a level deeper
    limits = {name: value for part in (*field.metadata, *kinds) for name, value in _limits(part)}
    if limits.keys() >= {"ge", "le"}:
        return f"{limits['ge']:g} to {limits['le']:g}"
    choice = next((kind for kind in kinds if get_origin(kind) is Literal), None)
    return ", ".join(map(str, get_args(choice)))


def _allowed(field: FieldInfo | None, kind: str) -> str:
    # Pydantic's own message lists the words of a choice.
    allowed = allowed_values(field) if field is not None and kind != "literal_error" else ""
    return f" (allowed are {allowed})" if allowed else ""


def _limits(part: Any) -> Iterator[tuple[str, float]]:
    for name in ("ge", "le"):
        value = getattr(part, name, None)
        if value is not None:
            yield name, value
    for inner in (*getattr(part, "metadata", ()), *getattr(part, "__metadata__", ())):
        yield from _limits(inner)


def _at(model: type[BaseModel], location: _Location) -> tuple[type[BaseModel], FieldInfo | None]:
    """The table a location lies in, and its field; None where that table has no such field."""
    field = None
    names_entry = False  # of a table of tables
    for part in location:
        if isinstance(part, int) or names_entry:
            names_entry = False
            continue
        inner = _inner(field.annotation) if field is not None else model
        if inner is None:
            break
        model, field = inner, inner.model_fields.get(part)
        if field is None:
            break
        names_entry = get_origin(field.annotation) is dict
    return model, field


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part)) is not None), None)


def line_of(text: str, location: _Location) -> int | None:
    """Line of a TOML text, counted from 1, where a value stands, or the table it should stand in."""
    best: tuple[int, int] | None = None
    for number, found in _keys(text):
        if found == location[: len(found)] and (best is None or len(found) > best[0]):
            best = (len(found), number)
    return best[1] if best is not None else None


def _keys(text: str) -> Iterator[tuple[int, _Location]]:
    table: _Location = ()
    counts: dict[_Location, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            *around, last = _parts(header[2])
            table = ()
            for part in around:  # of a list of tables the last is meant
                table = (*table, part)
                table = (*table, counts[table]) if table in counts else table
            table = (*table, last)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *_parts(key[1]))


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
