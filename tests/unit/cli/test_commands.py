"""The command itself: help, version, ``styles`` and ``doctor``."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from network_factory import lively_johnson

import vidstyle
from vidstyle.cli.main import _COMMANDS, cli, main
from vidstyle.config import shipped_presets
from vidstyle.errors import OpenError
from vidstyle.weights.registry import shipped_styles


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_help_lists_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, (_, _, line) in _COMMANDS.items():
        assert name in result.output
        assert line.split()[0] in result.output


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_loads_and_has_help(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_version() -> None:
    assert run("--version").output.strip() == f"vidstyle, version {vidstyle.__version__}"


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run("paint").exit_code == 2


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "vidstyle" / "styles"


def test_styles_has_a_line_for_each(own_folder: Path) -> None:
    lines = run("styles").output.splitlines()
    assert [line.split()[0] for line in lines] == [*(style.name for style in shipped_styles()), "identity"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.save(lively_johnson().state_dict(), tmp_path / "candy_cane.pth")
    return tmp_path / "candy_cane.pth"


def test_an_own_style_is_added_listed_and_removed(own_folder: Path, checkpoint: Path) -> None:
    kept = own_folder / "candy-cane.safetensors"
    result = run("styles", "add", str(checkpoint))
    assert result.exit_code == 0
    assert str(kept) in result.output
    assert "--style candy-cane" in result.output
    (own_folder / "broken.safetensors").write_bytes(b"half")
    lines = run("styles").output.splitlines()
    names = [line.split()[0] for line in lines]
    assert names == [*(style.name for style in shipped_styles()), "broken", "candy-cane", "identity"]
    marked = {name: line.removeprefix(name).split() for name, line in zip(names, lines, strict=True)}
    assert marked["candy-cane"] == ["yours"]
    assert marked["broken"][:2] == ["yours:", "damaged;"]
    assert not any(marked[style.name][0].startswith("yours") for style in shipped_styles())
    assert f"candy-cane in {own_folder}" in run("doctor").output
    assert run("styles", "remove", "Candy_Cane").exit_code == 0
    assert not kept.exists()


def test_add_takes_a_name_and_replaces_only_when_told(own_folder: Path, checkpoint: Path) -> None:
    assert run("styles", "add", str(checkpoint), "--name", "Sweet").exit_code == 0
    assert [file.name for file in own_folder.iterdir()] == ["sweet.safetensors"]
    with pytest.raises(OpenError, match="--overwrite"):
        run("styles", "add", str(checkpoint), "--name", "sweet")
    assert run("styles", "add", str(checkpoint), "--name", "sweet", "-y").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "absent.pth"), 1, "There is no weight file absent.pth"),
        (("add", "absent.pth", "--name", "a/b"), 2, "cannot name a style"),
        (("remove", "absent"), 1, "You have no style 'absent'"),
        (("remove", "identity"), 1, "ships with vidstyle"),
        (("forget",), 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    arguments: tuple[str, ...], code: int, said: str, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["styles", *arguments])
    assert caught.value.code == code
    assert said in capsys.readouterr().err
    assert not own_folder.exists()


def test_doctor_says_what_is_there_and_what_would_be_used() -> None:
    output = run("doctor").output
    for expected in (
        vidstyle.__version__,
        version("torch"),
        "ffmpeg",
        "cpu",
        "libx264",
        "would use",
        "RAFT",
        "presets",
    ):
        assert expected in output
    assert all(preset in output for preset in shipped_presets())
