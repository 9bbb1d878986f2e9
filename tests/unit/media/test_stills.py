"""Pictures read and written: what is shown, what travels along, and what bad files get."""

from __future__ import annotations

import resource
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps
from torch import Tensor

from vidstyle.errors import DecodeError, EncodeError, MediaError, OpenError, UnsupportedMediaError
from vidstyle.media.stills import Still, is_still, read_still, read_style_image, write_still

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def smooth_picture(width: int = 24, height: int = 16) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray((np.stack([x, y, (1 - x) * y], axis=-1) * 255).astype(np.uint8))


def pixels(data: Tensor) -> np.ndarray:
    return data.permute(1, 2, 0).numpy()


def one_sentence(error: pytest.ExceptionInfo[MediaError], path: Path) -> bool:
    text = str(error.value)
    return str(path) in text and "\n" not in text and error.value.path == path


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.tif", "a.TIFF", "a.webp", "a.bmp"])
def test_picture_names_are_known(name: str) -> None:
    assert is_still(name)


@pytest.mark.parametrize("name", ["a.gif", "a.mp4", "png", "a", "a.png.part"])
def test_other_names_are_not_pictures(name: str) -> None:
    assert not is_still(Path(name))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_lossless_formats_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    data = torch.randint(0, 256, (3, 7, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    write_still(tmp_path / f"a{suffix}", data)
    still = read_still(tmp_path / f"a{suffix}")
    assert torch.equal(still.data, data)
    assert (still.alpha, still.exif, still.icc_profile, still.notes) == (None, None, None, ())
    assert names(tmp_path) == [f"a{suffix}"]


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_back_closely(tmp_path: Path, suffix: str) -> None:
    data = torch.from_numpy(np.array(smooth_picture(64, 48))).permute(2, 0, 1)
    write_still(tmp_path / f"a{suffix}", data)
    error = (read_still(tmp_path / f"a{suffix}").data.float() - data.float()).abs()
    assert error.mean() < 2


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
def test_one_pixel(tmp_path: Path, suffix: str) -> None:
    write_still(tmp_path / f"a{suffix}", torch.full((3, 1, 1), 128, dtype=torch.uint8))
    assert read_still(tmp_path / f"a{suffix}").data.shape == (3, 1, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_is_applied_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Artist] = "A. Painter"
    source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    smooth_picture(48, 32).save(source, exif=exif, quality=100)
    with Image.open(source) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))

    still = read_still(source)
    assert np.array_equal(pixels(still.data), shown)
    write_still(output, still.data, still)
    with Image.open(output) as image:
        assert image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        assert image.getexif()[ExifTags.Base.Artist] == "A. Painter"
        shown_again = np.asarray(ImageOps.exif_transpose(image).convert("RGB")).astype(int)
    assert shown_again.shape == shown.shape
    assert np.abs(shown_again - shown).mean() < 4


@pytest.mark.parametrize("out_suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("in_suffix", [".jpg", ".png", ".tif", ".webp"])
def test_metadata_travels_between_formats(tmp_path: Path, in_suffix: str, out_suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.25
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 24
    source, output = tmp_path / f"in{in_suffix}", tmp_path / f"out{out_suffix}"
    smooth_picture().save(source, exif=exif.tobytes(), icc_profile=SRGB, dpi=(300, 300))
    still = read_still(source)
    doubled = still.data.repeat_interleave(2, 1).repeat_interleave(2, 2)
    write_still(output, doubled, still)
    with Image.open(output) as image:
        image.load()
        assert image.size == (48, 32)
        assert image.info["icc_profile"] == SRGB
        assert image.getexif()[ExifTags.Base.Make] == "Camera"
        details = image.getexif().get_ifd(ExifTags.IFD.Exif)
        assert float(details[ExifTags.Base.ExposureTime]) == pytest.approx(0.25)
        assert ExifTags.Base.ExifImageWidth not in details
        if ".webp" not in (in_suffix, out_suffix):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_is_kept(tmp_path: Path, suffix: str) -> None:
    image = smooth_picture()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / f"in{suffix}", lossless=True)
    still = read_still(tmp_path / f"in{suffix}")
    assert still.alpha is not None
    assert np.array_equal(still.alpha[0].numpy(), np.asarray(image.getchannel("A")))
    assert write_still(tmp_path / f"out{suffix}", still.data, still) == ()
    again = read_still(tmp_path / f"out{suffix}")
    assert again.alpha is not None
    assert torch.equal(again.alpha, still.alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_formats_without_alpha_say_so(tmp_path: Path, suffix: str) -> None:
    data = torch.zeros(3, 4, 4, dtype=torch.uint8)
    like = Still(path=tmp_path / "in.png", data=data, alpha=data[:1])
    notes = write_still(tmp_path / f"out{suffix}", data, like)
    assert len(notes) == 1
    assert "alpha" in notes[0]
    assert read_still(tmp_path / f"out{suffix}").alpha is None


def test_alpha_follows_a_new_size(tmp_path: Path) -> None:
    like = Still(tmp_path / "in.png", torch.zeros(3, 4, 4).byte(), alpha=torch.full((1, 4, 4), 77).byte())
    write_still(tmp_path / "out.png", torch.zeros(3, 8, 6).byte(), like)
    alpha = read_still(tmp_path / "out.png").alpha
    assert alpha is not None
    assert torch.equal(alpha, torch.full((1, 8, 6), 77).byte())


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    image = smooth_picture().convert("L").convert(mode) if mode != "RGBA" else smooth_picture().convert("RGBA")
    image.save(tmp_path / "a.png")
    still = read_still(tmp_path / "a.png")
    assert np.array_equal(pixels(still.data), np.asarray(image.convert("RGB")))
    assert (still.alpha is not None) == (mode in ("LA", "RGBA"))


def test_palette_transparency_becomes_alpha(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=1)
    still = read_still(tmp_path / "a.png")
    assert still.alpha is not None
    assert still.alpha.flatten().tolist() == [255, 0]
    assert still.data[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_reduced_with_a_note(tmp_path: Path, suffix: str) -> None:
    samples = np.array([[0, 128, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(samples).save(tmp_path / f"a{suffix}")
    still = read_still(tmp_path / f"a{suffix}")
    assert still.data[0].flatten().tolist() == [0, 0, 128, 255]
    assert still.notes == ("16-bit samples were reduced to 8 bits",)


def test_16_bit_rgb_is_reduced_with_a_note(tmp_path: Path) -> None:
    samples = np.array([[[0x1234, 0x8000, 0xFFFF]]], dtype=np.uint16)  # BGR
    cv2.imwrite(str(tmp_path / "a.png"), samples)
    still = read_still(tmp_path / "a.png")
    assert still.data.flatten().tolist() == [0xFF, 0x80, 0x12]
    assert still.notes == ("16-bit samples were reduced to 8 bits",)


@pytest.mark.parametrize("mode", ["F", "LAB"])
def test_kinds_without_an_rgb_meaning_are_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (2, 2)).save(tmp_path / "a.tif")
    with pytest.raises(UnsupportedMediaError) as error:
        read_still(tmp_path / "a.tif")
    assert one_sentence(error, tmp_path / "a.tif")


def test_cmyk_drops_a_profile_that_no_longer_fits(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", icc_profile=SRGB, quality=100)
    still = read_still(tmp_path / "a.jpg")
    assert still.icc_profile is None
    assert "profile" in still.notes[0]
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "b.jpg", quality=100)
    plain = read_still(tmp_path / "b.jpg")
    red, green, blue = plain.data[:, 4, 4].tolist()
    assert red > 240
    assert max(green, blue) < 15
    assert "CMYK" in plain.notes[0]


def grey_profile(gamma: float) -> bytes:
    """A minimal ICC profile for grey pictures of that gamma."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249)))
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    offset = 128 + 4 + 2 * 12
    table = struct.pack(">I4sII4sII", 2, b"wtpt", offset, len(white), b"kTRC", offset + len(white), len(curve))
    size = offset + len(white) + len(curve)
    header = struct.pack(">I4sI4s4s4s12x4s", size, b"lcms", 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    return header.ljust(68, b"\x00") + white[8:].ljust(60, b"\x00") + table + white + curve


def test_a_grey_profile_is_applied_since_rgb_cannot_carry_it(tmp_path: Path) -> None:
    Image.new("L", (2, 2), 128).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    still = read_still(tmp_path / "a.png")
    assert still.data[:, 0, 0].tolist() == pytest.approx([188] * 3, abs=1)  # half the light, in sRGB's curve
    assert still.icc_profile is None
    assert "sRGB" in still.notes[0]


def test_a_profile_of_another_colour_space_is_not_kept(tmp_path: Path) -> None:
    smooth_picture().save(tmp_path / "a.png", icc_profile=grey_profile(2.2))
    still = read_still(tmp_path / "a.png")
    assert np.array_equal(pixels(still.data), np.asarray(smooth_picture()))
    assert still.icc_profile is None
    assert "profile" in still.notes[0]


def test_bmp_says_what_it_cannot_keep(tmp_path: Path) -> None:
    data = torch.zeros(3, 2, 2, dtype=torch.uint8)
    assert "metadata" in write_still(tmp_path / "a.bmp", data, Still(tmp_path / "x.png", data, icc_profile=SRGB))[0]


def test_damaged_exif_is_left_out_with_a_note(tmp_path: Path) -> None:
    smooth_picture().save(tmp_path / "a.jpg", exif=b"Exif\x00\x00not a tiff header")
    still = read_still(tmp_path / "a.jpg")
    assert still.data.shape == (3, 16, 24)
    assert still.exif is None


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_animations_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    smooth_picture().save(path, save_all=True, append_images=[ImageOps.invert(smooth_picture())])
    with pytest.raises(UnsupportedMediaError, match="animated") as error:
        read_still(path)
    assert one_sentence(error, path)


def test_first_picture_of_a_multi_picture_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    smooth_picture().save(path, format="MPO", save_all=True, append_images=[Image.new("RGB", (3, 3))])
    assert read_still(path).data.shape == (3, 16, 24)


def test_first_page_of_a_tiff(tmp_path: Path) -> None:
    smooth_picture().save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("RGB", (3, 3))])
    still = read_still(tmp_path / "a.tif")
    assert still.data.shape == (3, 16, 24)
    assert still.notes == ("only the first of 2 pages is used",)


def test_decompression_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth_picture().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnsupportedMediaError, match="too many pixels"):
        read_still(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)  # 384 pixels: Pillow only warns
    assert read_still(tmp_path / "a.png").data.shape == (3, 16, 24)


@pytest.mark.parametrize("content", [None, b"", b"hello, I am a text file", b"\x89PNG\r\n\x1a\n"])
def test_no_picture_to_open(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    for read in (read_still, read_style_image):
        with pytest.raises(OpenError) as error:
            read(path)
        assert one_sentence(error, path)


def test_a_folder_is_not_a_picture(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="folder"):
        read_still(tmp_path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".webp"])
def test_truncated(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises((DecodeError, OpenError)) as error:
        read_still(path)
    assert one_sentence(error, path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".bmp"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6), keep=st.floats(0, 1))
def test_damage_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, changes: list[tuple[float, int]], keep: float
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    smooth_picture().save(path, exif=exif, icc_profile=SRGB)
    damaged = bytearray(path.read_bytes())
    for where, value in changes:
        damaged[int(where * (len(damaged) - 1))] = value
    path.write_bytes(damaged[: int(len(damaged) * keep)] if keep < 0.7 else damaged)
    try:
        still = read_still(path)
    except MediaError:
        return
    assert still.data.shape[0] == 3
    write_still(path.with_name("out.png"), still.data, still)


def test_existing_output_is_kept_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    data = torch.zeros(3, 2, 2, dtype=torch.uint8)
    with pytest.raises(OpenError, match="exists already"):
        write_still(path, data)
    assert path.read_bytes() == b"precious"
    write_still(path, data, overwrite=True)
    assert torch.equal(read_still(path).data, data)


def test_output_equal_to_input_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    smooth_picture().save(path)
    before = path.read_bytes()
    (tmp_path / "link.png").symlink_to(path)
    for output in (path, tmp_path / "link.png"):
        with pytest.raises(OpenError, match="same file"):
            write_still(output, torch.zeros(3, 2, 2).byte(), read_still(path), overwrite=True)
    assert path.read_bytes() == before


def test_full_disk_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(EncodeError, match="space") as error:
            write_still(path, torch.rand(3, 64, 64).mul(255).byte(), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert one_sentence(error, path)
    assert path.read_bytes() == b"precious"
    assert names(tmp_path) == ["a.png"]


def test_what_a_planted_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_bytes(b"precious")
    (tmp_path / "a.png.part").symlink_to(elsewhere)
    write_still(tmp_path / "a.png", torch.zeros(3, 8, 8).byte())
    assert elsewhere.read_bytes() == b"precious"
    assert not (tmp_path / "a.png").is_symlink()
    assert read_still(tmp_path / "a.png").data.shape == (3, 8, 8)


def test_places_where_nothing_can_be_written(tmp_path: Path) -> None:
    data = torch.zeros(3, 2, 2, dtype=torch.uint8)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "blocked.png.part").mkdir()
    for path in (tmp_path / "missing" / "a.png", tmp_path / "folder.png", tmp_path / "blocked.png"):
        with pytest.raises(OpenError) as error:
            write_still(path, data, overwrite=True)
        assert one_sentence(error, path)
    with pytest.raises(UnsupportedMediaError, match=r"\.png"):
        write_still(tmp_path / "a.xyz", data)


def test_a_picture_too_large_for_its_format(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="16383"):
        write_still(tmp_path / "a.webp", torch.zeros(3, 1, 16384).byte())
    assert names(tmp_path) == []


@pytest.mark.parametrize("data", [torch.zeros(1, 2, 2).byte(), torch.zeros(3, 2, 2), torch.zeros(3, 0, 2).byte()])
def test_write_still_wants_rgb_bytes(tmp_path: Path, data: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(3, H, W\) uint8"):
        write_still(tmp_path / "a.png", data)


def test_style_image_is_float_rgb_of_at_most_the_size(tmp_path: Path) -> None:
    smooth_picture(400, 200).save(tmp_path / "a.jpg", quality=95)
    full, small = read_style_image(tmp_path / "a.jpg"), read_style_image(tmp_path / "a.jpg", max_side_px=50)
    assert full.shape == (3, 200, 400)
    assert small.shape == (3, 25, 50)
    assert small.dtype == torch.float32
    assert 0 <= small.min() <= small.max() <= 1
    assert torch.allclose(small.mean((1, 2)), full.mean((1, 2)), atol=0.01)
    assert read_style_image(tmp_path / "a.jpg", max_side_px=9999).shape == full.shape
    with pytest.raises(ValueError, match="max_side_px"):
        read_style_image(tmp_path / "a.jpg", max_side_px=0)


def test_style_image_lays_transparency_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert read_style_image(tmp_path / "a.png").min() == 1


def test_style_image_is_converted_to_srgb(tmp_path: Path) -> None:
    # An sRGB profile with red and blue primaries exchanged, and another description so that it is not taken for sRGB.
    profile = (
        _swap_tags(SRGB, b"rXYZ", b"bXYZ").replace(b"s\x00R\x00G\x00B", b"t\x00E\x00S\x00T").replace(b"sRGB", b"TEST")
    )
    Image.new("RGB", (2, 2), (255, 0, 0)).save(tmp_path / "a.png", icc_profile=profile)
    red, _, blue = read_style_image(tmp_path / "a.png")[:, 0, 0].tolist()
    assert blue > 0.95
    assert red < 0.05
    still = read_still(tmp_path / "a.png")
    assert still.icc_profile == profile  # stills keep values and profile as they are
    assert still.data[:, 0, 0].tolist() == [255, 0, 0]


def _swap_tags(profile: bytes, first: bytes, second: bytes) -> bytes:
    entries = {}
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        at = 132 + 12 * index
        entries[profile[at : at + 4]] = at
    swapped = bytearray(profile)
    a, b = entries[first], entries[second]
    swapped[a : a + 4], swapped[b : b + 4] = second, first
    return bytes(swapped)
