"""Settings of single shots: where they hold, what wins, and shots that cannot be placed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cut_list_factory import event, write_edl

from vidstyle.config import RenderConfig, make_config
from vidstyle.controls.keyframes import value_at
from vidstyle.controls.shots import ShotList, over_time, resolve_shots
from vidstyle.errors import ConfigError
from vidstyle.moments import Timecode, parse_moment, seconds_into


class Clip:
    """Ten seconds at 24 frames a second, labelled from one hour on."""

    own_rate = Fraction(24)
    own_seconds: Fraction | None = Fraction(10)
    start_timecode: Timecode | None = Timecode(1, 0, 0, 0)

    def moment(self, value: float | str) -> Fraction:
        try:
            return seconds_into(parse_moment(value), self.own_rate, Timecode(1, 0, 0, 0))
        except ValueError as error:
            raise ConfigError(f"The moment cannot be used: {error}.") from error


def shots_of(**settings: Any) -> ShotList:
    found = resolve_shots(make_config(**settings), Clip())
    assert found is not None
    return found


def values(name: str, moments: list[float], **settings: Any) -> list[float]:
    config = make_config(**settings)
    setting = over_time(name, config, resolve_shots(config, Clip()), Clip().moment)
    return [value_at(setting, Fraction(str(moment))) for moment in moments]


def test_where_a_shot_begins_and_ends() -> None:
    shots = [
        {"start": "01:00:06:12", "strength": 0.6},
        {"start": 1, "end": 2, "strength": 0.1},
        {"start": 3, "strength": 0.3},
    ]
    assert shots_of(shots=shots).starts == (1, 2, 3, Fraction(13, 2))
    moments = [0, 0.99, 1, 1.99, 2, 2.9, 3, 6.4, 6.5, 9]
    assert values("strength", moments, shots=shots) == [1, 1, 0.1, 0.1, 1, 1, 0.3, 0.3, 0.6, 0.6]
    assert values("detail", [1, 3], shots=shots, detail=0.2) == [0.2, 0.2]


def test_a_frame_whose_time_the_container_rounded_down_begins_the_shot() -> None:
    """Frame 61 of 24000/1001 a second is at 2.54421 s, and at 2.544 s in Matroska."""
    assert shots_of(shots=[{"start": 2.54421}]).index(Fraction("2.544")) == 0
    assert shots_of(shots=[{"start": 2.54421}]).index(Fraction("2.502")) == -1


def test_no_shots() -> None:
    assert resolve_shots(RenderConfig(), Clip()) is None


def test_keyframes_within_a_shot_win_there_and_others_go_on_around_it() -> None:
    keys = [{"at": 0, "strength": 0.0}, {"at": 10, "strength": 1.0}]
    own = {"start": 4, "end": 6, "strength": 0.9}
    moments = [2, 4, 5.9, 6, 8]
    assert values("strength", moments, keyframes=keys, shots=[own]) == pytest.approx([0.2, 0.9, 0.9, 0.6, 0.8])
    inside = [{"at": 4.5, "strength": 0.2}, {"at": 5.5, "strength": 0.4}]
    assert values("strength", [4, 5, 5.9], keyframes=[*keys, *inside], shots=[own]) == pytest.approx([0.2, 0.3, 0.4])
    without = {"start": 4, "end": 6, "detail": 0.5}
    assert values("strength", moments, keyframes=keys, shots=[without]) == pytest.approx([0.2, 0.4, 0.59, 0.6, 0.8])


def preset(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "look.toml"
    path.write_text(text)
    return path


def test_a_flag_wins_over_shots_and_keyframes_of_the_preset(tmp_path: Path) -> None:
    text = (
        "strength = 0.5\n[[keyframes]]\nat = 1\nstrength = 0.1\n[[keyframes]]\nat = 1\nstrength = 0.2\ndetail = 0.4\n"
        "[[shots]]\nstart = 2\nstrength = 0.3\nstyle = 'mosaic'\n"
    )
    config = make_config(preset(tmp_path, text), strength=0.7)
    assert [(key.strength, key.detail) for key in config.keyframes] == [(None, 0.4)]
    assert [shot.settings() for shot in config.shots] == [{"style": "mosaic"}]
    assert config.values("strength") == [0.7]
    assert make_config(preset(tmp_path, text), style="identity").shots[0].settings() == {"strength": 0.3}
    kept = make_config(preset(tmp_path, text))
    assert kept.values("strength") == [0.1, 0.2, 0.3]


def test_tables_that_come_with_a_flag_are_flags_too(tmp_path: Path) -> None:
    config = make_config(preset(tmp_path, "detail = 1\n"), strength=0.7, shots=[{"start": 2, "strength": 0.3}])
    assert config.shots[0].strength == 0.3


def cut(tmp_path: Path) -> Path:
    return write_edl(
        tmp_path / "cut.edl",
        event(1, "01:00:00:00", "01:00:02:00", "Harbour.mov", reel="A001"),
        event(2, "01:00:02:00", "01:00:04:00", "lake.mov", reel="A002"),
        event(3, "01:00:05:00", "01:00:11:00", "Harbour.mov", reel="A001"),
        event(4, "01:00:11:00", "01:00:12:00", "sea.mov", reel="A003"),
    )


def test_shots_of_a_cut_list_by_number_and_name(tmp_path: Path) -> None:
    pytest.importorskip("opentimelineio", reason="the extra 'otio' is not installed")
    shots = [{"name": "harbour", "strength": 0.1, "detail": 0.5}, {"number": 3, "strength": 0.3}]
    found = shots_of(shots_from=cut(tmp_path), shots=shots)
    assert found.starts == (0, 2, 4, 5, 11, 12)
    assert [dict(each) for each in found.settings] == [
        {"strength": 0.1, "detail": 0.5},
        {},
        {},
        {"strength": 0.3, "detail": 0.5},
        {},
        {},
    ]
    assert found.notes == ("1 of the 4 shots of cut.edl lie past the end of the clip (10 s): they have no effect.",)
    assert shots_of(shots_from=cut(tmp_path), shots=[{"name": "a002", "strength": 0}]).settings[1] == {"strength": 0.0}
    assert shots_of(shots_from=cut(tmp_path)).starts == found.starts


@pytest.mark.parametrize(
    ("label", "first"), [("00:59:58:00", 2), ("01:00:00:00", 0), ("01:00:01:00", 0), ("10:00:00:00", 0), (None, 0)]
)
def test_a_leader_before_the_cut(tmp_path: Path, label: str | None, first: int) -> None:
    """The list begins at 01:00:00:00: within the clip, where that is labelled from just before on."""
    pytest.importorskip("opentimelineio", reason="the extra 'otio' is not installed")
    clip = Clip()
    moment = parse_moment(label) if label is not None else None
    clip.start_timecode = moment if isinstance(moment, Timecode) else None
    found = resolve_shots(make_config(shots_from=cut(tmp_path)), clip)
    assert found is not None
    assert found.starts[:2] == (first, first + 2)
    assert any("begins 2 s into the clip" in note for note in found.notes) == (first == 2)


def test_a_shot_past_the_end_is_noted() -> None:
    found = shots_of(shots=[{"start": 10, "strength": 0}])
    assert found.notes == ("Shot 1 begins at 10 s, past the end of the clip (10 s): it has no effect.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[shots]]\nstrength = 1\n", "meant by one of start, number and name, not by none.*line 1"),
        ("[[shots]]\nstart = 1\nname = 'a'\n", "not by start and name.*line 1"),
        ("[[shots]]\nnumber = 1\nend = 3\n", "leave its end out.*line 1"),
        ("[[shots]]\nnumber = 0\n", r"'shots.0.number'.*line 2, cannot be 0"),
        ("[[shots]]\nstart = 1\nstrenght = 0\n", r"'shots.0.strenght'.*line 3; did you mean 'strength'"),
        ("[[shots]]\nstart = 1\ndetail = 2\n", r"'shots.0.detail'.*line 3, cannot be 2.*\(allowed are 0 to 1\)"),
        ("[[shots]]\nstart = 'x'\n", r"'shots.0.start'.*line 2, cannot be 'x': 'x' is not a time"),
        ("[[shots]]\nstart = 2\nend = 1\n", r"'shots.0.end'.*line 3, cannot be 1.0: the shot begins at 2 s"),
        (
            "[[shots]]\nstart = 2\n[[shots]]\nstart = 2\n",
            r"'shots.1.start'.*line 4, cannot be 2.0: another shot begins",
        ),
        (
            "[[shots]]\nstart = 4\n[[shots]]\nstart = 2\nend = 5\n",
            r"'shots.1.end'.*line 5, cannot be 5.0: the next shot begins at 4 s; shots cannot overlap\.",
        ),
        ("[[shots]]\nstart = '00:59:59:00'\n", r"'shots.0.start'.*line 2, .*before the clip's first frame"),
        ("[[shots]]\nstart = '01:00:00;02'\n", r"'shots.0.start'.*line 2, .*drops frames"),
        ("[[shots]]\nname = 'a'\n", r"'shots.0.name'.*line 2, cannot be 'a': there is no cut list"),
        ("shots_from = '{cut}'\n[[shots]]\nstart = 1\n", r"'shots.0.start'.*line 3, .*give their number or name"),
        (
            "shots_from = '{cut}'\n[[shots]]\nnumber = 9\n",
            r"'shots.0.number'.*line 3, cannot be 9: cut.edl has 4 shots\.",
        ),
        ("shots_from = '{cut}'\n[[shots]]\nname = 'harbor'\n", r"'shots.0.name'.*line 3, .*did you mean 'Harbour'\?"),
        ("shots_from = '{cut}'\n[[shots]]\nname = 'x'\n", r"its names are Harbour.mov, lake.mov, sea.mov\."),
    ],
)
def test_a_shot_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    pytest.importorskip("opentimelineio", reason="the extra 'otio' is not installed")
    path = preset(tmp_path, text.replace("{cut}", str(cut(tmp_path))))
    with pytest.raises(ConfigError, match=message) as caught:
        resolve_shots(make_config(path), Clip())
    assert str(path) in str(caught.value)
    assert str(caught.value).count(". ") == 0
