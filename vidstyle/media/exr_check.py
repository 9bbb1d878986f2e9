"""Whether an OpenEXR file is whole: FFmpeg leaves the missing part of one that was cut off black, without a word.

Layout: https://openexr.com/en/latest/OpenEXRFileLayout.html. After the header lies a table with the position of every
chunk, and each chunk says how long it is.
"""

from __future__ import annotations

import struct

_MAGIC = b"\x76\x2f\x31\x01"
_TILED, _DEEP, _MULTI_PART = 0x200, 0x800, 0x1000
_MAX_HEADER_BYTES = 1 << 20


def is_whole_exr(data: bytes) -> bool:
    """Whether every chunk the file's table names lies within it.

    Deep and multi-part files, which are laid out differently, count as whole.
    """
    if len(data) < 8 or not data.startswith(_MAGIC):
        return False
    flags = struct.unpack_from("<I", data, 4)[0]
    if flags & (_DEEP | _MULTI_PART):
        return True
    table = _header_end(data)
    if table is None or table + 8 > len(data):
        return False
    # Chunks come in no fixed order, but the first of them ends the table.
    positions: list[int] = []
    first = len(data)
    position = table
    while position + 8 <= min(first, len(data)):
        offset = struct.unpack_from("<Q", data, position)[0]
        if offset < table + 8:  # a writer that was stopped leaves zeros
            return False
        positions.append(offset)
        first = min(first, offset)
        position += 8
    # A tile has four coordinates before its length, a block of lines one.
    before_length = 16 if flags & _TILED else 4
    return first < len(data) and all(_chunk_fits(data, offset + before_length) for offset in positions)


def _chunk_fits(data: bytes, position: int) -> bool:
    if position + 4 > len(data):
        return False
    length = int(struct.unpack_from("<i", data, position)[0])
    return 0 <= length <= len(data) - position - 4


def _header_end(data: bytes) -> int | None:
    """Where the attributes (name, type, length, value) end with an empty name."""
    position = 8
    while position < min(len(data), _MAX_HEADER_BYTES):
        if data[position] == 0:
            return position + 1
        name_end = data.find(b"\0", position)
        type_end = data.find(b"\0", name_end + 1)
        if name_end < 0 or type_end < 0 or type_end + 5 > len(data):
            return None
        position = type_end + 5 + int(struct.unpack_from("<I", data, type_end + 1)[0])
    return None
