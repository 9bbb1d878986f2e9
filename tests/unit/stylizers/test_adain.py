from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from network_factory import lively_decoder, picture, tiny_encoder, vgg_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError, UnsupportedCheckpointError, WeightsNotFoundError
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.stylizers.adain import AdaInNet, AdaInStylizer, load_adain, save_adain
from vidstyle.stylizers.adain_decoder import AdaInDecoder, StyledBlock, StyleNorm, adain, feature_statistics
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward
from vidstyle.stylizers.encoder import Pooling
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.stylizers.perceptual import load_perceptual
from vidstyle.stylizers.resampling import LowPass, spread_out
from vidstyle.weights.files import load_tensors

WIDTHS = (4, 6, 8, 10, 12)


def network(last: str = "conv41", num_fine_blocks: int = 1) -> AdaInNet:
    return AdaInNet(tiny_encoder(last=last), lively_decoder(WIDTHS[: int(last[4])], num_fine_blocks)).eval()


def test_the_result_has_exactly_the_styles_statistics() -> None:
    content = torch.randn(2, 5, 20, 30) * 3 + 1
    mean, deviation = torch.randn(1, 5, 1, 1), torch.rand(1, 5, 1, 1) + 0.1
    found = adain(content, mean, deviation)
    torch.testing.assert_close(found.mean((2, 3), keepdim=True), mean.expand(2, 5, 1, 1), atol=1e-5, rtol=0)
    spread = found.std((2, 3), keepdim=True, correction=0)
    torch.testing.assert_close(spread, deviation.expand(2, 5, 1, 1), atol=1e-4, rtol=0)


def test_its_own_statistics_change_nothing() -> None:
    content = torch.randn(1, 5, 20, 30)
    torch.testing.assert_close(adain(content, *feature_statistics(content)), content)


def test_flat_features_become_the_styles_mean() -> None:
    found = adain(torch.full((1, 3, 4, 4), 7.0), torch.full((1, 3, 1, 1), 2.0), torch.ones(1, 3, 1, 1))
    torch.testing.assert_close(found, torch.full((1, 3, 4, 4), 2.0), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_picture_comes_out_the_same_alone_and_among_others(
    memory_format: torch.memory_format, dtype: torch.dtype
) -> None:
    content = torch.randn(3, 5, 40, 60).to(dtype, memory_format=memory_format)
    style = torch.randn(1, 5, 1, 1), torch.rand(1, 5, 1, 1) + 0.1
    among = adain(content, *style)
    assert among.is_contiguous(memory_format=memory_format)
    assert torch.equal(among, torch.cat([adain(each[None], *style) for each in content]))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_mean_far_above_the_deviation_costs_no_precision(memory_format: torch.memory_format) -> None:
    content = (100 + torch.randn(2, 5, 40, 60)).to(memory_format=memory_format)  # as in fog and in the dark
    style = torch.randn(2, 5, 1, 1), torch.rand(2, 5, 1, 1) + 0.1
    expected = adain(content.double(), *(value.double() for value in style))
    torch.testing.assert_close(adain(content, *style).double(), expected, atol=2e-3, rtol=0)


def test_a_single_feature_becomes_the_styles_mean() -> None:
    found = adain(torch.full((1, 3, 1, 1), 7.0), torch.full((1, 3, 1, 1), 2.0), torch.ones(1, 3, 1, 1))
    torch.testing.assert_close(found, torch.full((1, 3, 1, 1), 2.0))


def test_half_precision_features_keep_their_type_and_float32_statistics() -> None:
    content = torch.randn(1, 3, 8, 8).bfloat16()
    mean, deviation = feature_statistics(content)
    assert mean.dtype == deviation.dtype == torch.float32
    assert adain(content, mean, deviation).dtype == torch.bfloat16


@pytest.mark.parametrize("last", ["conv31", "conv41", "conv51"])
def test_alpha_goes_from_the_content_to_the_style(last: str) -> None:
    net, content, style = network(last), picture(48, 64), picture(64, 64, seed=4)[0]
    assert net.multiple_of == 2 ** (int(last[4]) - 1)
    # What is cut off counts as content as well.
    padded, crop = pad_to_multiple(content, net.multiple_of, margin=net.decoder.margin_px)

    def paint(statistics: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        recolored = net.recolored(padded, statistics)
        return crop(net.decode(recolored, net.encode(recolored), statistics))

    with torch.no_grad():
        own, targets = net.statistics(padded), net.statistics(style[None])
        plain, full = paint(own), paint(targets)
        half = paint(
            [
                (mean.lerp(other_mean, 0.5), spread.lerp(other_spread, 0.5))
                for (mean, spread), (other_mean, other_spread) in zip(own, targets, strict=True)
            ]
        )
    assert (full - plain).abs().max() > 0.02  # otherwise the comparison says nothing
    torch.testing.assert_close(AdaInStylizer("a", net, style, 0.0)(content), plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(AdaInStylizer("a", net, style, 1.0)(content), full, atol=1e-4, rtol=0)
    torch.testing.assert_close(AdaInStylizer("a", net, style, 0.5)(content), half, atol=1e-4, rtol=0)


def test_a_picture_is_painted_beyond_its_border() -> None:
    """Where networks see nothing, strokes are others than inside."""
    net = network()
    seen: list[torch.Size] = []
    net.encoder.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].shape))
    stylizer = AdaInStylizer("a", net, picture(50, 70)[0])
    assert stylizer(picture(64, 64)).shape == (1, 3, 64, 64)
    assert min(seen[-1][-2:]) >= 64 + 2 * net.decoder.margin_px


def test_the_style_is_encoded_once() -> None:
    net = network()
    calls: list[int] = []
    net.encoder.register_forward_hook(lambda *_: calls.append(1))
    stylizer = AdaInStylizer("a", net, picture(50, 70)[0])
    assert len(calls) == 1
    for i in range(3):
        stylizer(picture(40, 40, seed=i))
    assert len(calls) == 4


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (33, 47)])
def test_style_pictures_may_be_of_any_size(size: tuple[int, int]) -> None:
    painted = AdaInStylizer("a", network(), picture(*size)[0])(picture(40, 48))
    assert torch.isfinite(painted).all()


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    path, net, style = tmp_path / "adain.safetensors", network(), picture(48, 48, seed=2)[0]
    save_adain(path, net, StyleCard("any"))
    assert list(tmp_path.iterdir()) == [path]
    loaded = load_adain(path)
    assert loaded.multiple_of == net.multiple_of
    content = picture(40, 48)
    found = AdaInStylizer("a", loaded, style)(content)
    assert (found - AdaInStylizer("a", net, style)(content)).abs().max() < 0.01
    with pytest.raises(CheckpointMismatchError, match="found adain"):
        load_feedforward(path)


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_its_encoder_pools_as_it_did(pooling: Pooling, tmp_path: Path) -> None:
    path, net, content = tmp_path / "adain.safetensors", network(), picture(64, 64)
    net.encoder.pooling = pooling
    save_adain(path, net, StyleCard("any"))
    loaded = load_adain(path)
    assert loaded.encoder.pooling == pooling
    for mine, known in zip(loaded.encode(content), net.encode(content), strict=True):
        torch.testing.assert_close(mine, known, rtol=0.05, atol=0.02)


def test_a_pooling_it_does_not_know_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "newer.safetensors"
    save_adain(path, network(), StyleCard("any"))
    tensors, metadata = load_tensors(path)
    save_file(tensors, path, {**metadata, "pooling": "sinc"})
    with pytest.raises(CheckpointMismatchError, match=r"newer\.safetensors pools by sinc.*update vidstyle"):
        load_adain(path)


def test_what_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError):
        load_adain(tmp_path / "absent.safetensors")
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"nothing")
    with pytest.raises(UnsupportedCheckpointError):
        load_adain(path)
    save_file(vgg_tensors(), path)
    with pytest.raises(CheckpointMismatchError, match="not an AdaIN model"):
        load_adain(path)
    save_adain(path, network(), StyleCard("any"))
    encoder = {f"encoder.{key}": value for key, value in vgg_tensors((4, 6, 8, 16, 12), last="conv41").items()}
    decoder = {f"decoder.{key}": value for key, value in network().decoder.state_dict().items()}
    save_file(encoder | decoder, path)
    with pytest.raises(CheckpointMismatchError, match="does not fit AdaInDecoder"):
        load_adain(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"decoder.to_rgb.weight": torch.tensor(1.0)},
        {"decoder.to_rgb.weight": torch.ones(3)},
        {"decoder.to_rgb.weight": torch.ones(1, 5000, 1, 1)},
        {"decoder.widen.weight": torch.tensor(1.0)},
        {"decoder.widen.weight": torch.ones(1_000_000, 1, 1, 1)},
        {"encoder.conv41.weight": torch.ones(5000, 8, 3, 3), "encoder.conv41.bias": torch.ones(5000)},
        {f"decoder.trunk.{i}.norm1.affine.bias": torch.ones(1) for i in range(100)},
        {f"decoder.laterals.{i}.weight": torch.ones(1) for i in range(100)},
        {"encoder.conv11.weight": torch.ones(4, 3, 3, 3, dtype=torch.complex64)},
        {"decoder.widen.bias": torch.full((64,), torch.nan)},
    ],
    ids=range(10),
)
def test_odd_models_are_a_mismatch(changes: dict[str, Tensor], tmp_path: Path) -> None:
    """Before a network is built that fills the memory."""
    path = tmp_path / "odd.safetensors"
    save_adain(path, network(), StyleCard("any"))
    save_file(load_tensors(path)[0] | changes, path)
    for load in (load_adain, load_perceptual):  # the latter for its encoder
        with pytest.raises(CheckpointMismatchError, match=r"odd\.safetensors"):
            load(path)


def test_a_decoder_begins_with_a_trained_styles_features_and_paints_nothing() -> None:
    net, content = network(), picture(48, 64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        trained = BlurPoolNet()
        torch.nn.init.normal_(trained.half_skip.weight)  # it has no use for skips
        torch.nn.init.normal_(trained.full_skip.weight)
        decoder = AdaInDecoder((4, 6, 8, 10))
        other = AdaInDecoder((4, 6, 8, 10), num_channels=32)
    decoder.start_from(trained)
    assert torch.equal(decoder.trunk[0].conv1.weight, trained.trunk[0].conv1.weight)
    assert torch.equal(decoder.norm2.affine.bias[32:], trained.norm2.bias)
    with torch.no_grad():
        found = decoder(net.encode(content)[:2], net.statistics(content), content)
    mean_of_cells = F.avg_pool2d(content, 8)
    torch.testing.assert_close(F.avg_pool2d(found, 8), mean_of_cells, atol=0.06, rtol=0)
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.start_from(trained)


def test_fine_blocks_begin_as_nothing() -> None:
    block = StyledBlock(num_code=4, num_channels=6)
    block.start_as_nothing()
    x = torch.randn(2, 6, 10, 12)
    torch.testing.assert_close(block(x, torch.randn(2, 4)), x)
    block(x, torch.randn(2, 4)).square().mean().backward()  # type: ignore[no-untyped-call]
    assert block.norm2.affine.weight.grad is not None
    assert block.norm2.affine.weight.grad.abs().max() > 0


def test_a_low_pass_lets_a_block_hang_less_on_its_grid() -> None:
    """What it makes of a smooth signal half a sample further on is nearer to its own result, half a sample further."""
    generator = torch.Generator().manual_seed(0)
    wave = F.interpolate(torch.randn(1, 6, 8, 8, generator=generator), scale_factor=8, mode="bicubic")
    code = torch.randn(1, 4, generator=generator)

    def error(seed: int, *, low_passed: bool) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            block = StyledBlock(4, 6)
        if not low_passed:
            block.low_pass = nn.Identity()
        with torch.no_grad():
            here, further = (block(wave[..., phase::2], code) - wave[..., phase::2] for phase in (0, 1))
            between = (here[..., :-1] + here[..., 1:]) / 2
            return float((further[..., :-1] - between)[..., 4:-4, 4:-4].square().mean().sqrt())

    plain, low_passed = (sum(error(seed, low_passed=each) for seed in range(8)) for each in (False, True))
    assert low_passed < 0.7 * plain


def test_a_decoder_is_low_passed_where_a_file_expects_it() -> None:
    """Files do not hold the taps: others would paint something else with the same weights."""
    wanted = {"trunk_low_pass", "up1_low_pass", "fine_low_pass", *(f"trunk.{index}.low_pass" for index in range(3))}
    wanted |= {f"fine.{index}.low_pass" for index in range(2)}
    decoder = AdaInDecoder((4, 6, 8, 10), num_blocks=3, num_fine_blocks=2)
    found = {name: module for name, module in decoder.named_modules() if isinstance(module, LowPass)}
    assert found.keys() == wanted
    half_band = torch.tensor([-1, 0, 9, 16, 9, 0, -1]) / 32
    for low_pass in found.values():
        torch.testing.assert_close(low_pass.row[0, 0, 0], half_band)


def test_a_trained_decoder_begins_anew_with_a_style() -> None:
    decoder = lively_decoder(WIDTHS[:4], num_fine_blocks=2)
    decoder.start_from(BlurPoolNet())
    assert not any(parameter.any() for parameter in decoder.shortcut.parameters())
    x = torch.randn(1, 32, 10, 12)
    for block in decoder.fine:
        torch.testing.assert_close(block(x, torch.randn(1, 128)), x)


class Unchanged(nn.Module):
    """In the place of a normalisation."""

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        return x


def test_the_last_layer_follows_every_shift_of_what_it_reads() -> None:
    """It is at full size: by a pixel, an odd number, its strokes move as by two."""
    decoder = lively_decoder(WIDTHS[:4])
    decoder.up2_norm = Unchanged()  # averages depend on where a picture is cut
    nothing, wide, code = torch.zeros(1, 32, 24, 32), picture(48, 66), torch.zeros(1, 128)
    with torch.no_grad():
        here, moved = (decoder._at_full_size(nothing, wide[..., x : x + 64], code) for x in (0, 1))
    assert here.std() > 0.01
    torch.testing.assert_close(moved[..., 4:-4, 4:-5], here[..., 4:-4, 5:-4], atol=1e-5, rtol=0)


def test_each_phase_is_normalised_by_itself() -> None:
    """A lattice of two pixels goes with the phases' means; without one, that is nearly normalising all pixels."""
    norm, whole, code = StyleNorm(16, 8, num_phases=4), StyleNorm(16, 8), torch.ones(1, 16)
    whole.load_state_dict(norm.state_dict())
    x = torch.randn(2, 8, 24, 32, generator=torch.Generator().manual_seed(0))
    lattice = torch.tensor([[0.0, 3.0], [-5.0, 8.0]]).repeat(12, 16)
    phases = [torch.cat([each[..., y::2, x::2] for y in (0, 1) for x in (0, 1)], 1) for each in (x, x + lattice)]
    with torch.no_grad():
        plain, woven, expected = norm(phases[0], code), norm(phases[1], code), whole(x, code)
    torch.testing.assert_close(woven, plain, atol=1e-4, rtol=0)
    assert (spread_out(plain) - expected).abs().mean() < 0.1 * expected.std()


def test_the_last_layer_loses_a_lattice_all_over_the_content() -> None:
    decoder, content, code = lively_decoder(WIDTHS[:4]), 0.5 * picture(128, 192), torch.zeros(1, 128)
    nothing, lattice = torch.zeros(1, 32, 64, 96), torch.tensor([[0.0, 0.1], [0.4, 0.2]]).repeat(64, 96)
    with torch.no_grad():
        plain, woven = (decoder._at_full_size(nothing, x, code) for x in (content, content + lattice))
    assert (woven - plain)[..., 4:-4, 4:-4].abs().mean() < 0.1 * plain.std()


@pytest.mark.parametrize("num_fine_blocks", [0, 1, 2])
def test_a_file_tells_how_many_fine_blocks_it_has(num_fine_blocks: int, tmp_path: Path) -> None:
    net = network(num_fine_blocks=num_fine_blocks)
    path = tmp_path / "any.safetensors"
    save_adain(path, net, StyleCard("any"))
    found = load_adain(path)
    assert isinstance(found.decoder, AdaInDecoder)
    assert len(found.decoder.fine) == num_fine_blocks
    content, style = picture(48, 64), picture(32, 32, seed=3)
    with torch.no_grad():
        expected = net(content, net.statistics(style))
        torch.testing.assert_close(found(content, found.statistics(style)), expected, atol=2e-2, rtol=0)


def test_content_takes_on_the_styles_colours_but_flat_pictures_are_not_stretched() -> None:
    net, content, style = network(), picture(48, 64), 0.2 + 0.5 * picture(64, 64, seed=4)
    found = net.recolored(content, net.statistics(style))
    torch.testing.assert_close(found.mean((2, 3)), style.mean((2, 3)), atol=0.02, rtol=0)
    torch.testing.assert_close(torch.cov(found[0].flatten(1)), torch.cov(style[0].flatten(1)), atol=0.01, rtol=0)
    flat = 0.5 + 0.01 * torch.randn(1, 3, 48, 64)
    assert net.recolored(flat, net.statistics(picture(64, 64))).std((2, 3)).max() < 0.03
