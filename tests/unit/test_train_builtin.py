"""The script that rebuilds every shipped weight, with recipes of a step a stage."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import network_factory as networks
import pytest
import torch
from command import SCRIPTS, run_script

from vidstyle.media.stills import write_still
from vidstyle.stylizers.adain import load_adain
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.training.adain_settings import AdaInSettings
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.settings import FeedforwardSettings, LossWeights
from vidstyle.training.trainer import Trainer

STAGE = FeedforwardSettings(steps=1, batch_size=2, crop_px=64, style_size_px=64)
LAST_STAGE = replace(STAGE, learning_rate=1e-3, weights=LossWeights(temporal=3.0))
ANY_STAGE = AdaInSettings(steps=1, batch_size=2, crop_px=64, style_size_px=64)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    (folder / "encoders").mkdir(parents=True)
    torch.save(networks.vgg_tensors(), folder / "encoders" / "vgg19_pruned16x_to_conv5_1.pth")
    networks.photo_folder(folder / "photos" / "open", num=4, size=(112, 112))
    networks.photo_folder(folder / "photos" / "research", num=2, size=(112, 112))
    (folder / "paintings").mkdir()
    write_still(folder / "paintings" / "a.jpg", (networks.picture(80, 96)[0] * 255).byte())
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(folder))
    return folder


@pytest.fixture
def script(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script with two short recipes, one after the other, that writes beside the data."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module, recipes = import_module("train_builtin"), import_module("recipes")
    one = recipes.Recipe("one", "One", "a.jpg", "A, a", recipes.PUBLIC_DOMAIN, (STAGE, LAST_STAGE), num_broadened=1)
    two = recipes.Recipe("two", "Two", "mosaic", "mosaic", recipes.OWN, (STAGE, LAST_STAGE), "one", num_broadened=0)
    # As the real recipes do it: a decoder that begins as a style, a mean, and some of the weights before.
    stages = (
        recipes.AnyStyleStage(ANY_STAGE),
        recipes.AnyStyleStage(ANY_STAGE, decoder_from="one"),
        recipes.AnyStyleStage(replace(ANY_STAGE, seed=1)),
        recipes.AnyStyleStage(ANY_STAGE, starts_from_mean_of=2, share_of_before=0.5),
    )
    for name in ("weights", "benchmarks"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(module, "BENCHMARKS", tmp_path / "benchmarks")
    monkeypatch.setattr(module, "ANY_STYLE", tmp_path / "weights" / "any-style.safetensors")
    monkeypatch.setattr(module, "PAINTED_SIZE_PX", (64, 64))
    monkeypatch.setattr(module, "RECIPES", [one, two])
    monkeypatch.setattr(module, "WITHOUT_TEMPORAL_LOSS", ("two",))
    monkeypatch.setattr(module, "TEACH_SKIPS", (LAST_STAGE,))
    monkeypatch.setattr(module, "ANY_STYLE_STAGES", stages)
    monkeypatch.setattr(module, "ANY_STYLE_NUM_BROADENED", 2)
    return module


def card_of(weights: Path) -> dict[str, Any]:
    card = tomllib.loads(weights.with_suffix(".toml").read_text(encoding="utf-8"))
    assert card["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    return card


def tensors_of(weights: Path) -> dict[str, torch.Tensor]:
    return load_feedforward(weights).net.state_dict()


def distance(tensors: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> float:
    """Largest difference of two networks' weights."""
    return max(float((value - others[name]).abs().max()) for name, value in tensors.items())


#: More than a few steps at the start of a warm-up change, less than what lies between two random networks.
A_FEW_STEPS = 1e-2


def test_all_that_ships_is_rebuilt_with_its_cards(
    script: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    class RecordedCrops(ContentCrops):
        def __init__(self, photos: Path | Sequence[Path], crop_px: int) -> None:
            super().__init__(photos, crop_px)
            if not isinstance(photos, Path):  # which is the folder of the samples
                seen.append({path.parent.name for path in photos})

    monkeypatch.setattr(script, "ContentCrops", RecordedCrops)
    arguments = ["--threads", "1", "--checkpoint-dir", tmp_path / "runs"]
    result = run_script("train_builtin.py", *arguments)
    assert result.exit_code == 0, result.stderr
    files = {path.name for folder in ("weights", "benchmarks") for path in (tmp_path / folder).glob("*.safetensors")}
    assert files == {
        "one.safetensors",
        "two.safetensors",
        "two-without-temporal-loss.safetensors",
        "any-style.safetensors",
    }
    one, two = (card_of(tmp_path / "weights" / f"{name}.safetensors") for name in ("one", "two"))
    assert one["steps"] == two["steps"] == 2
    assert two["starts_from"] == "one, stage 1"
    assert "in the last stage also 376 photographs" in one["content_source"]
    assert "376" not in two["content_source"]
    assert one["stages"]["2"]["weights"]["temporal"] == 3.0
    bare = card_of(tmp_path / "benchmarks" / "two-without-temporal-loss.safetensors")
    assert [stage["weights"]["temporal"] for stage in bare["stages"].values()] == [0.0, 0.0]
    first = tensors_of(tmp_path / "weights" / "one.safetensors")
    assert 0 < distance(first, tensors_of(tmp_path / "weights" / "two.safetensors")) < A_FEW_STEPS
    open_only, both = {"open"}, {"open", "research"}
    of_one, of_two, of_bare, of_any = [open_only, both], [open_only] * 3, [open_only] * 3, [open_only] * 2 + [both] * 2
    assert seen == of_one + of_two + of_bare + of_any  # two and the bare one begin with one's first stage

    model = tmp_path / "weights" / "any-style.safetensors"
    card = card_of(model)
    assert (card["steps"], card["averaged_stages"], card["starts_from"]) == (4, ["2 to 3"], "one, the decoder")
    assert card["share_of_stage_before"] == ["0.5 in 4"]
    assert all(bool(value.isfinite().all()) for value in load_adain(model).state_dict().values())

    def no_step(trainer: Trainer[Any]) -> dict[str, float]:
        raise AssertionError("all is in the checkpoints")

    monkeypatch.setattr(Trainer, "_train_step", no_step)
    again = run_script("train_builtin.py", "--only", "one", *arguments)
    assert again.exit_code == 0, again.stderr
    assert distance(first, tensors_of(tmp_path / "weights" / "one.safetensors")) == 0


def test_a_stage_that_was_added_goes_on_from_what_ships(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--only", "one", "--threads", "1", "--checkpoint-dir", tmp_path / "runs"]
    assert run_script("train_builtin.py", *arguments).exit_code == 0
    weights = tmp_path / "weights" / "one.safetensors"
    before, card = tensors_of(weights), card_of(weights)
    refused = run_script("train_builtin.py", *arguments, "--from-shipped")
    assert refused.exit_code == 1
    assert "one.safetensors has all of its 2 stages behind it" in refused.stderr

    one, two = script.RECIPES
    added = replace(LAST_STAGE, seed=5)
    monkeypatch.setattr(script, "RECIPES", [replace(one, stages=(*one.stages, added)), two])
    result = run_script("train_builtin.py", *arguments, "--from-shipped")
    assert result.exit_code == 0, result.stderr
    assert 0 < distance(before, tensors_of(weights)) < A_FEW_STEPS
    longer = card_of(weights)
    assert longer["steps"] == 3
    assert [longer["stages"][number] for number in ("1", "2")] == list(card["stages"].values())
    assert longer["stages"]["3"]["seed"] == 5


def test_what_was_added_needs_a_name(script: ModuleType) -> None:
    result = run_script("train_builtin.py", "--from-shipped")
    assert result.exit_code == 2
    assert "--from-shipped goes with --only" in result.stderr
