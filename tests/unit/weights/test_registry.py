"""The styles that ship: each is whole, named, and loads."""

from __future__ import annotations

import re

import pytest

from vidstyle.config import RenderConfig
from vidstyle.errors import WeightsNotFoundError
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.weights.registry import find_style, shipped_styles

STYLES = shipped_styles()


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_shipped_style_loads_and_says_what_it_is(style) -> None:
    assert style.title
    assert "\n" not in style.title
    assert re.fullmatch(r"[a-z0-9-]+", style.name)
    assert style.path.stat().st_size < 5_000_000
    assert load_feedforward(style.path).name


@pytest.mark.skipif(not STYLES, reason="no style is shipped")
def test_the_default_style_ships() -> None:
    assert find_style(RenderConfig().style)


@pytest.mark.skipif(not STYLES, reason="no style is shipped")
def test_a_name_is_found_however_it_is_written() -> None:
    name = STYLES[0].name
    for spelled in (name, name.upper(), name.replace("-", "_"), f" {name.replace('-', ' ')} "):
        assert find_style(spelled).name == name


def test_an_unknown_name_gets_near_ones_or_all() -> None:
    with pytest.raises(WeightsNotFoundError, match="did you mean identity"):
        find_style("idenity")
    with pytest.raises(WeightsNotFoundError, match=r"shipped are .*identity") as caught:
        find_style("zzzzqqqq")
    assert all(style.name in str(caught.value) for style in STYLES)
