from __future__ import annotations

import itertools

import pytest
import torch
from network_factory import picture, squeeze_encoder, tiny_encoder
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.training.encoders import choose_encoder
from vidstyle.training.losses import STYLE_LAYERS, content_loss, gram_loss, gram_matrix, style_loss, style_statistics
from vidstyle.training.optimization import OptimizationStep, PerceptualObjective, optimize_image, perceptual_layers
from vidstyle.training.optimize_settings import OptimizationSettings, Optimizer, Statistics

WIDTHS = (8, 8, 12, 12, 12)


def noise(height: int = 64, width: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (0.5 + 0.2 * torch.randn(1, 3, height, width, generator=generator)).clamp(0, 1)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


def test_gram_matrix_is_the_mean_of_outer_products() -> None:
    x = torch.randn(2, 3, 5, 7)
    found = gram_matrix(x)
    for i, j, k in itertools.product(range(2), range(3), range(3)):
        torch.testing.assert_close(found[i, j, k], (x[i, j] * x[i, k]).mean())


def test_gram_loss_is_free_of_scale_size_and_place() -> None:
    features = tiny_encoder()(picture(64, 80), STYLE_LAYERS)
    target = {k: gram_matrix(v) for k, v in tiny_encoder()(picture(96, 64, seed=1), STYLE_LAYERS).items()}
    loss = gram_loss(features, target)
    assert loss > 0.001
    moved = {k: v.roll((1, 2), (2, 3)) for k, v in features.items()}
    torch.testing.assert_close(gram_loss(moved, target), loss)
    scaled = gram_loss({k: 9 * v for k, v in features.items()}, {k: 81 * v for k, v in target.items()})
    torch.testing.assert_close(scaled, loss, rtol=1e-3, atol=0)
    assert gram_loss(features, {k: gram_matrix(v) for k, v in features.items()}).item() == 0


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_any_objective_is_minimised_and_the_initial_picture_stays(optimizer: Optimizer) -> None:
    target, initial = picture(16, 20), noise(16, 20)
    before = initial.clone()
    steps: list[OptimizationStep] = []
    result = optimize_image(
        initial, lambda x: (x - target).square().mean(), optimizer=optimizer, iterations=60, on_step=steps.append
    )
    assert torch.equal(initial, before)
    assert result.image.shape == initial.shape
    assert psnr(result.image, target) > 40
    assert result.loss == pytest.approx(float((result.image - target).square().mean()))
    assert [step.evaluation for step in steps] == list(range(1, result.num_evaluations + 1))
    assert steps[-1].iteration <= result.num_iterations <= 60
    assert steps[0].loss > 10 * result.loss


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_result_is_in_range_and_its_loss_is_that_of_what_is_returned(optimizer: Optimizer) -> None:
    def objective(x: Tensor) -> Tensor:
        return (x - 2).square().mean()

    result = optimize_image(noise(8, 8), objective, optimizer=optimizer, iterations=40, learning_rate=0.1)
    assert torch.equal(result.image, torch.ones_like(result.image))
    assert result.loss == pytest.approx(1.0)


def test_lbfgs_is_torchs_own_with_strong_wolfe() -> None:
    target = picture(16, 16)

    def objective(x: Tensor) -> Tensor:
        return ((x - target).square() * torch.linspace(0.1, 3, 16)).mean() + x.diff(dim=2).abs().pow(1.5).mean()

    image = noise(16, 16).requires_grad_()
    torch_own = torch.optim.LBFGS(
        [image], max_iter=12, history_size=100, tolerance_grad=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        torch_own.zero_grad()
        loss = objective(image)
        loss.backward()
        return loss

    torch_own.step(closure)
    result = optimize_image(noise(16, 16), objective, iterations=12)
    assert result.num_iterations == 12
    torch.testing.assert_close(result.image, image.detach().clamp(0, 1))


def test_a_picture_may_lie_in_memory_in_any_way() -> None:
    initial, target = noise(16, 20), picture(16, 20)

    def objective(x: Tensor) -> Tensor:
        return (x - target).square().mean()

    expected = optimize_image(initial, objective, iterations=5).image
    channels_last = initial.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(optimize_image(channels_last, objective, iterations=5).image, expected)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_diverging_objective_is_an_error(optimizer: Optimizer) -> None:
    with pytest.raises(ConfigError, match="diverged"):
        optimize_image(noise(8, 8), lambda x: x.mean() * float("nan"), optimizer=optimizer, iterations=3)


def test_nothing_of_an_interruption_is_swallowed() -> None:
    def stop(step: OptimizationStep) -> None:
        if step.evaluation == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize_image(noise(8, 8), lambda x: x.square().mean(), iterations=9, on_step=stop)


def test_layers_of_gatys_and_what_stands_in_for_them() -> None:
    assert perceptual_layers(tiny_encoder()) == ("conv42", STYLE_LAYERS)
    assert perceptual_layers(tiny_encoder(last="conv41")) == ("conv41", STYLE_LAYERS[:4])
    assert perceptual_layers(tiny_encoder(last="conv31")) == ("conv31", STYLE_LAYERS[:3])
    assert perceptual_layers(tiny_encoder(last="conv21")) == ("conv21", STYLE_LAYERS[:2])
    assert perceptual_layers(choose_encoder("builtin").encoder) == ("conv41", STYLE_LAYERS)
    assert perceptual_layers(squeeze_encoder()) == ("fire5", ("conv1", "fire3", "fire5", "fire7", "fire9"))


@pytest.mark.parametrize("statistics", ["gram", "moments"])
def test_the_objective_is_the_weighted_sum_of_the_losses(statistics: Statistics) -> None:
    encoder, content, style, image = tiny_encoder(), picture(64, 64), picture(64, 96, 1), picture(64, 64, 2)
    objective = PerceptualObjective(
        encoder, content, style, content_weight=2, style_weight=3, tv_weight=5, statistics=statistics
    )
    total = objective(image)
    parts = objective.latest
    expected = 2 * parts.content + 3 * parts.style + 5 * parts.total_variation
    assert total.item() == pytest.approx(expected, rel=1e-5)
    features, wanted = encoder(image, (*STYLE_LAYERS, "conv42")), encoder(style, STYLE_LAYERS)
    by_hand = (
        gram_loss(features, {k: gram_matrix(v) for k, v in wanted.items()})
        if statistics == "gram"
        else style_loss(features, {k: style_statistics(v) for k, v in wanted.items()})
    )
    assert parts.style == pytest.approx(by_hand.item(), rel=1e-5)
    assert parts.content == pytest.approx(content_loss(features, encoder(content, ["conv42"])).item(), rel=1e-5)


def test_colours_out_of_range_cost() -> None:
    objective = PerceptualObjective(tiny_encoder(), picture(64, 64), None, style_weight=0)
    image = (picture(64, 64) + 0.7).requires_grad_()
    total = objective(image)
    assert total.item() > objective.latest.content + 1
    assert objective(picture(64, 64)).item() == 0


@pytest.mark.parametrize(("last", "gain_db"), [("conv51", -0.5), ("conv12", 6.0)])
def test_style_weight_zero_inverts_the_features(last: str, gain_db: float) -> None:
    """Twelve random channels at conv42 know next to nothing of the pixels; sixteen at conv12 nearly all."""
    content = picture(64, 64)
    objective = PerceptualObjective(tiny_encoder((16, 16, 12, 12, 12), last), content, None, style_weight=0)
    initial = noise()
    objective(initial)
    before = objective.latest.content
    result = optimize_image(initial, objective, iterations=80)
    objective(result.image)
    assert objective.latest.content < before / 20
    assert objective.latest.style == 0
    assert psnr(result.image, content) > psnr(initial, content) + gain_db


@pytest.mark.parametrize("statistics", ["gram", "moments"])
def test_content_weight_zero_makes_a_texture(statistics: Statistics) -> None:
    encoder, style = tiny_encoder(WIDTHS), picture(64, 96, seed=3)
    objective = PerceptualObjective(encoder, None, style, content_weight=0, statistics=statistics)
    initial = noise()
    objective(initial)
    before = objective.latest.style
    result = optimize_image(initial, objective, iterations=100)
    objective(result.image)
    assert objective.latest.style < before / 10
    assert objective.latest.content == 0


def test_more_style_weight_brings_more_style_and_less_content() -> None:
    found = []
    for weight in (1.0, 1000.0):
        objective = PerceptualObjective(tiny_encoder(WIDTHS), picture(64, 64), picture(64, 64, 5), style_weight=weight)
        objective(optimize_image(picture(64, 64), objective, iterations=25).image)
        found.append(objective.latest)
    assert found[1].style < found[0].style / 2
    assert found[1].content > found[0].content


def test_a_weight_needs_its_picture_and_one_must_be_there() -> None:
    encoder = tiny_encoder()
    with pytest.raises(ConfigError, match="both zero"):
        PerceptualObjective(encoder, picture(64, 64), picture(64, 64), content_weight=0, style_weight=0)
    with pytest.raises(ConfigError, match="needs a style picture"):
        PerceptualObjective(encoder, picture(64, 64), None)
    with pytest.raises(ConfigError, match="needs a content picture"):
        PerceptualObjective(encoder, None, picture(64, 64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"content_weight": 0, "style_weight": 0}, "both zero"),
        ({"style_weight": -1}, "from zero up"),
        ({"tv_weight": float("nan")}, "from zero up"),
        ({"content_weight": float("inf")}, "from zero up"),
        ({"optimizer": "sgd"}, "lbfgs or adam"),
        ({"statistics": "mean"}, "gram or moments"),
        ({"pooling": "min"}, "max or average"),
        ({"iterations": 0}, "at least 1"),
        ({"scales": 0}, "at least 1"),
        ({"size_px": 16}, "32"),
        ({"style_size_px": 16}, "32"),
    ],
)
def test_settings_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OptimizationSettings(**options)  # type: ignore[arg-type]
