from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from network_factory import lively_decoder, picture, squeeze_encoder, squeeze_tensors, tiny_encoder, vgg_tensors
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from vidstyle.errors import CheckpointMismatchError, WeightsNotFoundError
from vidstyle.stylizers.adain import AdaInNet, save_adain
from vidstyle.stylizers.checkpoint import StyleCard
from vidstyle.stylizers.encoder import VggEncoder
from vidstyle.stylizers.perceptual import PerceptualEncoder, SqueezeEncoder, load_perceptual

MEAN, STD = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def reference() -> nn.Sequential:
    network = squeezenet1_1()
    network.load_state_dict(squeeze_tensors())
    return network.features.eval()


def test_it_computes_what_torchvision_computes() -> None:
    image = picture(70, 81, num=2)
    found = squeeze_encoder()(image, squeeze_encoder().layer_names)
    x = (image - MEAN) / STD
    expected = []
    with torch.no_grad():
        for index, layer in enumerate(reference()):
            x = layer(x)
            if index == 1 or type(layer).__name__ == "Fire":
                expected.append(x)
    assert list(found) == list(squeeze_encoder().layer_names)
    assert len(expected) == 9
    for mine, theirs in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_average_pooling_replaces_the_maximum() -> None:
    encoder, image = squeeze_encoder(), picture(64, 64)
    largest = encoder(image, ("conv1", "fire3"))
    encoder.pooling = "average"
    average = encoder(image, ("conv1", "fire3"))
    assert torch.equal(largest["conv1"], average["conv1"])
    assert not torch.allclose(largest["fire3"], average["fire3"])
    # On a flat picture both are the same, inside what zero padding reaches.
    flat = torch.full((1, 3, 128, 128), 0.3)
    inner = (..., slice(8, -8), slice(8, -8))
    found = encoder(flat, ("fire3",))["fire3"][inner]
    encoder.pooling = "max"
    torch.testing.assert_close(encoder(flat, ("fire3",))["fire3"][inner], found)


@pytest.mark.parametrize("encoder", [tiny_encoder(), squeeze_encoder()], ids=["vgg", "squeezenet"])
def test_layers_are_ordered_and_there(encoder: PerceptualEncoder) -> None:
    names = encoder.layer_names
    for layers in (encoder.style_layers, encoder.content_layers):
        assert sorted(layers, key=names.index) == list(layers)
    wanted = (*encoder.style_layers, *encoder.content_layers)
    found = encoder(picture(32, 32), wanted)  # the smallest picture
    assert set(found) == set(wanted)
    sides = [found[layer].shape[-1] for layer in encoder.style_layers]
    assert sides == sorted(sides, reverse=True)
    with pytest.raises(ValueError, match=r"nowhere.*it has"):
        encoder(picture(32, 32), ("nowhere",))


def test_a_vgg_offers_the_layers_it_reaches() -> None:
    assert tiny_encoder(last="conv34").style_layers == ("conv11", "conv21", "conv31")
    assert tiny_encoder(last="conv34").content_layers == ("conv31",)
    assert tiny_encoder(last="conv22").content_layers == ("conv22",)


def test_an_encoder_is_frozen_and_leaves_the_callers_seed_alone() -> None:
    before = torch.random.get_rng_state()
    tensors = squeeze_tensors()
    encoder = SqueezeEncoder(tensors, "random")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(parameter.is_meta for parameter in encoder.parameters())
    image = picture(64, 64).requires_grad_()
    encoder(image, ("fire9",))["fire9"].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().max() > 0
    known = encoder(image, ("conv1",))["conv1"]
    tensors["features.0.weight"].zero_()
    assert torch.equal(encoder(image, ("conv1",))["conv1"], known)


def test_every_layout_is_recognised(tmp_path: Path) -> None:
    image = picture(64, 64)
    save_file(vgg_tensors(), tmp_path / "vgg.safetensors")
    assert isinstance(load_perceptual(tmp_path / "vgg.safetensors"), VggEncoder)

    torch.save(squeeze_tensors(), tmp_path / "squeeze.pth")
    found = load_perceptual(tmp_path / "squeeze.pth")(image, ("fire5",))["fire5"]
    assert torch.equal(found, squeeze_encoder()(image, ("fire5",))["fire5"])

    widths = (4, 6, 8, 10, 12)
    encoder = tiny_encoder(widths)
    encoder.pooling = "average"
    save_adain(tmp_path / "any.safetensors", AdaInNet(encoder, lively_decoder(widths[:4])), StyleCard("any"))
    student = load_perceptual(tmp_path / "any.safetensors")
    assert student.style_layers == encoder.style_layers
    assert student.pooling == "average"
    # It was taught nothing about the layers between.
    assert student.layer_names == ("conv11", "conv21", "conv31", "conv41", "conv51")
    torch.testing.assert_close(
        student(image, ("conv51",))["conv51"], encoder(image, ("conv51",))["conv51"], rtol=0.05, atol=0.02
    )


@pytest.mark.parametrize("change", ["lacks", "adds", "reshapes"])
def test_what_is_not_a_whole_squeezenet_is_refused(change: str, tmp_path: Path) -> None:
    tensors = squeeze_tensors()
    if change == "lacks":
        del tensors["features.7.expand1x1.bias"]
    elif change == "adds":
        tensors["features.20.squeeze.weight"] = torch.zeros(1)
    else:
        tensors["features.0.weight"] = torch.zeros(96, 3, 7, 7)  # SqueezeNet 1.0's
    torch.save(tensors, tmp_path / "other.pth")
    with pytest.raises(CheckpointMismatchError, match=r"other\.pth is not a whole SqueezeNet 1\.1"):
        load_perceptual(tmp_path / "other.pth")
    with pytest.raises(WeightsNotFoundError):
        load_perceptual(tmp_path / "absent.pth")


@pytest.mark.parametrize(
    "change",
    [Tensor.to_sparse, lambda value: value.to("meta"), lambda value: value.to(torch.complex64), Tensor.log],
    ids=["sparse", "meta", "complex", "not finite"],
)
def test_a_squeezenet_of_odd_tensors_is_refused(change: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    tensors = squeeze_tensors()
    tensors["features.7.squeeze.weight"] = change(tensors["features.7.squeeze.weight"])
    torch.save(tensors, tmp_path / "odd.pth")
    with pytest.raises(CheckpointMismatchError, match=r"odd\.pth.*features\.7\.squeeze\.weight"):
        load_perceptual(tmp_path / "odd.pth")


def test_the_published_weights_are_read(test_data: Path) -> None:
    encoder = load_perceptual(test_data / "encoders" / "squeezenet1_1.pth")
    assert isinstance(encoder, SqueezeEncoder)
    features = encoder(picture(64, 64), encoder.style_layers)
    assert all(float(value.std()) > 0.05 for value in features.values())
