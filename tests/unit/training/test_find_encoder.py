from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from network_factory import picture, tiny_encoder, vgg_tensors
from safetensors.torch import save_file

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.training import encoders
from vidstyle.training.encoders import find_encoder


@pytest.fixture(autouse=True)
def torch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def numbered(num_layers: int = 13) -> dict[str, torch.Tensor]:
    """A narrow VGG-19 with torchvision's names, and a classifier as torchvision has."""
    numbers = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
    tensors = {"classifier.0.weight": torch.zeros(4, 4), "classifier.0.bias": torch.zeros(4)}
    named = [key.removesuffix(".weight") for key in vgg_tensors() if key.endswith(".weight") and key != "conv0.weight"]
    for number, name in list(zip(numbers, named, strict=True))[:num_layers]:
        for kind in ("weight", "bias"):
            tensors[f"features.{number}.{kind}"] = vgg_tensors()[f"{name}.{kind}"]
    return tensors


class _Entry:
    def __init__(self, url: str) -> None:
        self.url = url


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A published file, which stands for torchvision's VGG-19."""
    part = tmp_path / "vgg19.pth"
    torch.save(numbered(), part)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()[:8]
    path = part.rename(tmp_path / f"vgg19-{digest}.pth")
    monkeypatch.setitem(encoders._TORCHVISION, "vgg19", _Entry(path.as_uri()))
    return path


def test_a_file_wins(tmp_path: Path) -> None:
    save_file(vgg_tensors(), tmp_path / "own.safetensors")
    encoder = find_encoder(tmp_path / "own.safetensors")
    image = picture(40, 48)
    expected = tiny_encoder()(image, ["conv51"])["conv51"]
    assert torch.equal(encoder(image, ["conv51"])["conv51"], expected)


@pytest.mark.parametrize("name", [None, "vgg19", "vgg16"])
def test_nothing_is_downloaded_without_leave(name: str | None, tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"--allow-download.*--encoder"):
        find_encoder(name)
    assert not list(tmp_path.iterdir())


def test_a_download_is_cached_and_checked(published: Path, torch_cache: Path) -> None:
    encoder = find_encoder(allow_download=True)
    assert encoder.layer_names[-1] == "conv51"
    assert [file.name for file in torch_cache.iterdir()] == [published.name]
    published.unlink()
    assert find_encoder("vgg19").layer_names == encoder.layer_names
    (torch_cache / published.name).write_bytes(b"half a download")
    with pytest.raises(WeightsNotFoundError, match="--allow-download"):
        find_encoder("vgg19")


def test_a_download_with_another_checksum_is_refused(published: Path, torch_cache: Path) -> None:
    published.write_bytes(published.read_bytes() + b"!")
    with pytest.raises(WeightsNotFoundError, match="could not be downloaded"):
        find_encoder(allow_download=True)
    assert not list(torch_cache.iterdir())


def test_unknown_names_and_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"'vgg11'.*vgg19, vgg16"):
        find_encoder("vgg11")
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointMismatchError, match=r"other\.safetensors"):
        find_encoder(tmp_path / "other.safetensors")
