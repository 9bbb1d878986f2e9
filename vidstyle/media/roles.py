"""The language and the role of a stream, as far as a container has a place for them; found by trying."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from functools import cache
from typing import Any

import av
from av.stream import Disposition, Stream

# ISO 639-2 has two codes for some languages; QuickTime's table knows one of them.
_TWINS = (
    "alb/sqi arm/hye baq/eus bur/mya chi/zho cze/ces dut/nld fre/fra geo/kat ger/deu gre/ell ice/isl mac/mkd mao/mri "
    "may/msa per/fas rum/ron slo/slk tib/bod wel/cym"
)
_TWIN_OF = {code: twin for pair in re.findall(r"(\w+)/(\w+)", _TWINS) for code, twin in (pair, pair[::-1])}
_UNDETERMINED = (None, "und")


def writable_language(stream: Stream, format_name: str) -> str | None:
    """A stream's language by the code that the container takes; None where it has none."""
    language = stream.language
    if language in _UNDETERMINED or _surviving(format_name, language, 0)[0] == language:
        return language
    twin = _TWIN_OF.get(language)
    return twin if twin and _surviving(format_name, twin, 0)[0] == twin else language


def lost_roles(stream: Stream, format_name: str) -> list[str]:
    """What a container has no place for, of a stream's language and roles (``default`` aside), in words."""
    language = writable_language(stream, format_name)
    roles = stream.disposition & ~(Disposition.default | Disposition.attached_pic)
    if language in _UNDETERMINED and not roles:
        return []
    kept_language, kept_roles = _surviving(format_name, language, int(roles))
    lost = [] if language in _UNDETERMINED or kept_language == language else [f"language {language}"]
    missing = roles & ~Disposition(kept_roles)
    return lost + [f"role {role.name}" for role in Disposition if role & missing]


@cache
def _surviving(format_name: str, language: str | None, disposition: int) -> tuple[str | None, int]:
    """Write a file with one such stream into memory and see what it reads as."""
    file = io.BytesIO()
    codec = "vp8" if format_name == "webm" else "mjpeg"
    with av.open(file, "w", format=format_name) as output:
        stream: Any = output.add_mux_stream(codec, width=16, height=16, time_base=Fraction(1, 25))
        if language is not None:
            stream.metadata["language"] = language
        stream.disposition = disposition
        packet = av.Packet(bytes(16))
        packet.pts, packet.dts, packet.duration, packet.time_base, packet.stream = 0, 0, 1, Fraction(1, 25), stream
        output.mux_one(packet)
    file.seek(0)
    with av.open(file, metadata_errors="replace") as written:
        found = written.streams[0]
        return found.language, int(found.disposition)
