"""What becomes of sound, subtitles, covers, attachments and tags in each container: tables, checked by rendering."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import pytest
from av.stream import Disposition
from PIL import Image

from vidstyle.errors import ConfigError, DecodeError, OpenError
from vidstyle.media import VideoWriter, open_video

CONTAINERS = ("mp4", "mov", "mkv", "webm")

#: What becomes of sound out of Matroska: ``copy``, or the codec it is converted to.
SOUND = {
    "aac": ("copy", "copy", "copy", "opus"),
    "mp3": ("copy", "copy", "copy", "opus"),
    "mp2": ("copy", "copy", "copy", "opus"),
    "ac3": ("copy", "copy", "copy", "opus"),
    "eac3": ("copy", "copy", "copy", "opus"),
    "alac": ("copy", "copy", "copy", "opus"),
    "flac": ("copy", "pcm_s24le", "copy", "opus"),
    "opus": ("copy", "pcm_s24le", "copy", "copy"),
    "vorbis": ("aac", "pcm_s24le", "copy", "copy"),
    "pcm_s16le": ("aac", "copy", "copy", "opus"),
    "pcm_s24le": ("aac", "copy", "copy", "opus"),
    "pcm_f32le": ("aac", "copy", "copy", "opus"),
}
#: Likewise for subtitles; None is dropped with a line.
SUBTITLES = {
    "subrip": ("mov_text", "mov_text", "copy", "webvtt"),
    "ass": ("mov_text", "mov_text", "copy", "webvtt"),
    "webvtt": ("mov_text", "mov_text", "copy", "copy"),
    "dvd_subtitle": ("copy", None, "copy", None),
    "hdmv_pgs_subtitle": (None, None, "copy", None),
}
#: What each container has a place for.
EXTRAS = {
    "cover": (True, False, True, False),
    "attachment": (False, False, True, False),
    "chapters": (True, True, True, True),
    "timecode": (True, True, True, True),
}
SOUND_TABLE = [(codec, c, fate) for codec, fates in SOUND.items() for c, fate in zip(CONTAINERS, fates, strict=True)]
SUBTITLE_TABLE = [(s, c, fate) for s, fates in SUBTITLES.items() for c, fate in zip(CONTAINERS, fates, strict=True)]
EXTRAS_TABLE = [
    (what, c, kept) for what, kept_in in EXTRAS.items() for c, kept in zip(CONTAINERS, kept_in, strict=True)
]

_ENCODERS = {"mp3": "libmp3lame", "opus": "libopus"}
_NUM_FRAMES = 24


@dataclass(frozen=True)
class Rendered:
    """A source and what came out of it."""

    source: Path
    output: Path
    writer: VideoWriter


def render(source: Path, output: Path, *, start: float | None = None, **options: Any) -> VideoWriter:
    with open_video(source, start_seconds=start) as reader, factory.open_output(output, reader, **options) as writer:
        for item in reader:
            writer.write(item)
        writer.commit()
    return writer


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Rendered]:
    """Render a source once into each container."""
    folder = tmp_path_factory.mktemp("rendered")
    known: dict[tuple[Path, str], Rendered] = {}

    def get(source: Path, container: str) -> Rendered:
        if (source, container) not in known:
            output = folder / f"{source.stem}.{container}"
            known[source, container] = Rendered(source, output, render(source, output))
        return known[source, container]

    return get


@pytest.fixture(scope="module")
def all_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of every sound codec, a stream each."""
    path = tmp_path_factory.mktemp("sound") / "sound.mkv"
    return factory.make_clip(path, audio=[_ENCODERS.get(c, c) for c in SOUND], num_frames=_NUM_FRAMES)


@pytest.fixture(scope="module")
def all_subtitles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two lines of every kind of subtitle, a stream each."""
    folder = tmp_path_factory.mktemp("subtitles")
    texts = {c: factory.make_clip(folder / f"{c}.mkv", subtitles=c, num_frames=24) for c in ("subrip", "ass", "webvtt")}
    path = folder / "subtitles.mkv"
    opened = [av.open(str(text)) for text in texts.values()]
    with av.open(str(path), "w") as output:
        sources = [opened[0].streams.video[0], *(o.streams.subtitles[0] for o in opened)]
        targets = {source: output.add_stream_from_template(source) for source in sources}
        bitmaps = [output.add_mux_stream(name) for name in ("dvd_subtitle", "hdmv_pgs_subtitle")]
        output.start_encoding()
        for stream in bitmaps:
            packet = av.Packet(b"\x80\x00\x00")  # PGS: end of a display set
            packet.pts, packet.dts, packet.duration, packet.time_base = 100, 100, 300, factory.MS
            packet.stream = stream
            output.mux_one(packet)
        for container in opened:
            for packet in container.demux([s for s in sources if s.container is container]):
                if packet.size:
                    packet.stream = targets[packet.stream]
                    output.mux_one(packet)
    for container in opened:
        container.close()
    return path


def picture_file(format_name: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(factory.picture(0)).save(file, format_name)
    return file.getvalue()


@pytest.fixture(scope="module")
def with_everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Matroska with a cover, a font, chapters, a timecode, notes and roles."""
    path = tmp_path_factory.mktemp("extras") / "extras.mkv"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=24)
        video.width, video.height = 64, 48
        video.metadata.update({"title": "the picture", "timecode": "10:00:00:12"})
        sound = output.add_stream("aac", rate=48000)
        sound.metadata.update({"language": "jpn", "title": "commentary"})
        sound.disposition = Disposition.comment | Disposition.default
        output.add_attachment("title.ttf", "application/x-truetype-font", b"font" * 100)
        output.add_attachment("cover.jpg", "image/jpeg", picture_file("JPEG"))
        output.metadata.update({"title": "A walk", "scene": "12"})
        output.set_chapters(
            [{"id": 1, "start": 0, "end": 500, "time_base": factory.MS, "metadata": {"title": "first"}}]
        )
        output.start_encoding()
        factory._mux_tone(output, sound, 0.0, 0.0, 1.0)
        for index in range(24):
            frame = av.VideoFrame.from_ndarray(factory.picture(index))
            frame.pts = index
            output.mux(video.encode(frame))
        for stream in (video, sound):
            output.mux(stream.encode(None))
    return path


def packets(path: Path, kind: str, number: int) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = [s for s in container.streams if s.type == kind][number]
        return [bytes(p) for p in container.demux(stream) if p.size]


def codecs(path: Path, kind: str) -> list[str]:
    with av.open(str(path)) as container:
        return [s.codec_context.codec.canonical_name for s in container.streams if s.type == kind]


@pytest.mark.parametrize(("codec", "container", "fate"), SOUND_TABLE)
def test_sound(rendered, all_sound: Path, codec: str, container: str, fate: str) -> None:
    number = list(SOUND).index(codec)
    result = rendered(all_sound, container)
    plan = [p for p in result.writer.plan if p.kind == "audio"][number]

    assert plan.stream.codec == codec
    assert plan.action == ("copy" if fate == "copy" else "convert")
    # MP4 has one name for both layers of MPEG audio.
    expected = "mp3" if (codec, container) == ("mp2", "mp4") else codec if fate == "copy" else fate
    assert codecs(result.output, "audio")[number] == expected
    ours, theirs = packets(result.output, "audio", number), packets(all_sound, "audio", number)
    if fate != "copy":
        assert f"converted to {plan.target_codec}" in str(plan)
        assert plan.reason
    elif codec.startswith("pcm"):
        assert b"".join(ours) == b"".join(theirs)  # muxers cut raw samples into packets as they like
    else:
        assert ours == theirs
    with av.open(str(result.output)) as opened:
        stream = opened.streams.audio[number]
        assert stream.language == ("ger" if container == "mov" else "deu")  # the same, in QuickTime's table
        frames = list(opened.decode(stream))
    # A container's tick and an encoder's block are the most that may be missing or too much.
    assert abs(float(frames[0].pts * frames[0].time_base)) < 0.03
    assert sum(f.samples for f in frames) / 48000 == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("audio", ["transcode", "drop"])
def test_sound_can_be_converted_or_left_out_altogether(tmp_path, container: str, audio: str) -> None:
    clip = factory.make_clip(tmp_path / "c.mkv", audio=["aac", "libopus"], num_frames=12)
    output = tmp_path / f"out.{container}"

    writer = render(clip, output, audio=audio)

    customary = {"mp4": "aac", "mov": "pcm_s24le", "mkv": "flac", "webm": "opus"}[container]
    assert codecs(output, "audio") == ([customary] * 2 if audio == "transcode" else [])
    assert all("as asked" in str(plan) for plan in writer.plan)


@pytest.mark.parametrize("audio", ["copy", "transcode"])
def test_sound_of_which_nothing_is_known_is_left_out_with_a_line(tmp_path, audio: str) -> None:
    clip = tmp_path / "c.mkv"
    with av.open(str(clip), "w") as output:
        video = output.add_stream("libx264", rate=24)
        video.width, video.height = 64, 48
        sound = output.add_mux_stream("mp3", rate=8000)  # and no word of its channels
        frame = av.VideoFrame.from_ndarray(factory.picture(0))
        frame.pts = 0
        output.mux(video.encode(frame))
        packet = av.Packet(bytes(80))
        packet.pts, packet.dts, packet.time_base, packet.stream = 0, 0, factory.MS, sound
        output.mux(packet)
        output.mux(video.encode(None))

    writer = render(clip, tmp_path / "out.mp4", audio=audio)

    assert [plan.action for plan in writer.plan] == ["drop"]
    assert codecs(tmp_path / "out.mp4", "audio") == []


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_names_of_tracks_stay(tmp_path, with_everything: Path, container: str) -> None:
    source = render(with_everything, tmp_path / "in.mov").path  # where QuickTime calls a title name

    render(source, tmp_path / f"out.{container}")

    with open_video(tmp_path / f"out.{container}") as reader:
        assert [s.title for s in reader.streams if s.type == "audio"] == ["commentary"]


@pytest.mark.parametrize(("channels", "layout"), [(1, "mono"), (6, "5.1(side)"), (8, "7.1")])
@pytest.mark.parametrize("container", CONTAINERS)
def test_every_channel_survives_a_conversion(tmp_path, channels: int, layout: str, container: str) -> None:
    clip = tmp_path / "c.mkv"
    make_with_layout(clip, layout)
    output = tmp_path / f"out.{container}"

    render(clip, output, audio="transcode")

    with av.open(str(output)) as opened:
        assert opened.streams.audio[0].channels == channels
        assert sum(f.samples for f in opened.decode(audio=0)) / 48000 == pytest.approx(0.5, abs=0.05)


def make_with_layout(path: Path, layout: str) -> None:
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=24)
        video.width, video.height = 64, 48
        sound = output.add_stream("flac", rate=48000)
        sound.layout = layout
        output.start_encoding()
        for index in range(12):
            frame = av.VideoFrame.from_ndarray(factory.picture(index))
            frame.pts = index
            output.mux(video.encode(frame))
        for index in range(6):
            silence = av.AudioFrame(format="s16", layout=layout, samples=4000)
            silence.planes[0].update(bytes(silence.planes[0].buffer_size))
            silence.sample_rate, silence.pts, silence.time_base = 48000, index * 4000, Fraction(1, 48000)
            output.mux(sound.encode(silence))
        for stream in (video, sound):
            output.mux(stream.encode(None))


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le"])
def test_what_an_mp4_holds_already_may_stay(tmp_path, codec: str) -> None:
    from_mp4 = factory.make_clip(tmp_path / "c.mp4", audio=codec, num_frames=12)
    from_mov = factory.make_clip(tmp_path / "c.mov", audio=codec, num_frames=12)

    assert [p.action for p in render(from_mp4, tmp_path / "a.mp4").plan] == ["copy"]
    assert [p.action for p in render(from_mov, tmp_path / "b.mp4").plan] == ["convert"]


@pytest.mark.parametrize(("codec", "container", "fate"), SUBTITLE_TABLE)
def test_subtitles(rendered, all_subtitles: Path, codec: str, container: str, fate: str | None) -> None:
    number = list(SUBTITLES).index(codec)
    result = rendered(all_subtitles, container)
    plan = [p for p in result.writer.plan if p.kind == "subtitle"][number]

    assert plan.stream.codec == codec
    assert plan.action == {"copy": "copy", None: "drop"}.get(fate, "convert")
    if fate is None:
        assert "dropped" in str(plan)
        return
    kept = [p for p in result.writer.plan if p.kind == "subtitle" and p.action != "drop"]
    ours = packets(result.output, "subtitle", kept.index(plan))
    if fate == "copy":
        assert ours == packets(all_subtitles, "subtitle", number)
    else:
        assert codecs(result.output, "subtitle")[kept.index(plan)] == fate
        assert b"Hello there" in b"".join(ours)
        assert ("styling is lost" in str(plan)) == (codec == "ass")


@pytest.mark.parametrize(
    ("container", "fate"), [("mp4", "copy"), ("mov", "copy"), ("mkv", "subrip"), ("webm", "webvtt")]
)
def test_subtitles_of_mp4(tmp_path, container: str, fate: str) -> None:
    clip = factory.make_clip(tmp_path / "c.mp4", subtitles="mov_text", num_frames=24)

    writer = render(clip, tmp_path / f"out.{container}")

    assert [p.action for p in writer.plan] == ["copy" if fate == "copy" else "convert"]
    assert codecs(tmp_path / f"out.{container}", "subtitle") == ["mov_text" if fate == "copy" else fate]
    assert b"Hello there" in b"".join(packets(tmp_path / f"out.{container}", "subtitle", 0))


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_subtitles_that_overlap_keep_their_times_where_one_is_shown_at_a_time(tmp_path: Path, container: str) -> None:
    lines = ((0, 800, "SIGN"), (100, 200, "one"), (500, 100, "two"), (850, 100, "three"))
    clip = factory.make_clip(tmp_path / "c.mkv", subtitles="subrip", lines=lines, num_frames=24)

    render(clip, tmp_path / f"out.{container}")

    with av.open(str(tmp_path / f"out.{container}")) as opened:
        (stream,) = opened.streams.subtitles
        shown = [(p.pts * p.time_base * 1000, bytes(p)[2:]) for p in opened.demux(stream) if p.size > 2]
    assert shown == [
        (0, b"SIGN"),
        (100, b"SIGN\none"),
        (300, b"SIGN"),
        (500, b"SIGN\ntwo"),
        (600, b"SIGN"),
        (850, b"three"),
    ]


def test_sound_of_more_channels_than_an_encoder_takes_is_named(tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "c.mov", num_frames=6)
    many = tmp_path / "many.mov"
    with av.open(str(clip)) as source, av.open(str(many), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        sound = output.add_stream("pcm_s16le", rate=48000, layout="22.2")
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                output.mux(packet)
        silence = av.AudioFrame("s16", "22.2", 4800)
        silence.planes[0].update(bytes(silence.planes[0].buffer_size))
        silence.sample_rate, silence.pts = 48000, 0
        output.mux(sound.encode(silence))
        output.mux(sound.encode(None))
    with pytest.raises(ConfigError, match=r"24 channels\) cannot be converted to aac; leave it out with --audio drop"):
        render(many, tmp_path / "out.mp4")
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(("what", "container", "kept"), EXTRAS_TABLE)
def test_extras(rendered, with_everything: Path, what: str, container: str, kept: bool) -> None:
    result = rendered(with_everything, container)
    plans = {p.kind: p for p in result.writer.plan}
    if what in plans:
        assert plans[what].action == ("copy" if kept else "drop")
    with av.open(str(result.output)) as opened:
        match what:
            case "cover":
                found = [s for s in opened.streams.video if s.disposition & Disposition.attached_pic]
                assert [bytes(next(opened.demux(s))) for s in found] == [picture_file("JPEG")] * kept
            case "attachment":
                assert [(s.name, bytes(s.data)) for s in opened.streams.attachments] == [
                    ("title.ttf", b"font" * 100)
                ] * kept
            case "chapters":
                assert [c["metadata"]["title"] for c in opened.chapters()] == ["first"] * kept
            case "timecode":
                notes = {k.lower(): v for k, v in opened.streams.video[0].metadata.items()}
                assert notes.get("timecode") == ("10:00:00:12" if kept else None)


@pytest.mark.parametrize("container", CONTAINERS)
def test_titles_languages_and_roles(rendered, with_everything: Path, container: str) -> None:
    result = rendered(with_everything, container)

    with av.open(str(result.output)) as opened:
        sound = opened.streams.audio[0]
        assert opened.metadata["title"] == "A walk"
        assert sound.language == "jpn"
        if container in ("mkv", "webm"):
            assert sound.metadata["title"] == "commentary"
        assert sound.disposition & Disposition.default
        kept = bool(sound.disposition & Disposition.comment)
        assert kept == (not any("role comment" in note for note in result.writer.notes))
        assert kept == (container in ("mp4", "mkv"))
        kept = "scene" in {key.lower() for key in opened.metadata}
    assert kept == (not any("SCENE" in note for note in result.writer.notes))
    assert kept == (container in ("mkv", "webm"))


def test_notes_of_a_camera_stay_in_quicktime(tmp_path) -> None:
    notes = {"com.apple.quicktime.make": "Apple", "com.apple.quicktime.location.ISO6709": "+12.3+045.6/"}
    clip = factory.make_clip(
        tmp_path / "c.mov", num_frames=3, metadata=notes, container_options={"movflags": "use_metadata_tags"}
    )

    writer = render(clip, tmp_path / "out.mov")

    assert writer.notes == []
    with av.open(str(tmp_path / "out.mov")) as opened:
        assert notes.items() <= dict(opened.metadata).items()


@pytest.mark.parametrize("container", ["mp4", "mov"])
def test_a_timecode_track_moves_with_the_start(tmp_path, container: str) -> None:
    clip = tmp_path / "c.mov"
    make_with_timecode(clip, "00:00:59;28", Fraction(30000, 1001))

    writer = render(clip, tmp_path / f"out.{container}", start=0.1)

    assert [(p.kind, p.action) for p in writer.plan] == [("timecode", "copy")]
    with av.open(str(tmp_path / f"out.{container}")) as opened:
        # Three frames on; the labels ;00 and ;01 of this minute do not exist.
        assert opened.streams.video[0].metadata["timecode"] == "00:01:00;03"


def make_with_timecode(path: Path, timecode: str, rate: Fraction) -> None:
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=rate)
        video.width, video.height = 64, 48
        video.metadata["timecode"] = timecode
        for index in range(12):
            frame = av.VideoFrame.from_ndarray(factory.picture(index))
            frame.pts, frame.time_base = index, 1 / rate
            output.mux(video.encode(frame))
        output.mux(video.encode(None))


def test_chapters_of_mp4_are_kept_though_not_as_a_stream(tmp_path) -> None:
    clip = factory.make_clip(tmp_path / "c.mp4", chapters=True, num_frames=24)

    writer = render(clip, tmp_path / "out.mp4")

    assert [(p.kind, p.action) for p in writer.plan] == [("chapters", "copy")]
    with av.open(str(tmp_path / "out.mp4")) as opened:
        assert [c["metadata"]["title"] for c in opened.chapters()] == ["first", "second"]


def test_sound_in_its_own_frames_keeps_its_samples(tmp_path) -> None:
    clip = factory.make_clip(tmp_path / "c.ts", audio="aac", num_frames=24)

    writer = render(clip, tmp_path / "out.mp4")

    assert [p.action for p in writer.plan] == ["copy"]
    # Each packet of a transport stream has a header of its own; the sound behind it is the same.
    ours, theirs = packets(tmp_path / "out.mp4", "audio", 0), packets(clip, "audio", 0)
    assert [packet[7:] for packet in theirs] == ours


def test_two_renders_to_one_output_do_not_mix(tmp_path, clip_mp4: Path) -> None:
    with open_video(clip_mp4) as reader, factory.open_output(tmp_path / "out.mp4", reader) as first:
        with open_video(clip_mp4) as other, pytest.raises(OpenError, match="another run"):
            factory.open_output(tmp_path / "out.mp4", other)
        for item in reader:
            first.write(item)
        first.commit()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    with open_video(tmp_path / "out.mp4") as reader:
        assert reader.info.num_frames_from_header == 48


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_damaged_sound_that_has_to_be_converted(tmp_path, on_error: str) -> None:
    good = factory.make_clip(tmp_path / "good.mkv", audio="flac", num_frames=48)
    clip = tmp_path / "bad.mkv"
    with av.open(str(good)) as source, av.open(str(clip), "w") as output:
        targets = {s.index: output.add_stream_from_template(s) for s in source.streams}
        num_sounds = 0
        for packet in source.demux():
            if not packet.size:
                continue
            data = bytes(packet)
            if packet.stream.type == "audio":
                num_sounds += 1
                data = data if num_sounds != 8 else data[:20] + bytes(len(data) - 20)
            written = av.Packet(data)
            written.pts, written.dts, written.duration = packet.pts, packet.dts, packet.duration
            written.time_base, written.stream = packet.time_base, targets[packet.stream_index]
            written.is_keyframe = packet.is_keyframe
            output.mux_one(written)

    def go() -> VideoWriter:
        with open_video(clip, on_error=on_error) as reader, factory.open_output(tmp_path / "out.mov", reader) as writer:
            for item in reader:
                writer.write(item)
            writer.commit()
        return writer

    if on_error == "stop":
        with pytest.raises(DecodeError, match="--on-error skip"):
            go()
        assert not (tmp_path / "out.mov").exists()
        return
    assert any("first at 0.6" in note and "silent" in note for note in go().notes)
    # What follows stays where it was.
    num_samples, start = factory.audio_samples(tmp_path / "out.mov")
    assert start == 0
    assert num_samples / 48000 == pytest.approx(2, abs=0.001)
