"""``vidstyle evaluate`` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from clip_factory import inverted, sliding, write_frames
from network_factory import squeeze_tensors

from vidstyle.cli.main import cli, main


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return (
        write_frames(folder / "source.mkv", sliding(8)),
        write_frames(folder / "steady.mkv", inverted(sliding(8))),
        write_frames(folder / "alone.mkv", inverted(sliding(8), flicker=0.05)),
    )


def test_table_json_and_page(clips: tuple[Path, Path, Path], tmp_path: Path) -> None:
    source, steady, alone = clips
    encoder = tmp_path / "squeeze.pth"
    torch.save(squeeze_tensors(), encoder)
    found, folder = tmp_path / "found.json", tmp_path / "report"
    result = run(source, steady, "--per-frame", alone, "--encoder", encoder, "--json", found, "--report", folder)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    rows = [line.split()[0] for line in lines if line.split() and line.split()[0] in ("source", "per", "stylized")]
    assert rows[:3] == ["source", "per", "stylized"]
    assert "judged with Farnebäck, because vidstyle renders nothing with it." in result.output
    assert "gate drift  passed" in result.output
    assert "gate style  not measured" in result.output
    document = json.loads(found.read_text())
    assert document["num_frames"] == 8
    assert document["styles"]["stylized"]["feature_pair_distance"] is not None
    assert (folder / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(folder / "index.html") in result.output


def test_quiet_leaves_encoder_out_and_says_only_what_was_written(
    clips: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    found = tmp_path / "found.json"
    result = run(clips[0], clips[1], "--encoder", "none", "--flow", "dis", "--end", "0.25", "-q", "--json", found)
    assert result.output == f"wrote {found}\n"
    document = json.loads(found.read_text())
    assert (document["num_frames"], document["flow"], document["encoder"]) == (6, "dis-medium", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{0}", "nowhere.mkv"], "nowhere.mkv"),
        (["{0}", "{1}", "--json", "{0}"], "is the input itself"),
        (["{0}", "{1}", "--encoder", "vgg11"], "no encoder 'vgg11'"),
        (["{0}", "{1}", "--style", "missing.png"], "missing.png"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str], message: str, clips: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *(argument.format(*clips) for argument in arguments)])
    assert stopped.value.code == 1
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("vidstyle:")]
    assert len(error) == 1
    assert message in error[0]


def test_help_needs_neither_torch_nor_av() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from vidstyle.cli.main import cli;"
        "assert CliRunner().invoke(cli, ['evaluate', '--help']).exit_code == 0;"
        "sys.exit(bool({'torch', 'av'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
