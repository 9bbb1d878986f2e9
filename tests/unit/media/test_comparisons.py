"""Original and painting in one picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.media.comparisons import MAX_GAIN, check_comparison, compared, difference, difference_gain, wiped


def noise(seed: int, height: int = 36, width: int = 64) -> Tensor:
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_a_wipe_is_half_of_each_at_their_own_size() -> None:
    original, painted = noise(0), noise(1)
    before = original.clone()
    picture = compared("wipe", original, painted, "mosaic")
    assert picture.shape == original.shape
    assert torch.equal(picture[..., :31], original[..., :31])
    assert torch.equal(picture[..., 34:], painted[..., 34:])
    assert torch.equal(original, before)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 4)])
def test_wipes_of_odd_shapes(size: tuple[int, int]) -> None:
    assert wiped(noise(0, *size), noise(1, *size)).shape == (3, *size)


def test_a_difference_is_amplified_and_says_how_much() -> None:
    original = torch.full((3, 90, 160), 100, dtype=torch.uint8)
    painted = original.clone()
    painted[0, :, 80:] = 70
    assert difference(original, painted, 4)[:, 0, [0, 159]].tolist() == [[0, 120], [0, 0], [0, 0]]
    assert int(difference(original, painted, 64).max()) == 255
    picture = compared("diff", original, painted, "mosaic", 4)
    assert torch.equal(picture[:, -90:], difference(original, painted, 4))
    other = compared("diff", original, painted, "mosaic", 8)
    assert not torch.equal(picture[:, :-90], other[:, :-90]), "the gain is in the label"


@pytest.mark.parametrize(("distance", "gain"), [(0, 1), (1, MAX_GAIN), (10, 16), (63, 4), (64, 2), (127, 2), (255, 1)])
def test_the_gain_leaves_differences_below_white(distance: int, gain: int) -> None:
    black = torch.zeros(3, 20, 20, dtype=torch.uint8)
    assert difference_gain([(black, black + distance), (black, black + distance)]) == gain


def test_deep_pictures_are_compared_in_eight_bits() -> None:
    original, painted = noise(0), noise(1)
    deep = [(picture.to(torch.int32) * 257).to(torch.uint16) for picture in (original, painted)]
    for kind in ("side", "wipe", "diff"):
        assert torch.equal(compared(kind, *deep, "mosaic", 2), compared(kind, original, painted, "mosaic", 2))


@pytest.mark.parametrize("kind", ["side", "wipe", "diff"])
@pytest.mark.parametrize("height", [36, 270, 360, 1080])
def test_even_pictures_make_even_comparisons(kind: str, height: int) -> None:
    picture = torch.zeros(3, height, 64, dtype=torch.uint8)
    shown = compared(check_comparison(kind), picture, picture, "mosaic")
    assert [side % 2 for side in shown.shape[1:]] == [0, 0]


def test_an_unknown_comparison_is_named_with_what_is_near() -> None:
    with pytest.raises(ConfigError, match="'wip'; did you mean wipe"):
        check_comparison("wip")
    with pytest.raises(ConfigError, match="side, wipe, diff"):
        check_comparison("x")
