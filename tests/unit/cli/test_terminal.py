"""Names and texts of files reach a terminal without what it obeys."""

from __future__ import annotations

from pathlib import Path

import media_factory as factory
import pytest
from click.testing import CliRunner

from vidstyle.cli.main import cli
from vidstyle.cli.terminal import printable
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet

EVIL = "evil \x1b[31mred\nnext"


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cli, [str(each) for each in arguments], color=True, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_names_of_files(tmp_path: Path) -> None:
    source = factory.make_clip(tmp_path / f"{EVIL}.mkv", num_frames=2)
    said = run("probe", source, "--output", tmp_path / "out.mp4")
    assert "evil ?[31mred?next.mkv: matroska" in said
    said += run("stylize", source, tmp_path / f"{EVIL}.mp4", "--style", "identity", "--size", "32x24")
    assert "\x1b" not in said
    assert "evil ?[31mred?next.mkv -> " in said


@pytest.mark.parametrize("name", ["Recording at 3.15\u202fPM.mov", "夏\u3000祭り.mp4", "👩\u200d🎨.webm"])
def test_ordinary_names_can_be_copied(name: str) -> None:
    assert printable(name) == name


def test_the_name_in_a_style(tmp_path: Path) -> None:
    style = tmp_path / "style.safetensors"
    save_feedforward(style, BlurPoolNet(8, 1), StyleCard(EVIL + "A" * 500, "", ""))
    assert load_feedforward(style).name == ("evil [31mred next" + "A" * 500)[:100]
