"""What users may write for a moment, and that every option reaches a setting."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.cli.options import Seconds
from vidstyle.cli.preview import preview
from vidstyle.cli.stylize import stylize
from vidstyle.config import RenderConfig

#: Options that decide about files and output, not about the render.
NO_SETTINGS = {"paths", "out_dir", "preset", "overwrite", "quiet", "progress", "source", "output"}
NO_SETTINGS |= {"times", "styles", "strengths", "compare", "clip_seconds", "estimate"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("2.5", 2.5),
        (".5", 0.5),
        ("3.", 3),
        ("90", 90),
        ("1:02.5", 62.5),
        ("0:01:02.5", 62.5),
        ("2:00:00", 7200),
    ],
)
def test_a_moment(text: str, seconds: float) -> None:
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1s", "soon", "1:2:3:4", "1:", ":5", "1e3", "nan", "1:0.5:3"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"2\.5.*h:mm:ss"):
        Seconds().convert(text, None, None)


@given(
    hours=st.integers(0, 99), minutes=st.integers(0, 59), seconds=st.integers(0, 59), milliseconds=st.integers(0, 999)
)
def test_every_clock_time_is_read(hours: int, minutes: int, seconds: int, milliseconds: int) -> None:
    text = f"{hours}:{minutes:02}:{seconds:02}.{milliseconds:03}"
    expected = hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
    assert Seconds().convert(text, None, None) == pytest.approx(expected)


@pytest.mark.parametrize("command", [stylize, preview], ids=["stylize", "preview"])
def test_every_option_is_a_setting_and_leaves_defaults_to_the_settings(command: click.Command) -> None:
    options = {parameter.name: parameter for parameter in command.params if parameter.name not in NO_SETTINGS}
    assert options.keys() <= RenderConfig.model_fields.keys()
    with command.make_context("vidstyle", ["in.mp4", "out.mp4"]) as context:
        assert all(context.params[name] is None for name in options)


@pytest.mark.parametrize("command", [stylize, preview], ids=["stylize", "preview"])
def test_every_option_says_what_it_does(command: click.Command) -> None:
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))
