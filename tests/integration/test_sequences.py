"""Sequences of pictures in and out: numbers, depth, linear light, sound, damage, and going on after a stop."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import numpy as np
import pytest
from command import Command
from PIL import Image
from sequence_factory import OCIO, gradient, linear, make_sequence, make_wav, read_planes, write_av, write_frame

import vidstyle as package
from vidstyle.config import make_config
from vidstyle.errors import ConfigError, DecodeError, MediaError, OpenError, UnsupportedMediaError
from vidstyle.media.probe import probe_video
from vidstyle.planning import plan, probe
from vidstyle.temporal.filter import warmup_frames

IDENTITY = {"style": "identity", "flow": "none", "device": "cpu", "precision": "fp32"}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def psnr(one: np.ndarray, other: np.ndarray, top: float = 65535.0) -> float:
    error = np.square(one.astype(np.float64) - other.astype(np.float64)).mean()
    return float("inf") if error == 0 else float(10 * np.log10(top**2 / error))


@pytest.mark.parametrize(
    ("name", "bits"),
    [("s.%04d.png", 8), ("s.%04d.png", 16), ("s.%04d.tif", 8), ("s.%04d.tif", 16), ("s.%04d.dpx", 10)],
)
def test_integers_come_back_exactly_with_their_numbers(tmp_path: Path, name: str, bits: int) -> None:
    source = make_sequence(tmp_path / "in", name, range(1001, 1004), bits=bits)
    (tmp_path / "out").mkdir()
    report = package.stylize(source, tmp_path / "out" / name, **IDENTITY)
    assert report.num_frames == 3
    assert names(tmp_path / "out") == names(tmp_path / "in")
    for file in (tmp_path / "in").iterdir():
        before, after = read_planes(file), read_planes(tmp_path / "out" / file.name)
        assert before[0] == after[0]
        assert np.array_equal(before[1], after[1])


@pytest.mark.parametrize("bits", [16, 32])
def test_linear_exr_with_highlights_comes_back(tmp_path: Path, bits: int) -> None:
    source = make_sequence(tmp_path / "in", "s.####.exr".replace("####", "%04d"), range(1001, 1004), bits=bits)
    (tmp_path / "out").mkdir()
    package.stylize(source, tmp_path / "out" / "s.####.exr", **IDENTITY)
    for number in range(1001, 1004):
        kind, before = read_planes(tmp_path / "in" / f"s.{number}.exr")
        after_kind, after = read_planes(tmp_path / "out" / f"s.{number}.exr")
        assert after_kind == kind == f"gbrpf{bits}le"
        before, after = before.astype(np.float64), after.astype(np.float64)
        assert before.max() > 30
        assert (np.abs(after - before) <= 1.2e-3 * before + 2e-6).all()
        assert np.median(np.abs(after - before) / np.maximum(before, 1e-3)) < 4e-4


def test_paint_on_exr_is_no_brighter_than_white_where_the_source_is_not(tmp_path: Path, painted_style: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.exr", range(1001, 1003))
    for number in (1001, 1002):
        light = np.full((48, 64, 3), 0.9, np.float32)
        light[20:28, 50:58] = 50.0
        write_av(tmp_path / f"s.{number}.exr", "exr", "gbrpf32le", light, format="half")
    package.stylize(source, tmp_path / "o.%04d.exr", **(IDENTITY | {"style": str(painted_style)}))
    painted = read_planes(tmp_path / "o.1001.exr")[1]
    assert painted[:, :, :16].max() <= 1.0
    assert painted.max() > 1.5


def test_colour_spaces_by_name(tmp_path: Path, vidstyle: Command) -> None:
    pytest.importorskip("PyOpenColorIO", reason="the extra 'ocio' is not installed")
    (tmp_path / "show.ocio").write_text(OCIO)
    source = make_sequence(tmp_path, "s.%04d.exr", range(1001, 1003))
    done = vidstyle(
        *("stylize", source, tmp_path / "o.%04d.exr", "--style", "identity", "--flow", "none", "-q"),
        *("--color-config", tmp_path / "show.ocio", "--linear-space", "lin", "--display-space", "shown"),
    )
    assert done.exit_code == 0, done.stderr
    before, after = (read_planes(tmp_path / f"{name}.1001.exr")[1].astype(np.float64) for name in "so")
    assert (np.abs(after - before) <= 2e-3 * before + 3e-3 * before.max(axis=0) + 1e-5).all()
    for name, settings in (("a", {}), ("b", {"color_config": tmp_path / "show.ocio"})):
        package.stylize(source, tmp_path / f"{name}.%04d.png", **(IDENTITY | settings))
    assert not np.array_equal(read_planes(tmp_path / "a.1001.png")[1], read_planes(tmp_path / "b.1001.png")[1])


def test_opacity_is_kept_on_request(tmp_path: Path) -> None:
    for number in (1, 2):
        alpha = np.linspace(0, 1, 64)[None, :, None].repeat(48, axis=0)
        rgba = np.concatenate([gradient(number), alpha], axis=-1)
        Image.fromarray(np.rint(rgba * 255).astype(np.uint8)).save(tmp_path / f"p.{number}.png")
        light = np.concatenate([gradient(number) * alpha, alpha], axis=-1).astype(np.float32)
        write_av(tmp_path / f"e.{number}.exr", "exr", "gbrapf32le", light, format="float")
    package.stylize(tmp_path / "p.%d.png", tmp_path / "q.%d.png", alpha="keep", **IDENTITY)
    assert np.array_equal(read_planes(tmp_path / "q.2.png")[1], read_planes(tmp_path / "p.2.png")[1])
    report = package.stylize(tmp_path / "p.%d.png", tmp_path / "r.%d.png", **IDENTITY)
    assert read_planes(tmp_path / "r.2.png")[0] == "rgb24"
    assert any("--alpha keep" in note for note in report.notes)
    package.stylize(tmp_path / "e.%d.exr", tmp_path / "f.%d.exr", alpha="keep", **IDENTITY)
    kind, after = read_planes(tmp_path / "f.2.exr")
    assert kind == "gbrapf32le"
    assert np.abs(after - read_planes(tmp_path / "e.2.exr")[1]).max() < 1e-3


def test_linear_light_to_pictures_and_clips_is_shown_as_srgb(tmp_path: Path) -> None:
    make_sequence(tmp_path, "s.%04d.exr", range(1001, 1003))
    package.stylize(tmp_path / "s.%04d.exr", tmp_path / "o.%04d.png", **IDENTITY)
    kind, shown = read_planes(tmp_path / "o.1001.png")
    light = linear(0).astype(np.float16).astype(np.float64).transpose(2, 0, 1).clip(0, 1)
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    assert kind == "rgb48be"
    assert np.abs(shown - expected).max() <= 2
    package.stylize(tmp_path / "s.%04d.exr", tmp_path / "o.mkv", codec="ffv1", **IDENTITY)
    with av.open(str(tmp_path / "o.mkv")) as container:
        frames = [frame.to_ndarray(format="rgb48le") for frame in container.decode(video=0)]
    assert len(frames) == 2
    assert np.abs(frames[0].transpose(2, 0, 1) - expected).max() < 700


def test_pixel_shape_is_kept(tmp_path: Path) -> None:
    for number in (1, 2):
        write_av(tmp_path / f"s.{number}.exr", "exr", "gbrpf32le", linear(number), pixel_shape="2", format="half")
    package.stylize(tmp_path / "s.%d.exr", tmp_path / "o.%d.exr", **IDENTITY)
    package.stylize(tmp_path / "s.%d.exr", tmp_path / "o.mp4", **IDENTITY)
    from vidstyle.media.picture_files import read_picture

    assert read_picture(tmp_path / "o.1.exr").sample_aspect_ratio == 2
    assert probe_video(tmp_path / "o.mp4").sample_aspect_ratio == 2

    wide = IDENTITY | {"size": "128x48"}  # twice as wide: square pixels, and the same picture
    package.stylize(tmp_path / "s.%d.exr", tmp_path / "wide.%d.exr", **wide)
    package.stylize(tmp_path / "o.mp4", tmp_path / "wide.mp4", **wide)
    assert read_picture(tmp_path / "wide.1.exr").sample_aspect_ratio == 1
    assert probe_video(tmp_path / "wide.mp4").sample_aspect_ratio == 1
    package.preview(tmp_path / "o.mp4", tmp_path / "both.mp4", at=0, clip_seconds=0.05, compare="side", **IDENTITY)
    assert probe_video(tmp_path / "both.mp4").sample_aspect_ratio == 2


@pytest.mark.parametrize(
    ("pattern", "settings", "expected"),
    [
        ("s.%04d.png", {"frames": "1003-1005"}, [1003, 1004, 1005]),
        ("s.%04d.png", {"frames": "1003-1005x1"}, [1003, 1004, 1005]),
        ("s.1003-1007x2#.png", {}, [1003, 1005, 1007]),
        ("s.@@@@.png", {"frames": "1004-1005", "handles": 1}, [1003, 1004, 1005, 1006]),
        ("s.%04d.png", {"start_seconds": 0.25, "fps": "8"}, [1003, 1004, 1005, 1006, 1007, 1008]),
    ],
)
def test_ranges_keep_their_numbers(
    tmp_path: Path, pattern: str, settings: dict[str, object], expected: list[int]
) -> None:
    make_sequence(tmp_path, "s.%04d.png", range(1001, 1009))
    package.stylize(tmp_path / pattern, tmp_path / "o.####.png", **(IDENTITY | settings))
    assert [int(name.split(".")[1]) for name in names(tmp_path) if name.startswith("o.")] == expected


def test_the_output_can_be_numbered_anew(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.jpg", range(1001, 1004))
    package.stylize(source, tmp_path / "o.1#.tif", **IDENTITY)
    assert [name for name in names(tmp_path) if name.startswith("o.")] == ["o.0001.tif", "o.0002.tif", "o.0003.tif"]
    with pytest.raises(ConfigError, match="names 2 frames, but 3"):
        package.stylize(source, tmp_path / "p.7-8#.tif", **IDENTITY)


def test_a_range_equals_that_part_of_the_whole(tmp_path: Path, painted_style: Path) -> None:
    settings = IDENTITY | {"style": str(painted_style), "flow": "dis"}
    num = warmup_frames(0.5) + 6
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1001 + num), bits=16)
    package.stylize(source, tmp_path / "whole.%04d.png", consistency=0.5, **settings)
    last = 1000 + num
    package.stylize(source, tmp_path / "part.%04d.png", consistency=0.5, frames=f"{last - 1}-{last}", **settings)
    for number in (last - 1, last):
        one, other = (read_planes(tmp_path / f"{name}.{number}.png")[1] for name in ("whole", "part"))
        assert psnr(one, other) > 45


def test_sound_beside_a_sequence_goes_along(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "shot.%04d.png", range(1001, 1025))
    make_wav(tmp_path / "shot.wav", 3.0)
    report = package.stylize(source, tmp_path / "o.mov", **IDENTITY)
    assert any("audio" in line and "copied" in line for line in report.streams)
    samples, first = factory.audio_samples(tmp_path / "o.mov")
    assert first == 0
    assert samples == pytest.approx(48000, abs=2048)
    info = probe_video(tmp_path / "o.mov")
    assert info.average_rate == 24
    package.stylize(source, tmp_path / "silent.mov", audio="drop", **IDENTITY)
    with av.open(str(tmp_path / "silent.mov")) as container:
        assert not container.streams.audio


def test_frames_that_leap_past_their_sound_are_told_of(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1, 13))
    make_wav(tmp_path / "s.wav", 1.0)
    told = "The frames of .* leap, and its sound s.wav runs on"
    assert any(re.search(told, note) for note in plan(source, tmp_path / "o.mov", frames="2-3,9-10").notes)
    assert not any(re.search(told, note) for note in plan(source, tmp_path / "o.mov", frames="2-10x2").notes)


def test_the_sound_of_a_range_starts_where_the_range_does(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "shot.%04d.png", range(1001, 1049))
    wav = make_wav(tmp_path / "other.wav", 2.0)
    package.stylize(source, tmp_path / "o.mov", frames="1025-1048", sound=wav, **IDENTITY)
    with av.open(str(tmp_path / "o.mov")) as container:
        frame = next(container.decode(audio=0))
    # The sample says which one it is: the one at 1 s, or as much later as the file says it sounds.
    index = int(frame.to_ndarray().reshape(-1)[0])
    sounds_at = frame.pts * frame.time_base
    assert sounds_at == 0  # samples can be cut anywhere, wherever the file's packets begin
    assert index == 48000 % 30000


def test_a_clip_becomes_a_sequence_and_comes_back(tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "clip.mkv", num_frames=12, codec="ffv1", pixel_format="bgr0", audio="flac")
    report = package.stylize(clip, tmp_path / "f.%04d.png", **IDENTITY)
    assert [name for name in names(tmp_path) if name.startswith("f.")] == [f"f.{n:04d}.png" for n in range(1, 13)]
    assert any("dropped, a sequence has no place for it" in line for line in report.streams)
    assert any("24 frames a second" in note for note in report.notes)
    package.stylize(tmp_path / "f.%04d.png", tmp_path / "back.mkv", codec="ffv1", fps="24000/1001", **IDENTITY)
    assert np.array_equal(factory.rgb_frames(tmp_path / "back.mkv"), factory.rgb_frames(clip))
    with av.open(str(tmp_path / "back.mkv")) as container:
        decoded = list(container.decode(video=0))
    assert abs(float(decoded[-1].pts * decoded[-1].time_base) - 11 * 1001 / 24000) <= 0.0005


def test_a_deep_clip_becomes_a_deep_sequence(tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "clip.mov", num_frames=3, codec="prores_ks", pixel_format="yuv422p10le")
    for name, kind in (
        ("a.%d.png", "rgb48be"),
        ("a.%d.dpx", "gbrp10le"),
        ("a.%d.exr", "gbrpf16le"),
        ("a.%d.jpg", None),
    ):
        package.stylize(clip, tmp_path / name, **IDENTITY)
        assert kind in (None, read_planes(tmp_path / (name % 2))[0])
    white = read_planes(tmp_path / "a.1.exr")[1].max()
    assert 0 < white <= 1


@pytest.mark.parametrize("source_kind", ["sequence", "clip"])
def test_going_on_equals_never_having_stopped(tmp_path: Path, painted_style: Path, source_kind: str) -> None:
    settings = IDENTITY | {"style": str(painted_style), "flow": "dis", "consistency": 0.7}
    num = warmup_frames(0.7) + 8
    source = make_sequence(tmp_path / "in", "s.%04d.png", range(1001, 1001 + num), bits=16)
    first = 1001
    if source_kind == "clip":
        lossless = tmp_path / "in.mkv"
        package.stylize(source, lossless, codec="ffv1", **IDENTITY)
        source, first = lossless, 1
    whole, again = tmp_path / "whole", tmp_path / "again"
    whole.mkdir()
    again.mkdir()
    package.stylize(source, whole / "o.%04d.png", **settings)
    for name in names(whole)[:-3]:
        (again / name).write_bytes((whole / name).read_bytes())
    kept = {name: (again / name).stat().st_mtime_ns for name in names(again)}
    (again / f"o.{first + num - 3:04d}.png").write_bytes(b"half a fi")
    (again / f"o.{first + num - 2:04d}.png.part").write_bytes(b"half a fi")
    report = package.stylize(source, again / "o.%04d.png", continue_=True, **settings)
    assert report.num_frames == 3
    assert names(again) == names(whole)
    assert {name: (again / name).stat().st_mtime_ns for name in kept} == kept
    for name in names(whole)[-3:]:
        assert psnr(read_planes(whole / name)[1], read_planes(again / name)[1]) > 45
    # Without the frames before, the result would be another.
    package.stylize(source, tmp_path / "cold.%d.png", **(settings | {"consistency": 0.0}))
    cold = read_planes(tmp_path / f"cold.{first + num - 1}.png")[1]
    assert psnr(read_planes(whole / names(whole)[-1])[1], cold) < 45


def test_an_interrupted_render_leaves_whole_frames_to_go_on_from(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1031))

    def interrupt(done: int, expected: int | None) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        package.stylize(source, tmp_path / "o.%04d.png", on_progress=interrupt, **IDENTITY)
    left = [name for name in names(tmp_path) if name.startswith("o.")]
    assert left == [f"o.{number}.png" for number in range(1001, 1001 + len(left))]
    assert len(left) <= 5
    report = package.stylize(source, tmp_path / "o.%04d.png", continue_=True, **IDENTITY)
    assert report.num_frames == 30 - len(left)
    for number in range(1001, 1031):
        before, after = (read_planes(tmp_path / f"{name}.{number}.png")[1] for name in "so")
        assert np.array_equal(before, after)


def test_going_on_fills_holes_and_knows_when_it_is_done(tmp_path: Path) -> None:
    source = make_sequence(tmp_path / "in", "s.%04d.png", range(1001, 1031))
    output = tmp_path / "o.%04d.png"
    settings = IDENTITY | {"flow": "dis", "consistency": 0.1}
    package.stylize(source, output, **settings)
    whole = {path: read_planes(path)[1].astype(int) for path in tmp_path.glob("o.*.png")}
    for number in (1001, 1011, 1012, 1030):  # further apart than the warm-up
        (tmp_path / f"o.{number}.png").unlink()
    progress: list[tuple[int, int | None]] = []
    report = package.stylize(
        source, output, continue_=True, on_progress=lambda *seen: progress.append(seen), **settings
    )
    assert report.num_frames == 4
    assert progress[-1] == (4, 4)
    assert set(tmp_path.glob("o.*.png")) == whole.keys()
    assert max(np.abs(read_planes(path)[1] - before).max() for path, before in whole.items()) <= 1
    report = package.stylize(source, output, continue_=True, **settings)
    assert report.num_frames == 0
    assert "All frames were there already." in report.notes


@pytest.mark.parametrize(
    ("changed", "found", "wanted"),
    [
        ({"size": "32x24"}, "64x48 with 8 bits", "32x24 with 8 bits"),
        ({"pixel_format": "rgb48be"}, "64x48 with 8 bits", "64x48 with 16 bits"),
        ({"pixel_format": "rgba"}, "64x48 with 8 bits", "64x48 with 8 bits and opacity"),
    ],
)
def test_frames_of_another_kind_are_neither_gone_on_with_nor_replaced(
    tmp_path: Path, changed: dict[str, Any], found: str, wanted: str
) -> None:
    source = make_sequence(tmp_path / "in", "s.%04d.png", range(1, 4))
    output = tmp_path / "o.%04d.png"
    package.stylize(source, output, **IDENTITY)
    (tmp_path / "o.0002.png").unlink()
    before = {path: path.read_bytes() for path in tmp_path.glob("o.*.png")}
    with pytest.raises(OpenError, match=f"{found}, and this render would go on with {wanted};.*--overwrite"):
        package.stylize(source, output, continue_=True, **(IDENTITY | changed))
    assert {path: path.read_bytes() for path in tmp_path.glob("o.*.png")} == before


@pytest.mark.parametrize("source_kind", ["sequence", "clip"])
def test_whole_frames_between_holes_are_not_written_again(tmp_path: Path, source_kind: str) -> None:
    source = make_sequence(tmp_path / "in", "s.%04d.png", range(1, 13))
    if source_kind == "clip":
        package.stylize(source, tmp_path / "in.mkv", codec="ffv1", **IDENTITY)
        source = tmp_path / "in.mkv"
    output = tmp_path / "o.%04d.png"
    settings = IDENTITY | {"flow": "dis", "consistency": 0.9}
    package.stylize(source, output, **settings)
    for number in (4, 11):
        (tmp_path / f"o.{number:04d}.png").unlink()
    retouched = make_sequence(tmp_path / "other", "s.%04d.png", range(90, 91)).with_name("s.0090.png").read_bytes()
    (tmp_path / "o.0006.png").write_bytes(retouched)
    report = package.stylize(source, output, continue_=True, **settings)
    assert report.num_frames == 2
    assert len(list(tmp_path.glob("o.*.png"))) == 12
    assert (tmp_path / "o.0006.png").read_bytes() == retouched


def test_a_finished_sequence_of_a_clip_is_left_alone(tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "clip.mp4", num_frames=5)
    package.stylize(clip, tmp_path / "o.%d.png", **IDENTITY)
    report = package.stylize(clip, tmp_path / "o.%d.png", continue_=True, **IDENTITY)
    assert report.num_frames == 0
    (tmp_path / "o.2.png").unlink()
    assert package.stylize(clip, tmp_path / "o.%d.png", continue_=True, **IDENTITY).num_frames == 1
    assert len(names(tmp_path)) == 6


def test_a_preview_of_a_sequence_is_the_frame_of_its_render(tmp_path: Path, painted_style: Path) -> None:
    settings = IDENTITY | {"style": str(painted_style), "flow": "dis", "consistency": 0.5}
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1025))
    package.stylize(source, tmp_path / "o.%04d.png", **settings)
    report = package.preview(source, tmp_path / "look.png", at=0.9, **settings)
    cell = report.cells[0]
    assert cell.shown_seconds == pytest.approx(21 / 24)
    rendered = read_planes(tmp_path / "o.1022.png")[1]
    assert psnr(rendered, cell.stylized.numpy(), 255) > 45
    assert (
        package.preview(make_sequence(tmp_path / "e", "s.%d.exr", [1, 2]), at=0.05, **settings).sheet.dtype.itemsize
        == 1
    )
    with pytest.raises(OpenError, match="choose a moment within"):
        package.preview(source, at=1.5, **settings)


Break = Callable[[Path], object]
BREAKS: dict[str, tuple[Break, type[MediaError], str]] = {
    "gap": (lambda d: (d / "s.1003.png").unlink(), OpenError, "1003 is missing"),
    "empty": (lambda d: (d / "s.1004.png").write_bytes(b""), OpenError, r"s\.1004\.png is empty"),
    "truncated": (
        lambda d: (d / "s.1004.png").write_bytes((d / "s.1004.png").read_bytes()[:300]),
        DecodeError,
        r"s\.1004\.png is truncated",
    ),
    "other size": (
        lambda d: write_frame(d / "s.1004.png", 3, size=(32, 48)),
        DecodeError,
        r"s\.1004\.png is 32x48, but the sequence starts with 64x48",
    ),
    "other folder": (lambda d: [file.unlink() for file in d.glob("s.*.png")], OpenError, "check the name"),
}


@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("output", ["o.%04d.png", "o.mp4"])
def test_bad_sequences_are_one_sentence_and_nothing_half_written(
    tmp_path: Path, vidstyle: Command, kind: str, output: str
) -> None:
    source = make_sequence(tmp_path / "in", "s.%04d.png", range(1001, 1006))
    do, error, message = BREAKS[kind]
    do(tmp_path / "in")
    (tmp_path / "out").mkdir()
    with pytest.raises(error, match=message):
        package.stylize(source, tmp_path / "out" / output, **IDENTITY)
    left = names(tmp_path / "out")
    assert not any(name.endswith(".part") for name in left)
    assert left == ([f"o.{n}.png" for n in (1001, 1002, 1003)][: len(left)] if "%" in output else [])
    result = vidstyle("stylize", source, tmp_path / "out" / output, "--style", "identity", "-y")
    assert result.exit_code == 1
    assert len([line for line in result.stderr.splitlines() if line.startswith("vidstyle: ")]) == 1
    assert "Traceback" not in result.stderr


def test_damage_can_be_skipped(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1006))
    (tmp_path / "s.1003.png").write_bytes(b"no picture")
    report = package.stylize(source, tmp_path / "o.%04d.png", on_error="skip", **IDENTITY)
    assert report.num_frames == 5
    assert np.array_equal(read_planes(tmp_path / "o.1003.png")[1], read_planes(tmp_path / "s.1002.png")[1])
    assert any("s.1003.png was skipped" in note for note in report.notes)


def test_what_cannot_be_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1004))
    clip = factory.make_clip(tmp_path / "clip.mp4", num_frames=3)
    before = names(tmp_path)
    refused: list[tuple[Path, str, dict[str, object], type[Exception], str]] = [
        (source, "s.%04d.png", {}, OpenError, "input itself"),
        (source, "nowhere/o.%04d.png", {}, OpenError, "no folder"),
        (source, "o.mp4", {"continue_": True}, ConfigError, "cannot be continued"),
        (clip, "o.mp4", {"sound": "x.wav"}, ConfigError, "--sound is for sequences"),
        (source, "o.mp4", {"sound": tmp_path / "none.wav"}, OpenError, "no file"),
        (source, "o.mp4", {"sound": tmp_path / "s.1001.png"}, UnsupportedMediaError, "no sound"),
        (tmp_path / "s.1001.png", "o.%04d.png", {}, UnsupportedMediaError, "a sequence of many"),
        (source, "o.png", {}, UnsupportedMediaError, "is a picture"),
        (source, "o.%04d.webp", {}, UnsupportedMediaError, r"webp"),
        (source, "o.%04d.exr", {"encoder_options": {"compresion": "rle"}}, ConfigError, "did you mean compression"),
        (source, "o.%04d.exr", {"encoder_options": {"compression": "best"}}, ConfigError, "compression=best"),
        (source, "o.%04d.jpg", {"encoder_options": {"quality": "high"}}, ConfigError, "quality"),
        (source, "o.%04d.jpg", {"encoder_options": {"quality": "101"}}, ConfigError, "from 1 to 100"),
        (source, "o.%04d.png", {"pixel_format": "yuv420p"}, ConfigError, "no pixel format"),
        (source, "o.%04d.png", {"frames": "1001-1009"}, OpenError, "1004-1009 are missing"),
        (source, "o.%04d.png", {"color_config": tmp_path / "none.ocio"}, ConfigError, "--color-config|no OpenColorIO"),
        (tmp_path / "s.-3-5#.png", "o.%04d.png", {}, UnsupportedMediaError, "start at 0"),
        (clip, "o.5-9#.png", {}, ConfigError, "first number only"),
    ]
    for given, output, settings, error, message in refused:
        with pytest.raises(error, match=message):
            package.stylize(given, tmp_path / output, **(IDENTITY | settings))
        assert names(tmp_path) == before, output


@pytest.mark.parametrize("preset", ["film", "archive", "web"])
def test_presets_for_clips_do_no_harm(tmp_path: Path, preset: str) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1003))
    report = package.stylize(source, tmp_path / "o.%04d.png", preset=preset, **IDENTITY)
    assert any("has no use for codec" in note for note in report.notes)
    assert np.array_equal(read_planes(tmp_path / "o.1001.png")[1], read_planes(tmp_path / "s.1001.png")[1])


def test_existing_frames_are_kept_unless_told_otherwise(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1004))
    (tmp_path / "o.1002.png").write_bytes(b"precious")
    with pytest.raises(OpenError, match=r"frames 1002\); pass --overwrite, or --continue"):
        package.stylize(source, tmp_path / "o.%04d.png", **IDENTITY)
    assert (tmp_path / "o.1002.png").read_bytes() == b"precious"
    assert package.stylize(source, tmp_path / "o.%04d.png", overwrite=True, **IDENTITY).num_frames == 3
    with pytest.raises(ConfigError, match="give one"):
        package.stylize(source, tmp_path / "o.%04d.png", overwrite=True, continue_=True, **IDENTITY)


def test_files_are_read_one_at_a_time(tmp_path: Path) -> None:
    from vidstyle.media.sequence_reader import open_sequence

    source = make_sequence(tmp_path, "s.%04d.png", range(1001, 1011))
    with open_sequence(source).read() as reader:
        frames = iter(reader)
        assert next(frames).pts == 0  # type: ignore[union-attr]
        (tmp_path / "s.1009.png").write_bytes(b"damaged after the first frame was read")
        with pytest.raises(DecodeError, match="1009"):
            for _ in frames:
                pass


def test_the_command_line(tmp_path: Path, vidstyle: Command) -> None:
    make_sequence(tmp_path, "s.%04d.dpx", range(1001, 1006))
    output = tmp_path / "o.@@@@.tif"
    done = vidstyle(
        *("stylize", tmp_path / "s.####.dpx", output, "--style", "identity", "--flow", "none"),
        *("--frames", "1002-1004", "-x", "compression_algo=lzw", "--sidecar", "--crf", "20"),
    )
    assert done.exit_code == 0, done.stderr
    assert "written by tiff as rgb48le (compression_algo=lzw)" in done.stdout
    assert "no use for crf" in done.stdout
    assert [name for name in names(tmp_path) if name.endswith(".tif")] == ["o.1002.tif", "o.1003.tif", "o.1004.tif"]
    sidecar = next(tmp_path.glob("*.json"))
    assert json.loads(sidecar.read_text())["output"]["num_files"] == 3
    (tmp_path / "o.1003.tif").unlink()
    sidecar.unlink()
    done = vidstyle("stylize", tmp_path / "s.1002-1004#.dpx", output, "--style", "identity", "--continue")
    assert done.exit_code == 0, done.stderr
    assert "missing: 1" in done.stdout
    refused = vidstyle("stylize", tmp_path / "s.%04d.dpx", tmp_path / "x.mp4", "--style", "identity", "--continue")
    assert refused.exit_code == 2
    assert "starts again" in refused.stderr


def test_numbered_pictures_in_a_folder_are_pointed_out(tmp_path: Path, vidstyle: Command) -> None:
    make_sequence(tmp_path / "in", "s.%04d.png", range(1001, 1005))
    done = vidstyle("stylize", tmp_path / "in", "--out-dir", tmp_path / "out", "--style", "identity")
    assert done.exit_code == 0
    assert "s.1001-1004#.png looks like a sequence" in done.stderr
    pattern = vidstyle("stylize", tmp_path / "in" / "s.%04d.png", "--out-dir", tmp_path / "two", "--style", "identity")
    assert pattern.exit_code == 0, pattern.stderr
    assert names(tmp_path / "two") == names(tmp_path / "in")


def test_a_clip_of_pngs_with_a_colour_profile_does_no_harm(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    clip = tmp_path / "clip.mov"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("png", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        container.start_encoding()
        for index in range(3):
            path = tmp_path / "frame.png"
            Image.fromarray(np.rint(gradient(index) * 255).astype(np.uint8)).save(path, icc_profile=profile)
            packet = av.Packet(path.read_bytes())
            packet.pts = packet.dts = index
            packet.time_base, packet.duration, packet.stream = Fraction(1, 24), 1, stream
            container.mux(packet)
    for _ in range(3):  # what is freed twice shows when it is collected
        probe_video(clip)
    gc.collect()


def test_frames_on_twos(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1, 8, 2))
    with pytest.raises(OpenError, match=r"2-6x2 are missing; .* --frames 1-7x2"):
        package.stylize(source, tmp_path / "a.%04d.png", **IDENTITY)
    assert package.stylize(source, tmp_path / "b.%04d.png", frames="1-7x2", **IDENTITY).num_frames == 4
    assert [name for name in names(tmp_path) if name.startswith("b")] == [f"b.{n:04d}.png" for n in (1, 3, 5, 7)]


def test_settings_without_a_meaning_here_are_named(tmp_path: Path, clip_mp4: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1, 3))
    config = make_config(video_stream=0, deinterlace=True, handles=2)
    notes = "\n".join(probe(source, config).notes)
    assert all(option in notes for option in ("--video-stream", "--deinterlace", "--handles"))
    useless = {"handles": 2, "color_config": tmp_path / "none.ocio", "feather": 3.0}
    notes = "\n".join(plan(clip_mp4, tmp_path / "o.mp4", **useless).notes)
    assert all(option in notes for option in ("--color-config", "--handles", "--feather"))
    assert not plan(clip_mp4, tmp_path / "o.mp4", handles=1, frames="1-2").notes


def test_pictures_of_rgb_have_no_video_range(tmp_path: Path) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1, 3))
    assert probe(source).picture.color["range"] == "pc"


@pytest.mark.parametrize("name", ["none.wav", "notes.txt"])
def test_a_sound_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1, 3))
    (tmp_path / "notes.txt").write_text("no sound")
    with pytest.raises(OpenError, match=f"{name}.* sound"):
        plan(source, tmp_path / "o.mp4", sound=tmp_path / name)


def test_going_on_with_other_settings_is_noted(tmp_path: Path, vidstyle: Command) -> None:
    source = make_sequence(tmp_path, "s.%04d.png", range(1, 4))
    output = tmp_path / "o.%04d.png"
    package.stylize(source, output, sidecar=True, **IDENTITY)
    (tmp_path / "o.0002.png").unlink()
    same = package.stylize(source, output, continue_=True, **IDENTITY)
    assert same.num_frames == 1
    assert not any("made with another" in note for note in same.notes)
    told: list[str] = []
    package.stylize(source, output, continue_=True, style_weight=0.5, on_plan=told.extend, **IDENTITY)
    assert any("made with another style_weight" in line for line in told)
    done = vidstyle("stylize", source, output, "--continue", "--style", "identity", "--flow", "none")
    assert done.exit_code == 0
    assert f"nothing left to render of {output}" in done.stdout
    assert "fps" not in done.stdout.split("nothing left")[1]
