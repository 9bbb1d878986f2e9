from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import media_factory as factory
import numpy as np
import pytest
import torch
from PIL import Image

from vidstyle.errors import ConfigError, DecodeError, OpenError, UnsupportedMediaError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media import open_video, probe_video


def read(path: Path, **options):
    with open_video(path, **options) as reader:
        items = list(reader)
    return [i for i in items if isinstance(i, VideoFrame)], [i for i in items if isinstance(i, Packet)], reader


def times(frames) -> list[Fraction]:
    return [f.pts * f.time_base for f in frames]


def test_frames_are_uint8_rgb_and_look_like_the_picture(clip_mp4):
    frames, packets, reader = read(clip_mp4)

    assert len(frames) == 48
    assert reader.info.num_frames_from_header == 48
    for index in (0, 20, 47):
        data = frames[index].data
        assert data.dtype == torch.uint8
        assert data.shape == (3, 48, 64)
        assert data.is_contiguous()
        error = np.abs(data.permute(1, 2, 0).numpy().astype(int) - factory.picture(index))
        assert error.mean() < 2.5
    assert {p.stream_index for p in packets} == {1}


def test_packets_pass_untouched(clip_mp4):
    _, packets, _ = read(clip_mp4)

    assert [bytes(p.payload) for p in packets] == factory.audio_packets(clip_mp4)


def test_frame_times_of_ntsc_rate_are_exact(tmp_path):
    rate = Fraction(24000, 1001)
    path = factory.make_clip(tmp_path / "ntsc.mp4", rate=rate, num_frames=30)

    frames, _, reader = read(path)

    assert reader.info.average_rate == rate
    assert times(frames) == [index / rate for index in range(30)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_variable_frame_times_are_exact(tmp_path, suffix):
    path = factory.make_clip(tmp_path / f"vfr{suffix}", pts=factory.VFR_PTS_MS, time_base=factory.MS)

    frames, _, _ = read(path)

    assert times(frames) == [t * factory.MS for t in factory.VFR_PTS_MS]


@pytest.mark.parametrize(("name", "codec"), [("raw.h264", "libx264"), ("raw.avi", "libx264"), ("plain.avi", "mpeg4")])
def test_files_without_timestamps_are_timed_by_their_rate(tmp_path, name, codec):
    format_name = "h264" if name.endswith("h264") else "avi"
    options = {"preset": "fast", "bf": "2"} if codec == "libx264" else {}
    path = factory.make_clip(
        tmp_path / name, rate=30, num_frames=20, codec=codec, options=options, format_name=format_name
    )

    frames, _, reader = read(path)

    assert reader.info.average_rate == 30
    assert times(frames) == [Fraction(index, 30) for index in range(20)]


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_and_mirror_are_applied(tmp_path, degrees, flipped):
    path = factory.make_clip(tmp_path / "turned.mp4", num_frames=2, rotation=(degrees, flipped))

    frames, _, reader = read(path)

    stored = factory.picture(0)
    upright = np.rot90(stored[:, ::-1] if flipped else stored, degrees // 90)
    assert (reader.info.rotation_degrees, reader.info.flipped) == (degrees, flipped)
    assert (reader.info.width, reader.info.height) == (64, 48)
    assert reader.info.upright_size == upright.shape[1::-1]
    assert np.abs(frames[0].data.permute(1, 2, 0).numpy().astype(int) - upright).mean() < 2.5


@pytest.mark.parametrize("start", [0.5, 0.51, 0.95, 1.3])
def test_start_gives_the_first_frame_not_before_it_at_zero_with_sound_in_sync(tmp_path, start):
    path = factory.make_clip(
        tmp_path / "c.mp4", num_frames=48, audio="mp2", options={"preset": "fast"}, keyframe_interval=10
    )
    full, full_packets, _ = read(path)
    expected = [f for f in full if f.pts * f.time_base >= Fraction(str(start))]

    frames, packets, _ = read(path, start_seconds=start)

    first = expected[0].pts * expected[0].time_base
    assert times(frames) == [t - first for t in times(expected)]
    assert all(torch.equal(a.data, b.data) for a, b in zip(frames, expected, strict=True))
    kept = [p for p in full_packets if p.payload.pts * p.payload.time_base >= first]
    assert [bytes(p.payload) for p in packets] == [bytes(p.payload) for p in kept]
    # Both clocks move by the same time, within half a tick of the sound's.
    shift = kept[0].payload.pts * kept[0].payload.time_base - packets[0].payload.pts * packets[0].payload.time_base
    assert abs(shift - first) <= kept[0].payload.time_base / 2


def test_start_can_keep_the_clip_s_own_times(clip_mp4):
    frames, _, _ = read(clip_mp4, start_seconds=1.0, end_seconds=1.25, shift_to_zero=False)

    assert times(frames) == [Fraction(24 + index, 24) for index in range(6)]


def test_end_leaves_out_frames_and_sound_from_there_on(clip_mp4):
    full, full_packets, _ = read(clip_mp4)

    frames, packets, _ = read(clip_mp4, end_seconds=0.5)

    assert times(frames) == times(full)[:12]
    assert [bytes(p.payload) for p in packets] == [
        bytes(p.payload) for p in full_packets if p.payload.pts * p.payload.time_base < Fraction(1, 2)
    ]


def test_start_works_in_a_file_without_timestamps(tmp_path):
    path = factory.make_clip(tmp_path / "plain.avi", rate=10, num_frames=20)

    full, _, _ = read(path)
    frames, _, _ = read(path, start_seconds=1.0)

    assert times(frames) == [Fraction(index, 10) for index in range(10)]
    assert all(torch.equal(a.data, b.data) for a, b in zip(frames, full[10:], strict=True))


@pytest.mark.parametrize("start", [2.0, 60.0])
def test_start_past_the_end_names_the_length(clip_mp4, start):
    with pytest.raises(OpenError, match=r"2\.000 s long"):
        read(clip_mp4, start_seconds=start)


def test_start_after_the_last_frame_of_a_file_without_a_length_names_the_last_frame(tmp_path):
    path = factory.make_clip(tmp_path / "raw.h264", rate=10, num_frames=5, format_name="h264")

    with pytest.raises(OpenError, match=r"last frame .* is at 0\.400 s"):
        read(path, start_seconds=3)


@pytest.mark.parametrize(("start", "end"), [(-1, None), (float("nan"), None), (2, 1), (None, 0), (None, float("inf"))])
def test_impossible_ranges_are_refused(clip_mp4, start, end):
    with pytest.raises(ConfigError):
        open_video(clip_mp4, start_seconds=start, end_seconds=end)


@pytest.mark.parametrize(
    ("height", "matrix", "expected"),
    [(48, None, "smpte170m"), (720, None, "bt709"), (48, "bt709", "bt709"), (720, "smpte170m", "smpte170m")],
)
def test_colour_tags_are_resolved(tmp_path, height, matrix, expected):
    path = factory.make_clip(
        tmp_path / "c.mp4",
        size=(64, height),
        num_frames=1,
        matrix=matrix,
        pixel_format="yuv444p" if matrix else "yuv420p",
    )

    color = probe_video(path).color

    assert (color.matrix, color.primaries, color.transfer, color.range) == (expected, expected, expected, "tv")


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
@pytest.mark.parametrize("color_range", ["tv", "pc"])
def test_matrix_and_range_are_honoured(tmp_path, matrix, color_range):
    path = factory.make_clip(
        tmp_path / "c.mp4", num_frames=1, matrix=matrix, color_range=color_range, pixel_format="yuv444p",
        options={"crf": "1"},
    )  # fmt: skip

    frames, _, reader = read(path)

    error = frames[0].data.permute(1, 2, 0).numpy().astype(int) - factory.picture(0)
    assert reader.info.color.range == color_range
    assert np.abs(error).mean() < 0.9
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.8


def test_deep_sources_are_read_deep(tmp_path):
    path = factory.make_clip(tmp_path / "deep.mp4", num_frames=2, pixel_format="yuv420p10le")
    heard: list[str] = []

    frames, _, reader = read(path, on_warning=heard.append)

    assert reader.info.bit_depth == 10
    assert heard == []
    assert frames[0].data.dtype == torch.uint16
    assert np.abs(frames[0].data.permute(1, 2, 0).numpy() / 257 - factory.picture(0)).mean() < 2.5


def test_a_clip_is_iterated_once(clip_mp4):
    with open_video(clip_mp4) as reader:
        next(iter(reader))
        with pytest.raises(RuntimeError):
            next(iter(reader))


def test_streams_are_described(tmp_path):
    path = factory.make_clip(tmp_path / "c.mkv", audio=["aac", "flac"], subtitles="subrip")

    with open_video(path) as reader:
        kinds = [(s.type, s.codec, s.language, s.is_main_video) for s in reader.streams]

    assert kinds == [
        ("video", "h264", None, True),
        ("audio", "aac", "deu", False),
        ("audio", "flac", "deu", False),
        ("subtitle", "subrip", "eng", False),
    ]


class TestBadInput:
    def test_missing(self, tmp_path):
        with pytest.raises(OpenError, match="no file"):
            open_video(tmp_path / "nothing.mp4")

    def test_folder(self, tmp_path):
        with pytest.raises(OpenError, match="folder"):
            open_video(tmp_path)

    def test_empty(self, tmp_path):
        path = tmp_path / "empty.mp4"
        path.touch()
        with pytest.raises(OpenError, match="empty"):
            open_video(path)

    @pytest.mark.parametrize(("name", "content"), [("a.mp4", b"no video at all " * 99), ("a.txt", b"hello\n" * 99)])
    def test_not_a_video(self, tmp_path, name, content):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(OpenError, match="not a video"):
            open_video(path)

    def test_no_video_stream(self, tmp_path):
        path = factory.make_audio_only(tmp_path / "sound.mp4")
        with pytest.raises(UnsupportedMediaError, match="no video stream"):
            open_video(path)

    def test_no_frames(self, tmp_path):
        path = factory.make_without_frames(tmp_path / "c.mkv")
        with pytest.raises(DecodeError, match="without a single frame"):
            open_video(path)

    def test_mp4_without_its_index(self, tmp_path, clip_mp4):
        path = tmp_path / "cut.mp4"
        data = clip_mp4.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        with pytest.raises(OpenError, match="truncated"):
            open_video(path)

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
    @pytest.mark.parametrize("audio", [None, "libopus"])
    def test_cut_in_the_middle_is_an_error_after_the_good_frames(self, tmp_path, suffix, audio):
        whole = factory.make_clip(
            tmp_path / f"whole{suffix}", num_frames=72, audio=audio,
            container_options={"movflags": "faststart"} if suffix == ".mp4" else None,
        )  # fmt: skip
        path = tmp_path / f"cut{suffix}"
        data = whole.read_bytes()
        path.write_bytes(data[: len(data) * 6 // 10])
        frames = []

        with pytest.raises(DecodeError, match=r"truncated|damaged") as caught, open_video(path) as reader:
            frames.extend(item for item in reader if isinstance(item, VideoFrame))

        assert 0 < len(frames) < 72
        assert caught.value.pts is not None
        assert caught.value.path == path

    def test_damage_is_not_the_end_of_the_file(self, tmp_path):
        path = factory.make_clip(tmp_path / "c.mp4", num_frames=72, options={"crf": "1"})
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 12000] = bytes(12000)
        path.write_bytes(data)

        with pytest.raises(DecodeError, match="damaged") as caught:
            read(path)
        assert caught.value.pts is not None

    def test_an_error_is_one_sentence(self, tmp_path):
        with pytest.raises(OpenError) as caught:
            open_video(tmp_path / "nothing.mp4")
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")


def test_real_clips_have_increasing_times_and_every_frame(test_data):
    for name in ("clips/bunny_10s_360p_stereo.mp4", "clips/odd/test_non_zero_start.mp4", "clips/odd/av1_video.mkv"):
        frames, _, reader = read(test_data / name)
        assert len(frames) == reader.info.num_frames_from_header
        assert all(a < b for a, b in pairwise(times(frames)))


@pytest.mark.parametrize("opacity", [255, 0], ids=["opaque", "transparent"])
def test_only_of_a_gif_with_opacity_it_is_said_that_it_is_left_out(tmp_path: Path, opacity: int) -> None:
    pictures = [Image.new("RGBA", (31, 20), (200, shade, 90, 255)) for shade in (40, 60, 80)]
    pictures[0].paste((0, 0, 0, opacity), (7, 5, 12, 9))
    path = tmp_path / "a.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, disposal=2)
    reader = read(path)[2]
    assert [warning for warning in reader.warnings if "opacity" in warning] == (
        []
        if opacity
        else [
            f"{path} has opacity, first at 0.000 s, which is left out; --alpha keep carries it to formats that have it."
        ]
    )
    assert not read(path, alpha="keep")[2].warnings
