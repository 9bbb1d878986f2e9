"""Animated GIFs as another program (Pillow) sees them."""

from __future__ import annotations

import resource
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vidstyle.errors import EncodeError, OpenError
from vidstyle.frames import Packet, VideoFrame
from vidstyle.media.gif import GifWriter
from vidstyle.protocols import MediaSink

MS = Fraction(1, 1000)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def frame(picture: np.ndarray, pts: int, duration: int | None = None, time_base: Fraction = MS) -> VideoFrame:
    return VideoFrame(torch.from_numpy(picture).permute(2, 0, 1), pts, time_base, duration)


def moving_picture(index: int, width: int = 40, height: int = 30) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    picture = np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], axis=-1).astype(np.uint8)
    picture[5:15, index : index + 10] = (250, 240, 20)
    return picture


def read_gif(path: Path) -> tuple[list[np.ndarray], list[int]]:
    pictures, delays = [], []
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            pictures.append(np.asarray(image.convert("RGB")))
            delays.append(image.info["duration"])
    return pictures, delays


def write_gif(path: Path, frames: list[VideoFrame]) -> GifWriter:
    with GifWriter(path) as writer:
        for item in frames:
            writer.write(item)
        writer.commit()
    return writer


def test_frames_delays_and_colours_come_back(tmp_path: Path) -> None:
    pts = [500, 600, 650, 900, 920]
    sources = [moving_picture(index) for index in range(5)]
    frames = [frame(picture, at) for picture, at in zip(sources, pts, strict=True)]
    frames[-1] = frame(sources[-1], 920, duration=300)
    writer = write_gif(tmp_path / "a.gif", frames)
    pictures, delays = read_gif(tmp_path / "a.gif")
    assert delays == [100, 50, 250, 20, 300]
    assert writer.num_frames_written == 5
    for source, picture in zip(sources, pictures, strict=True):
        assert picture.shape == source.shape
        assert np.abs(picture.astype(int) - source).mean() < 6
    assert names(tmp_path) == ["a.gif"]


def test_is_a_media_sink(tmp_path: Path) -> None:
    sink: MediaSink = GifWriter(tmp_path / "a.gif")
    sink.abort()


def test_few_colours_come_back_exactly(tmp_path: Path) -> None:
    sources = [np.zeros((9, 13, 3), np.uint8) for _ in range(3)]
    for index, source in enumerate(sources):
        source[index : index + 3, 2:7] = (200, 30 * index, 7)
        source[8, 12] = (40, 90, 3)
    write_gif(tmp_path / "a.gif", [frame(source, 100 * index) for index, source in enumerate(sources)])
    pictures, _ = read_gif(tmp_path / "a.gif")
    assert all(np.array_equal(a, b) for a, b in zip(pictures, sources, strict=True))


def test_deep_frames_are_rounded(tmp_path: Path) -> None:
    pictures = [moving_picture(index) for index in range(2)]
    deep = [
        frame((picture.astype(np.int32) * 257 + 100).clip(max=65535).astype(np.uint16), 40 * i, 40)
        for i, picture in enumerate(pictures)
    ]
    write_gif(tmp_path / "deep.gif", deep)
    write_gif(tmp_path / "plain.gif", [frame(picture, 40 * i, 40) for i, picture in enumerate(pictures)])
    assert (tmp_path / "deep.gif").read_bytes() == (tmp_path / "plain.gif").read_bytes()


def test_a_cut_gets_new_colours(tmp_path: Path) -> None:
    shade = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 16, axis=0)
    red = np.concatenate([shade * 4, shade * 0, shade * 0], axis=-1)
    blue = np.concatenate([shade * 0, shade * 2, 255 - shade * 4], axis=-1)
    write_gif(tmp_path / "a.gif", [frame(red, 0), frame(blue, 100), frame(red, 200)])
    pictures, _ = read_gif(tmp_path / "a.gif")
    for source, picture in zip((red, blue, red), pictures, strict=True):
        assert np.abs(picture.astype(int) - source).max() < 16


def test_still_areas_stay_still(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", [frame(moving_picture(index), 40 * index) for index in range(8)])
    pictures, _ = read_gif(tmp_path / "a.gif")
    for before, after in pairwise(pictures):
        assert np.array_equal(before[16:], after[16:])


def test_a_repeated_frame_keeps_its_time(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", [frame(moving_picture(0), at) for at in (0, 100, 200)])
    pictures, delays = read_gif(tmp_path / "a.gif")
    assert delays == [100, 100, 100]
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(30), Fraction(25), Fraction(15)])
def test_rounding_does_not_drift(tmp_path: Path, rate: Fraction) -> None:
    num_frames = 90
    frames = [frame(np.full((2, 2, 3), index, np.uint8), index, 1, 1 / rate) for index in range(num_frames)]
    writer = write_gif(tmp_path / "a.gif", frames)
    _, delays = read_gif(tmp_path / "a.gif")
    assert writer.num_frames_merged == 0
    assert len(delays) == num_frames
    assert abs(sum(delays) - 1000 * num_frames / rate) <= 5
    assert max(delays) - min(delays) <= 10


def test_frames_too_close_for_any_viewer_are_merged_and_counted(tmp_path: Path) -> None:
    frames = [frame(moving_picture(index % 20), index, 1, Fraction(1, 120)) for index in range(120)]
    writer = write_gif(tmp_path / "a.gif", frames)
    _, delays = read_gif(tmp_path / "a.gif")
    assert min(delays) >= 20
    assert sum(delays) == pytest.approx(1000, abs=20)
    assert writer.num_frames_written == len(delays)
    assert writer.num_frames_written + writer.num_frames_merged == 120


@pytest.mark.parametrize("shown_ms", [655_350, 655_360, 655_370, 2_000_000])
def test_a_picture_shown_longer_than_a_delay_can_say_is_shown_as_long(tmp_path: Path, shown_ms: int) -> None:
    path = tmp_path / "x.gif"
    last = 120
    writer = write_gif(path, [frame(moving_picture(0), 0), frame(moving_picture(9), shown_ms, duration=last)])
    pictures, delays = read_gif(path)
    assert writer.num_frames_written == 2
    assert (sum(delays), delays[-1]) == (shown_ms + last, last)
    assert min(delays) >= 20
    assert np.array_equal(pictures[0], pictures[-2])


@pytest.mark.parametrize("loops", [None, 0, 3])
def test_it_loops_as_often_as_its_source(tmp_path: Path, loops: int | None) -> None:
    source, output = tmp_path / "in.gif", tmp_path / "out.gif"
    pictures = [Image.fromarray(moving_picture(index)) for index in range(3)]
    told = {} if loops is None else {"loop": loops}
    pictures[0].save(source, save_all=True, append_images=pictures[1:], duration=100, **told)
    with GifWriter(output, source=source) as writer:
        for index in range(3):
            writer.write(frame(moving_picture(index), 100 * index))
        writer.commit()
    with Image.open(output) as image:
        assert image.info.get("loop") == loops


def test_last_delay_without_a_duration_repeats_the_one_before(tmp_path: Path) -> None:
    write_gif(tmp_path / "a.gif", [frame(moving_picture(index), 70 * index) for index in range(3)])
    assert read_gif(tmp_path / "a.gif")[1] == [70, 70, 70]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 999), num_frames=st.integers(1, 4))
def test_any_size_comes_back(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, seed: int, num_frames: int
) -> None:
    path = tmp_path_factory.mktemp("gif") / "a.gif"
    noise = np.random.default_rng(seed).integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)
    write_gif(path, [frame(picture, 100 * index) for index, picture in enumerate(noise)])
    pictures, delays = read_gif(path)
    assert len(delays) == num_frames
    for source, picture in zip(noise, pictures, strict=True):
        assert picture.shape == source.shape
        assert np.abs(picture.astype(int) - source).mean() < 30  # noise is the worst case for 255 colours


def test_packets_are_ignored(tmp_path: Path) -> None:
    with GifWriter(tmp_path / "a.gif") as writer:
        writer.write(Packet(1, payload=None))
        writer.write(frame(moving_picture(0), 0))
        writer.write(Packet(1, payload=None))
        writer.commit()
    assert len(read_gif(tmp_path / "a.gif")[0]) == 1


def test_nothing_is_left_without_commit(tmp_path: Path) -> None:
    with GifWriter(tmp_path / "a.gif") as writer:
        writer.write(frame(moving_picture(0), 0))
        assert names(tmp_path) == ["a.gif.part"]
    assert names(tmp_path) == []
    writer.abort()


def test_abort_after_commit_keeps_the_result(tmp_path: Path) -> None:
    writer = write_gif(tmp_path / "a.gif", [frame(moving_picture(0), 0)])
    writer.abort()
    assert names(tmp_path) == ["a.gif"]
    with pytest.raises(ValueError, match="closed"):
        writer.write(frame(moving_picture(0), 1))


def test_no_frames(tmp_path: Path) -> None:
    writer = GifWriter(tmp_path / "a.gif")
    with pytest.raises(EncodeError, match="no frames"):
        writer.commit()
    assert names(tmp_path) == []


def test_changing_size_is_an_error(tmp_path: Path) -> None:
    with GifWriter(tmp_path / "a.gif") as writer:
        writer.write(frame(moving_picture(0), 0))
        with pytest.raises(EncodeError, match="40x30 to 20x10"):
            writer.write(frame(moving_picture(0, 20, 10), 100))
    assert names(tmp_path) == []


def test_existing_output_and_input_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(b"precious")
    with pytest.raises(OpenError, match="exists already"):
        GifWriter(path)
    with pytest.raises(OpenError, match="same file"):
        GifWriter(path, source=path, overwrite=True)
    with GifWriter(path, overwrite=True) as writer:
        writer.write(frame(moving_picture(0), 0))
    assert path.read_bytes() == b"precious"
    assert names(tmp_path) == ["a.gif"]


def test_an_output_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    writer = GifWriter(path)
    writer.write(frame(moving_picture(0), 0))
    path.write_bytes(b"precious")
    with pytest.raises(OpenError, match="exists already"):
        writer.commit()
    assert path.read_bytes() == b"precious"
    assert names(tmp_path) == ["a.gif"]


def test_unwritable_places(tmp_path: Path) -> None:
    (tmp_path / "b.gif.part").mkdir()
    for path in (tmp_path / "missing" / "a.gif", tmp_path, tmp_path / "b.gif"):
        with pytest.raises(OpenError):
            GifWriter(path)


@pytest.mark.parametrize("num_frames", [1, 30])
def test_full_disk_leaves_nothing(tmp_path: Path, num_frames: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (num_frames, 64, 64, 3), dtype=np.uint8)
    writer = GifWriter(tmp_path / "a.gif")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(EncodeError, match="space"):
            _write_all(writer, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(tmp_path) == []


def test_two_renders_to_one_output_do_not_mix(tmp_path: Path) -> None:
    with GifWriter(tmp_path / "a.gif"), pytest.raises(OpenError, match="another run"):
        GifWriter(tmp_path / "a.gif")
    assert names(tmp_path) == []


def _write_all(writer: GifWriter, noise: np.ndarray) -> None:
    for index, picture in enumerate(noise):
        writer.write(frame(picture, 100 * index))
    writer.commit()
