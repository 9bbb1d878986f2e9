"""Sentences about settings that cannot be used, and the preset that has them all."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from vidstyle.config import RenderConfig, make_config
from vidstyle.errors import ConfigError
from vidstyle.explain import line_of
from vidstyle.preset_template import commented_preset, description_of, toml_value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nstrenght = 1\n", "no setting 'strenght' in preset .*, line 2; did you mean 'strength'"),
        ("start = 1\n", "no setting 'start' in preset .*, line 1; did you mean 'start_seconds'"),
        ("# x\n\nstrength = 2\n", r"'strength' in preset .*, line 3, cannot be 2: .*\(allowed are 0 to 1\)"),
        ("strength = 'a'\n", r"line 1, cannot be 'a': .*number.*\(allowed are 0 to 1\)"),
        ("preserve_color = 'red'\n", "line 1, .*'none', 'luma' or 'transfer'"),
        (
            "[[keyframes]]\nat=1\nstrength=1\n[[keyframes]]\nat=2\nstrengh=1\n",
            "keyframes.1.strengh.*line 6; .*'strength'",
        ),
        ("[[keyframes]]\nat = 1\nstrength = 0\n\n[[keyframes]] # two\nat = 2\n", "line 5"),
        ("keyframes = [{ at = 1, strength = 7 }]\n", r"keyframes.0.strength.*line 1.*\(allowed are 0 to 1\)"),
        ("[[regions]]\nstyle = 'a'\n", "'regions.0.mask'.*line 1, is missing"),
        ("[keyframes]\nat = 1\n", r"'keyframes'.*line 1, is a list of tables; write \[\[keyframes\]\]"),
        (
            "[[regions]]\nmask='a'\nstyle='a'\n[[regions]]\nmask='b'\nstyle='b'\n[[regions.keyframes]]\nat=1\nstrength=2\n",
            r"'regions.1.keyframes.0.strength'.*line 9, cannot be 2",
        ),
        ("[containers.webm]\ncrf = 90\n", r"'containers.webm.crf'.*line 2.*\(allowed are 0 to 63\)"),
        ("crf = 1\nstart_seconds = 'x'\n", "'start_seconds'.*line 2.*'x' is not a time"),
    ],
)
def test_file_line_key_and_what_is_allowed_are_named(tmp_path: Path, text: str, message: str) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        make_config(preset)
    assert str(preset) in str(caught.value)
    assert str(caught.value).count(". ") <= 1


def test_a_flag_is_not_blamed_on_the_preset(tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text("strength = 0.5\n")
    with pytest.raises(ConfigError, match=r"^Setting 'strength' cannot be 3\.0"):
        make_config(preset, strength=3.0)


def test_lines_of_keys() -> None:
    text = 'a = 1\n[t]\n"b" = 2\n[[r]]\nc.d = 3\n[[r]]\n'
    assert [line_of(text, where) for where in (("a",), ("t", "b"), ("r", 0, "c", "d"), ("r", 1, "c"), ("x",))] == [
        1,
        3,
        5,
        6,
        None,
    ]


def test_the_template_sets_nothing_and_names_everything(tmp_path: Path) -> None:
    preset = tmp_path / "all.toml"
    preset.write_text(commented_preset())
    assert make_config(preset) == RenderConfig()
    for name in RenderConfig.model_fields:
        assert description_of(name), name
        assert f"\n#{name} = " in commented_preset() or f"\n#[[{name}]]" in commented_preset()


@pytest.mark.parametrize("name", RenderConfig.model_fields)
def test_every_setting_of_the_template_can_be_taken_as_it_is(name: str) -> None:
    lines = commented_preset().splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith((f"#{name} = ", f"#[[{name}]]")))
    taken = [line[1:] for line in lines[first:] if line.startswith("#") and not line.startswith("# ")]
    text = "\n".join(taken if taken[0].startswith("[[") else taken[:1])
    values = tomllib.loads(text.partition("[[regions]]")[0] if name == "keyframes" else text)
    config = make_config(**values)
    default = RenderConfig.model_fields[name].get_default(call_default_factory=True)
    if default is not None and name not in ("keyframes", "regions", "shots", "encoder_options", "containers"):
        assert getattr(config, name) == default


def test_values_are_written_as_toml() -> None:
    for value in (True, 3, 0.5, 'a "b" \\', ["x", 1], {"k": "v", "n": {"m": 1}}):
        assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value
