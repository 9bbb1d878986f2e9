"""The tables of docs/media.md, made of those that the tests check by rendering.

    python scripts/media_table.py            # prints them
    python scripts/media_table.py --write    # puts them into docs/media.md
    python scripts/media_table.py --check    # ends with 1 where docs/media.md is not up to date

What the tables say is asserted by tests/integration/test_kept.py, test_streams.py and test_presets.py: a container that
keeps less, or more, fails there first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "media.md"
BEGIN, END = "<!-- made by scripts/media_table.py: begin -->", "<!-- end -->"
CODECS = {"aac": "AAC", "mp3": "MP3", "mp2": "MP2", "ac3": "AC-3", "eac3": "E-AC-3", "alac": "ALAC", "flac": "FLAC"}
CODECS |= {"opus": "Opus", "vorbis": "Vorbis", "pcm_s16le": "PCM, 16 bits", "pcm_s24le": "PCM, 24 bits"}
CODECS |= {"pcm_f32le": "PCM, float", "subrip": "SubRip", "ass": "ASS", "webvtt": "WebVTT", "mov_text": "MP4 text"}
CODECS |= {"dvd_subtitle": "DVD (pictures)", "hdmv_pgs_subtitle": "Blu-ray (pictures)"}
EXTRAS = {"cover": "cover picture", "attachment": "attachments", "chapters": "chapters", "timecode": "timecode"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/media.md")
    parser.add_argument("--check", action="store_true", help="end with 1 where docs/media.md is not up to date")
    arguments = parser.parse_args()
    made = tables()
    if not (arguments.write or arguments.check):
        print(made)
        return
    text = DOCUMENT.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"media_table: {DOCUMENT} has lost its marks; put '{BEGIN}' and '{END}' around the tables.")
    wanted = f"{before}{BEGIN}\n\n{made}\n{END}{after}"
    if arguments.write:
        DOCUMENT.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        sys.exit("media_table: docs/media.md is not up to date; run python scripts/media_table.py --write.")


def tables() -> str:
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]
    import test_kept as kept
    import test_presets as presets
    import test_streams as streams

    parts = [
        table("Time", kept.CONTAINERS, {name: row.cells for name, row in kept.TIMES.items()}),
        table(
            "Picture, with each container's own encoder",
            kept.CONTAINERS,
            {name: row.cells for name, row in kept.PICTURE.items()},
        ),
        table("Sound, from Matroska", streams.CONTAINERS, fates(streams.SOUND)),
        table("Subtitles, from Matroska", streams.CONTAINERS, fates(streams.SUBTITLES)),
        table("Everything else", streams.CONTAINERS, extras(streams.EXTRAS)),
        table("Presets: the codec each writes", presets.CONTAINERS, codecs(presets.PRESETS)),
    ]
    return "\n".join(parts)


def table(title: str, columns: Iterable[str], rows: Mapping[str, Iterable[str]]) -> str:
    lines = [[title, *(f".{column}" for column in columns)], ["---"] * (len(list(columns)) + 1)]
    lines += [[name, *cells] for name, cells in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def fates(rows: Mapping[str, Iterable[str | None]]) -> dict[str, list[str]]:
    words = {"copy": "copied", None: "dropped, said"}
    return {
        CODECS.get(codec, codec): [words.get(fate, f"to {CODECS.get(fate or '', fate)}") for fate in fates]
        for codec, fates in rows.items()
    }


def extras(rows: Mapping[str, Iterable[bool]]) -> dict[str, list[str]]:
    return {EXTRAS.get(what, what): ["kept" if is_kept else "–" for is_kept in kept] for what, kept in rows.items()}


def codecs(rows: Mapping[str, Iterable[str | None]]) -> dict[str, list[str]]:
    return {f"`{preset}`": [codec or "refused" for codec in found] for preset, found in rows.items()}


if __name__ == "__main__":
    main()
