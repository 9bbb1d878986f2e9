from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from network_factory import photo_folder, picture, vgg_tensors
from safetensors.torch import save_file

from vidstyle.cli.main import cli
from vidstyle.errors import VidstyleError
from vidstyle.media.stills import read_still, write_still
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.training.run import train_feedforward
from vidstyle.training.settings import FeedforwardSettings
from vidstyle.weights.files import load_tensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_still(tmp_path / "painting.png", (picture(72, 90, seed=9)[0] * 255).byte())
    photo_folder(tmp_path / "photos")
    save_file(vgg_tensors(), tmp_path / "encoder.safetensors")
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
    assert {path.name for path in folder.iterdir()} - before == {"own.safetensors", "own.safetensors.png"}
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


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--content", "absent"), "There is no folder absent"),
        (("--content", "photos/.."), None),
        (("--style", "absent.png"), "absent.png cannot be opened"),
        (("--out", "own.pth"), ".safetensors"),
        (("--out", "absent/own.safetensors"), "create it first"),
        (("--encoder", "nonsense"), "There is no encoder 'nonsense'"),
        (("--encoder", "painting.png"), "painting.png"),
        (("--crop", "100"), "multiple of 32"),
        (("--style-size", "1"), "64 to 4096"),
        (("--style-weight", "0"), "style"),
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
    assert sorted(folder.iterdir()) == before


def test_what_exists_is_kept_unless_told(folder: Path) -> None:
    for name in ("own.safetensors", "own.safetensors.png"):
        (folder / name).write_text("precious")
        assert "exists already" in str(run(folder).exception)
        assert (folder / name).read_text() == "precious"
    assert run(folder, "--overwrite").exit_code == 0
    assert isinstance(load_feedforward(folder / "own.safetensors")(torch.zeros(1, 3, 8, 8)), torch.Tensor)


def test_the_samples_never_replace_the_painting(folder: Path) -> None:
    painting = (folder / "painting.png").rename(folder / "own.safetensors.png")
    before = painting.read_bytes()
    assert "same file" in str(run(folder, "--style", str(painting), "--overwrite").exception)
    assert painting.read_bytes() == before
