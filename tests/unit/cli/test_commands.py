"""The command itself: help, version, ``styles`` and ``doctor``."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from click.testing import CliRunner, Result

import vidstyle
from vidstyle.cli.main import _COMMANDS, cli
from vidstyle.config import shipped_presets
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


def test_styles_has_a_line_for_each() -> None:
    lines = run("styles").output.splitlines()
    assert [line.split()[0] for line in lines] == [*(style.name for style in shipped_styles()), "identity"]


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
