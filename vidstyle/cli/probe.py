"""``vidstyle probe``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidstyle.cli.stylize import stylize
from vidstyle.cli.terminal import say
from vidstyle.errors import VidstyleError

if TYPE_CHECKING:
    from vidstyle.media.describe import MediaDescription, PictureDescription, StreamDescription


#: Options of ``stylize`` that decide what is written; the others decide what it looks like.
_PLAN_OPTIONS = (
    *("start_seconds", "end_seconds", "frames", "handles", "fps", "size", "video_stream", "alpha", "deinterlace"),
    *("sound", "color_config", "linear_space", "display_space", "continue_", "on_error", "preset"),
    *("codec", "crf", "bitrate", "encoder_preset", "pixel_format", "encoder_options", "audio"),
)
#: What muxers note about themselves; ``--json`` has it.
_MUXER_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")


def _plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [option for option in stylize.params if option.name in _PLAN_OPTIONS]
    command.__click_params__ = options[::-1]  # type: ignore[attr-defined]  # where click.option collects them
    return command


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Say also what a render to this file would do.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead; docs/media.md lists its fields.")
@_plan_options
def probe(source: Path, output: Path | None, as_json: bool, preset: str | None = None, **settings: Any) -> None:
    """Say what INPUT is, and with --output what would become of each of its streams. Nothing is written."""
    from vidstyle.config import make_config
    from vidstyle.planning import plan
    from vidstyle.planning import probe as look_at

    config = make_config(preset, **settings)
    media = look_at(source, config)
    if not as_json:
        for line in _describe(media):
            say(line)
    planned, refusal = None, None
    try:
        planned = plan(source, output, config=config, overwrite=True) if output is not None else None
    except VidstyleError as error:
        refusal = error
    if as_json:
        found = {
            "input": asdict(media),
            "plan": None if planned is None else asdict(planned),
            "refusal": None if refusal is None else str(refusal),
        }
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif planned is not None:
        say(f"{source} -> {output}{' (exists: --overwrite)' if Path(planned.output).exists() else ''}")
        for line in planned.lines():
            say(f"  {line}")
    if refusal is not None:
        raise refusal


def _describe(media: MediaDescription) -> Iterator[str]:
    length = "of unknown length" if media.duration_seconds is None else f"{media.duration_seconds:.3f} s"
    yield f"{media.path}: {media.container}, {length}, {media.size_bytes:,} bytes"
    yield f"  picture: {_picture(media.picture)}"
    yield f"  colour: {_color(media.picture)}"
    if media.frames:
        yield f"  frames: {media.frames}"
    if media.timecode:
        yield f"  timecode: {media.timecode}"
    for stream in media.streams:
        yield f"  {_stream(stream)}"
    for chapter in media.chapters:
        yield f"  chapter: {chapter.start_seconds:.3f} s to {chapter.end_seconds:.3f} s {chapter.title}".rstrip()
    for key, value in media.metadata.items():
        if key.lower() not in (*_MUXER_TAGS, "timecode"):
            yield f"  {key}: {value.strip()}"
    for note in media.notes:
        yield f"  note: {note}"


def _picture(picture: PictureDescription) -> str:
    rate = f"{float(_fraction(picture.rate)):.6g} fps"
    facts = [
        f"{picture.width}x{picture.height}",
        f"{rate} on average, variable" if picture.is_variable_rate else rate,
        f"{picture.codec} {picture.pixel_format}",
        f"{picture.bit_depth} bits",
    ]
    if picture.num_frames is not None:
        facts.insert(2, f"{picture.num_frames} frame{'s' * (picture.num_frames != 1)}")
    if picture.rotation_degrees or picture.flipped:
        mirrored = " mirrored and" if picture.flipped else ""
        facts.append(
            f"stored {picture.stored_width}x{picture.stored_height},{mirrored} turned by {picture.rotation_degrees}°"
        )
    if picture.sample_aspect_ratio != "1":
        facts.append(f"pixels {picture.sample_aspect_ratio.replace('/', ':')}")
    for is_so, word in ((picture.has_alpha, "with alpha"), (picture.is_interlaced, "interlaced")):
        if is_so:
            facts.append(word)
    return ", ".join(facts)


def _fraction(text: str) -> Any:
    from fractions import Fraction

    return Fraction(text)


def _color(picture: PictureDescription) -> str:
    said = [f"{name} {value}{' (guessed)' * (name in picture.untagged)}" for name, value in picture.color.items()]
    if picture.is_hdr:
        light = f" up to {picture.max_content_light} cd/m²" if picture.max_content_light else ""
        said.append(f"HDR{light}")
    if picture.mastering_display:
        said.append(f"mastered on {picture.mastering_display}")
    return ", ".join(said)


def _stream(stream: StreamDescription) -> str:
    language = f" [{stream.language}]" if stream.language else ""
    title = f" '{stream.title}'" if stream.title else ""
    facts = [", ".join(stream.dispositions)] if stream.dispositions else []
    match stream.type:
        case "audio" if stream.properties:
            facts.insert(0, "{sample_rate} Hz {layout}".format(**stream.properties))
        case "video" if stream.properties:
            facts.insert(0, "{width}x{height}".format(**stream.properties))
        case _:
            facts += [str(value) for value in stream.properties.values()]
    if stream.is_main_video:
        facts.append("is painted")
    return f"{stream.type} #{stream.index}{language}{title} ({stream.codec or 'unknown'}): {', '.join(facts)}".rstrip(
        ": "
    )
