from __future__ import annotations

import errno
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import pytest
import torch

from vidstyle.errors import ConfigError, EncodeError, OpenError, UnsupportedMediaError
from vidstyle.frames import VideoFrame
from vidstyle.media import list_encoders_available, media_versions, open_video
from vidstyle.media.containers import RAW_FORMATS
from vidstyle.media.failures import encode_errors


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def refuse(clip: Path, output: Path, error: type[Exception], match: str, **options) -> None:
    """Opening the output fails with one sentence and leaves the folder as it was."""
    before = names(output.parent) if output.parent.is_dir() else None
    with open_video(clip) as reader, pytest.raises(error, match=match) as caught:
        factory.open_output(output, reader, **options)
    assert str(caught.value).endswith((".", "?"))
    if before is not None:
        assert names(output.parent) == before


def write_all(reader, writer) -> None:
    for item in reader:
        writer.write(item)


class TestRefusedBeforeRendering:
    def test_existing_output(self, clip_mp4, tmp_path):
        output = tmp_path / "out.mp4"
        output.write_bytes(b"precious")
        refuse(clip_mp4, output, OpenError, "--overwrite")
        assert output.read_bytes() == b"precious"

    def test_output_is_the_input(self, tmp_path):
        clip = factory.make_clip(tmp_path / "clip.mp4", num_frames=2)
        refuse(clip, clip, OpenError, "input itself", overwrite=True)

    @pytest.mark.parametrize("kind", ["symlink", "hard link"])
    def test_output_is_the_input_by_another_name(self, tmp_path, kind):
        clip = factory.make_clip(tmp_path / "clip.mp4", num_frames=2)
        other = tmp_path / "other.mp4"
        if kind == "symlink":
            other.symlink_to(clip)
        else:
            other.hardlink_to(clip)
        refuse(clip, other, OpenError, "input itself", overwrite=True)

    def test_the_part_file_would_be_the_input(self, clip_mp4, tmp_path):
        clip = tmp_path / "out.mp4.part"
        clip.write_bytes(clip_mp4.read_bytes())
        refuse(clip, tmp_path / "out.mp4", OpenError, "input itself")

    @pytest.mark.parametrize("name", ["out.txt", "out", "out.avi", "out.mp3"])
    def test_unknown_container(self, clip_mp4, tmp_path, name):
        refuse(clip_mp4, tmp_path / name, UnsupportedMediaError, r"\.mp4")

    def test_missing_folder(self, clip_mp4, tmp_path):
        refuse(clip_mp4, tmp_path / "no" / "out.mp4", OpenError, "no folder")

    def test_output_is_a_folder(self, clip_mp4, tmp_path):
        (tmp_path / "out.mp4").mkdir()
        refuse(clip_mp4, tmp_path / "out.mp4", OpenError, "is a folder", overwrite=True)

    @pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, where no file can be created")
    def test_folder_where_nothing_can_be_created(self, clip_mp4):
        with open_video(clip_mp4) as reader, pytest.raises(OpenError, match="choose a folder you may write to"):
            factory.open_output("/proc/self/out.mp4", reader)

    def test_unknown_codec_names_near_ones(self, clip_mp4, tmp_path):
        refuse(clip_mp4, tmp_path / "out.mp4", ConfigError, "libx264", codec="libx246")

    def test_audio_codec_for_the_picture(self, clip_mp4, tmp_path):
        refuse(clip_mp4, tmp_path / "out.mp4", ConfigError, "not video", codec="aac")

    def test_misspelt_option_names_near_ones(self, clip_mp4, tmp_path):
        refuse(
            clip_mp4, tmp_path / "out.mp4", ConfigError, "did you mean .*aq-mode", encoder_options={"aq-mod": "1"}
        )  # fmt: skip

    @pytest.mark.parametrize(
        "options",
        [
            {"preset": "warp"},
            {"codec": "ffv1", "crf": 18},
            {"pixel_format": "yuv420q"},
            {"codec": "prores_ks", "preset": "fast"},
        ],
    )
    def test_settings_the_encoder_refuses(self, clip_mp4, tmp_path, options):
        refuse(clip_mp4, tmp_path / "out.mkv", ConfigError, "cannot encode|has no", **options)

    def test_codec_the_container_does_not_carry(self, clip_mp4, tmp_path):
        refuse(clip_mp4, tmp_path / "out.webm", ConfigError, "cannot carry", codec="libx264")

    @pytest.mark.parametrize("suffix", [".mov", ".mkv"])
    @pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "uyvy422", "rgb24", "rgba", "yuv422p10le"])
    def test_uncompressed_pictures_come_back_or_are_refused(self, clip_mp4, tmp_path, pixel_format, suffix):
        output = tmp_path / f"out{suffix}"
        if pixel_format not in RAW_FORMATS["mov" if suffix == ".mov" else "matroska"]:
            refuse(clip_mp4, output, ConfigError, f"as {pixel_format}", codec="rawvideo", pixel_format=pixel_format)
            return
        with open_video(clip_mp4) as reader:
            first = next(item for item in reader if isinstance(item, VideoFrame)).data.short()
        write_again(clip_mp4, output, codec="rawvideo", pixel_format=pixel_format)
        with open_video(output) as reader:
            assert reader.info.pixel_format == pixel_format
            found = next(item for item in reader if isinstance(item, VideoFrame)).data.short()
        assert (found - first).abs().float().mean() < 3


class TestPartFile:
    def test_the_name_appears_only_on_commit(self, clip_mp4, tmp_path):
        output = tmp_path / "out.mp4"
        with open_video(clip_mp4) as reader, factory.open_output(output, reader) as writer:
            write_all(reader, writer)
            assert names(tmp_path) == {"out.mp4.part"}
            writer.commit()
            assert names(tmp_path) == {"out.mp4"}
            writer.abort()
        assert names(tmp_path) == {"out.mp4"}

    @pytest.mark.parametrize("num_items", [0, 1, 40])
    def test_a_failure_leaves_nothing(self, clip_mp4, tmp_path, num_items):
        def render() -> None:
            with open_video(clip_mp4) as reader, factory.open_output(tmp_path / "out.mp4", reader) as writer:
                for item, _ in zip(reader, range(num_items), strict=False):
                    writer.write(item)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            render()
        assert names(tmp_path) == set()

    def test_a_failure_keeps_the_existing_output(self, clip_mp4, tmp_path):
        output = tmp_path / "out.mp4"
        output.write_bytes(b"precious")
        with open_video(clip_mp4) as reader, factory.open_output(output, reader, overwrite=True) as writer:
            writer.write(next(iter(reader)))
        assert names(tmp_path) == {"out.mp4"}
        assert output.read_bytes() == b"precious"

    def test_overwrite_replaces_on_commit(self, clip_mp4, tmp_path):
        output = tmp_path / "out.mp4"
        output.write_bytes(b"old")
        with open_video(clip_mp4) as reader, factory.open_output(output, reader, overwrite=True) as writer:
            write_all(reader, writer)
            assert output.read_bytes() == b"old"
            writer.commit()
        assert output.stat().st_size > 1000

    def test_a_file_that_appears_meanwhile_is_kept(self, clip_mp4, tmp_path):
        output = tmp_path / "out.mp4"
        with open_video(clip_mp4) as reader, factory.open_output(output, reader) as writer:
            write_all(reader, writer)
            output.write_bytes(b"precious")
            with pytest.raises(EncodeError, match="appeared"):
                writer.commit()
        assert output.read_bytes() == b"precious"
        assert names(tmp_path) == {"out.mp4"}

    def test_a_stale_part_is_replaced_and_a_link_in_its_place_not_followed(self, clip_mp4, tmp_path):
        victim = tmp_path / "victim"
        victim.write_bytes(b"precious")
        (tmp_path / "out.mp4.part").symlink_to(victim)
        with open_video(clip_mp4) as reader, factory.open_output(tmp_path / "out.mp4", reader) as writer:
            write_all(reader, writer)
            writer.commit()
        assert victim.read_bytes() == b"precious"
        assert names(tmp_path) == {"out.mp4", "victim"}

    def test_a_folder_that_vanishes_is_one_sentence(self, clip_mp4, tmp_path):
        folder = tmp_path / "gone"
        folder.mkdir()
        with open_video(clip_mp4) as reader, factory.open_output(folder / "out.mp4", reader) as writer:
            write_all(reader, writer)
            shutil.rmtree(folder)
            with pytest.raises(EncodeError, match=r"folder .*gone is gone.*stays\.$"):
                writer.commit()
        assert names(tmp_path) == set()

    def test_no_frames_is_an_error(self, clip_mp4, tmp_path):
        with (
            open_video(clip_mp4) as reader,
            factory.open_output(tmp_path / "out.mp4", reader) as writer,
            pytest.raises(EncodeError, match="No frame"),
        ):
            writer.commit()
        assert names(tmp_path) == set()


def write_again(clip: Path, output: Path, **settings: str) -> None:
    with open_video(clip) as reader, factory.open_output(output, reader, **settings) as writer:
        write_all(reader, writer)
        writer.commit()


@contextmanager
def files_limited_to(num_bytes: int) -> Iterator[None]:
    """What any file of this process may grow to: what a full disk is like."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="module")
def large_clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mkv"
    return factory.make_clip(path, num_frames=60, size=(320, 240), audio="pcm_s16le")


class TestFullDisk:
    @pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
    @pytest.mark.parametrize("limit", [100, 3000, 60_000])
    def test_a_write_that_does_not_fit_is_one_sentence_and_leaves_nothing(
        self, large_clip, tmp_path, capfd, suffix, limit
    ):
        out = tmp_path / "out"
        out.mkdir()

        with files_limited_to(limit), pytest.raises(EncodeError, match="disk is full"):
            write_again(large_clip, out / f"o{suffix}")

        assert capfd.readouterr().err == ""
        assert names(out) == set()

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
    def test_ffmpeg_s_own_errors_are_recognised(self, number):
        with pytest.raises(EncodeError, match="disk is full"), encode_errors(Path("out.mp4")):
            av.error.err_check(-number)


class TestFrames:
    @pytest.mark.parametrize("data", [torch.zeros(3, 48, 62, dtype=torch.uint8), torch.zeros(3, 48, 64)])
    def test_a_frame_of_another_kind_is_a_mistake_of_the_caller(self, clip_mp4, tmp_path, data):
        with (
            open_video(clip_mp4) as reader,
            factory.open_output(tmp_path / "out.mp4", reader) as writer,
            pytest.raises(ValueError, match="expected uint8"),
        ):
            writer.write(VideoFrame(data, 0, reader.info.time_base))

    def test_frames_must_come_in_order(self, clip_mp4, tmp_path):
        data = torch.zeros(3, 48, 64, dtype=torch.uint8)
        with open_video(clip_mp4) as reader, factory.open_output(tmp_path / "out.mp4", reader) as writer:
            writer.write(VideoFrame(data, 5, Fraction(1, 24)))
            with pytest.raises(ValueError, match="in order"):
                writer.write(VideoFrame(data, 5, Fraction(1, 24)))

    def test_planar_memory_is_taken_too(self, clip_mp4, tmp_path):
        with open_video(clip_mp4) as reader, factory.open_output(tmp_path / "out.mkv", reader) as writer:
            writer.write(VideoFrame(torch.full((3, 48, 64), 77, dtype=torch.uint8), 0, Fraction(1, 24)))
            writer.commit()
        with open_video(tmp_path / "out.mkv") as reader:
            (frame,) = [i for i in reader if isinstance(i, VideoFrame)]
        assert (frame.data.int() - 77).abs().max() <= 3


def test_what_this_ffmpeg_can_do():
    encoders = list_encoders_available()
    assert encoders["libx264"]
    assert encoders["aac"]
    assert set(media_versions()) == {"av", "ffmpeg"}
