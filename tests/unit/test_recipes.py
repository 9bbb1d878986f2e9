"""What ships was made as the recipes say: they are compared with the cards that trainings wrote."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from command import SCRIPTS

from vidstyle.evaluation.painted import PAINTED_STYLES
from vidstyle.training.adain_settings import AdaInSettings
from vidstyle.weights.registry import ANY_STYLE, shipped_styles

sys.path.insert(0, str(SCRIPTS))
try:
    import recipes
    import train_builtin
finally:
    sys.path.remove(str(SCRIPTS))

BARE = [
    train_builtin.without_temporal_loss(recipe)
    for recipe in recipes.RECIPES
    if recipe.name in recipes.WITHOUT_TEMPORAL_LOSS
]


def card_of(weights: Path) -> dict[str, Any]:
    return tomllib.loads(weights.with_suffix(".toml").read_text(encoding="utf-8"))


def plain(stage: Any) -> dict[str, Any]:
    """A stage's settings as a card has them, which leaves None out."""
    return {name: value for name, value in asdict(stage).items() if value is not None}


def stages_of(card: dict[str, Any], **absent_weights: float) -> list[dict[str, Any]]:
    """A card's stages, with the weights of losses that were not there yet."""
    return [{**stage, "weights": {**absent_weights, **stage["weights"]}} for stage in card["stages"].values()]


def test_there_is_a_recipe_for_every_style_that_ships() -> None:
    names = [recipe.name for recipe in recipes.RECIPES]
    assert sorted(names) == sorted(style.name for style in shipped_styles())
    assert len(set(names)) == len(names)
    for recipe in recipes.RECIPES:
        assert recipe.starts_from in (None, *names)
        assert recipe.picture in PAINTED_STYLES or recipe.picture.endswith(".jpg")
        assert (recipe.licence == recipes.OWN) == (recipe.picture in PAINTED_STYLES)


@pytest.mark.parametrize("recipe", [*recipes.RECIPES, *BARE], ids=lambda recipe: recipe.name)
def test_a_card_has_the_stages_of_its_recipe(recipe: recipes.Recipe) -> None:
    folder = train_builtin.BENCHMARKS if recipe in BARE else train_builtin.WEIGHTS
    card = card_of(folder / f"{recipe.name}.safetensors")
    assert (card["name"], card["title"], card["style_source"]) == (recipe.name, recipe.title, recipe.source)
    assert stages_of(card, lattice=0.0) == [plain(stage) for stage in recipe.stages]
    assert card["steps"] == sum(stage.steps for stage in recipe.stages)
    content = train_builtin.all_content(recipe.num_broadened)
    open_only = {"content_source": train_builtin.CONTENT_SOURCE, "content_licence": train_builtin.CONTENT_LICENCE}
    expected = content if recipe.num_broadened else open_only
    assert {name: card[name] for name in expected} == expected


def test_the_card_for_any_picture_has_the_stages_of_its_recipe() -> None:
    card = card_of(ANY_STYLE)
    stages = [stage.settings for stage in recipes.ANY_STYLE_STAGES]
    assert card["steps"] == sum(stage.steps for stage in stages)
    found = [{"halved_share": AdaInSettings().halved_share, **stage} for stage in stages_of(card, shift=0.0)]
    for stage in found:
        stage.pop("num_fine_blocks", None)  # which was a setting for a while
    assert found == [plain(stage) for stage in stages]
    expected_content = train_builtin.all_content(recipes.ANY_STYLE_NUM_BROADENED)
    assert {name: card[name] for name in expected_content} == expected_content
