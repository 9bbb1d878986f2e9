from __future__ import annotations

from pathlib import Path

import pytest
import torch
from network_factory import photo_folder

from vidstyle.errors import ConfigError, MediaError
from vidstyle.media.stills import write_still
from vidstyle.training.dataset import ContentCrops


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = photo_folder(tmp_path_factory.mktemp("photos"), num=4)
    photo_folder(folder / "more", num=1, size=(70, 70))
    photo_folder(folder / "small", num=1, size=(40, 90))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_crops_are_deterministic_and_in_range(photos: Path) -> None:
    crops = ContentCrops(photos, 64)
    first = crops.batch(16, generator(7))
    assert first.shape == (16, 3, 64, 64)
    assert first.dtype == torch.float32
    assert first.min() >= -1e-6  # antialiased reduction rounds
    assert first.max() <= 1 + 1e-6
    assert torch.equal(first, ContentCrops(photos, 64).batch(16, generator(7)))
    assert not torch.equal(first, crops.batch(16, generator(8)))


def test_folders_are_searched_and_small_pictures_left_out(photos: Path) -> None:
    assert len(ContentCrops(photos, 64)) == 5
    assert len(ContentCrops(photos, 75)) == 4
    assert len(ContentCrops(photos, 32)) == 6


def test_pictures_may_be_named_instead_of_their_folder(photos: Path) -> None:
    crops = ContentCrops(photos, 64)
    named = ContentCrops(sorted(path for path in photos.rglob("*") if path.is_file() and path.suffix != ".txt"), 64)
    assert len(named) == len(crops)
    assert torch.equal(named.batch(16, generator(7)), crops.batch(16, generator(7)))
    with pytest.raises(ConfigError, match="The list of 0 holds no picture of at least 64x64 pixels"):
        ContentCrops([], 64)


def test_a_large_folder_is_thinned_evenly(photos: Path) -> None:
    crops = ContentCrops(photos, 32, max_pictures=3)
    assert len(crops) == 3
    everything = ContentCrops(photos, 32).samples(100)
    for found, i in zip(crops.samples(100), (0, 2, 4), strict=True):
        assert torch.equal(found, everything[i])


def test_held_out_pictures_are_never_cropped(tmp_path: Path) -> None:
    for i in range(20):
        level = torch.full((3, 40, 40), 10 * i, dtype=torch.uint8)
        write_still(tmp_path / f"{i:02}.png", level)
    crops = ContentCrops(tmp_path, 32, num_held_out=4)
    assert (len(crops), crops.num_held_out) == (16, 4)
    held_out = {int(picture[0, 0, 0]) for picture in crops.samples(9)}
    assert held_out == {0, 50, 100, 150}
    seen = {round(float(crop.mean()) * 255) for crop in crops.batch(400, generator(), smooth_share=0.0)}
    assert seen == {10 * i for i in range(20)} - held_out
    assert len(crops.samples(2)) == 2


def test_a_small_folder_can_spare_none(tmp_path: Path) -> None:
    crops = ContentCrops(photo_folder(tmp_path, num=15, size=(40, 40)), 32, num_held_out=4)
    assert (len(crops), crops.num_held_out) == (15, 0)
    assert len(crops.samples(4)) == 4


def test_pictures_are_reduced(photos: Path) -> None:
    assert max(max(picture.shape) for picture in ContentCrops(photos, 16, max_side_px=48).samples(9)) == 48


def test_a_picture_that_is_large_enough_stays_so(tmp_path: Path) -> None:
    photo_folder(tmp_path, num=1, size=(96, 128))
    (sample,) = ContentCrops(tmp_path, 64, max_side_px=72).samples(1)
    assert min(sample.shape[1:]) == 64


def test_smooth_crops_are_as_many_as_asked(photos: Path) -> None:
    crops = ContentCrops(photos, 64)
    smooth = crops.batch(8, generator(), smooth_share=1.0)
    textured = crops.batch(8, generator(), smooth_share=0.0)

    def curvature(x: torch.Tensor) -> torch.Tensor:
        return (x[..., 2:] - 2 * x[..., 1:-1] + x[..., :-2]).abs().mean((1, 2, 3))

    assert curvature(smooth).max() < 0.02 < curvature(textured).min()


def test_what_cannot_be_used_is_named(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no folder"):
        ContentCrops(tmp_path / "absent", 64)
    with pytest.raises(ConfigError, match="There is no folder"):
        ContentCrops(photos / "notes.txt", 64)
    with pytest.raises(ConfigError, match="no picture of at least 64x64"):
        ContentCrops(tmp_path, 64)
    with pytest.raises(ConfigError, match="no picture of at least 96x96"):
        ContentCrops(photos, 96)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff half")
    with pytest.raises(MediaError, match=r"broken\.jpg"):
        ContentCrops(tmp_path, 64)
