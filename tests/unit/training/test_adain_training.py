from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from network_factory import photo_folder, picture, tiny_encoder, vgg_tensors
from safetensors.torch import save_file

from vidstyle.cli.main import cli
from vidstyle.errors import CheckpointMismatchError, ConfigError, VidstyleError
from vidstyle.stylizers.adain import AdaInNet, AdaInStylizer, load_adain
from vidstyle.stylizers.adain_decoder import AdaInDecoder
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.adain import AdaInObjective, student_encoder
from vidstyle.training.adain_settings import AdaInLossWeights, AdaInSettings
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.run_adain import read_paintings, train_adain
from vidstyle.training.style_crops import StyleCrops
from vidstyle.training.trainer import Trainer

TINY = AdaInSettings(steps=4, batch_size=2, crop_px=64, style_size_px=72, warmup_steps=2, checkpoint_every=2)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> ContentCrops:
    return ContentCrops(photo_folder(tmp_path_factory.mktemp("photos")), 64)


def styles(first: int = 20) -> StyleCrops:
    return StyleCrops([picture(80, 100, seed=first + i)[0] for i in range(3)], 64, 72)


def make(
    crops: ContentCrops, settings: AdaInSettings = TINY, checkpoint: Path | None = None, first_style: int = 20
) -> Trainer[AdaInNet]:
    return Trainer(AdaInObjective(crops, styles(first_style), tiny_encoder(), settings), settings, checkpoint)


# Style crops ---------------------------------------------------------------------------------------------------------


def test_style_crops_repeat_with_their_generator_and_vary_without() -> None:
    source = styles()
    first, again = (source.batch(4, torch.Generator().manual_seed(3)) for _ in range(2))
    other = source.batch(4, torch.Generator().manual_seed(4))
    assert first.shape == (4, 3, 64, 64)
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert all(not torch.equal(first[0], each) for each in first[1:])


def test_style_crops_are_recoloured() -> None:
    grey = picture(80, 100)[0].mean(0, keepdim=True).expand(3, -1, -1)
    batch = StyleCrops([grey], 64, 72).batch(32, torch.Generator().manual_seed(0))
    coloured = (batch.amax(1) - batch.amin(1)).mean((1, 2)) > 0.02
    assert 4 < int(coloured.sum()) < 28


@pytest.mark.parametrize("size", [(40, 300), (300, 40), (64, 64)])
def test_style_pictures_of_any_shape(size: tuple[int, int]) -> None:
    batch = StyleCrops([picture(*size)[0]], 64, 72).batch(3, torch.Generator().manual_seed(0))
    assert batch.shape == (3, 3, 64, 64)


def test_no_style_is_refused() -> None:
    with pytest.raises(ConfigError, match="no style picture"):
        StyleCrops([], 64, 72)


# Training ------------------------------------------------------------------------------------------------------------


def test_the_student_learns(crops: ContentCrops) -> None:
    trainer = make(crops, replace(TINY, steps=12, ema_decay=0.8))
    before = trainer.measure()
    trainer.run()
    after = trainer.measure()
    assert after.losses["distillation"] < 0.8 * before.losses["distillation"]


def test_the_decoder_learns_the_style_of_a_batch(crops: ContentCrops) -> None:
    objective = AdaInObjective(crops, styles(), tiny_encoder(), TINY)
    optimizer = torch.optim.Adam(objective.net.decoder.parameters(), lr=5e-4)
    found = []
    for _ in range(20):
        style = objective.losses(objective.net, torch.Generator().manual_seed(0))["style"]
        found.append(style.item())
        optimizer.zero_grad()
        style.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert min(found[-5:]) < 0.9 * found[0]


def test_the_decoders_losses_leave_the_student_alone(crops: ContentCrops) -> None:
    objective = AdaInObjective(crops, styles(), tiny_encoder(), TINY)
    losses = objective.losses(objective.net, torch.Generator().manual_seed(0))
    judged = torch.stack([loss for name, loss in losses.items() if name != "distillation"]).sum()
    judged.backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is None for parameter in objective.net.encoder.parameters())
    assert all(parameter.grad is not None for parameter in objective.net.decoder.parameters())


def test_what_is_shifted_is_one_of_the_paintings_in_its_style(crops: ContentCrops) -> None:
    """Of another picture or in another style it would differ by a deviation or more."""
    objective = AdaInObjective(crops, styles(), tiny_encoder(), TINY)
    for seed in range(4):
        losses = objective.losses(objective.net, torch.Generator().manual_seed(seed))
        assert 0 < losses["shift"].item() < 0.5


def test_a_run_goes_on_from_a_model_or_with_a_decoder_of_its_own(crops: ContentCrops) -> None:
    teacher = tiny_encoder()
    before = AdaInObjective(crops, styles(), teacher, TINY).net
    settings = replace(TINY, seed=TINY.seed + 1)
    fresh = AdaInObjective(crops, styles(), teacher, settings).net
    after = AdaInObjective(crops, styles(), teacher, settings, start_from=before).net
    style = BlurPoolNet()
    other = AdaInObjective(crops, styles(), teacher, settings, start_from=before, decoder_from=style).net

    wanted = before.state_dict()
    assert any(not torch.equal(value, wanted[name]) for name, value in fresh.state_dict().items())
    assert all(torch.equal(value, wanted[name]) for name, value in after.state_dict().items())
    kept = other.encoder.state_dict()
    assert all(torch.equal(value, kept[name]) for name, value in before.encoder.state_dict().items())
    assert any(not torch.equal(value, wanted[f"decoder.{n}"]) for n, value in other.decoder.state_dict().items())


def test_weights_of_another_network_are_not_started_from(crops: ContentCrops) -> None:
    before = AdaInObjective(crops, styles(), tiny_encoder(), TINY).net
    assert isinstance(before.decoder, AdaInDecoder)
    before.decoder.fine = before.decoder.fine[:1]
    with pytest.raises(CheckpointMismatchError, match="started from"):
        AdaInObjective(crops, styles(), tiny_encoder(), TINY, start_from=before)


def test_a_run_with_another_decoder_is_not_gone_on_with(crops: ContentCrops, tmp_path: Path) -> None:
    path = tmp_path / "any.safetensors.checkpoint"
    trainer = make(crops, TINY, path)
    for net in (trainer.net, trainer.averaged_net):
        net.decoder.fine = net.decoder.fine[:1]
    trainer.save()
    with pytest.raises(CheckpointMismatchError, match="does not fit this version's network; remove it"):
        make(crops, TINY, path)


def test_a_run_knows_the_weights_it_began_with(crops: ContentCrops) -> None:
    first, second = AdaInObjective(crops, styles(), tiny_encoder(), TINY), BlurPoolNet()
    begun = [{}, {"start_from": first.net}, {"decoder_from": second}, {"start_from": first.net, "decoder_from": second}]
    identities = [dict(AdaInObjective(crops, styles(), tiny_encoder(), TINY, **each).identity) for each in begun]
    assert identities[0] == dict(first.identity)
    assert all(a != b for index, a in enumerate(identities) for b in identities[:index])


def test_the_student_has_the_teachers_layers_and_widths_and_no_weight_of_it() -> None:
    teacher = tiny_encoder()
    student = student_encoder(teacher)
    features = student(picture(64, 64), ("conv11", "conv21", "conv31", "conv41", "conv51"))
    for layer, value in teacher(picture(64, 64), tuple(features)).items():
        assert features[layer].shape == value.shape
    assert student.pooling == "blur"
    assert not torch.equal(student.layers["conv11"].weight, teacher.layers["conv11"].weight)


def test_the_half_size_output_has_its_share_of_the_style_loss(crops: ContentCrops) -> None:
    def style_loss(halved_share: float) -> float:
        objective = AdaInObjective(crops, styles(), tiny_encoder(), replace(TINY, halved_share=halved_share))
        return objective.losses(objective.net, torch.Generator().manual_seed(0))["style"].item()

    whole, quarter, halved = (style_loss(share) for share in (0.0, 0.25, 1.0))
    assert whole != pytest.approx(halved, rel=0.01)
    assert quarter == pytest.approx(0.75 * whole + 0.25 * halved, rel=1e-3)


def test_an_interrupted_run_goes_on_exactly(crops: ContentCrops, tmp_path: Path) -> None:
    whole = make(crops)
    whole.run()
    path = tmp_path / "run.checkpoint"

    def interrupt(report: Any) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(crops, checkpoint=path).run(interrupt)
    resumed = make(crops, checkpoint=path)
    assert resumed.step == 2
    resumed.run()
    expected = whole.averaged.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in resumed.averaged.state_dict().items())
    with pytest.raises(CheckpointMismatchError, match=r"\(styles\)"):
        make(crops, checkpoint=path, first_style=30)


@pytest.mark.parametrize(
    "values", [{"crop_px": 100}, {"style_size_px": 32}, {"style_size_px": 9000}, {"halved_share": 1.1}, {"steps": 0}]
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        replace(TINY, **values)


def test_loss_weights_below_zero_are_refused() -> None:
    for weight in (-1.0, math.nan, math.inf):
        with pytest.raises(ConfigError):
            AdaInLossWeights(style=weight)


def test_a_shallow_encoder_is_refused(crops: ContentCrops) -> None:
    with pytest.raises(ConfigError, match="conv41, conv51"):
        AdaInObjective(crops, styles(), tiny_encoder(last="conv34"), TINY)


def test_paintings_can_be_left_out(tmp_path: Path) -> None:
    photo_folder(tmp_path / "paintings")
    assert len(read_paintings(tmp_path / "paintings")) == 3
    assert len(read_paintings(tmp_path / "paintings", leave_out=("0", "2"))) == 1


# The command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photo_folder(tmp_path / "photos")
    photo_folder(tmp_path / "paintings", num=2)
    save_file(vgg_tensors(), tmp_path / "encoder.safetensors")
    return tmp_path


def run(folder: Path, *extra: str) -> Result:
    options = {
        "--content": folder / "photos",
        "--styles": folder / "paintings",
        "--out": folder / "any.safetensors",
        "--encoder": folder / "encoder.safetensors",
        "--steps": 2,
        "--crop": 64,
        "--style-size": 72,
        "--batch-size": 1,
        "--device": "cpu",
    }
    given = [str(word) for pair in options.items() for word in pair]
    return CliRunner().invoke(cli, ["train", "adain", "--no-painted", *given, *extra])


def test_a_model_and_samples_come_out(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    result = run(folder)
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} - before == {"any.safetensors", "any.safetensors.png"}
    assert f"--adain-model {folder / 'any.safetensors'}" in result.output
    assert f"judged by {folder / 'encoder.safetensors'}, as asked" in result.output
    net = load_adain(folder / "any.safetensors")
    assert net.encoder.pooling == "blur"
    content = picture(48, 64)
    first, second = (AdaInStylizer("a", net, picture(64, 64, seed=seed)[0])(content) for seed in (1, 2))
    assert first.shape == content.shape
    assert not torch.equal(first, second)


def test_losses_can_be_weighed(folder: Path, settings_given: Callable[[str], list[AdaInSettings]]) -> None:
    found = settings_given("vidstyle.training.run_adain.train_adain")
    for extra in (
        (),
        ("--content-weight", "2", "--style-weight", "3", "--temporal-weight", "4.5", "--shift-weight", "0"),
    ):
        assert str(run(folder, *extra).exception) == "enough"
    asked = replace(AdaInLossWeights(), content=2.0, style=3.0, temporal=4.5, shift=0.0)
    assert [settings.weights for settings in found] == [AdaInLossWeights(), asked]


def test_a_stopped_run_is_resumed(folder: Path) -> None:
    def stop(report: Any) -> None:
        if report.step == 2:
            raise KeyboardInterrupt

    settings = AdaInSettings(steps=2, crop_px=64, style_size_px=72, batch_size=1, checkpoint_every=1)
    with pytest.raises(KeyboardInterrupt):
        train_adain(
            folder / "photos",
            folder / "paintings",
            folder / "any.safetensors",
            settings=settings,
            encoder=folder / "encoder.safetensors",
            on_step=stop,
        )
    assert not (folder / "any.safetensors").exists()
    result = run(folder)
    assert result.exit_code == 0, result.exception
    assert "resumed at step 1" in result.output
    assert not (folder / "any.safetensors.checkpoint").exists()


def test_a_run_that_is_stopped_while_it_is_judged_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(trainer: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "measure", stop)
        assert run(folder, "--steps", "1").exit_code == 130
    assert not (folder / "any.safetensors").exists()
    result = run(folder, "--steps", "1")
    assert result.exit_code == 0, result.exception
    assert not (folder / "any.safetensors.checkpoint").exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--styles", "absent"), "There is no folder absent"),
        (("--content", "absent"), "There is no folder absent"),
        (("--out", "any.pth"), ".safetensors"),
        (("--encoder", "nonsense"), "There is no encoder 'nonsense'"),
        (("--crop", "100"), "multiple of 32"),
        (("--style-size", "32"), "goes from the crop's"),
    ],
)
def test_bad_input_gets_one_sentence(
    extra: tuple[str, ...], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    result = run(folder, *extra)
    assert isinstance(result.exception, VidstyleError), result.exception
    assert message in str(result.exception)
    assert sorted(folder.iterdir()) == before
