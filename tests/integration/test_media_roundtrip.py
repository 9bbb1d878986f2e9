"""Reader into writer, nothing in between: what comes out must be what went in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest

from vidstyle.frames import VideoFrame
from vidstyle.media import VideoWriter, open_video, probe_video


def copy(source: Path, output: Path, *, start=None, end=None, frames=None, **options) -> VideoWriter:
    with (
        open_video(source, start_seconds=start, end_seconds=end, frames=frames) as reader,
        factory.open_output(output, reader, **options) as writer,
    ):
        for item in reader:
            writer.write(item)
        writer.commit()
    return writer


def frames(path: Path) -> list[VideoFrame]:
    with open_video(path) as reader:
        return [item for item in reader if isinstance(item, VideoFrame)]


def times(path: Path) -> list[Fraction]:
    return [f.pts * f.time_base for f in frames(path)]


def mean_error(first: Path, second: Path) -> float:
    pairs = zip(frames(first), frames(second), strict=True)
    return float(np.mean([(a.data.int() - b.data.int()).abs().float().mean() for a, b in pairs]))


def stream_names(path: Path) -> list[tuple[str, str]]:
    with open_video(path) as reader:
        return [(s.type, s.codec) for s in reader.streams]


@pytest.mark.parametrize("output", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cfr.mp4", {"rate": 25}),
        ("ntsc.mp4", {"rate": Fraction(24000, 1001), "num_frames": 40}),
        ("film.mkv", {"rate": 24}),
        ("vfr.mkv", {"pts": factory.VFR_PTS_MS, "time_base": factory.MS}),
        ("vfr.mp4", {"pts": factory.VFR_PTS_MS, "time_base": factory.MS}),
        ("late.mp4", {"pts": range(13, 37), "rate": 24}),
        ("late_vfr.mp4", {"pts": [7001 + t for t in factory.VFR_PTS_MS], "time_base": factory.MS}),
        ("counted.avi", {"rate": 30}),
    ],
)
def test_frame_times_and_count(tmp_path, name, options, output):
    source = factory.make_clip(tmp_path / name, **options)

    copy(source, tmp_path / output)

    expected, got = times(source), times(tmp_path / output)
    assert len(got) == len(expected)
    # Matroska counts milliseconds; the others are exact.
    tolerance = Fraction(1, 2000) if output.endswith("mkv") else 0
    assert all(abs(a - b) <= tolerance for a, b in zip(expected, got, strict=True))


def test_frame_times_into_webm(tmp_path):
    source = factory.make_clip(tmp_path / "vfr.webm", pts=factory.VFR_PTS_MS, time_base=factory.MS, audio="libopus")

    copy(source, tmp_path / "out.webm")

    assert times(tmp_path / "out.webm") == times(source)
    assert factory.audio_packets(tmp_path / "out.webm") == factory.audio_packets(source)


@pytest.mark.parametrize(
    ("source", "codec", "output"),
    [
        ("c.mp4", "aac", "out.mp4"),
        ("c.mp4", "aac", "out.mov"),
        ("c.mp4", "aac", "out.mkv"),
        ("c.mp4", "libmp3lame", "out.mp4"),
        ("c.mkv", "libmp3lame", "out.mp4"),
        ("c.mkv", "ac3", "out.mov"),
        ("c.mkv", "flac", "out.mp4"),
        ("c.webm", "libopus", "out.mkv"),
        ("c.webm", "libopus", "out.mp4"),
        ("c.mkv", "pcm_s16le", "out.mov"),
        ("c.mkv", "pcm_s16le", "out.mkv"),
        ("c.avi", "mp2", "out.mp4"),
        ("c.ts", "mp2", "out.mkv"),
    ],
)
def test_sound_is_copied_byte_for_byte(tmp_path, source, codec, output):
    clip = factory.make_clip(tmp_path / source, audio=codec)

    writer = copy(clip, tmp_path / output)

    assert [p.action for p in writer.plan] == ["copy"]
    packets = factory.audio_packets(tmp_path / output)
    if codec == "pcm_s16le":
        # Muxers cut raw samples into packets as they like.
        assert b"".join(packets) == b"".join(factory.audio_packets(clip))
    else:
        assert packets == factory.audio_packets(clip)


@pytest.mark.parametrize(
    ("source", "codec", "output", "expected"),
    [
        ("c.mkv", "pcm_s16le", "out.mp4", "aac"),
        ("c.mkv", "flac", "out.mov", "pcm_s24le"),
        ("c.mkv", "pcm_s16le", "out.webm", "opus"),
        ("c.mp4", "aac", "out.webm", "opus"),
    ],
)
def test_sound_the_container_refuses_is_converted_and_said_so(tmp_path, source, codec, output, expected):
    clip = factory.make_clip(tmp_path / source, audio=codec, num_frames=48)

    writer = copy(clip, tmp_path / output)

    (plan,) = writer.plan
    assert plan.action == "convert"
    assert f"converted to {plan.target_codec}" in str(plan)
    assert stream_names(tmp_path / output)[1] == ("audio", expected)
    num_samples, start = factory.audio_samples(tmp_path / output)
    assert abs(num_samples / 48000 - 2.0) < 0.05
    assert abs(start) < 0.03


def test_late_sound_stays_late(tmp_path):
    clip = factory.make_clip(tmp_path / "c.mkv", audio="pcm_s16le", audio_start_seconds=0.5, num_frames=48)

    copy(clip, tmp_path / "out.mp4")

    assert abs(factory.audio_samples(tmp_path / "out.mp4")[1] - 0.5) < 0.03


def test_every_sound_stream_keeps_its_language(tmp_path):
    clip = factory.make_clip(tmp_path / "c.mkv", audio=["aac", "libmp3lame"])

    copy(clip, tmp_path / "out.mkv")

    with open_video(tmp_path / "out.mkv") as reader:
        assert [(s.codec, s.language) for s in reader.other_streams] == [("aac", "deu"), ("mp3", "deu")]
    assert factory.audio_packets(tmp_path / "out.mkv", 1) == factory.audio_packets(clip, 1)


def test_sound_can_be_left_out(tmp_path, clip_mp4):
    writer = copy(clip_mp4, tmp_path / "out.mp4", audio="drop")

    assert str(writer.plan[0]).endswith("dropped, as asked")
    assert [kind for kind, _ in stream_names(tmp_path / "out.mp4")] == ["video"]


@pytest.mark.parametrize(
    ("output", "action", "codec"),
    [
        ("out.mkv", "copy", "subrip"),
        ("out.mp4", "convert", "mov_text"),
        ("out.mov", "convert", "mov_text"),
        ("out.webm", "convert", "webvtt"),
    ],
)
def test_subtitles(tmp_path, output, action, codec):
    clip = factory.make_clip(tmp_path / "c.mkv", subtitles="subrip", num_frames=30)

    writer = copy(clip, tmp_path / output)

    assert [p.action for p in writer.plan] == [action]
    with av.open(str(tmp_path / output)) as container:
        stream = container.streams.subtitles[0]
        assert stream.codec_context.codec.canonical_name == codec
        assert stream.language == "eng"
        shown = [p for p in container.demux(stream) if p.size > 2]
        assert [(p.pts * p.time_base, p.duration * p.time_base) for p in shown] == [
            (Fraction(1, 10), Fraction(3, 10)),
            (Fraction(1, 2), Fraction(2, 5)),
        ]
        assert b"Hello there" in bytes(shown[0])
        assert b"Goodbye" in bytes(shown[1])


@pytest.mark.parametrize("output", ["out.mkv", "out.webm"])
def test_subtitles_are_shown_for_as_long_as_they_lie_in_the_part(tmp_path, output):
    lines = ((100, 2000, "Before"), (1200, 200, "Inside"), (1400, 3000, "Beyond"))
    clip = factory.make_clip(tmp_path / "c.mkv", subtitles="subrip", lines=lines, num_frames=72)

    copy(clip, tmp_path / output, start=1.0, end=1.75)

    with av.open(str(tmp_path / output)) as container:
        packets = [p for p in container.demux(container.streams.subtitles[0]) if p.size]
        assert [(float(p.pts * p.time_base), float(p.duration * p.time_base)) for p in packets] == [
            (0.0, 0.75),
            (0.2, 0.2),
            (0.4, 0.35),
        ]


@pytest.mark.parametrize(
    ("rate", "frames", "label"),
    [
        (Fraction(24000, 1001), "1-5", "01:00:00:01"),
        (Fraction(24000, 1001), "7-12", "01:00:00:07"),
        (Fraction(30000, 1001), "13-20", "01:00:00:13"),
        (Fraction(60), "1-3", "01:00:00:01"),
    ],
)
@pytest.mark.parametrize("late", [0, 1, 7])
def test_the_label_of_a_part_is_that_of_its_first_frame(tmp_path, rate, frames, label, late):
    clip = factory.make_clip(
        tmp_path / "c.mkv", pts=range(late, late + 24), rate=rate, num_frames=24, metadata={"timecode": "01:00:00:00"}
    )
    first = int(frames.partition("-")[0])
    copy(clip, tmp_path / "numbered.mkv", frames=frames)
    copy(clip, tmp_path / "labelled.mkv", start=label, end=f"01:00:00:{first + 3:02}")
    for name in ("numbered.mkv", "labelled.mkv"):
        with av.open(str(tmp_path / name)) as container:
            notes = container.metadata | container.streams.video[0].metadata
            assert next(value for key, value in notes.items() if key.lower() == "timecode") == label
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        assert np.abs(picture - factory.picture(first)).mean() < 3


@pytest.mark.parametrize(("name", "start"), [("c.mkv", 0.201), ("c.mp4", 0.2001)])
def test_a_start_between_frames_has_the_label_of_the_next(tmp_path, name, start):
    clip = factory.make_clip(tmp_path / name, num_frames=24, rate=25, metadata={"timecode": "01:00:00:00"})
    copy(clip, tmp_path / "out.mkv", start=start)
    with av.open(str(tmp_path / "out.mkv")) as container:
        notes = container.metadata | container.streams.video[0].metadata
        assert next(value for key, value in notes.items() if key.lower() == "timecode") == "01:00:00:06"


def test_drop_frame_labels_of_a_rounded_rate(tmp_path):
    rate = Fraction(60000, 1001)
    clip = factory.make_clip(tmp_path / "c.mkv", num_frames=24, rate=rate, metadata={"timecode": "01:00:59;50"})
    assert probe_video(clip).average_rate == rate
    copy(clip, tmp_path / "out.mkv", start="01:00:59;53")
    with av.open(str(tmp_path / "out.mkv")) as container:
        notes = container.metadata | container.streams.video[0].metadata
        assert next(value for key, value in notes.items() if key.lower() == "timecode") == "01:00:59;53"


def test_a_second_picture_is_dropped_and_said_so(tmp_path, clip_mp4):
    two = tmp_path / "two.mkv"
    with av.open(str(clip_mp4)) as source, av.open(str(two), "w") as output:
        stream = source.streams.video[0]
        targets = [output.add_stream_from_template(stream) for _ in range(2)]
        for packet in source.demux(stream):
            if packet.size:
                for target in targets:
                    packet.stream = target
                    output.mux(packet)

    writer = copy(two, tmp_path / "out.mp4")

    (plan,) = writer.plan
    assert plan.action == "drop"
    assert "main picture" in str(plan)
    assert len(times(tmp_path / "out.mp4")) == 48


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
@pytest.mark.parametrize("color_range", ["tv", "pc"])
@pytest.mark.parametrize("output", ["out.mp4", "out.mkv", "out.webm"])
def test_colour_tags_and_pixels(tmp_path, matrix, color_range, output):
    clip = factory.make_clip(
        tmp_path / "c.mp4", num_frames=3, matrix=matrix, color_range=color_range, pixel_format="yuv444p"
    )

    copy(clip, tmp_path / output, crf=4)

    code = {"bt709": 1, "smpte170m": 6}[matrix]
    assert factory.stored_color(tmp_path / output) == (code, code, code, {"tv": 1, "pc": 2}[color_range])
    assert mean_error(clip, tmp_path / output) < 2.0


@pytest.mark.parametrize(("height", "code"), [(48, 6), (720, 1)])
def test_untagged_sources_are_tagged_as_they_were_read(tmp_path, height, code):
    clip = factory.make_clip(tmp_path / "c.mp4", num_frames=2, size=(64, height))

    copy(clip, tmp_path / "out.mp4")

    assert factory.stored_color(tmp_path / "out.mp4") == (code, code, code, 1)
    assert mean_error(clip, tmp_path / "out.mp4") < 2.0


@pytest.mark.parametrize("rotation", [(90, False), (180, False), (270, True)])
def test_rotation_is_in_the_pixels_and_no_longer_in_the_tags(tmp_path, rotation):
    clip = factory.make_clip(tmp_path / "c.mp4", num_frames=2, rotation=rotation, sample_aspect_ratio=Fraction(4, 3))

    copy(clip, tmp_path / "out.mp4")

    with open_video(clip) as before, open_video(tmp_path / "out.mp4") as after:
        assert (after.info.rotation_degrees, after.info.flipped) == (0, False)
        assert after.info.upright_size == before.info.upright_size
        sideways = rotation[0] % 180 == 90
        assert after.info.sample_aspect_ratio == (Fraction(3, 4) if sideways else Fraction(4, 3))
    assert mean_error(clip, tmp_path / "out.mp4") < 2.5


@pytest.mark.parametrize(
    ("output", "codec", "kept"),
    [
        ("out.mp4", None, True),
        ("out.mkv", None, True),
        ("out.mov", "libx265", True),
        ("out.mov", "prores_ks", True),
        ("out.mp4", "libvpx-vp9", True),
        ("out.mp4", "libsvtav1", True),
        ("out.mkv", "libsvtav1", False),
        ("out.mkv", "ffv1", False),
        ("out.webm", None, False),
    ],
)
def test_pixel_shape_is_kept_or_its_loss_is_said(tmp_path, output, codec, kept):
    clip = factory.make_clip(tmp_path / "c.mp4", num_frames=2, size=(256, 144), sample_aspect_ratio=Fraction(16, 11))

    writer = copy(clip, tmp_path / output, codec=codec)

    with open_video(tmp_path / output) as reader:
        assert (reader.info.sample_aspect_ratio == Fraction(16, 11)) == kept
    assert kept == (not any("square" in note for note in writer.notes))


@pytest.mark.parametrize("size", [(65, 48), (64, 49), (65, 49)])
@pytest.mark.parametrize(("output", "noted"), [("out.mp4", True), ("out.webm", False)])
def test_odd_sizes_come_out_exactly(tmp_path, size, output, noted):
    clip = factory.make_clip(tmp_path / "c.mkv", num_frames=2, size=size, codec="ffv1", pixel_format="yuv420p")

    writer = copy(clip, tmp_path / output)

    with open_video(tmp_path / output) as reader:
        assert reader.info.upright_size == size
    assert any("is odd" in note for note in writer.notes) == noted
    assert mean_error(clip, tmp_path / output) < 2.5


@pytest.mark.parametrize(
    ("output", "codec", "pixel_format", "tag"),
    [
        ("out.mov", "prores_ks", "yuv422p10le", "apch"),
        ("out.mp4", "libx265", "yuv420p", "hvc1"),
        ("out.mkv", "ffv1", "bgr0", None),
        ("out.mov", "h264", "yuv420p", None),
    ],
)
def test_codecs(tmp_path, clip_mp4, output, codec, pixel_format, tag):
    copy(clip_mp4, tmp_path / output, codec=codec, end=0.25)

    with av.open(str(tmp_path / output)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == pixel_format
        assert tag is None or stream.codec_context.codec_tag == tag
    assert len(times(tmp_path / output)) == 6


@pytest.mark.parametrize("num_frames", [1, 2, 3])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "prores_ks"])
def test_very_short_clips(tmp_path, num_frames, codec):
    clip = factory.make_clip(tmp_path / "c.mp4", num_frames=num_frames)

    copy(clip, tmp_path / "out.mov", codec=codec)

    assert times(tmp_path / "out.mov") == times(clip)


def test_ffv1_keeps_every_value(tmp_path, clip_mp4):
    copy(clip_mp4, tmp_path / "out.mkv", codec="ffv1")

    assert mean_error(clip_mp4, tmp_path / "out.mkv") == 0


def test_options_reach_the_encoder(tmp_path, clip_mp4):
    copy(clip_mp4, tmp_path / "fine.mp4", crf=4)
    copy(clip_mp4, tmp_path / "coarse.mp4", crf=45, preset="ultrafast", encoder_options={"g": "5"})

    assert mean_error(clip_mp4, tmp_path / "fine.mp4") < mean_error(clip_mp4, tmp_path / "coarse.mp4")
    with av.open(str(tmp_path / "coarse.mp4")) as container:
        assert [p.is_keyframe for p in container.demux(video=0) if p.size].count(True) >= 9


def test_metadata_and_chapters(tmp_path):
    clip = factory.make_clip(
        tmp_path / "c.mkv", metadata={"title": "A walk", "artist": "Nobody"}, chapters=True, num_frames=24
    )

    copy(clip, tmp_path / "out.mp4")

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.metadata["title"] == "A walk"
        assert container.metadata["artist"] == "Nobody"
        chapters = container.chapters()
    assert [(c["start"] * c["time_base"], c["metadata"]["title"]) for c in chapters] == [
        (0, "first"),
        (Fraction(1, 2), "second"),
    ]


def test_a_cut_moves_chapters_sound_and_frames_together(tmp_path):
    clip = factory.make_clip(tmp_path / "c.mkv", audio="pcm_s16le", chapters=True, num_frames=48)

    copy(clip, tmp_path / "out.mkv", start=0.25, end=1.25)

    assert times(tmp_path / "out.mkv")[0] == 0
    assert len(times(tmp_path / "out.mkv")) == 24
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert [c["start"] * c["time_base"] for c in container.chapters()] == [0, Fraction(1, 4)]
    num_samples, start = factory.audio_samples(tmp_path / "out.mkv")
    assert 0 <= start < 0.05
    assert abs(num_samples / 48000 - 1) < 0.1


@pytest.mark.parametrize("name", ["bunny_10s_360p_stereo.mp4", "rabbit_8s_240p_vorbis.webm", "odd/sine_stereo_mp2.mpg"])
def test_real_clips(test_data, tmp_path, name):
    clip = test_data / "clips" / name

    writer = copy(clip, tmp_path / "out.mp4")

    assert times(tmp_path / "out.mp4") == times(clip)
    if "vorbis" in name:  # which players do not look for in MP4
        assert [(p.action, p.target_codec) for p in writer.plan] == [("convert", "aac")]
        return
    assert [p.action for p in writer.plan] == ["copy"]
    assert factory.audio_packets(tmp_path / "out.mp4") == factory.audio_packets(clip)
