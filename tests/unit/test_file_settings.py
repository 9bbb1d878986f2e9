"""Files that settings name are found from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidstyle.config import make_config
from vidstyle.file_settings import absolute, beside


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With files in it, and another as the current one."""
    folder = tmp_path / "look"
    for name in ("warm.cube", "mattes/left.png", "mattes/moving.0001.png", "paint.png", "b+w.png", "mosaic/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize(
    ("setting", "name", "is_found"),
    [
        ("lut", "warm.cube", True),
        ("lut", "cold.cube", False),
        ("lut", "none", False),
        ("lut", "", False),
        ("mask", "mattes/left.png", True),
        ("mask", "mattes/moving.%04d.png", True),
        ("mask", "mattes/moving.####.png", True),
        ("mask", "mattes/still.%04d.png", False),
        ("mask", "nowhere/moving.%04d.png", False),
        ("style", "paint.png", True),
        ("style", "mosaic", False),  # a style, though a folder has its name
        ("style", "b+w.png", True),
        ("size", "paint.png", False),
    ],
)
def test_a_file_beside_the_preset_is_found(folder: Path, setting: str, name: str, is_found: bool) -> None:
    assert beside({setting: name}, folder) == {setting: str(folder / name) if is_found else name}


def test_files_of_mixtures_and_tables_are_found_too(folder: Path) -> None:
    values = {
        "style": "paint.png:0.5 + mosaic:0.5",
        "regions": [{"mask": "mattes/left.png", "style": "udnie"}],
        "keyframes": [{"at": 1, "lut": "warm.cube"}],
        "shots": [{"from": 0, "style": "paint.png+mosaic"}],
        "encoder_options": {"lut": "warm.cube"},
    }
    assert beside(values, folder) == {
        "style": f"{folder}/paint.png:0.5 + mosaic:0.5",
        "regions": [{"mask": f"{folder}/mattes/left.png", "style": "udnie"}],
        "keyframes": [{"at": 1, "lut": f"{folder}/warm.cube"}],
        "shots": [{"from": 0, "style": f"{folder}/paint.png+mosaic"}],
        "encoder_options": {"lut": "warm.cube"},
    }


def test_a_file_of_the_current_folder_is_found_where_none_is_beside_the_preset(folder: Path) -> None:
    (folder / "mine.toml").write_text('lut = "warm.cube"\nmask = "here.png"\n')
    (folder.parent / "here.png").write_bytes(b"")
    config = make_config(folder / "mine.toml")
    assert (config.lut, config.mask) == (folder / "warm.cube", Path("here.png"))
    assert make_config("look/mine.toml").lut == Path("look/warm.cube")
    assert make_config(folder / "mine.toml", lut="flag.cube").lut == Path("flag.cube")


def test_whole_paths_hold_in_any_folder(folder: Path) -> None:
    found = absolute({"lut": "look/warm.cube", "mask": "none", "style": "look/paint.png:0.5+mosaic:0.5"})
    assert found == {"lut": f"{folder}/warm.cube", "mask": "none", "style": f"{folder}/paint.png:0.5+mosaic:0.5"}
