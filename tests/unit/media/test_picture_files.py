"""Single frames as files: nothing is lost on the way in and out, and damage is noticed."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from sequence_factory import codes, linear, read_planes, write_av, write_frame

from vidstyle.errors import DecodeError, MediaError, OpenError, UnsupportedMediaError
from vidstyle.media import picture_files
from vidstyle.media.exr_check import is_whole_exr
from vidstyle.media.picture_files import PictureFormat, encode_picture, read_picture

FILES = [
    ("f.png", 8),
    ("f.png", 16),
    ("f.tif", 8),
    ("f.tif", 16),
    ("f.dpx", 10),
    ("f.exr", 16),
    ("f.exr", 32),
    ("f.jpg", 8),
]


@pytest.mark.parametrize(("name", "bits"), FILES)
def test_a_file_is_read_with_its_depth(tmp_path: Path, name: str, bits: int) -> None:
    path = write_frame(tmp_path / name, 3, bits=bits)
    picture = read_picture(path)
    assert picture.size == (64, 48)
    assert picture.alpha is None
    if name.endswith(".exr"):
        assert picture.is_float
        assert picture.rgb.dtype == (np.float16 if bits == 16 else np.float32)
        expected = linear(3).astype(picture.rgb.dtype).transpose(2, 0, 1)
        assert np.array_equal(picture.rgb, expected)
        return
    assert picture.bit_depth == bits
    top = 255 if bits == 8 else 65535
    assert picture.rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    expected = codes(3, bits).transpose(2, 0, 1) * (top / ((1 << bits) - 1))
    tolerance = 8 if name.endswith(".jpg") else 1
    assert np.abs(picture.rgb - expected).max() <= tolerance


@pytest.mark.parametrize(
    ("codec", "suffix", "pixel_format", "bits"),
    [
        ("png", ".png", "rgb24", 8),
        ("png", ".png", "rgba64be", 16),
        ("tiff", ".tif", "rgba", 8),
        ("tiff", ".tif", "rgb48le", 16),
        ("dpx", ".dpx", "gbrp10le", 10),
        ("dpx", ".dpx", "gbrp12le", 12),
        ("dpx", ".dpx", "rgb48be", 16),
    ],
)
def test_every_code_survives(tmp_path: Path, codec: str, suffix: str, pixel_format: str, bits: int) -> None:
    top = 255 if bits == 8 else 65535
    stored = np.arange(1 << bits)[:: max(1, (1 << bits) // 4096)]
    row = np.rint(np.resize(stored, (3, 64, 64)) * (top / ((1 << bits) - 1)))
    rgb = row.astype(np.uint8 if bits == 8 else np.uint16)
    alpha = rgb[:1, ::-1] if "a" in pixel_format else None
    form = PictureFormat(codec, pixel_format, {}, Fraction(1))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(encode_picture(rgb, alpha, form, path))
    once = read_picture(path, alpha=True)
    first = read_planes(path)[1]
    path.write_bytes(encode_picture(once.rgb, once.alpha, form, path))
    assert np.array_equal(read_planes(path)[1], first)
    assert np.abs(once.rgb.astype(int) - rgb).max() <= 1
    if alpha is not None:
        assert once.alpha is not None
        assert np.array_equal(once.alpha, alpha)


@pytest.mark.parametrize("compression", ["none", "rle", "zip1", "zip16"])
@pytest.mark.parametrize("depth", ["half", "float"])
def test_exr_keeps_its_numbers(tmp_path: Path, compression: str, depth: str) -> None:
    light = linear(0).transpose(2, 0, 1)
    form = PictureFormat("exr", "gbrpf32le", {"format": depth, "compression": compression}, Fraction(2))
    path = tmp_path / "x.exr"
    path.write_bytes(encode_picture(light, None, form, path))
    picture = read_picture(path)
    # Halves are rounded to the nearest, not cut off.
    expected = light.astype(np.float16) if depth == "half" else light
    assert np.array_equal(picture.rgb, expected)
    assert picture.sample_aspect_ratio == 2


def test_exr_alpha_is_straight_in_here_and_premultiplied_in_the_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    light, alpha = rng.random((3, 20, 30), np.float32), rng.random((1, 20, 30), np.float32)
    alpha[0, 0, 0] = 0
    form = PictureFormat("exr", "gbrapf32le", {"format": "float"})
    path = tmp_path / "x.exr"
    path.write_bytes(encode_picture(light, alpha, form, path))
    stored = read_planes(path)[1]
    assert np.allclose(stored[:3], light * alpha, atol=1e-7)
    straight = read_picture(path, alpha=True)
    assert straight.alpha is not None
    assert np.array_equal(straight.alpha, alpha)
    assert np.allclose(straight.rgb[:, 0, 1:], light[:, 0, 1:], atol=1e-5)
    assert straight.rgb[:, 0, 0].tolist() == [0, 0, 0]
    over_black = read_picture(path)
    assert over_black.alpha is None
    assert np.array_equal(over_black.rgb, stored[:3])


@pytest.mark.parametrize("mode", ["L", "I;16", "P", "1", "LA", "RGBA"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_palettes_and_opacity_are_read(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if mode == "I;16":
        grey = codes(0, 16)[..., 0]
        Image.fromarray(grey).save(path)
        expected = np.stack([grey] * 3)
    else:
        image = Image.fromarray(codes(0, 8)).convert(mode)
        image.save(path)
        expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    picture = read_picture(path, alpha=True)
    assert np.array_equal(picture.rgb, expected)
    assert (picture.alpha is not None) == (mode in ("P", "LA", "RGBA"))


@pytest.mark.parametrize(("name", "bits"), FILES)
def test_a_truncated_file_is_damage(tmp_path: Path, name: str, bits: int) -> None:
    whole = write_frame(tmp_path / name, 0, bits=bits).read_bytes()
    step = max(1, len(whole) // 40)
    for length in [*range(1, len(whole), step), len(whole) * 95 // 100]:
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(MediaError) as caught:
            read_picture(tmp_path / name)
        assert str(caught.value).count(str(tmp_path / name)) == 1


@given(name=st.sampled_from([name for name, _ in FILES]), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_mutated_files_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, name: str, seed: int) -> None:
    path = tmp_path_factory.getbasetemp() / name
    rng = np.random.default_rng(seed)
    data = bytearray(write_frame(path, 0).read_bytes())
    for position in rng.integers(0, min(len(data), 400 if seed % 2 else len(data)), rng.integers(1, 12)):
        data[position] = rng.integers(0, 256)
    path.write_bytes(data[: rng.integers(1, len(data))] if seed % 3 == 0 else data)
    with suppress(MediaError):
        assert read_picture(path, alpha=True).rgb.shape[0] == 3


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.exr").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "wrong.dpx").write_bytes(write_frame(tmp_path / "a.png", 0).read_bytes())
    for name in ("empty.exr", "folder.png", "none.tif"):
        with pytest.raises(OpenError, match=name):
            read_picture(tmp_path / name)
    with pytest.raises(DecodeError, match="no DPX picture"):
        read_picture(tmp_path / "wrong.dpx")


@pytest.mark.parametrize("side", [20_000, 60_000, 2**31 - 1])
def test_a_bomb_is_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "bomb.png"
    data = bytearray(write_frame(tmp_path / "a.png", 0).read_bytes())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises((UnsupportedMediaError, DecodeError)):
        read_picture(path)


@pytest.mark.parametrize("name", ["f.png", "f.tif", "f.dpx", "f.exr"])
def test_more_pixels_than_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(picture_files, "_MAX_PIXELS", 1000)
    with pytest.raises(UnsupportedMediaError, match="too many pixels"):
        read_picture(write_frame(tmp_path / name, 0))


def test_profiles_that_are_lost_are_noted(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("a.png", "a.jpg"):
        Image.fromarray(codes(0, 8)).save(tmp_path / name, icc_profile=profile)
        assert read_picture(tmp_path / name).notes == ("its colour profile is not kept",)


def test_an_exr_stopped_while_being_written_is_not_whole() -> None:
    assert not is_whole_exr(b"")
    assert not is_whole_exr(b"\x76\x2f\x31\x01\x02\x00\x00\x00")


def test_a_tiled_exr_is_measured_by_its_tiles(tmp_path: Path) -> None:
    # FFmpeg writes lines only: a tiled file of one 4x4 tile, three half channels, uncompressed, made by hand.
    def attribute(name: bytes, kind: bytes, value: bytes) -> bytes:
        return name + b"\0" + kind + b"\0" + len(value).to_bytes(4, "little") + value

    channels = b"".join(
        c + b"\0" + (1).to_bytes(4, "little") + bytes(4) + (1).to_bytes(4, "little") * 2 for c in (b"B", b"G", b"R")
    )
    box = b"".join(n.to_bytes(4, "little") for n in (0, 0, 3, 3))
    one = np.float32(1).tobytes()
    header = b"\x76\x2f\x31\x01" + (2 | 0x200).to_bytes(4, "little")
    header += attribute(b"channels", b"chlist", channels + b"\0") + attribute(b"compression", b"compression", b"\0")
    header += attribute(b"dataWindow", b"box2i", box) + attribute(b"displayWindow", b"box2i", box)
    header += attribute(b"lineOrder", b"lineOrder", b"\0") + attribute(b"pixelAspectRatio", b"float", one)
    header += attribute(b"screenWindowCenter", b"v2f", bytes(8)) + attribute(b"screenWindowWidth", b"float", one)
    header += attribute(b"tiles", b"tiledesc", (4).to_bytes(4, "little") * 2 + b"\0") + b"\0"
    pixels = np.full((4, 3, 4), 0.25, np.float16).tobytes()
    tile = bytes(16) + len(pixels).to_bytes(4, "little") + pixels
    data = header + (len(header) + 8).to_bytes(8, "little") + tile
    path = tmp_path / "tiled.exr"
    path.write_bytes(data)
    assert (read_picture(path).rgb == 0.25).all()
    assert not is_whole_exr(data[:-1])


def test_jpeg_quality_can_be_chosen(tmp_path: Path) -> None:
    rgb = codes(0, 8).transpose(2, 0, 1)
    small = encode_picture(rgb, None, PictureFormat("mjpeg", "rgb24", {"quality": "10"}), tmp_path)
    fine = encode_picture(rgb, None, PictureFormat("mjpeg", "rgb24", {}), tmp_path)
    assert len(small) < len(fine)
    assert Image.open(io.BytesIO(fine)).size == (64, 48)


def test_a_decoder_that_knows_floats_in_grey(tmp_path: Path) -> None:
    grey = linear(0)[..., :1]
    write_av(tmp_path / "x.exr", "exr", "grayf32le", grey[..., 0], format="float")
    picture = read_picture(tmp_path / "x.exr")
    assert np.array_equal(picture.rgb, np.repeat(grey.transpose(2, 0, 1), 3, axis=0))
