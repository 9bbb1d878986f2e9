from __future__ import annotations

import copy
import math
import pickle
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import media_factory as factory
import pytest
import torch
from network_factory import photo_folder, picture, squeeze_encoder, tiny_encoder

from vidstyle.errors import CheckpointMismatchError, ConfigError, EncodeError, OpenError, UnsupportedCheckpointError
from vidstyle.stylizers.checkpoint import FeedforwardStylizer, StyleCard, load_feedforward, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.stylizers.perceptual import PerceptualEncoder
from vidstyle.training.clips import ClipPairs, clip_stability_loss
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.feedforward import FeedforwardObjective
from vidstyle.training.motion import SURROUND_PX, stability_loss, two_views
from vidstyle.training.settings import FeedforwardSettings, LossWeights
from vidstyle.training.trainer import StepReport, Trainer

TINY = FeedforwardSettings(steps=4, batch_size=2, crop_px=64, style_size_px=64, warmup_steps=2, checkpoint_every=2)


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
    settings = replace(TINY, steps=20, ema_decay=0.8)
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
    assert [report.step for report in reports] == [1, 2, 3, 4]
    assert reports[-1].progress == 1
    assert [report.progress for report in reports] == sorted(report.progress for report in reports)
    assert all(first.seconds < second.seconds for first, second in pairwise(reports))


def test_an_interrupted_run_goes_on_exactly(crops: ContentCrops, tmp_path: Path) -> None:
    whole = make(crops)
    whole.run()

    def interrupt(report: StepReport) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        make(crops, checkpoint=path).run(interrupt)
    resumed = make(crops, checkpoint=path)
    assert resumed.step == 2
    assert resumed.seconds > 0
    resumed.run()
    assert resumed.step == 4
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
    longer = make(crops, replace(TINY, steps=5), path)
    longer.run()
    assert longer.step == 5


def test_minutes_end_a_run(crops: ContentCrops) -> None:
    reports: list[StepReport] = []
    trainer = make(crops, replace(TINY, steps=100_000, minutes=0.5 / 60))
    trainer.run(reports.append)
    assert 0 < trainer.step < 100_000
    assert trainer.seconds >= 0.5
    assert reports[-1].progress == 1
    assert all(report.seconds < 0.5 for report in reports[:-1])


def test_minutes_count_what_is_done_between_steps(crops: ContentCrops) -> None:
    trainer = make(crops, replace(TINY, steps=100_000, minutes=0.3 / 60))
    trainer.run(lambda _: time.sleep(0.3))
    assert trainer.step <= 2
    assert trainer.seconds >= 0.3


def test_a_network_of_another_size_cannot_be_gone_on_from(crops: ContentCrops) -> None:
    with pytest.raises(CheckpointMismatchError, match="it was made for another architecture or size"):
        make(crops, start_from=BlurPoolNet(8, 1))


def test_the_saved_style_is_the_averaged_network(crops: ContentCrops, tmp_path: Path) -> None:
    trainer = make(crops)
    trainer.run()
    save_feedforward(tmp_path / "own.safetensors", trainer.averaged_net, StyleCard("own"))
    stylizer = load_feedforward(tmp_path / "own.safetensors")
    content = picture(64, 72)
    with torch.no_grad():
        averaged, newest = trainer.averaged(content), trainer.net(content)
    assert (stylizer.net(content) - averaged).abs().max() < 2e-3
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


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e9], ids=str)
def test_broken_weights_are_never_kept(value: float, crops: ContentCrops, tmp_path: Path) -> None:
    """Not even those of the last step, after which no loss is measured."""
    path = tmp_path / "run.checkpoint"

    def spoil(report: StepReport) -> None:
        if report.step == 4:
            trainer.net.to_rgb.weight.data[0] = value

    trainer = make(crops, replace(TINY, steps=6), path)
    with pytest.raises(ConfigError, match=r"diverged at step 4; lower the learning rate to go on from .*checkpoint"):
        trainer.run(spoil)
    resumed = make(crops, replace(TINY, steps=6, learning_rate=1e-4), path)
    assert resumed.step == 2
    resumed.run()
    assert resumed.step == 6
    trainer = make(crops)
    with pytest.raises(ConfigError, match="diverged at step 4; lower the learning rate or the largest loss weight"):
        trainer.run(spoil)


def test_a_learning_rate_far_too_high_is_never_a_result(crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    for steps in (1, 2):
        with pytest.raises(ConfigError, match="diverged"):
            make(crops, replace(TINY, steps=steps, learning_rate=1e20), path).run()
        assert not path.exists()


def test_a_full_disk_is_a_sentence_and_keeps_the_checkpoint(crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    make(crops, replace(TINY, steps=2), path).run()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    try:
        with pytest.raises(EncodeError, match=r"disk is full while writing .*run\.checkpoint"):
            make(crops, checkpoint=path).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert make(crops, checkpoint=path).step == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_in_a_folder_that_is_gone_is_a_sentence(crops: ContentCrops, tmp_path: Path) -> None:
    with pytest.raises(OpenError, match=r"run\.checkpoint cannot be written: there is no folder"):
        make(crops, checkpoint=tmp_path / "gone" / "run.checkpoint").save()


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"batch_size": 0},
        {"minutes": 0.0},
        {"minutes": math.nan},
        {"minutes": math.inf},
        {"crop_px": 32},
        {"crop_px": 100},
        {"style_size_px": 8},
        {"checkpoint_every": 0},
        {"sample_every": -1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"seed": 2**63},
        {"seed": -(2**63) - 1},
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        FeedforwardSettings(**values)


@pytest.mark.parametrize("values", [{"content": -1.0}, {"style": 0.0}, {"temporal": math.nan}, {"style": math.inf}])
def test_loss_weights_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        LossWeights(**values)


def test_a_shallow_encoder_is_refused(crops: ContentCrops) -> None:
    with pytest.raises(ConfigError, match="conv11, conv21"):
        FeedforwardObjective(picture(64, 64)[0], crops, tiny_encoder(last="conv22"), TINY)


@pytest.mark.parametrize("encoder", [tiny_encoder(last="conv31"), squeeze_encoder()], ids=["conv31", "squeezenet"])
def test_other_encoders_train_too(encoder: PerceptualEncoder, crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    objective = FeedforwardObjective(picture(72, 90, seed=9)[0], crops, encoder, TINY)
    trainer = Trainer(objective, TINY, path)
    trainer.run()
    assert all(loss > 0 for loss in trainer.measure(1).losses.values())
    with pytest.raises(CheckpointMismatchError, match="style_layers"):
        Trainer(FeedforwardObjective(picture(72, 90, seed=9)[0], crops, tiny_encoder(last="conv41"), TINY), TINY, path)


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth(crops: ContentCrops) -> None:
    settings = replace(TINY, steps=20, warmup_steps=4, batch_size=1, learning_rate=1e-3)
    trainer = make(crops, settings)
    rates: list[float] = []
    trainer.run(lambda _: rates.append(trainer._optimizer.param_groups[0]["lr"]))
    expected = [
        1e-3 * min((step + 1) / 4, 1) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / 20))) for step in range(20)
    ]
    assert rates == pytest.approx(expected)
    assert rates[-1] < 0.02 * max(rates)


def test_gradients_are_clipped(crops: ContentCrops) -> None:
    norms = []
    for clip in (1e-3, 1e6):
        trainer = make(crops, replace(TINY, steps=1, gradient_clip=clip))
        trainer.run()
        gradients = [parameter.grad for parameter in trainer.net.parameters() if parameter.grad is not None]
        norms.append(float(torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()))
    assert norms[0] == pytest.approx(1e-3, rel=1e-3)
    assert norms[1] > 1e-2


def test_the_average_follows_by_its_decay(crops: ContentCrops) -> None:
    """Which is less in the first steps, so that a short run's average is not mostly the weights it began with."""
    trainer = make(crops, replace(TINY, ema_decay=0.25))
    expected: list[torch.Tensor] = []

    def follow(report: StepReport) -> None:
        newest = trainer.net.to_rgb.weight.detach().clone()
        decay = {1: 0.0, 2: 2 / 11, 3: 3 / 12}.get(report.step, 0.25)
        expected.append(newest if not expected else decay * expected[-1] + (1 - decay) * newest)

    trainer.run(follow)
    torch.testing.assert_close(trainer.averaged_net.to_rgb.weight, expected[-1])


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_views_are_painted_in_bfloat16_and_losses_are_float32(device: str, crops: ContentCrops) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    trainer = make(crops, replace(TINY, steps=2, device=device))
    seen = {}
    inner = next(module for module in trainer.net.modules() if isinstance(module, torch.nn.Conv2d))
    inner.register_forward_hook(lambda module, inputs, output: seen.update({len(output): output.dtype}))
    losses = trainer.objective.losses(trainer.net, torch.Generator().manual_seed(0))
    # The one smooth picture that is searched for a lattice is painted in full precision.
    assert seen == {2 * TINY.batch_size: torch.bfloat16, 1: torch.float32}
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    trainer.run()
    assert {parameter.dtype for parameter in trainer.net.parameters()} == {torch.float32}


# Real motion ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> ClipPairs:
    clip = factory.make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", num_frames=6, size=(96, 80))
    return ClipPairs([clip], 64)


def with_clips(
    crops: ContentCrops, pairs: ClipPairs, settings: FeedforwardSettings = TINY, checkpoint: Path | None = None
) -> Trainer[BlurPoolNet]:
    painting = picture(72, 90, seed=9)[0]
    return Trainer(FeedforwardObjective(painting, crops, tiny_encoder(), settings, clips=pairs), settings, checkpoint)


@pytest.mark.parametrize("batch_size", [2, 5])
def test_the_temporal_loss_is_the_mean_over_photos_and_pairs(
    batch_size: int, crops: ContentCrops, pairs: ClipPairs
) -> None:
    settings = replace(TINY, batch_size=batch_size)
    trainer = with_clips(crops, pairs, settings)
    num_pairs = batch_size // 2
    num_photos = batch_size - num_pairs
    found = trainer.objective.losses(trainer.net, torch.Generator().manual_seed(4))["temporal"]
    generator = torch.Generator().manual_seed(4)
    photos, moved, flow = two_views(crops.batch(num_photos, generator, surround_px=SURROUND_PX), generator)
    batch = pairs.batch(num_pairs, generator)
    with torch.no_grad():
        paint = FeedforwardStylizer("trained", trainer.net)  # with the margin that every render has
        made_up = stability_loss(paint(photos), paint(moved), flow)
        real = clip_stability_loss(paint(batch.frames), paint(batch.previous), batch)
    expected = (num_photos * made_up + num_pairs * real) / batch_size
    torch.testing.assert_close(found, expected, rtol=0.05, atol=1e-4)  # the objective's network runs in bfloat16


def test_a_run_with_clips_goes_on_exactly_and_with_those_clips_only(
    crops: ContentCrops, pairs: ClipPairs, tmp_path: Path
) -> None:
    whole = with_clips(crops, pairs)
    whole.run()
    path = tmp_path / "run.checkpoint"
    with_clips(crops, pairs, replace(TINY, steps=6), path)  # nothing done, nothing kept
    assert not path.exists()

    def interrupt(report: StepReport) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        with_clips(crops, pairs, checkpoint=path).run(interrupt)
    resumed = with_clips(crops, pairs, checkpoint=path)
    assert resumed.step == 2
    resumed.run()
    for mine, theirs in zip(resumed.net.parameters(), whole.net.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert resumed.history == whole.history
    other = factory.make_clip(tmp_path / "other.mp4", num_frames=3, size=(96, 80))
    with pytest.raises(CheckpointMismatchError, match="clips"):
        with_clips(crops, ClipPairs([other], 64), checkpoint=path)
    with pytest.raises(CheckpointMismatchError, match="clips"):
        make(crops, checkpoint=path)  # none at all


def test_clips_need_half_of_a_batch(crops: ContentCrops, pairs: ClipPairs) -> None:
    with pytest.raises(ConfigError, match="batch of 1"):
        with_clips(crops, pairs, replace(TINY, batch_size=1))


# History -------------------------------------------------------------------------------------------------------------


def test_a_resumed_run_remembers_all_losses(crops: ContentCrops, tmp_path: Path) -> None:
    settings = replace(TINY, steps=12, batch_size=1, checkpoint_every=4)
    whole = make(crops, settings)
    whole.run()
    assert [step for step, _ in whole.history] == [1, 5, 10]
    assert set(whole.history[0][1]) == set(asdict(settings.weights))

    def interrupt(report: StepReport) -> None:
        if report.step == 7:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        make(crops, settings, path).run(interrupt)
    resumed = make(crops, settings, path)
    assert [step for step, _ in resumed.history] == [1]
    resumed.run()
    assert resumed.history == whole.history


def test_a_checkpoint_without_history_is_resumed(crops: ContentCrops, state: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    torch.save({key: value for key, value in state.items() if key != "history"}, path)
    trainer = make(crops, checkpoint=path)
    assert (trainer.step, trainer.history) == (2, [])


@pytest.mark.parametrize("history", [None, "text", {"a": torch.zeros(3)}, [1], [("one", 2)]], ids=str)
def test_a_history_that_is_none_is_refused(
    history: object, crops: ContentCrops, state: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "run.checkpoint"
    torch.save({**state, "history": history}, path)
    with pytest.raises(CheckpointMismatchError, match=r"run\.checkpoint"):
        make(crops, checkpoint=path)


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


def test_another_encoder_of_the_same_layers_is_another_run(
    state: dict[str, Any], crops: ContentCrops, tmp_path: Path
) -> None:
    path = tmp_path / "run.checkpoint"
    torch.save(state, path)
    painting = picture(72, 90, seed=9)[0]
    used = tiny_encoder().to(memory_format=torch.channels_last)  # as a run leaves it
    assert Trainer(FeedforwardObjective(painting, crops, used, TINY), TINY, path).step == 2
    with pytest.raises(CheckpointMismatchError, match=r"other settings \(encoder\)"):
        Trainer(FeedforwardObjective(painting, crops, tiny_encoder(seed=1), TINY), TINY, path)


def test_other_weights_to_start_from_are_another_run(crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    one, other = (make(crops, replace(TINY, seed=seed)).net for seed in (4, 5))
    make(crops, replace(TINY, steps=2), path, start_from=one).run()
    assert make(crops, checkpoint=path, start_from=one).step == 2
    for start_from in (other, None):
        with pytest.raises(CheckpointMismatchError, match=r"other settings \(start_from\)"):
            make(crops, checkpoint=path, start_from=start_from)


@pytest.mark.parametrize("key", ["settings", "step", "seconds", "net", "averaged", "optimizer", "generator"])
@pytest.mark.parametrize("value", [None, "text", {"a": torch.zeros(3)}], ids=["absent", "text", "wrong"])
def test_a_checkpoint_that_does_not_fit_is_refused(
    key: str, value: Any, state: dict[str, Any], crops: ContentCrops, tmp_path: Path
) -> None:
    path = tmp_path / "run.checkpoint"
    torch.save({**{k: v for k, v in state.items() if k != key}, **({} if value is None else {key: value})}, path)
    with pytest.raises(CheckpointMismatchError, match=r"run\.checkpoint"):
        make(crops, checkpoint=path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["optimizer"]["state"][0].update(exp_avg=torch.zeros(3, 2)),
        lambda state: state["optimizer"]["state"][0].update(exp_avg=torch.zeros(1).expand(1 << 40)),
        lambda state: state["optimizer"]["state"][0].update(step=torch.tensor(-1.0)),
        lambda state: state["optimizer"]["state"][0].update(exp_avg_sq="text"),
        lambda state: state["optimizer"]["state"][0].pop("exp_avg_sq"),
        lambda state: state["optimizer"]["state"].update({1000: state["optimizer"]["state"][0]}),
        lambda state: state["optimizer"]["param_groups"][0].pop("betas"),
        lambda state: state["optimizer"]["param_groups"][0].update(betas="text"),
        lambda state: state["optimizer"]["param_groups"].clear(),
        lambda state: state["net"]["to_rgb.weight"].fill_(torch.nan),
        lambda state: state["averaged"]["module.to_rgb.weight"].fill_(torch.inf),
        lambda state: state["settings"].update(seed=torch.zeros(3)),
        lambda state: state["history"].append((2, {"style": "text"})),
        lambda state: state["history"].append((math.inf, {"style": 1.0})),
        lambda state: state.update(step=-1),
        lambda state: state.update(seconds=math.nan),
    ],
    ids=range(16),
)
def test_damage_inside_a_checkpoint_is_found_when_it_is_loaded(
    spoil: Callable[[dict[str, Any]], object], state: dict[str, Any], crops: ContentCrops, tmp_path: Path
) -> None:
    path = tmp_path / "run.checkpoint"
    damaged = copy.deepcopy(state)
    spoil(damaged)
    torch.save(damaged, path)
    with pytest.raises(CheckpointMismatchError, match=r"run\.checkpoint is damaged .*; remove it to start afresh"):
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
