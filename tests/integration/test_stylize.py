"""``vidstyle stylize`` on real files: what goes in comes out, painted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest
from PIL import Image, ImageCms

import vidstyle as package
from vidstyle.errors import OpenError
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video, probe_video
from vidstyle.report import RenderReport

#: Per frame and untrained: the tests that use it are about everything but looks.
PLAIN = ("--style", "identity", "--consistency", "0")


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [Fraction(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def sound_lag(path: Path) -> Fraction:
    """Seconds the first sound packet is presented after the first frame."""
    with av.open(str(path)) as container:
        packet = next(container.demux(audio=0))
        return Fraction(packet.pts * packet.time_base) - frame_times(path)[0]


def decoded(path: Path) -> np.ndarray:
    """(N, 3, H, W) uint8, as vidstyle's own reader gives it."""
    with open_video(path) as reader:
        return np.stack([item.data.numpy() for item in reader if isinstance(item, VideoFrame)])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


@pytest.mark.parametrize(
    ("source_suffix", "audio", "output_suffix"),
    [
        (".mp4", "aac", ".mp4"),
        (".mp4", "aac", ".mkv"),
        (".mkv", "aac", ".mov"),
        (".webm", "libopus", ".webm"),
        (".mov", "aac", ".m4v"),
    ],
)
def test_sound_and_timing_are_untouched(
    vidstyle, painted_style: Path, tmp_path: Path, source_suffix: str, audio: str, output_suffix: str
) -> None:
    source = factory.make_clip(tmp_path / f"in{source_suffix}", audio=audio, num_frames=30)
    output = tmp_path / f"out{output_suffix}"
    done = vidstyle("stylize", source, output, "--style", painted_style)
    assert (done.exit_code, done.stderr.count("vidstyle:")) == (0, 0)
    # Matroska counts in milliseconds, and moves all streams equally where sound starts before 0.
    tolerance = Fraction(1, 1000) if output_suffix == ".mkv" else 0
    times, expected = frame_times(output), frame_times(source)
    assert len(times) == len(expected)
    assert all(abs((a - times[0]) - (b - expected[0])) <= tolerance for a, b in zip(times, expected, strict=True))
    assert abs(sound_lag(output) - sound_lag(source)) <= tolerance
    assert factory.audio_packets(output) == factory.audio_packets(source)
    assert "copied" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, output.name])


def test_uneven_times_survive(vidstyle, clip_vfr_mkv: Path, tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv"):
        output = tmp_path / f"out{suffix}"
        assert vidstyle("stylize", clip_vfr_mkv, output, *PLAIN).exit_code == 0
        assert frame_times(output) == [Fraction(ms, 1000) for ms in factory.VFR_PTS_MS]


def test_a_rate_that_is_no_whole_number_stays_exact(vidstyle, tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    source = factory.make_clip(tmp_path / "in.mp4", rate=rate, num_frames=12)
    assert vidstyle("stylize", source, tmp_path / "out.mp4", *PLAIN).exit_code == 0
    assert frame_times(tmp_path / "out.mp4") == [index / rate for index in range(12)]


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colour_tags_and_colours_are_kept(vidstyle, tmp_path: Path, matrix: str) -> None:
    source = factory.make_clip(
        tmp_path / "in.mp4", matrix=matrix, color_range="tv", pixel_format="yuv444p", num_frames=4
    )
    output = tmp_path / "out.mp4"
    assert vidstyle("stylize", source, output, *PLAIN, "--pix-fmt", "yuv444p", "--crf", "4").exit_code == 0
    assert factory.stored_color(output) == factory.stored_color(source)
    assert psnr(factory.rgb_frames(output), factory.rgb_frames(source)) > 38


def test_a_turned_clip_comes_out_as_it_is_seen(vidstyle, tmp_path: Path) -> None:
    source = factory.make_clip(tmp_path / "in.mp4", rotation=(90, False), num_frames=4)
    assert vidstyle("stylize", source, tmp_path / "out.mp4", *PLAIN).exit_code == 0
    info = probe_video(tmp_path / "out.mp4")
    assert info.upright_size == (48, 64)
    upright = np.rot90(factory.rgb_frames(source)[0], 1)
    assert psnr(factory.rgb_frames(tmp_path / "out.mp4")[0], upright) > 28


def test_odd_sizes_are_kept_where_the_format_has_them(vidstyle, painted_style: Path, tmp_path: Path) -> None:
    source = factory.make_clip(tmp_path / "in.mkv", size=(61, 43), pixel_format="yuv444p", num_frames=3)
    assert vidstyle("stylize", source, tmp_path / "out.mkv", "--style", painted_style).exit_code == 0
    assert len(frame_times(tmp_path / "out.mkv")) == 3
    info = probe_video(tmp_path / "out.mkv")
    assert (abs(info.width - 61), abs(info.height - 43)) <= (1, 1)


def test_identity_without_consistency_gives_the_clip_back(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    assert vidstyle("stylize", clip_mp4, tmp_path / "out.mkv", *PLAIN, "--config", "archive").exit_code == 0
    assert psnr(decoded(tmp_path / "out.mkv"), decoded(clip_mp4)) > 50


def test_a_style_really_paints(vidstyle, painted_style: Path, clip_mp4: Path, tmp_path: Path) -> None:
    assert vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", "--style", painted_style).exit_code == 0
    assert psnr(factory.rgb_frames(tmp_path / "out.mp4"), factory.rgb_frames(clip_mp4)) < 20


def test_gif_in_and_out(vidstyle, painted_style: Path, clip_mp4: Path, tmp_path: Path) -> None:
    assert vidstyle("stylize", clip_mp4, tmp_path / "out.gif", "--style", painted_style).exit_code == 0
    with Image.open(tmp_path / "out.gif") as gif:
        assert gif.n_frames == 48
    assert vidstyle("stylize", tmp_path / "out.gif", tmp_path / "back.mp4", *PLAIN).exit_code == 0
    assert len(frame_times(tmp_path / "back.mp4")) == 48
    assert vidstyle("stylize", tmp_path / "out.gif", tmp_path / "again.gif", *PLAIN).exit_code == 0
    with Image.open(tmp_path / "again.gif") as gif:
        assert gif.n_frames == 48


def test_part_of_a_clip(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", *PLAIN, "--start", "0.5", "--end", "0:01.5")
    assert done.exit_code == 0
    assert frame_times(tmp_path / "out.mp4") == [Fraction(index, 24) for index in range(24)]
    whole = factory.audio_packets(clip_mp4)
    part = factory.audio_packets(tmp_path / "out.mp4")
    assert 0 < len(part) < len(whole)
    assert part == whole[(at := whole.index(part[0])) : at + len(part)]


@pytest.mark.parametrize(
    ("size", "expected"), [("32x24", (32, 24)), ("24p", (32, 24)), ("96w", (96, 72)), ("50%", (32, 24))]
)
def test_size(vidstyle, clip_mp4: Path, tmp_path: Path, size: str, expected: tuple[int, int]) -> None:
    assert vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", *PLAIN, "--size", size).exit_code == 0
    assert probe_video(tmp_path / "out.mp4").upright_size == expected


def test_sound_can_be_left_out(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    assert vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", *PLAIN, "--audio", "drop").exit_code == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_sound_is_converted_only_where_it_must_be_and_that_is_said(
    vidstyle, clip_vfr_mkv: Path, tmp_path: Path
) -> None:
    done = vidstyle("stylize", clip_vfr_mkv, tmp_path / "out.webm", *PLAIN)
    assert done.exit_code == 0
    assert "converted to libopus" in done.stdout


def test_a_checkpoint_of_pytorch_examples(vidstyle, examples_checkpoint: Path, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", "--style", examples_checkpoint, "--end", "0.3")
    assert done.exit_code == 0
    assert "style 'mosaic'" in done.stdout


def test_a_picture_as_style(vidstyle, style_picture: Path, adain_model: Path, clip_mp4: Path, tmp_path: Path) -> None:
    arguments = ("--style", style_picture, "--adain-model", adain_model, "--end", "0.3")
    done = vidstyle("stylize", clip_mp4, tmp_path / "full.mp4", *arguments)
    assert done.exit_code == 0
    assert "style 'waves'" in done.stdout
    assert vidstyle("stylize", clip_mp4, tmp_path / "none.mp4", *arguments, "--style-weight", "0").exit_code == 0
    assert psnr(factory.rgb_frames(tmp_path / "full.mp4"), factory.rgb_frames(tmp_path / "none.mp4")) < 40


def test_any_picture_is_a_style_with_what_ships(vidstyle, style_picture: Path, clip_mp4: Path, tmp_path: Path) -> None:
    style = np.asarray(Image.open(style_picture).convert("RGB")) * (0.9, 0.4, 0.15)  # colours far from the clip's
    warm = tmp_path / "warm.png"
    Image.fromarray(style.astype(np.uint8)).save(warm)
    for weight in ("1", "0"):
        arguments = ("--style", warm, "--style-weight", weight, "--end", "0.3")
        done = vidstyle("stylize", clip_mp4, tmp_path / f"{weight}.mp4", *arguments)
        assert done.exit_code == 0
    source = factory.rgb_frames(clip_mp4)[: len(factory.rgb_frames(tmp_path / "0.mp4"))]
    painted, plain = factory.rgb_frames(tmp_path / "1.mp4"), factory.rgb_frames(tmp_path / "0.mp4")
    assert psnr(plain, source) > psnr(painted, source) + 3
    mean_errors = [np.abs(np.mean(clip, axis=(0, 1, 2)) - style.mean((0, 1))).mean() for clip in (painted, plain)]
    assert mean_errors[0] < 0.3 * mean_errors[1]


def test_a_picture_as_style_says_what_is_missing(
    vidstyle, style_picture: Path, clip_mp4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidstyle.compose.ANY_STYLE", tmp_path / "any-style.safetensors")
    done = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", "--style", style_picture)
    assert done.exit_code == 1
    assert "lacks the model" in done.stderr
    assert "--adain-model" in done.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_a_preset_by_name_and_flags_over_it(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", clip_mp4, tmp_path / "film.mov", *PLAIN, "--config", "film", "--end", "0.2")
    assert done.exit_code == 0
    info = probe_video(tmp_path / "film.mov")
    assert (info.codec, info.pixel_format) == ("prores", "yuv422p10le")
    done = vidstyle(
        "stylize",
        clip_mp4,
        tmp_path / "x264.mov",
        *PLAIN,
        "--config",
        "film",
        "--codec",
        "libx264",
        "--pix-fmt",
        "yuv420p",
    )
    assert done.exit_code == 0
    info = probe_video(tmp_path / "x264.mov")
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")


def test_every_shipped_preset_renders(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    suffixes = {"film": ".mov", "archive": ".mkv"}
    for preset in ("preview", "film", "web", "realtime", "archive"):
        output = tmp_path / f"{preset}{suffixes.get(preset, '.mp4')}"
        arguments = ("--config", preset, "--size", "64x48", "--end", "0.2")
        assert vidstyle("stylize", clip_mp4, output, "--style", "identity", *arguments).exit_code == 0, preset


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_stills(vidstyle, painted_style: Path, tmp_path: Path, suffix: str) -> None:
    source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a boat"  # to be turned clockwise; description
    Image.fromarray(factory.picture(0, 40, 30)).save(source, exif=exif, icc_profile=profile)
    done = vidstyle("stylize", source, output, "--style", painted_style)
    assert done.exit_code == 0
    assert "1 frame of 30x40" in done.stdout
    with Image.open(output) as painted:
        assert painted.size == (30, 40)
        assert painted.info["icc_profile"] == profile
        assert painted.getexif()[0x010E] == "a boat"
        assert painted.getexif().get(0x0112, 1) == 1


def test_identity_gives_a_still_back_exactly(vidstyle, style_picture: Path, tmp_path: Path) -> None:
    assert vidstyle("stylize", style_picture, tmp_path / "out.png", "--style", "identity").exit_code == 0
    with Image.open(style_picture) as before, Image.open(tmp_path / "out.png") as after:
        assert np.array_equal(np.asarray(before), np.asarray(after))


@pytest.fixture
def folder(clip_mp4: Path, style_picture: Path, tmp_path: Path) -> Path:
    """A clip, a broken clip, a picture, a clip in a container that is not written, a text, and what macOS leaves."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(clip_mp4.read_bytes())
    (folder / "b.mp4").write_bytes(b"not a video at all " * 50)
    (folder / "c.png").write_bytes(style_picture.read_bytes())
    factory.make_clip(folder / "d.avi", num_frames=5)
    (folder / "notes.txt").write_text("remember the milk")
    (folder / "._a.mp4").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    return folder


def test_a_folder_with_a_bad_file_is_done_but_for_that(vidstyle, folder: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", folder, "--out-dir", tmp_path / "new" / "out", *PLAIN)
    assert done.exit_code == 1
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == ["a.mp4", "c.png", "d.mp4"]
    assert "b.mp4" in done.stderr
    assert "1 of 4 inputs failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_several_inputs(vidstyle, folder: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", folder / "a.mp4", folder / "c.png", "--out-dir", tmp_path / "out", *PLAIN)
    assert done.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.mp4", "c.png"]


def test_several_inputs_into_their_own_folder_change_none_of_them(vidstyle, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = vidstyle("stylize", folder / "a.mp4", folder / "c.png", "--out-dir", folder, *PLAIN, "--overwrite")
    assert done.exit_code == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_the_summary_says_what_was_done(vidstyle, painted_style: Path, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", "--style", painted_style)
    for expected in (
        "48 frames of 64x48",
        "style 'untrained'",
        "fps by stage: decode",
        "flow: DIS",
        "cuts: none",
        "(aac): copied",
    ):
        assert expected in done.stdout
    assert done.stderr.count("\n") <= 1


def test_quiet_is_quiet(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", *PLAIN, "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_from_python(painted_style: Path, clip_mp4: Path, tmp_path: Path) -> None:
    plans: list[str] = []
    progress: list[tuple[int, int | None]] = []
    report = package.stylize(
        clip_mp4,
        tmp_path / "out.mp4",
        style=str(painted_style),
        consistency=0.5,
        size="32x24",
        on_plan=plans.extend,
        on_progress=lambda done, expected: progress.append((done, expected)),
    )
    assert isinstance(report, RenderReport)
    assert (report.num_frames, report.size, report.style) == (48, (32, 24), "untrained")
    assert report.output == tmp_path / "out.mp4"
    assert report.frames_per_second > 0
    assert set(report.stage_rates()) >= {"decode", "stylize", "flow", "filter", "encode"}
    assert any("copied" in line for line in report.streams)
    assert report.cut_seconds == ()
    assert progress == [(done, 48) for done in range(1, 49)]
    assert any("DIS" in line for line in plans)


def test_python_gets_the_errors_themselves(clip_mp4: Path, tmp_path: Path) -> None:
    with pytest.raises(OpenError, match=r"nowhere\.mp4") as caught:
        package.stylize(tmp_path / "nowhere.mp4", tmp_path / "out.mp4", style="identity")
    assert caught.value.path == tmp_path / "nowhere.mp4"


def test_cuts_are_reported_where_they_are(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "cut.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "10"})
        stream.width, stream.height = 64, 48
        for index in range(24):
            picture = factory.picture(index) if index < 12 else 255 - factory.picture(index)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    report = package.stylize(tmp_path / "cut.mp4", tmp_path / "out.mp4", style="identity", consistency=0.5)
    assert report.cut_seconds == (0.5,)
