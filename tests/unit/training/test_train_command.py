from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import media_factory as factory
import pytest
import torch
from click.testing import CliRunner, Result
from network_factory import photo_folder, picture, squeeze_tensors, vgg_tensors
from safetensors.torch import save_file

from vidstyle.cli.main import cli
from vidstyle.errors import OpenError, VidstyleError
from vidstyle.media.stills import read_still, write_still
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.training.dataset import pictures_in
from vidstyle.training.run import train_feedforward
from vidstyle.training.settings import FeedforwardSettings, LossWeights
from vidstyle.training.trainer import StepReport, Trainer
from vidstyle.weights.files import load_tensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_still(tmp_path / "painting.png", (picture(72, 90, seed=9)[0] * 255).byte())
    photo_folder(tmp_path / "photos")
    save_file(vgg_tensors(), tmp_path / "encoder.safetensors")
    factory.make_clip(tmp_path / "clip.mp4", num_frames=4, size=(96, 80))
    return tmp_path


def run(folder: Path, *extra: str) -> Result:
    options = {
        "--style": folder / "painting.png",
        "--content": folder / "photos",
        "--out": folder / "own.safetensors",
        "--encoder": folder / "encoder.safetensors",
        "--steps": 3,
        "--crop": 64,
        "--style-size": 64,
        "--batch-size": 1,
        "--device": "cpu",
    }
    given = [str(word) for pair in options.items() for word in pair]
    return CliRunner().invoke(cli, ["train", "feedforward", *given, *extra])


def test_a_style_and_samples_come_out(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    result = run(folder, "--name", "mine", "--title", "My own")
    assert result.exit_code == 0, result.output
    written = {path.name for path in folder.iterdir()} - before
    assert written == {"own.safetensors", "own.safetensors.png", "own.safetensors.losses.png"}
    assert f"--style {folder / 'own.safetensors'}" in result.output
    card = load_tensors(folder / "own.safetensors")[1]
    assert (card["name"], card["title"], card["source"]) == ("mine", "My own", "painting.png")
    assert load_feedforward(folder / "own.safetensors").name == "mine"
    sheet = read_still(folder / "own.safetensors.png").data
    assert sheet.shape[2] > 3 * 96
    assert sheet.shape[1] > 2 * 80


def test_a_stopped_run_is_resumed(folder: Path) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    settings = FeedforwardSettings(
        steps=3, crop_px=64, style_size_px=64, batch_size=1, checkpoint_every=1, seed=3, warmup_steps=50
    )
    calls: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        train_feedforward(
            folder / "painting.png",
            folder / "photos",
            folder / "own.safetensors",
            settings=settings,
            encoder=folder / "encoder.safetensors",
            on_step=lambda report: stop(report) if report.step == 2 else calls.append(report),
        )
    assert len(calls) == 1
    assert (folder / "own.safetensors.checkpoint").is_file()
    assert not (folder / "own.safetensors").exists()
    assert "seed" in str(run(folder).exception)
    result = run(folder, "--seed", "3")
    assert result.exit_code == 0, result.exception
    assert "resumed at step 1" in result.output
    assert not (folder / "own.safetensors.checkpoint").exists()


@pytest.mark.parametrize("name", ["price $a_$", "日本", os.fsdecode(b"caf\xe9")])
@pytest.mark.filterwarnings("error")
def test_any_file_name_will_do(name: str, folder: Path) -> None:
    (folder / "painting.png").rename(folder / f"{name}.png")
    readable = name.encode("utf-8", "replace").decode()
    output = folder / f"{readable}.safetensors"
    result = run(folder, "--steps", "1", "--style", str(folder / f"{name}.png"), "--out", str(output))
    assert result.exit_code == 0, result.exception
    card = load_tensors(output)[1]
    assert (card["name"], card["source"]) == (readable, f"{readable}.png")


def test_a_run_that_is_stopped_while_it_is_judged_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(trainer: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "measure", stop)
        assert run(folder).exit_code == 130
    assert not (folder / "own.safetensors").exists()
    result = run(folder)
    assert result.exit_code == 0, result.exception
    assert not (folder / "own.safetensors.checkpoint").exists()


def test_an_output_belongs_to_one_run(folder: Path) -> None:
    """Another run to it is refused, and a file that has come meanwhile is not replaced."""
    output = folder / "own.safetensors"
    refused: list[Result] = []

    def interfere(report: StepReport) -> None:
        if report.step == 1:
            refused.append(run(folder))
            output.write_bytes(b"another's")

    settings = FeedforwardSettings(steps=2, crop_px=64, style_size_px=64, batch_size=1)
    files = folder / "painting.png", folder / "photos", output
    encoder = folder / "encoder.safetensors"
    with pytest.raises(OpenError, match="exists already"):
        train_feedforward(*files, settings=settings, encoder=encoder, on_step=interfere)
    assert isinstance(refused[0].exception, OpenError)
    assert "is being written by another run" in str(refused[0].exception)
    assert output.read_bytes() == b"another's"
    report = train_feedforward(*files, settings=settings, encoder=encoder, overwrite=True)  # nothing was lost
    assert report.final.step == 2
    assert load_feedforward(output).name == "own"


def test_hidden_files_and_a_training_s_own_pictures_are_no_content(folder: Path) -> None:
    photos = folder / "photos"
    (photos / "._0.png").write_bytes(b"what macOS leaves")
    photo_folder(photos / ".hidden")
    for suffix in (".png", ".losses.png"):
        write_still(photos / f"own.safetensors{suffix}", torch.zeros(3, 80, 80, dtype=torch.uint8))
    assert sorted(path.name for path in pictures_in(photos)) == ["0.png", "1.png", "2.png"]


def test_the_plan_names_pictures_clips_and_encoder(folder: Path) -> None:
    photo_folder(folder / "photos" / "more", num=15)
    torch.save(squeeze_tensors(), folder / "squeeze.pth")
    result = run(folder, "--clips", str(folder / "clip.mp4"), "--batch-size", "2", "--encoder", f"{folder}/squeeze.pth")
    assert result.exit_code == 0, result.exception
    for line in (
        "painting on 14 pictures, 4 more held out for the samples",
        f"judged by {folder}/squeeze.pth, as asked",
        "style at conv1, fire3, fire5, fire7, fire9; content at fire3, fire5",
    ):
        assert line in result.output
    assert re.search(r"real motion: [1-3] pairs of frames from clip\.mp4", result.output)


def test_samples_and_losses_are_renewed_while_training(folder: Path) -> None:
    sheet, plot = (folder / f"own.safetensors{suffix}" for suffix in (".png", ".losses.png"))
    seen: dict[int, tuple[bytes, bytes] | None] = {}

    def look(report: StepReport) -> None:
        seen[report.step] = (sheet.read_bytes(), plot.read_bytes()) if sheet.exists() else None
        if report.step == 9:
            raise KeyboardInterrupt

    settings = FeedforwardSettings(
        steps=10, crop_px=64, style_size_px=64, batch_size=1, checkpoint_every=100, sample_every=4, ema_decay=0.5
    )

    def train() -> None:
        train_feedforward(
            folder / "painting.png",
            folder / "photos",
            folder / "own.safetensors",
            settings=settings,
            encoder=folder / "encoder.safetensors",
            on_step=look,
        )

    with pytest.raises(KeyboardInterrupt):
        train()
    assert seen[3] is None
    assert seen[4] == seen[7]
    four, eight = seen[4], seen[8]
    assert four is not None
    assert eight is not None
    assert all(mine != theirs for mine, theirs in zip(four, eight, strict=True))
    assert read_still(sheet).data.shape[2] > 3 * 96
    # They are the run's own, so going on replaces them without being told to.
    seen.clear()
    settings = replace(settings, steps=8)
    train()
    assert min(seen) == 5  # the checkpoint was written with the first samples
    assert sheet.read_bytes() != eight[0]
    assert {path.name for path in folder.glob("own*")} == {"own.safetensors", sheet.name, plot.name}


def test_samples_can_be_left_to_the_end(folder: Path) -> None:
    settings = FeedforwardSettings(steps=3, crop_px=64, style_size_px=64, batch_size=1, sample_every=0)
    report = train_feedforward(
        folder / "painting.png",
        folder / "photos",
        folder / "own.safetensors",
        settings=settings,
        encoder=folder / "encoder.safetensors",
        on_step=lambda _: None if not list(folder.glob("own*.png")) else pytest.fail("too soon"),
    )
    assert report.sheet.is_file()
    assert report.plot is not None
    assert report.plot.is_file()


def test_weights_and_rate_can_be_set(folder: Path, settings_given: Callable[[str], list[FeedforwardSettings]]) -> None:
    found = settings_given("vidstyle.training.run.train_feedforward")
    run(folder, "--tv-weight", "0.3", "--learning-rate", "0.01", "--checkpoint-every", "7", "--sample-every", "9")
    assert found[0].weights == replace(LossWeights(), total_variation=0.3)
    assert (found[0].learning_rate, found[0].checkpoint_every, found[0].sample_every) == (0.01, 7, 9)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--content", "absent"), "There is no folder absent"),
        (("--content", "photos/.."), None),
        (("--style", "absent.png"), "absent.png cannot be opened"),
        (("--out", os.fsdecode(b"caf\xe9.safetensors")), "letters that are not UTF-8"),
        (("--out", "own.pth"), ".safetensors"),
        (("--out", "absent/own.safetensors"), "create it first"),
        (("--encoder", "nonsense"), "There is no encoder 'nonsense'"),
        (("--encoder", "painting.png"), "painting.png"),
        (("--crop", "100"), "multiple of 32"),
        (("--minutes", "nan"), "nan minutes"),
        (("--start-from", "identity"), "no style or file 'identity'"),
        (("--style-size", "1"), "64 to 4096"),
        (("--style-weight", "0"), "style"),
        (("--clips", "absent.mp4"), "absent.mp4"),
        (("--clips", "photos", "--batch-size", "2"), "There is no clip in photos"),
        (("--clips", "clip.mp4"), "batch of 1"),
        (("--device", "gpu"), "device"),
        (("--device", "cuda:99"), "There is no device cuda:99"),
    ],
)
def test_bad_input_gets_one_sentence(
    extra: tuple[str, ...], message: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    result = run(folder, *extra)
    if message is None:  # the painting lies among the photos: nothing is wrong with that
        assert result.exit_code == 0
        return
    assert isinstance(result.exception, VidstyleError), result.exception
    assert message in str(result.exception)
    assert "did you mean identity" not in str(result.exception)
    assert sorted(folder.iterdir()) == before


def test_a_style_that_cannot_be_written_is_a_sentence_before_the_training(folder: Path) -> None:
    (folder / "own.safetensors.part").mkdir()
    failed = run(folder)
    assert isinstance(failed.exception, OpenError), failed.exception
    assert "own.safetensors cannot be written there" in str(failed.exception)
    assert failed.output == ""
    assert not (folder / "own.safetensors.checkpoint").exists()


def test_what_exists_is_kept_unless_told(folder: Path) -> None:
    for name in ("own.safetensors", "own.safetensors.png", "own.safetensors.losses.png"):
        (folder / name).write_text("precious")
        assert "exists already" in str(run(folder).exception)
        assert (folder / name).read_text() == "precious"
        (folder / name).unlink()
    (folder / "own.safetensors").write_text("precious")
    assert run(folder, "--overwrite").exit_code == 0
    assert isinstance(load_feedforward(folder / "own.safetensors")(torch.zeros(1, 3, 8, 8)), torch.Tensor)


def test_the_samples_never_replace_the_painting(folder: Path) -> None:
    painting = (folder / "painting.png").rename(folder / "own.safetensors.png")
    before = painting.read_bytes()
    assert "same file" in str(run(folder, "--style", str(painting), "--overwrite").exception)
    assert painting.read_bytes() == before
