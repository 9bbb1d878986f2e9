"""Mattes: what they may be, and that they fit the clip."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vidstyle.errors import ConfigError
from vidstyle.media.mattes import open_matte

SIZE = (16, 12)
NUM = 6


def grey(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), 20 + 40 * index, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mattes")
    for index in range(NUM):
        Image.fromarray(grey(index)).save(path / f"m.{index + 101:04d}.png")
    Image.fromarray(np.full(SIZE[::-1], 30000, np.uint16)).save(path / "deep.png")
    with av.open(str(path / "m.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "gray"
        for index in range(NUM):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(index)[..., 0], format="gray")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", ["m.%04d.png", "m.####.png", "m.mkv"])
def test_every_frame_has_its_picture(folder: Path, name: str) -> None:
    matte = open_matte(folder / name, (SIZE,), NUM)
    assert matte.moves
    for index in (2, 3, 3, 5, 0, 1, 4):  # forward, again, and back
        found = matte.picture(index)
        assert found.shape == (1, SIZE[1], SIZE[0])
        assert found.unique().tolist() == pytest.approx([(20 + 40 * index) / 255], abs=2 / 255)


def test_a_picture_has_sixteen_bits(folder: Path) -> None:
    matte = open_matte(folder / "deep.png", ((99, 99), SIZE), 3)
    assert not matte.moves
    assert matte.picture(7).unique().tolist() == pytest.approx([30000 / 65535], abs=1e-4)


@pytest.mark.parametrize("name", ["m.%04d.png", "m.mkv"])
def test_length_and_size_are_checked_first(folder: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"has {NUM} frames and the clip 7"):
        open_matte(folder / name, (SIZE,), 7)
    with pytest.raises(ConfigError, match="is 16x12, and the picture 64x48 or 32x24"):
        open_matte(folder / name, ((64, 48), (32, 24), (64, 48)), NUM)
    with pytest.raises(ConfigError, match="moves, but the source is a single picture"):
        open_matte(folder / name, (SIZE,), None)


def test_gaps_and_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    for number in (1, 2, 4):
        Image.fromarray(grey(1)).save(tmp_path / f"g.{number:02d}.png")
    with pytest.raises(ConfigError, match="lacks frame 3"):
        open_matte(tmp_path / "g.%02d.png", (SIZE,), 3)
    for name in ("none.png", "none.%04d.png", "none.mkv"):
        with pytest.raises(ConfigError, match=re.escape(f"There is no mask {tmp_path / name};")):
            open_matte(tmp_path / name, (SIZE,), 3)
