from __future__ import annotations

import pickle
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from network_factory import photo_folder, picture, tiny_encoder

from vidstyle.errors import CheckpointMismatchError, ConfigError, UnsupportedCheckpointError
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.settings import FeedforwardSettings, LossWeights
from vidstyle.training.trainer import StepReport, Trainer

TINY = FeedforwardSettings(steps=6, batch_size=2, crop_px=64, style_size_px=64, warmup_steps=2, checkpoint_every=2)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> ContentCrops:
    return ContentCrops(photo_folder(tmp_path_factory.mktemp("photos")), 64)


def make(
    crops: ContentCrops,
    settings: FeedforwardSettings = TINY,
    checkpoint: Path | None = None,
    *,
    seed: int = 9,
    start_from: BlurPoolNet | None = None,
) -> Trainer[BlurPoolNet]:
    painting = picture(72, 90, seed=seed)[0]
    return Trainer(FeedforwardObjective(painting, crops, tiny_encoder(), settings, start_from), settings, checkpoint)


def test_training_lowers_the_loss(crops: ContentCrops) -> None:
    settings = replace(TINY, steps=30, ema_decay=0.8)
    trainer = make(crops, settings)
    before = trainer.measure()
    trainer.run()
    after = trainer.measure()
    weights = settings.weights

    def total(report: StepReport) -> float:
        return sum(report.losses[name] * weight for name, weight in asdict(weights).items())

    assert total(after) < 0.7 * total(before)
    assert after.losses["style"] < 0.7 * before.losses["style"]


def test_a_run_reports_every_step(crops: ContentCrops) -> None:
    reports: list[StepReport] = []
    make(crops).run(reports.append)
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert reports[-1].progress == 1
    assert [report.progress for report in reports] == sorted(report.progress for report in reports)
    assert all(first.seconds < second.seconds for first, second in pairwise(reports))


def test_an_interrupted_run_goes_on_exactly(crops: ContentCrops, tmp_path: Path) -> None:
    whole = make(crops)
    whole.run()

    def interrupt(report: StepReport) -> None:
        if report.step == 5:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        make(crops, checkpoint=path).run(interrupt)
    resumed = make(crops, checkpoint=path)
    assert resumed.step == 4
    assert resumed.seconds > 0
    resumed.run()
    assert resumed.step == 6
    for mine, theirs in ((resumed.net, whole.net), (resumed.averaged, whole.averaged)):
        expected = theirs.state_dict()
        assert all(torch.equal(value, expected[key]) for key, value in mine.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["run.checkpoint"]


def test_a_finished_run_does_nothing_more_and_may_be_made_longer(crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    make(crops, checkpoint=path).run()
    again = make(crops, checkpoint=path)
    assert again.progress == 1
    again.run(lambda _: pytest.fail("there was nothing to do"))
    longer = make(crops, replace(TINY, steps=7), path)
    longer.run()
    assert longer.step == 7


def test_minutes_end_a_run(crops: ContentCrops) -> None:
    reports: list[StepReport] = []
    trainer = make(crops, replace(TINY, steps=100_000, minutes=0.5 / 60))
    trainer.run(reports.append)
    assert 0 < trainer.step < 100_000
    assert trainer.seconds >= 0.5
    assert reports[-1].progress == 1
    assert all(report.seconds < 0.5 for report in reports[:-1])


def test_the_saved_style_is_the_averaged_network(crops: ContentCrops, tmp_path: Path) -> None:
    trainer = make(crops)
    trainer.run()
    save_feedforward(tmp_path / "own.safetensors", trainer.averaged_net, StyleCard("own"))
    stylizer = load_feedforward(tmp_path / "own.safetensors")
    content = picture(64, 72)
    with torch.no_grad():
        averaged, newest = trainer.averaged(content), trainer.net(content)
    assert (stylizer(content) - averaged).abs().max() < 2e-3
    assert (newest - averaged).abs().max() > 4e-3  # otherwise the comparison says nothing


def test_the_callers_seed_is_left_alone(crops: ContentCrops) -> None:
    before = torch.random.get_rng_state()
    make(crops).run()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_measuring_changes_nothing_and_repeats(crops: ContentCrops) -> None:
    one, other = make(crops), make(crops)
    first, second = one.measure(2), one.measure(2)
    assert first.losses == second.losses
    one.run()
    other.run()
    assert torch.equal(one.net.to_rgb.weight, other.net.to_rgb.weight)


def test_diverging_stops_with_a_sentence_and_keeps_the_checkpoint(crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    trainer = make(crops, checkpoint=path)

    def spoil(report: StepReport) -> None:
        if report.step == 3:
            trainer.net.to_rgb.weight.data.fill_(float("nan"))

    with pytest.raises(ConfigError, match="diverged at step 4"):
        trainer.run(spoil)
    assert make(crops, checkpoint=path).step == 2


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"minutes": 0.0},
        {"crop_px": 32},
        {"crop_px": 100},
        {"style_size_px": 8},
        {"checkpoint_every": 0},
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        FeedforwardSettings(**values)


@pytest.mark.parametrize("values", [{"content": -1.0}, {"style": 0.0}])
def test_loss_weights_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        LossWeights(**values)


def test_a_shallow_encoder_is_refused(crops: ContentCrops) -> None:
    with pytest.raises(ConfigError, match="conv41, conv51"):
        FeedforwardObjective(picture(64, 64)[0], crops, tiny_encoder(last="conv34"), TINY)


# Checkpoints ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state(crops: ContentCrops, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("run") / "run.checkpoint"
    make(crops, replace(TINY, steps=2), path).run()
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


def test_a_run_goes_on_from_a_trained_network(crops: ContentCrops) -> None:
    trained = make(crops, replace(TINY, steps=2))
    trained.run()
    started = make(crops, start_from=trained.averaged_net)
    for mine, theirs in zip(started.net.parameters(), trained.averaged_net.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert started.step == 0


@pytest.mark.parametrize(
    "values", [{"crop_px": 96}, {"batch_size": 1}, {"seed": 1}, {"weights": LossWeights(style=1.0)}], ids=str
)
def test_a_run_with_other_settings_is_another_run(
    values: dict[str, Any], state: dict[str, Any], crops: ContentCrops, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "run.checkpoint")
    with pytest.raises(CheckpointMismatchError, match=next(iter(values))):
        make(crops, replace(TINY, **values), tmp_path / "run.checkpoint")


def test_another_painting_is_another_run(state: dict[str, Any], crops: ContentCrops, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "run.checkpoint")
    with pytest.raises(CheckpointMismatchError, match="painting"):
        make(crops, checkpoint=tmp_path / "run.checkpoint", seed=8)


@pytest.mark.parametrize("key", ["settings", "step", "seconds", "net", "averaged", "optimizer", "generator"])
@pytest.mark.parametrize("value", [None, "text", {"a": torch.zeros(3)}], ids=["absent", "text", "wrong"])
def test_a_checkpoint_that_does_not_fit_is_refused(
    key: str, value: Any, state: dict[str, Any], crops: ContentCrops, tmp_path: Path
) -> None:
    path = tmp_path / "run.checkpoint"
    torch.save({**{k: v for k, v in state.items() if k != key}, **({} if value is None else {key: value})}, path)
    with pytest.raises(CheckpointMismatchError, match=r"run\.checkpoint"):
        make(crops, checkpoint=path)


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def test_a_hostile_or_damaged_checkpoint_is_refused(state: dict[str, Any], crops: ContentCrops, tmp_path: Path) -> None:
    path, marker = tmp_path / "run.checkpoint", tmp_path / "ran"
    torch.save({**state, "step": _Hostile(marker)}, path)
    whole = path.read_bytes()
    for content in (whole, whole[: len(whole) // 2], b"", b"garbage", pickle.dumps(_Hostile(marker), protocol=2)):
        path.write_bytes(content)
        with pytest.raises(UnsupportedCheckpointError, match="remove it to start afresh"):
            make(crops, checkpoint=path)
    assert not marker.exists()
