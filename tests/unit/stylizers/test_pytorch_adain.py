"""Models of pytorch-AdaIN load as that project publishes them, and give what its networks give."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from network_factory import picture, vgg_tensors
from torch import Tensor, nn

from vidstyle.compose import load_stylizer
from vidstyle.config import make_config
from vidstyle.errors import CheckpointMismatchError, UnsupportedCheckpointError, WeightsNotFoundError
from vidstyle.media.stills import write_still
from vidstyle.stylizers.pytorch_adain import is_pytorch_adain, load_pytorch_adain, pytorch_adain_files

NUM_LAYERS_TO_RELU41 = 31


def conv(num_in: int, num_out: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d((1, 1, 1, 1)), nn.Conv2d(num_in, num_out, (3, 3)), nn.ReLU()]


def published_vgg() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, 3, (1, 1))]
    channels = 3
    for width, times in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        if channels > 3:
            layers.append(nn.MaxPool2d(2, 2, 0, ceil_mode=True))
        for _ in range(times):
            layers += conv(channels, width)
            channels = width
    return nn.Sequential(*layers)


def published_decoder() -> nn.Sequential:
    def up() -> nn.Module:
        return nn.Upsample(scale_factor=2, mode="nearest")

    layers = [*conv(512, 256), up(), *conv(256, 256), *conv(256, 256), *conv(256, 256), *conv(256, 128), up()]
    layers += [*conv(128, 128), *conv(128, 64), up(), *conv(64, 64), *conv(64, 3)[:2]]
    return nn.Sequential(*layers)


def lively(net: nn.Sequential) -> nn.Sequential:
    generator = torch.Generator().manual_seed(4)
    for value in net.parameters():
        fan_in = value[0].numel() if value.ndim == 4 else 100
        value.data = torch.randn(value.shape, generator=generator) * (2 / fan_in) ** 0.5
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def nets() -> tuple[nn.Sequential, nn.Sequential]:
    with torch.random.fork_rng(devices=[]):
        return lively(published_vgg()), lively(published_decoder())


@pytest.fixture(scope="module")
def folder(nets: tuple[nn.Sequential, nn.Sequential], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adain")
    torch.save(nets[0].state_dict(), folder / "vgg_normalised.pth")
    torch.save(nets[1].state_dict(), folder / "decoder.pth")
    return folder


def test_the_layout_written_here_is_the_published_one(nets: tuple[nn.Sequential, nn.Sequential]) -> None:
    def numbers(net: nn.Sequential) -> list[int]:
        return [int(key.split(".")[0]) for key in net.state_dict() if key.endswith("weight")]

    assert numbers(nets[0]) == [0, 2, 5, 9, 12, 16, 19, 22, 25, 29, 32, 35, 38, 42, 45, 48, 51]
    assert numbers(nets[1]) == [1, 5, 8, 11, 14, 18, 21, 25, 28]


def test_both_halves_give_what_they_give_there(folder: Path, nets: tuple[nn.Sequential, nn.Sequential]) -> None:
    encoder, decoder = load_pytorch_adain(*pytorch_adain_files(folder))
    assert encoder.layer_names[-1] == "conv41"
    assert not any(value.requires_grad for net in (encoder, decoder) for value in net.parameters())
    content = picture(32, 48, num=2)
    expected = nets[0][:NUM_LAYERS_TO_RELU41](content)
    features = encoder(content, ("conv41",))["conv41"]
    assert features.shape == (2, 512, 4, 6)
    assert expected.std() > 0.1
    torch.testing.assert_close(features, expected, atol=1e-5, rtol=1e-5)
    painted = nets[1](expected)
    assert ((painted > 0) & (painted < 1)).float().mean() > 0.1
    torch.testing.assert_close(decoder([expected], [], content), painted.clamp(0, 1), atol=1e-5, rtol=0)
    assert decoder([expected], [], content).shape == content.shape


def test_a_model_is_a_folder_or_a_decoder_in_it(folder: Path, tmp_path: Path) -> None:
    pair = (folder / "decoder.pth", folder / "vgg_normalised.pth")
    assert pytorch_adain_files(folder) == pytorch_adain_files(folder / "decoder.pth") == pair
    assert is_pytorch_adain(folder)
    assert is_pytorch_adain(folder / "decoder.pth")
    assert not is_pytorch_adain(tmp_path / "any.safetensors")
    with pytest.raises(WeightsNotFoundError, match=r"decoder\.pth"):
        pytorch_adain_files(tmp_path)
    (tmp_path / "decoder_iter_160000.pth.tar").write_bytes(pair[0].read_bytes())
    with pytest.raises(WeightsNotFoundError, match=r"vgg_normalised\.pth"):
        pytorch_adain_files(tmp_path / "decoder_iter_160000.pth.tar")
    (tmp_path / "vgg_normalised.pth").write_bytes(b"")
    assert pytorch_adain_files(tmp_path / "decoder_iter_160000.pth.tar")[1] == tmp_path / "vgg_normalised.pth"


@pytest.mark.parametrize(
    "changes",
    [{"28.weight": None}, {"31.weight": torch.zeros(1)}, {"1.weight": torch.zeros(256, 64, 3, 3)}, {"1.bias": None}],
    ids=str,
)
def test_another_decoder_is_a_mismatch(
    changes: dict[str, Tensor | None], folder: Path, nets: tuple[nn.Sequential, nn.Sequential], tmp_path: Path
) -> None:
    state = {**nets[1].state_dict(), **changes}
    torch.save({key: value for key, value in state.items() if value is not None}, tmp_path / "decoder.pth")
    with pytest.raises(CheckpointMismatchError, match=r"decoder\.pth does not fit PytorchAdaInDecoder"):
        load_pytorch_adain(tmp_path / "decoder.pth", folder / "vgg_normalised.pth")


def test_another_encoder_is_a_mismatch(folder: Path, tmp_path: Path) -> None:
    narrow = tmp_path / "narrow.pth"
    torch.save(vgg_tensors(), narrow)
    with pytest.raises(CheckpointMismatchError, match="conv41 with 512 channels"):
        load_pytorch_adain(folder / "decoder.pth", narrow)
    torch.save(vgg_tensors(last="conv34"), narrow)
    with pytest.raises(CheckpointMismatchError, match="conv41"):
        load_pytorch_adain(folder / "decoder.pth", narrow)
    with pytest.raises(CheckpointMismatchError):
        load_pytorch_adain(folder / "decoder.pth", folder / "decoder.pth")
    narrow.write_bytes(b"nothing of the kind")
    with pytest.raises(UnsupportedCheckpointError):
        load_pytorch_adain(folder / "decoder.pth", narrow)


def test_half_precision_files_load(folder: Path, nets: tuple[nn.Sequential, nn.Sequential], tmp_path: Path) -> None:
    torch.save({key: value.half() for key, value in nets[1].state_dict().items()}, tmp_path / "decoder.pth")
    _, decoder = load_pytorch_adain(tmp_path / "decoder.pth", folder / "vgg_normalised.pth")
    assert {value.dtype for value in decoder.parameters()} == {torch.float32}


def test_a_render_paints_with_such_a_model(
    folder: Path, nets: tuple[nn.Sequential, nn.Sequential], tmp_path: Path
) -> None:
    style, content = picture(64, 72, seed=5), picture(48, 64)
    write_still(tmp_path / "style.png", (style[0] * 255).round().byte())
    stylizer = load_stylizer(make_config(style=str(tmp_path / "style.png"), adain_model=folder))
    vgg, decoder = nets[0][:31], nets[1]  # to relu4_1
    seen, wanted = vgg(content), vgg((style * 255).round() / 255)
    mean, deviation = seen.mean((2, 3), keepdim=True), (seen.var((2, 3), keepdim=True, correction=0) + 1e-5).sqrt()
    target = wanted.var((2, 3), keepdim=True, correction=0).add(1e-5).sqrt()
    expected = decoder((seen - mean) / deviation * target + wanted.mean((2, 3), keepdim=True)).clamp(0, 1)
    assert expected.std() > 0.05  # otherwise the comparison says nothing
    torch.testing.assert_close(stylizer(content), expected, atol=1e-3, rtol=0)
