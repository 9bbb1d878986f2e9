"""PNGs and TIFFs of 16 bits, as OpenCV and Pillow see them."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms
from torch import Tensor

import vidstyle
from vidstyle.media.stills import read_still, write_still

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def ramp(width: int = 200, height: int = 12) -> Tensor:
    """(3, H, W) uint16 whose levels no 8 bits have."""
    x = np.linspace(0, 65535, width)
    rows = [np.tile(values, (height, 1)) for values in (x, 65535 - x, x / 3 + 777)]
    return torch.from_numpy(np.stack(rows).astype(np.uint16))


def seen_by_opencv(path: Path) -> np.ndarray:
    """(C, H, W), RGB or RGBA."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    order = [2, 1, 0, 3][: picture.shape[2]]
    return picture[..., order].transpose(2, 0, 1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_there_and_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"

    assert write_still(path, ramp()) == ()

    assert (seen_by_opencv(path) == ramp().numpy()).all()
    still = read_still(path, deep=True)
    assert torch.equal(still.data, ramp())
    assert (still.alpha, still.notes) == (None, ())
    assert read_still(path).notes == ("16-bit samples were reduced to 8 bits",)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_opacity_and_metadata_stay(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody"
    buffer = io.BytesIO()
    small = Image.new("RGBA", (200, 12), (1, 2, 3, 128))
    small.save(buffer, "PNG", icc_profile=PROFILE, exif=exif.tobytes(), dpi=(300, 300))
    (tmp_path / "like.png").write_bytes(buffer.getvalue())
    like = read_still(tmp_path / "like.png")

    notes = write_still(tmp_path / f"a{suffix}", ramp(), like)

    again = read_still(tmp_path / f"a{suffix}", deep=True)
    assert torch.equal(again.data, ramp())
    assert again.alpha is not None
    assert again.alpha.to(torch.int32).unique().tolist() == [128 * 257]
    assert again.icc_profile == PROFILE
    assert again.dpi == pytest.approx((300, 300), abs=0.1)
    with Image.open(tmp_path / f"a{suffix}") as image:
        image.load()
        if suffix == ".png":
            assert notes == ()
            assert image.getexif()[ExifTags.Base.Artist] == "somebody"
        else:
            assert "EXIF" in notes[0]
    assert seen_by_opencv(tmp_path / f"a{suffix}").shape == (4, 12, 200)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_the_one_of_eight_bits(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.new("RGB", (200, 12)).save(buffer, "PNG", exif=exif.tobytes())
    (tmp_path / "like.png").write_bytes(buffer.getvalue())
    like = read_still(tmp_path / "like.png")
    turned = type(like)(like.path, like.data, exif=exif.tobytes())
    write_still(tmp_path / "a.png", ramp(), turned)

    shallow, deep = read_still(tmp_path / "a.png"), read_still(tmp_path / "a.png", deep=True)

    assert deep.data.dtype == torch.uint16
    assert deep.data.shape == shallow.data.shape
    assert (deep.data.to(torch.float32) / 257 - shallow.data).abs().max() < 1.01


def test_grey_of_sixteen_bits(tmp_path: Path) -> None:
    samples = ramp()[0].numpy()
    cv2.imwrite(str(tmp_path / "a.png"), samples)

    still = read_still(tmp_path / "a.png", deep=True)

    assert (still.data.numpy() == samples).all()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_other_formats_take_eight_bits(tmp_path: Path, suffix: str) -> None:
    write_still(tmp_path / f"a{suffix}", ramp())

    assert (read_still(tmp_path / f"a{suffix}").data.float() - ramp().float() / 257).abs().mean() < 6


@pytest.mark.parametrize(("output", "exact"), [("out.png", True), ("out.tif", True), ("out.jpg", False)])
def test_a_still_is_painted_deep(tmp_path: Path, output: str, exact: bool) -> None:
    write_still(tmp_path / "in.png", ramp())

    report = vidstyle.stylize(tmp_path / "in.png", tmp_path / output, style="identity")

    found = read_still(tmp_path / output, deep=True).data
    assert (found.dtype == torch.uint16 and torch.equal(found, ramp())) == exact
    assert (report.notes == ()) == exact


def test_damaged_deep_pictures_are_refused_like_others(tmp_path: Path) -> None:
    write_still(tmp_path / "a.png", ramp())
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(data[: len(data) // 2])

    with pytest.raises(vidstyle.errors.MediaError):
        read_still(tmp_path / "b.png", deep=True)
