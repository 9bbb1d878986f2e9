"""Mixtures, brush sizes and the content's colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from network_factory import lively_decoder, picture, tiny_encoder
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.imaging.color_transfer import ColorMap, ColorStatistics
from vidstyle.stylizers.adain import AdaInNet, AdaInStylizer
from vidstyle.stylizers.brush import ScaledBrush
from vidstyle.stylizers.changing import ChangingStylizer, Turn, has_weight
from vidstyle.stylizers.mixture import LightMixture, parse_mixture
from vidstyle.stylizers.recolored import Recolored, in_colors_of


class Tint:
    """Multiplies by a colour, and remembers what it saw."""

    name = "tint"

    def __init__(self, *factors: float) -> None:
        self.factors = torch.tensor(factors)[:, None, None]
        self.sizes: list[tuple[int, int]] = []
        self.moved_to: tuple[Any, ...] | None = None

    def __call__(self, content: Tensor) -> Tensor:
        self.sizes.append((content.shape[-1], content.shape[-2]))
        return content * self.factors

    def to(self, device: str, dtype: Any) -> Tint:
        self.moved_to = (device, dtype)
        return self


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("starry-night", [("starry-night", 1.0)]),
        ("A:0.6+B:0.4", [("A", 0.6), ("B", 0.4)]),
        ("A+B", [("A", 0.5), ("B", 0.5)]),
        (" A : 3 + B ", [("A", 0.75), ("B", 0.25)]),
        ("A:1+B:2+A:1", [("A", 0.5), ("B", 0.5)]),
        ("dir/a.png:1+C:\\styles\\b.png:1", [("dir/a.png", 0.5), ("C:\\styles\\b.png", 0.5)]),
    ],
)
def test_a_mixture_is_read(text: str, parts: list[tuple[str, float]]) -> None:
    assert parse_mixture(text) == [(name, pytest.approx(share)) for name, share in parts]


@pytest.mark.parametrize("text", ["A+", "A:0+B", "A:x+B:1", "A:-1+B", "A:inf+B", "+"])
def test_a_mixture_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ConfigError, match=r"write A:0\.6\+B:0\.4"):
        parse_mixture(text)


def test_an_existing_file_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("A+B", "c+d.png"):
        (tmp_path / name).touch()
    assert parse_mixture("A+B") == [("A+B", 1.0)]
    assert parse_mixture("c+d.png:1+A+B:3") == [("c+d.png", 0.25), ("A+B", 0.75)]


def test_results_mix_as_light() -> None:
    mixture = LightMixture([Tint(1, 1, 1), Tint(0, 0, 0)], [0.5, 0.5])
    painted = mixture(torch.ones(2, 3, 4, 5))
    torch.testing.assert_close(painted, torch.full((2, 3, 4, 5), 0.7354), atol=1e-4, rtol=0)
    assert mixture.name == "tint:0.5+tint:0.5"
    assert mixture.to("cpu", torch.float32).parts[0].moved_to == ("cpu", torch.float32)


@pytest.mark.parametrize(("scale", "size"), [(2.0, (20, 16)), (0.5, (80, 62)), (1.0, (40, 31)), (4.0, (10, 8))])
def test_a_broader_brush_sees_a_smaller_picture(scale: float, size: tuple[int, int]) -> None:
    inner = Tint(1, 1, 1)
    content = picture(31, 40)
    painted = ScaledBrush(inner, scale)(content)
    assert inner.sizes == [size]
    assert painted.shape == content.shape
    assert 0 <= painted.min() <= painted.max() <= 1


@pytest.mark.parametrize("scale", [0.5, 0.63, 1.4])
def test_a_brush_enlarges_as_torch_does(scale: float) -> None:
    """Whoever does the work: torch does it where the picture is on a GPU, or one of several."""
    content = torch.rand(2, 3, 18, 30, generator=torch.Generator().manual_seed(4))
    brush = ScaledBrush(Tint(1, 1, 1), scale)
    each = torch.cat([brush(content[:1]), brush(content[1:])])
    torch.testing.assert_close(each, brush(content), atol=1e-5, rtol=0)


def test_a_brush_on_one_pixel() -> None:
    assert ScaledBrush(Tint(1, 1, 1), 4.0)(torch.ones(1, 3, 1, 1)).shape == (1, 3, 1, 1)


def network() -> AdaInNet:
    widths = (4, 6, 8)
    return AdaInNet(tiny_encoder(widths, last="conv31"), lively_decoder(widths))


def test_mixed_statistics_lie_between_the_pictures() -> None:
    net, content = network(), picture(40, 48)
    first, second = picture(48, 48, seed=3)[0], picture(48, 48, seed=9)[0] * 0.3
    ends = [AdaInStylizer("a", net, image)(content) for image in (first, second)]
    half = AdaInStylizer("a", net, [(first, 0.5), (second, 0.5)])(content)
    torch.testing.assert_close(AdaInStylizer("a", net, [(first, 0.3), (first, 0.7)])(content), ends[0])
    distances = [(half - end).abs().mean() for end in ends]
    assert max(distances) < (ends[0] - ends[1]).abs().mean()


def test_a_picture_style_takes_the_content_s_colours() -> None:
    net, content = network(), picture(40, 48) * 0.3 + 0.2
    stylizer = AdaInStylizer("a", net, picture(48, 48, seed=3)[0], 0.7)
    dressed = in_colors_of(stylizer, list(content))
    assert isinstance(dressed, AdaInStylizer)
    assert dressed.style_weight == 0.7
    wanted, found = ColorStatistics.of(list(content)), ColorStatistics.of([dressed.images[0][0]])
    torch.testing.assert_close(found.mean, wanted.mean, atol=0.01, rtol=0)
    assert not dressed(content).equal(stylizer(content))


def test_other_styles_take_the_content_s_colours_by_one_map() -> None:
    content = picture(40, 48, num=2) * 0.3 + 0.3
    dressed = in_colors_of(Tint(0.2, 0.9, 1.1), list(content))
    assert isinstance(dressed, Recolored)
    torch.testing.assert_close(
        ColorStatistics.of(list(dressed(content))).mean, ColorStatistics.of(list(content)).mean, atol=0.02, rtol=0
    )
    alone = dressed(content[:1])
    assert alone.equal(dressed(content)[:1])  # nothing is measured frame by frame


def test_a_stylizer_paints_as_it_was_turned_last() -> None:
    plain, seen, content = (
        Tint(1, 1, 1),
        {None: Tint(0.5, 1, 1), Path("a.cube"): Tint(0.25, 1, 1)},
        torch.ones(1, 3, 16, 16),
    )
    asked: list[Path | None] = []

    def recolored(table: Path | None) -> Tint:
        asked.append(table)
        return seen[table]

    stylizer = ChangingStylizer(plain, recolored, Turn())
    assert stylizer(content).equal(content)
    stylizer.turn = Turn(style_scale=2.0)
    assert stylizer(content).equal(content)
    assert plain.sizes[-1] == (8, 8)
    assert asked == []
    for table, red in ((None, 0.5), (Path("a.cube"), 0.25), (None, 0.5)):
        stylizer.turn = Turn(takes_colors=True, seen_through=table)
        assert stylizer(content)[:, 0].unique().tolist() == [red]
    assert asked == [None, Path("a.cube")]  # measured once
    assert stylizer.to("cpu", torch.float32) is stylizer
    assert plain.moved_to == ("cpu", torch.float32)


def test_a_weight_is_turned_without_a_trace() -> None:
    """Other painters have the same stylizers, and colours are measured with the weight of the settings."""
    net, content = network(), picture(40, 48)
    style = AdaInStylizer("a", net, picture(48, 48, seed=3)[0], 0.7)
    mixture = LightMixture([style, Tint(1, 1, 1)], [0.5, 0.5])
    for inner in (style, mixture, Recolored(mixture, ColorMap(torch.eye(3), torch.zeros(3)))):
        before = inner(content)
        found = {}
        for weight in (0.0, 0.7, 1.0):
            stylizer = ChangingStylizer(inner, lambda _: style, Turn(style_weight=weight))
            found[weight] = stylizer(content)
        assert found[0.7].equal(before)
        assert not found[0.0].equal(found[1.0])
        assert inner(content).equal(before)
    assert has_weight(mixture)
    assert not has_weight(Tint(1, 1, 1))
