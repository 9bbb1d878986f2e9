from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from network_factory import lively_decoder, picture, squeeze_tensors, tiny_encoder, vgg_tensors
from safetensors.torch import save_file

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.stylizers.adain import AdaInNet, save_adain
from vidstyle.stylizers.checkpoint import StyleCard
from vidstyle.stylizers.encoder import VggEncoder
from vidstyle.stylizers.perceptual import SqueezeEncoder
from vidstyle.training import encoders
from vidstyle.training.encoders import choose_encoder, vgg_of
from vidstyle.weights import registry


@pytest.fixture(autouse=True)
def torch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(registry, "ANY_STYLE", tmp_path / "any-style.safetensors")
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def builtin(tmp_path: Path) -> Path:
    """An AdaIN model that stands for the one that ships."""
    save_adain(registry.ANY_STYLE, AdaInNet(tiny_encoder(), lively_decoder((4, 6, 8, 10))), StyleCard("any"))
    return registry.ANY_STYLE


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
    encoder = choose_encoder(tmp_path / "own.safetensors").encoder
    image = picture(40, 48)
    expected = tiny_encoder()(image, ["conv51"])["conv51"]
    assert torch.equal(encoder(image, ["conv51"])["conv51"], expected)


@pytest.mark.parametrize("name", [None, "auto", "vgg19", "vgg16", "squeezenet"])
def test_nothing_is_downloaded_without_leave(name: str | None, tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"--allow-download.*--encoder"):
        choose_encoder(name)
    assert not list(tmp_path.iterdir())


def test_a_download_is_cached_and_checked(published: Path, torch_cache: Path) -> None:
    encoder = choose_encoder(allow_download=True).encoder
    assert encoder.layer_names[-1] == "conv51"
    assert [file.name for file in torch_cache.iterdir()] == [published.name]
    published.unlink()
    assert choose_encoder("vgg19").encoder.layer_names == encoder.layer_names
    (torch_cache / published.name).write_bytes(b"half a download")
    with pytest.raises(WeightsNotFoundError, match="--allow-download"):
        choose_encoder("vgg19")


def test_a_download_with_another_checksum_is_refused(published: Path, torch_cache: Path) -> None:
    published.write_bytes(published.read_bytes() + b"!")
    with pytest.raises(WeightsNotFoundError, match="could not be downloaded"):
        choose_encoder(allow_download=True)
    assert not list(torch_cache.iterdir())


def test_the_best_at_hand_is_taken_and_said_why(published: Path, builtin: Path) -> None:
    choice = choose_encoder()
    assert choice.name == "builtin"
    assert "builtin, because vgg19 is not on this machine" in choice.reason
    assert choice.encoder.layer_names[-1] == "conv51"
    fetched = choose_encoder("auto", allow_download=True)
    assert (fetched.name, fetched.reason) == ("vgg19", "vgg19, because it may be fetched")
    again = choose_encoder()
    assert (again.name, again.reason) == ("vgg19", "vgg19, because its weights are on this machine")
    assert choose_encoder("builtin").reason == "builtin, as asked"


def test_the_builtin_encoder_may_be_missing() -> None:
    with pytest.raises(WeightsNotFoundError, match=r"lacks the model any-style\.safetensors"):
        choose_encoder("builtin")


def test_squeezenet_is_fetched_and_is_no_vgg(
    tmp_path: Path, torch_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(squeeze_tensors(), tmp_path / "part")
    digest = hashlib.sha256((tmp_path / "part").read_bytes()).hexdigest()[:8]
    path = (tmp_path / "part").rename(tmp_path / f"squeezenet1_1-{digest}.pth")
    monkeypatch.setitem(encoders._TORCHVISION, "squeezenet", _Entry(path.as_uri()))
    assert isinstance(choose_encoder("squeezenet", allow_download=True).encoder, SqueezeEncoder)
    assert isinstance(choose_encoder("squeezenet").encoder, SqueezeEncoder)
    with pytest.raises(CheckpointMismatchError, match="squeezenet is not a VGG"):
        vgg_of(choose_encoder("squeezenet"))


def test_what_needs_a_vgg_gets_one(tmp_path: Path) -> None:
    save_file(vgg_tensors(), tmp_path / "own.safetensors")
    assert isinstance(vgg_of(choose_encoder(tmp_path / "own.safetensors")), VggEncoder)


def test_unknown_names_and_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"'vgg11'.*vgg19, vgg16, squeezenet, builtin"):
        choose_encoder("vgg11")
    save_file({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointMismatchError, match=r"other\.safetensors"):
        choose_encoder(tmp_path / "other.safetensors")
