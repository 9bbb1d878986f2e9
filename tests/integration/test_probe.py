"""``vidstyle probe`` and ``plan``: what a clip is, and what a render would do, said before it does it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import numpy as np
import pytest
from command import Command
from PIL import Image

import vidstyle
from vidstyle.errors import OpenError, UnsupportedMediaError
from vidstyle.planning import plan

IDENTITY = {"style": "identity", "consistency": 0.0, "device": "cpu", "encoder_preset": "ultrafast"}


@pytest.fixture(scope="module")
def rich_clip(media_dir: Path) -> Path:
    """Two tracks, subtitles, chapters, tags, a quarter turn."""
    return factory.make_clip(
        media_dir / "rich.mkv",
        num_frames=24,
        audio=["aac", "pcm_s16le"],
        subtitles="subrip",
        chapters=True,
        metadata={"title": "A walk"},
        sample_aspect_ratio=Fraction(4, 3),
        matrix="bt709",
        color_range="tv",
        pixel_format="yuv444p",
    )


def probe_json(vidstyle: Command, *arguments: object) -> dict[str, Any]:
    result = vidstyle("probe", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_it_says_what_a_clip_is(vidstyle: Command, rich_clip: Path) -> None:
    found = probe_json(vidstyle, rich_clip)["input"]
    assert "matroska" in found["container"]
    assert found["size_bytes"] == rich_clip.stat().st_size
    assert found["duration_seconds"] == pytest.approx(1.0, abs=0.1)
    assert [(s["type"], s["codec"], s["language"]) for s in found["streams"]] == [
        ("video", "h264", None),
        ("audio", "aac", "deu"),
        ("audio", "pcm_s16le", "deu"),
        ("subtitle", "subrip", "eng"),
    ]
    assert found["streams"][1]["properties"] == {"sample_rate": 48000, "channels": 2, "layout": "stereo"}
    assert [(c["start_seconds"], c["end_seconds"], c["title"]) for c in found["chapters"]] == [
        (0.0, 0.5, "first"),
        (0.5, 1.0, "second"),
    ]
    assert found["metadata"]["title"] == "A walk"
    picture = found["picture"]
    assert (picture["width"], picture["height"]) == (64, 48)
    assert picture["sample_aspect_ratio"] == "4/3"
    assert picture["rate"] == "24"
    assert picture["is_variable_rate"] is False  # 41 and 42 ms are 1/24 s in a container of milliseconds
    assert picture["color"] == {"matrix": "bt709", "primaries": "bt709", "transfer": "bt709", "range": "tv"}
    assert picture["untagged"] == []
    assert (picture["bit_depth"], picture["is_hdr"], picture["has_alpha"]) == (8, False, False)


def test_it_says_it_in_words(vidstyle: Command, rich_clip: Path) -> None:
    text = vidstyle("probe", rich_clip).stdout
    for expected in (
        "64x48",
        "24 fps",
        "pixels 4:3",
        "audio #1 [deu] (aac): 48000 Hz stereo",
        "0.500 s to 1.000 s second",
        "A walk",
    ):
        assert expected in text
    assert "->" not in text


def test_turned_and_untagged_pictures(vidstyle: Command, tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "c.mp4", num_frames=3, rotation=(90, False))
    picture = probe_json(vidstyle, clip)["input"]["picture"]
    assert (picture["width"], picture["height"]) == (48, 64)
    assert (picture["stored_width"], picture["stored_height"], picture["rotation_degrees"]) == (64, 48, 90)
    assert picture["untagged"] == ["matrix", "primaries", "transfer", "range"]
    assert picture["color"]["matrix"] == "smpte170m"
    assert "turned by 90°" in vidstyle("probe", clip).stdout


def test_a_variable_rate_is_noticed(vidstyle: Command, clip_vfr_mkv: Path) -> None:
    assert probe_json(vidstyle, clip_vfr_mkv)["input"]["picture"]["is_variable_rate"] is True
    assert "variable" in vidstyle("probe", clip_vfr_mkv).stdout


def test_a_timecode_is_read(vidstyle: Command, tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "c.mov", num_frames=24, metadata={"timecode": "01:00:00:00"})
    assert probe_json(vidstyle, clip)["input"]["timecode"] == "01:00:00:00"


def test_deep_pictures(vidstyle: Command, tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "c.mkv", num_frames=3, pixel_format="yuv420p10le")
    picture = probe_json(vidstyle, clip)["input"]["picture"]
    assert (picture["bit_depth"], picture["pixel_format"]) == (10, "yuv420p10le")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".gif"])
def test_the_plan_is_what_the_render_announces_and_does(rich_clip: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    settings = IDENTITY | ({"encoder_preset": None} if suffix in (".webm", ".gif") else {})
    planned = plan(rich_clip, output, **settings)
    assert list(tmp_path.iterdir()) == []
    announced: list[str] = []

    report = vidstyle.stylize(rich_clip, output, on_plan=announced.extend, **settings)

    assert report.plan == planned
    assert announced[-len(planned.lines()) :] == planned.lines()
    assert report.streams == planned.stream_lines()
    with av.open(str(output)) as container:
        kinds = [stream.type for stream in container.streams if stream.type != "data"]
        assert kinds == [s.type for s in planned.streams if s.action != "drop"]
        video = container.streams.video[0]
        assert (video.width, video.height) == planned.size
        if planned.pixel_format:
            assert video.codec_context.pix_fmt == planned.pixel_format


def test_json_of_a_plan(vidstyle: Command, rich_clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    found = probe_json(vidstyle, rich_clip, "--output", output)
    assert found["plan"] == json.loads(json.dumps(asdict(plan(rich_clip, output))))
    assert found["refusal"] is None
    assert [(s["type"], s["action"], s["target_codec"]) for s in found["plan"]["streams"]] == [
        ("video", "paint", "libx264"),
        ("audio", "copy", None),
        ("audio", "convert", "aac"),
        ("subtitle", "convert", "mov_text"),
    ]
    assert list(tmp_path.iterdir()) == []


def test_settings_decide_the_plan(vidstyle: Command, rich_clip: Path, tmp_path: Path) -> None:
    arguments = ("--codec", "libx265", "--crf", "30", "--audio", "drop", "--size", "32w")
    planned = probe_json(vidstyle, rich_clip, "--output", tmp_path / "out.mkv", *arguments)["plan"]
    assert planned["codec"] == "libx265"
    assert planned["encoder_options"]["crf"] == "30"
    assert planned["size"] == [32, 24]
    assert [s["action"] for s in planned["streams"] if s["type"] == "audio"] == ["drop", "drop"]


def test_an_existing_output_is_mentioned(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"mine")
    result = vidstyle("probe", clip_mp4, "--output", output)
    assert result.exit_code == 0
    assert "--overwrite" in result.stdout
    assert output.read_bytes() == b"mine"
    with pytest.raises(OpenError, match="--overwrite"):
        plan(clip_mp4, output)


def test_pictures_and_gifs(vidstyle: Command, tmp_path: Path, clip_mp4: Path) -> None:
    still = tmp_path / "in.png"
    Image.fromarray(np.zeros((20, 30, 4), np.uint8)).save(still)
    found = probe_json(vidstyle, still, "--output", tmp_path / "out.jpg")
    assert (found["input"]["picture"]["width"], found["input"]["picture"]["height"]) == (30, 20)
    assert found["plan"]["container"] == "jpg"
    assert found["plan"]["size"] == [30, 20]
    gif = tmp_path / "in.gif"
    vidstyle("stylize", clip_mp4, gif, "--style", "identity", "--consistency", 0, "--end", 0.3, "--quiet")
    found = probe_json(vidstyle, gif, "--output", tmp_path / "out.mp4")
    assert found["input"]["container"] == "gif"
    assert found["plan"]["container"] == "mp4"


def test_sequences(vidstyle: Command, tmp_path: Path) -> None:
    for number in (8, 9, 10):
        Image.fromarray(np.full((20, 30, 3), number, np.uint8)).save(tmp_path / f"shot.{number:04}.png")
    found = probe_json(vidstyle, tmp_path / "shot.%04d.png", "--output", tmp_path / "out.mov", "--fps", "25")
    assert (found["input"]["container"], found["input"]["frames"]) == ("png sequence", "8-10")
    assert found["input"]["picture"]["rate"] == "25"
    assert found["plan"]["num_frames"] == 3
    assert "frames: 8-10" in vidstyle("probe", tmp_path / "shot.%04d.png").stdout
    (tmp_path / "shot.0009.png").unlink()
    result = vidstyle("probe", tmp_path / "shot.%04d.png")
    assert result.exit_code == 1
    assert "9" in result.stderr


def test_a_sequence_as_output(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    found = probe_json(vidstyle, clip_mp4, "--output", tmp_path / "shot.####.exr")["plan"]
    assert found["container"] == "exr sequence"
    assert [s["action"] for s in found["streams"]] == ["paint", "drop"]
    assert list(tmp_path.iterdir()) == []


def test_a_refused_output_still_says_what_the_clip_is(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    result = vidstyle("probe", clip_mp4, "--output", tmp_path / "out.xyz", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert found["plan"] is None
    assert ".xyz" in found["refusal"]
    assert result.stderr == f"vidstyle: {found['refusal']}\n"
    with pytest.raises(UnsupportedMediaError):
        plan(clip_mp4, tmp_path / "out.png")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("absent.mp4", None),
        ("empty.mp4", b""),
        ("text.mp4", b"hello there\n" * 50),
        ("half.mkv", b"\x1aE\xdf\xa3" + b"x" * 99),
    ],
)
def test_bad_input_is_one_sentence(vidstyle: Command, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = vidstyle("probe", tmp_path / name)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("vidstyle: ")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr


def test_sound_alone_and_a_folder_are_refused(vidstyle: Command, tmp_path: Path) -> None:
    sound = factory.make_audio_only(tmp_path / "a.mp4")
    assert "no video stream" in vidstyle("probe", sound).stderr
    assert "is a folder" in vidstyle("probe", tmp_path).stderr


@pytest.mark.parametrize("arguments", [("--codec", "libx999"), ("--video-stream", 5), ("--size", "huge")])
def test_settings_that_cannot_be_used(
    vidstyle: Command, clip_mp4: Path, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    result = vidstyle("probe", clip_mp4, "--output", tmp_path / "out.mp4", *arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_it_is_quick_because_it_loads_no_torch(clip_mp4: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from vidstyle.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as left:\n    assert not left.code, left.code\n"
        "print([name for name in ('torch', 'torchvision', 'cv2') if name in sys.modules], file=sys.stderr)\n"
    )
    arguments = [sys.executable, "-c", code, "probe", clip_mp4, "--output", tmp_path / "out.mkv"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "libx264" in done.stdout
