"""What a render is going to write: one function for ``vidstyle probe`` and for the render itself. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidstyle.config import RenderConfig, complete_config, make_config, output_pixel_shape, output_size
from vidstyle.controls.keyframes import check_keyframes
from vidstyle.controls.shots import resolve_shots
from vidstyle.encoding import bits_per_second
from vidstyle.errors import ConfigError, UnsupportedMediaError
from vidstyle.media.describe import MediaDescription, describe_media
from vidstyle.media.names import is_clip, is_still
from vidstyle.media.plan import OutputPlan, plan_output
from vidstyle.media.probe import StreamInfo
from vidstyle.media.reader import VideoReader, open_video
from vidstyle.media.sequence_names import is_sequence, parse_pattern
from vidstyle.media.streams import StreamPlan
from vidstyle.moments import moment_of_picture
from vidstyle.outputs import claim_output
from vidstyle.report import PlannedStream, RenderPlan
from vidstyle.weights.registry import IDENTITY

if TYPE_CHECKING:
    from vidstyle.media.linear_light import DisplayTransform
    from vidstyle.media.sequence_plan import SequencePlan
    from vidstyle.media.sequence_reader import SequenceReader

#: Settings of video encoders, which a GIF has not.
_VIDEO_SETTINGS = ("codec", "crf", "encoder_preset", "pixel_format", "encoder_options")


def plan(
    source: str | Path,
    output: str | Path,
    *,
    config: RenderConfig | None = None,
    preset: str | Path | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> RenderPlan:
    """Say what ``stylize`` with the same arguments would write, without painting or writing anything.

    Args:
        source: video, GIF or still.
        output: where to; the suffix names the container.
        config: complete settings; without it they are made of ``preset`` and ``settings``.
        preset: name of a shipped preset, or a TOML file.
        overwrite: an existing output may be replaced.
        **settings: fields of ``vidstyle.config.RenderConfig``.

    Raises:
        ConfigError: a setting cannot be used.
        MediaError: input or output cannot be used.
    """
    config = complete_config(config, preset, settings)
    source, output = Path(source), Path(output)
    claim_output(output, source=source, overwrite=overwrite)
    if is_still(source):
        picture = describe_media(source).picture
        return plan_still(source, output, (picture.width, picture.height), config)
    refuse_picture(source, output)
    notes: list[str] = []
    with open_source(source, output, config, notes.append) as reader:
        return plan_render(reader, source, output, config, notes)[0]


def probe(source: str | Path, config: RenderConfig | None = None) -> MediaDescription:
    """Say what a clip, a GIF, a still or a sequence is.

    Args:
        source: a file, or the pattern of a sequence.
        config: ``video_stream`` and, of sequences, range, rate and sound are taken from it.

    Raises:
        MediaError: it cannot be read.
        ConfigError: there is no such video stream, or no such frames.
    """
    source, config = Path(source), config or make_config()
    if is_sequence(source):
        from vidstyle.media.describe_sequence import SequenceReader, describe_sequence  # noqa: PLC0415  # needs torch

        notes: list[str] = []
        with open_source(source, None, config, notes.append) as reader:
            if isinstance(reader, SequenceReader):
                return describe_sequence(reader, notes)
    return describe_media(source, video_stream=config.video_stream)


def open_moment(clip: Path, config: RenderConfig, at: float | str, num_before: int) -> VideoReader:
    """Open a clip at the frame shown at a moment, with so many frames before it and its own times.

    Raises:
        ConfigError, MediaError: as ``vidstyle.media.open_video``.
    """
    return open_video(
        clip,
        start_seconds=at,
        warmup_frames=num_before,
        from_shown=True,
        shift_to_zero=False,
        fps=config.fps,
        video_stream=config.video_stream,
        deinterlace=config.deinterlace,
        on_error=config.on_error,
    )


def open_source(
    source: Path,
    output: Path | None,
    config: RenderConfig,
    on_warning: Callable[[str], None],
    *,
    warmup_frames: int = 0,
) -> VideoReader | SequenceReader:
    """Open a clip or a sequence as the settings ask for.

    Args:
        source: the clip, or the pattern of a sequence.
        output: where to; None where nothing is written.
        config: settings.
        on_warning: told what cannot be kept or had to be repaired.
        warmup_frames: so many frames more before the first, for the temporal filter.

    Raises:
        ConfigError, MediaError: as ``vidstyle.media.open_video`` and ``vidstyle.media.sequence_reader.open_sequence``.
    """
    if config.continue_ and output is not None and not is_sequence(output):
        raise ConfigError(
            f"{output.name} cannot be continued: a render of a clip starts again; leave --continue out, or render to a "
            "sequence such as out.%04d.png."
        )
    for sentence in _useless_settings(source, output, config):
        on_warning(sentence)
    if is_sequence(source):
        from vidstyle.media.sequence_reader import open_sequence  # noqa: PLC0415  # needs torch, as a clip's plan does not

        return open_sequence(
            source,
            frames=config.frames,
            start_seconds=config.start_seconds,
            end_seconds=config.end_seconds,
            handles=config.handles,
            fps=config.fps,
            sound=config.sound,
            alpha=config.alpha,
            display=_display(config, stays_linear=output is not None and _is_linear(output)),
            on_error=config.on_error,
            on_warning=on_warning,
        ).read(warmup_frames=warmup_frames)
    if config.sound is not None:
        raise ConfigError(f"{source.name} is a clip, which has its own sound; --sound is for sequences of pictures.")
    return open_video(
        source,
        start_seconds=config.start_seconds,
        end_seconds=config.end_seconds,
        frames=config.frames,
        handles=config.handles,
        warmup_frames=warmup_frames,
        fps=config.fps,
        video_stream=config.video_stream,
        deinterlace=config.deinterlace,
        on_error=config.on_error,
        alpha=config.alpha,
        on_warning=on_warning,
    )


def _useless_settings(source: Path, output: Path | None, config: RenderConfig) -> list[str]:
    """A sentence for what was asked for and has no meaning for this source."""
    notes = []
    if is_sequence(source):
        given = {"--video-stream": config.video_stream is not None, "--deinterlace": config.deinterlace}
        notes += [
            f"{source.name} is a sequence of pictures, which has no use for {o}." for o, is_so in given.items() if is_so
        ]
        has_range = parse_pattern(source).wanted is not None
    else:
        has_range = False
        spaces = (config.color_config, config.linear_space, config.display_space)
        if output is not None and not _is_linear(output) and any(spaces):
            notes.append(
                f"{source.name} is a clip and {output.name} holds no linear light: --color-config, --linear-space and "
                "--display-space have no effect."
            )
    if config.handles and not has_range and (config.frames, config.start_seconds, config.end_seconds) == (None,) * 3:
        notes.append(
            "Handles widen a range, and none is given: --handles has no effect without --frames, --start or --end."
        )
    if not any(config.values("mask")) and any((*config.values("feather"), *config.values("invert_mask"))):
        notes.append("There is no mask: --feather and --invert-mask have no effect without --mask.")
    if not any(config.values("lut")) and "before" in config.values("lut_at"):
        notes.append("There is no look-up table: --lut-at has no effect without --lut.")
    return notes


def _is_linear(output: Path) -> bool:
    return is_sequence(output) and output.suffix.lower() == ".exr"


def _display(config: RenderConfig, *, stays_linear: bool) -> DisplayTransform:
    from vidstyle.media.linear_light import display_transform  # noqa: PLC0415  # as above

    return display_transform(
        config.color_config, config.linear_space, config.display_space, keeps_highlights=stays_linear
    )


def refuse_picture(source: Path, output: Path) -> None:
    """Refuse a single picture as the output of a clip.

    Raises:
        UnsupportedMediaError: ``output`` is one.
    """
    if is_still(output):
        kind = "a clip" if is_clip(source) or is_sequence(source) else "none by its name"
        raise UnsupportedMediaError(
            f"{output} is a picture but {source.name} is {kind}; write to .mp4, or see 'vidstyle preview'.", output
        )


def plan_still(source: Path, output: Path, size: tuple[int, int], config: RenderConfig) -> RenderPlan:
    """What becomes of a picture of (width, height) pixels.

    Raises:
        UnsupportedMediaError: ``output`` is no picture.
    """
    if not is_still(output):
        kind = "a sequence of many" if is_sequence(output) else "not"
        raise UnsupportedMediaError(
            f"{source.name} is a picture and {output} is {kind}; write to a name ending in .png or .jpg.", output
        )
    check_keyframes(config, moment_of_picture)
    kind = output.suffix[1:].lower()
    return RenderPlan(str(source), str(output), kind, output_size(config.size, size), num_frames=1)


def plan_render(
    reader: VideoReader | SequenceReader,
    source: Path,
    output: Path,
    config: RenderConfig,
    notes: Sequence[str] = (),
    *,
    size: tuple[int, int] | None = None,
) -> tuple[RenderPlan, OutputPlan | SequencePlan | None]:
    """Decide what becomes of a clip or a sequence.

    Args:
        reader: the source, open.
        source: its name, as given.
        output: where to; the suffix names the container.
        config: settings.
        notes: what is known already that cannot be kept.
        size: (width, height) of the frames to come, where they show more than the painting.

    Returns:
        The plan for people and programs, and what a writer needs of it; None for a GIF.

    Raises:
        UnsupportedMediaError: no format has this suffix.
        ConfigError: the encoder or the container refuses the settings, or shots cannot be placed in the clip.
        OpenError: the cut list cannot be read.
    """
    info = reader.info
    size = size or output_size(config.size, info.upright_size)
    pixel_shape = output_pixel_shape(config.size, info.upright_size, info.upright_pixel_shape)
    shots = resolve_shots(config, reader)
    notes = [*notes, *check_keyframes(config, reader.moment, reader.own_seconds)]
    notes += shots.notes if shots is not None else ()
    names, num_frames = (str(source), str(output)), reader.num_frames_expected
    if output.suffix.lower() == ".gif":
        if reader.keeps_alpha:
            raise ConfigError("A GIF has no opacity here; write ProRes 4444, FFV1 or .webm, or use --alpha drop.")
        ignored = [name for name in _VIDEO_SETTINGS if getattr(config, name) not in (None, {})]
        notes = [*notes, *([f"A GIF has no use for {', '.join(ignored)}."] if ignored else [])]
        if reader.curve is not None:
            notes.append("A GIF has no HDR: it shows the picture as an ordinary display would, in paler colours.")
        streams = tuple(_without_place(stream, "a GIF") for stream in reader.streams)
        return RenderPlan(*names, "gif", size, num_frames=num_frames, streams=streams, notes=tuple(notes)), None
    if is_sequence(output):
        return _plan_sequence(reader, names, output, config, notes, size=size, pixel_shape=pixel_shape)
    encoding = config.encoding(output.suffix)
    planned = plan_output(
        output,
        reader,
        size=size,
        pixel_shape=pixel_shape,
        codec=encoding.codec,
        crf=encoding.crf,
        bitrate=bits_per_second(encoding.bitrate) if encoding.bitrate else None,
        preset=encoding.encoder_preset,
        pixel_format=encoding.pixel_format,
        encoder_options=encoding.encoder_options,
        audio=config.audio,
        keeps_alpha=reader.keeps_alpha,
        unpainted=not any(config.values("lut"))
        and (min(config.values("strength")) == 0.0 or IDENTITY in config.values("style")),
        hdr=reader.hdr,
    )
    codec = planned.settings.codec
    fates = {fate.stream.index: fate for fate in planned.streams}
    streams = tuple(
        _painted(stream, codec) if stream.is_main_video else _other(fates[stream.index]) for stream in reader.streams
    )
    return (
        RenderPlan(
            *names,
            container=planned.container.format_name,
            size=size,
            codec=codec,
            pixel_format=planned.settings.pixel_format,
            encoder_options=dict(planned.settings.options),
            num_frames=num_frames,
            streams=streams,
            notes=(*notes, *planned.notes),
        ),
        planned,
    )


def _plan_sequence(
    reader: VideoReader | SequenceReader,
    names: tuple[str, str],
    output: Path,
    config: RenderConfig,
    notes: Sequence[str],
    *,
    size: tuple[int, int],
    pixel_shape: Fraction,
) -> tuple[RenderPlan, SequencePlan]:
    from vidstyle.media.sequence_plan import lost_in_sequence, plan_sequence  # noqa: PLC0415  # as above

    for_clips = config.codec is not None  # so are pixel format and options, which a preset may bring along
    planned = plan_sequence(
        output,
        reader,
        size=size,
        pixel_shape=pixel_shape,
        display=_display(config, stays_linear=False),
        pixel_format=None if for_clips else config.pixel_format,
        options=None if for_clips else config.encoder_options,
    )
    useless_names = _VIDEO_SETTINGS if for_clips else ("crf", "encoder_preset")
    ignored = [name for name in (*useless_names, "bitrate") if getattr(config, name) not in (None, {})]
    useless = [f"A sequence of pictures has no use for {', '.join(ignored)}."] if ignored else []
    described = RenderPlan(
        *names,
        container=f"{planned.pattern.suffix[1:].lower()} sequence",
        size=planned.size,
        codec=planned.form.codec,
        pixel_format=planned.form.pixel_format,
        encoder_options=dict(planned.form.options),
        num_frames=reader.num_frames_expected,
        streams=tuple(_without_place(stream, "a sequence") for stream in reader.streams),
        notes=(*notes, *lost_in_sequence(reader, planned), *useless),
    )
    return described, planned


def _painted(stream: StreamInfo, codec: str | None) -> PlannedStream:
    line = f"{stream.describe()}: painted"
    return PlannedStream(
        stream.index, stream.type, stream.codec, stream.language, stream.title, "paint", codec, "", line
    )


def _other(fate: StreamPlan) -> PlannedStream:
    stream = fate.stream
    return PlannedStream(
        index=stream.index,
        type=stream.type,
        codec=stream.codec,
        language=stream.language,
        title=stream.title,
        action=fate.action,
        target_codec=fate.target_codec,
        reason=fate.reason,
        line=str(fate),
    )


def _without_place(stream: StreamInfo, what: str) -> PlannedStream:
    if stream.is_main_video:
        return _painted(stream, None)
    return _other(StreamPlan(stream, "drop", None, f"{what} has no place for it"))
