from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from network_factory import VGG16, VGG19, layer_names, picture, tiny_encoder, vgg_tensors
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from vidstyle.errors import CheckpointMismatchError
from vidstyle.stylizers.encoder import Pooling, VggEncoder, encoder_from_tensors

Layout = Callable[[dict[str, Tensor]], dict[str, Tensor]]
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def imagenet(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network with torchvision's normalisation as its first layer."""
    return tensors | {"conv0.weight": torch.diag(1 / STD)[..., None, None], "conv0.bias": -MEAN / STD}


def renumbered(tensors: dict[str, Tensor], first: int, per_layer: int, prefix: str) -> dict[str, Tensor]:
    """Named layers under the numbers they have in a Sequential; a pooling layer takes one between stages."""
    result: dict[str, Tensor] = {}
    number, stage = first, "1"
    for name in (key.removesuffix(".weight") for key in tensors if key.endswith(".weight")):
        if name == "conv0":
            continue
        number += name[4] != stage
        stage = name[4]
        for kind in ("weight", "bias"):
            result[f"{prefix}{number}.{kind}"] = tensors[f"{name}.{kind}"]
        number += per_layer
    return result


def torchvision_layout(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return renumbered(tensors, 0, 2, "features.") | {"classifier.0.weight": torch.zeros(2, 2)}


def normalised_layout(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    color = {"0.weight": tensors["conv0.weight"], "0.bias": tensors["conv0.bias"]}
    return color | renumbered(tensors, 2, 3, "")


@pytest.mark.parametrize("layout", [dict, torchvision_layout, normalised_layout])
@pytest.mark.parametrize("last", ["conv11", "conv31", "conv41", "conv51"])
@pytest.mark.parametrize("stages", [VGG16, VGG19], ids=["vgg16", "vgg19"])
@pytest.mark.parametrize("widths", [(4, 6, 8, 10, 12), (4, 4, 4, 4, 4)], ids=["growing", "even"])
def test_every_layout_is_the_same_network(
    layout: Layout, last: str, stages: tuple[str, ...], widths: tuple[int, ...]
) -> None:
    tensors = imagenet(vgg_tensors(widths, stages, last))
    encoder = encoder_from_tensors(layout(tensors), "random")
    names = layer_names(stages, last)
    if last != "conv31":  # a network cut before conv34 is the same in both
        assert encoder.layer_names == tuple(names)
    image = picture(48, 64)
    expected = _plain(tensors, image, stages, last)
    found = encoder(image, [last])[last]
    torch.testing.assert_close(found, expected)


def _plain(tensors: dict[str, Tensor], image: Tensor, stages: tuple[str, ...], last: str) -> Tensor:
    x = torch.einsum("oi,nihw->nohw", tensors["conv0.weight"][..., 0, 0], image) + tensors["conv0.bias"][:, None, None]
    for i, stage in enumerate(stages):
        if i:
            x = nn.functional.max_pool2d(x, 2)
        for name in stage.split():
            padded = nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
            x = nn.functional.conv2d(padded, tensors[f"{name}.weight"], tensors[f"{name}.bias"]).relu()
            if name == last:
                return x
    raise AssertionError(last)


def test_behind_a_low_pass_features_follow_the_picture() -> None:
    """Of a picture moved by half a sample of their grid, they are about the means of neighbours."""
    wide = picture(128, 130)

    def error(pooling: Pooling) -> float:
        encoder = tiny_encoder(last="conv31")
        encoder.pooling = pooling
        here, moved = (encoder(wide[..., x : x + 128], ("conv31",))["conv31"] for x in (0, 2))
        between = (here[..., :-1] + here[..., 1:]) / 2
        return float((moved[..., :-1] - between)[..., 3:-3].square().mean().sqrt() / here.std())

    assert error("blur") < 0.8 * error("average")
    assert error("blur") < 0.8 * error("max")


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_a_flat_picture_is_pooled_to_itself(pooling: Pooling) -> None:
    encoder, flat = tiny_encoder(), torch.full((1, 3, 64, 96), 0.3)
    encoder.pooling = pooling
    for value in encoder(flat, encoder.style_layers).values():
        torch.testing.assert_close(value, value[..., :1, :1].expand_as(value), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("config", "stages"), [("D", VGG16), ("E", VGG19)], ids=["vgg16", "vgg19"])
def test_it_computes_what_torchvision_computes(config: str, stages: tuple[str, ...]) -> None:
    """Away from the border: torchvision pads with zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        features = make_layers(cfgs[config]).eval()
        for layer in features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    encoder = encoder_from_tensors({f"features.{key}": value for key, value in features.state_dict().items()}, "own")
    assert encoder.layer_names == tuple(layer_names(stages))
    image = picture(176, 176)
    margins = {"conv11": 2, "conv22": 5, "conv33": 6, "conv43": 7, "conv51": 5}
    x = (image - MEAN[:, None, None]) / STD[:, None, None]
    with torch.no_grad():
        found = encoder(image, margins)
        names = iter(encoder.layer_names)
        for layer in features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                name = next(names, None)
                if name is None:
                    break
                if name in margins:
                    inside = (..., slice(margins[name], -margins[name]), slice(margins[name], -margins[name]))
                    assert x[inside].numel() > 0
                    assert x[inside].std() > 0.1
                    torch.testing.assert_close(found[name][inside], x[inside], atol=1e-3, rtol=1e-3)


def test_features_are_of_the_sizes_promised_and_stop_where_nothing_is_wanted() -> None:
    encoder = tiny_encoder()
    reached: list[str] = []
    for name, layer in encoder.layers.items():
        layer.register_forward_hook(lambda *_, name=name: reached.append(name))
    found = encoder(picture(64, 96, num=2), ("conv31", "conv11"))
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "conv11": (2, 4, 64, 96),
        "conv31": (2, 8, 16, 24),
    }
    assert reached[-1] == "conv31"
    assert encoder.num_channels("conv51") == 12


def test_a_layer_it_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="conv52"):
        tiny_encoder()(picture(32, 32), ["conv52"])


def test_gradients_pass_through_but_not_into_it() -> None:
    encoder: VggEncoder = tiny_encoder()
    image = picture(32, 32).requires_grad_()
    encoder(image, ["conv41"])["conv41"].sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_it_keeps_its_own_copy() -> None:
    tensors = vgg_tensors()
    encoder = encoder_from_tensors(tensors, "random")
    image = picture(32, 32)
    before = encoder(image, ["conv11"])["conv11"]
    tensors["conv11.weight"].zero_()
    assert torch.equal(encoder(image, ["conv11"])["conv11"], before)


def without(key: str) -> dict[str, Tensor]:
    return {name: value for name, value in vgg_tensors().items() if name != key}


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"fc.weight": torch.zeros(3, 3)},
        {"conv0.weight": torch.eye(3)[..., None, None], "conv0.bias": torch.zeros(3)},
        without("conv0.bias"),
        without("conv21.bias"),
        without("conv21.weight"),
        vgg_tensors() | {"conv31.weight": torch.zeros(8, 5, 3, 3)},
        vgg_tensors() | {"conv31.weight": torch.zeros(8, 6, 5, 5)},
        vgg_tensors() | {"conv31.bias": torch.zeros(9)},
        vgg_tensors() | {"conv0.weight": torch.zeros(3, 3, 3, 3)},
        vgg_tensors() | {"conv0.weight": torch.tensor(1.0)},
        torchvision_layout(vgg_tensors()) | {"features.1.running_mean": torch.zeros(4)},
        torchvision_layout(vgg_tensors()) | {"features.3.squeeze.weight": torch.zeros(4, 4, 1, 1)},
        {"features.0.weight": torch.zeros(4, 3, 3, 3)},
        {"0.weight": torch.tensor(1.0)},
        vgg_tensors(last="conv21") | {"conv21.weight": torch.zeros(0, 4, 3, 3), "conv21.bias": torch.zeros(0)},
        vgg_tensors() | {"conv31.weight": torch.zeros(8, 6, 3, 3).to_sparse()},
        vgg_tensors() | {"conv31.weight": torch.zeros(8, 6, 3, 3, dtype=torch.complex64)},
        vgg_tensors() | {"conv31.weight": torch.zeros(8, 6, 3, 3, device="meta")},
        vgg_tensors(last="conv31") | {"conv31.weight": torch.zeros(1).expand(8, 6, 3, 3)},
        vgg_tensors() | {"conv31.bias": torch.full((8,), torch.nan)},
    ],
    ids=lambda tensors: f"{len(tensors)} tensors",
)
def test_what_is_not_a_vgg_is_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(CheckpointMismatchError, match=r"file\.pth"):
        encoder_from_tensors(tensors, "file.pth")
