"""Opening weight files: every tensor, no code, and one sentence for whatever else the bytes are."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.errors import UnsupportedCheckpointError, WeightsNotFoundError
from vidstyle.weights.files import load_tensors, save_tensors

TENSORS = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.tensor([1.5]).half()}


def assert_same(loaded: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert loaded.keys() == expected.keys()
    for key, value in expected.items():
        assert loaded[key].dtype == value.dtype
        assert torch.equal(loaded[key], value)


def test_safetensors_round_trip_with_metadata(tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    save_tensors(path, TENSORS, {"name": "waves", "architecture": "none"})
    loaded, metadata = load_tensors(path)
    assert_same(loaded, TENSORS)
    assert metadata == {"name": "waves", "architecture": "none"}
    assert [file.name for file in tmp_path.iterdir()] == ["style.safetensors"]


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "params"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_pytorch_checkpoints_however_they_are_wrapped(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    content: dict[str, object] = {prefix + key: value for key, value in TENSORS.items()}
    torch.save({wrapper: content, "epoch": 3} if wrapper else content, tmp_path / "net.pth")
    loaded, metadata = load_tensors(tmp_path / "net.pth")
    assert_same(loaded, TENSORS)
    assert metadata == {}


def test_the_old_pytorch_format_is_read(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "old.model", _use_new_zipfile_serialization=False)
    assert_same(load_tensors(tmp_path / "old.model")[0], TENSORS)


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.model", "net"])
@pytest.mark.parametrize("saved_by", ["torch", "pickle"])
def test_pickled_code_never_runs(tmp_path: Path, name: str, saved_by: str) -> None:
    content = {"weight": torch.zeros(2), "bomb": Bomb(tmp_path / "owned")}
    if saved_by == "torch":
        torch.save(content, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps(content["bomb"]))
    with pytest.raises(UnsupportedCheckpointError, match="run code"):
        load_tensors(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3), {"state_dict": {}}], ids=str)
def test_a_checkpoint_without_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(UnsupportedCheckpointError, match="no tensors"):
        load_tensors(tmp_path / "net.pth")


@pytest.mark.parametrize("name", ["nowhere.pth", "nowhere.safetensors", "."])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsNotFoundError, match="no weight file"):
        load_tensors(tmp_path / name)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("weights")
    save_tensors(folder / "net.safetensors", TENSORS, {"name": "waves"})
    torch.save(TENSORS, folder / "net.pth")
    torch.save(TENSORS, folder / "old.pth", _use_new_zipfile_serialization=False)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(data=st.data())
@pytest.mark.parametrize("name", ["net.safetensors", "net.pth", "old.pth"])
def test_damage_is_one_sentence(
    whole_files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    content = bytearray(whole_files[name])
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 5))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        load_tensors(path)  # damage to the numbers themselves is nobody's to see
    except UnsupportedCheckpointError as error:
        assert name in str(error)  # noqa: PT017  # either outcome is right


@given(content=st.binary(max_size=200))
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_any_bytes_are_one_sentence(tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnsupportedCheckpointError):
        load_tensors(path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    save_tensors(path, TENSORS, {})
    before = path.read_bytes()
    with pytest.raises((TypeError, ValueError, AttributeError)):
        save_tensors(path, {"a": "no tensor"}, {})  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["style.safetensors"]
