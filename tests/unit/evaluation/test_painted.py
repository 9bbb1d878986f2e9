"""Style pictures painted by program."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from vidstyle.evaluation.painted import PAINTED_STYLES

NAMES = sorted(PAINTED_STYLES)


@cache
def painted(name: str, width: int = 256, height: int = 192) -> Tensor:
    return PAINTED_STYLES[name](width, height)


def test_there_is_a_choice_of_styles() -> None:
    assert {"oil_strokes", "mosaic", "ink_hatching", "woodblock", "stained_glass", "watercolour"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "height"), [(96, 64), (33, 47)])
def test_any_size_is_painted(name: str, width: int, height: int) -> None:
    picture = painted(name, width, height)
    assert picture.shape == (3, height, width)
    assert picture.dtype == torch.uint8
    assert picture.is_contiguous()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_picture_every_time(name: str) -> None:
    first = painted(name, 96, 64)
    np.random.default_rng(0).random(10)
    torch.manual_seed(123)
    assert torch.equal(first, PAINTED_STYLES[name](96, 64))


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_full_of_texture(name: str) -> None:
    picture = painted(name)
    grey = picture.float().mean(dim=0).numpy()
    energy = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125))
    tiles = energy.reshape(4, energy.shape[0] // 4, 4, energy.shape[1] // 4).mean(axis=(1, 3))
    assert tiles.min() > 3.0, tiles.round(1)


@pytest.mark.parametrize("name", NAMES)
def test_colours_are_rich(name: str) -> None:
    spread = torch.cov(painted(name).reshape(3, -1).double())
    # the palette fills the colour cube in its second direction too: more than shades of one ink
    assert torch.linalg.eigvalsh(spread)[1] > 12.0**2


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_burnt_out(name: str) -> None:
    picture = painted(name)
    clipped = ((picture == 0).all(dim=0) | (picture == 255).all(dim=0)).float().mean()
    assert clipped < 0.02


def test_styles_differ_in_colour() -> None:
    def statistics(name: str) -> Tensor:
        pixels = painted(name).reshape(3, -1).double()
        return torch.cat([pixels.mean(dim=1), pixels.std(dim=1)])

    for one, other in combinations(NAMES, 2):
        assert (statistics(one) - statistics(other)).norm() > 12.0, (one, other)


@pytest.mark.parametrize("name", NAMES)
def test_the_composition_fits_the_sheet(name: str) -> None:
    """Wide and high sheets are composed anew, not stretched: no border column or row stays unpainted."""
    picture = painted(name, 96, 64).float()
    for border in (picture[:, 0], picture[:, -1], picture[:, :, 0], picture[:, :, -1]):
        assert border.std() > 3.0
