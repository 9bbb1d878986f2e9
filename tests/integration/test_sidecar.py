"""``--sidecar``: what is written beside an output, and read back."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import media_factory as factory
import numpy as np
import pytest
from command import Command
from PIL import Image

import vidstyle
from vidstyle.config import make_config
from vidstyle.errors import EncodeError, OpenError
from vidstyle.sidecar import read_sidecar, settings_hash, sidecar_path
from vidstyle.used_files import model_files, read_files

QUICK = ("--consistency", 0, "--device", "cpu", "--encoder-preset", "ultrafast", "--quiet")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_command_line_leaves_a_complete_record(
    vidstyle: Command, clip_mp4: Path, painted_style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    arguments = ("stylize", clip_mp4, output, "--style", painted_style, "--end", 0.5, "--sidecar", *QUICK)

    result = vidstyle(*arguments)

    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "out.mkv.json"]
    found = read_sidecar(tmp_path / "out.mkv.json")
    assert found.command == ("vidstyle", *map(str, arguments))
    assert (found.input.sha256, found.input.size_bytes) == (sha256(clip_mp4), clip_mp4.stat().st_size)
    assert found.output.sha256 == sha256(output)
    assert {role: (Path(file.path), file.sha256) for role, file in found.models.items()} == {
        "style": (painted_style, sha256(painted_style))
    }
    assert {"vidstyle", "python", "platform", "torch", "torchvision", "av", "ffmpeg"} <= found.versions.keys()
    assert found.report.num_frames == 12
    assert found.report.size == (64, 48)
    assert {"decode", "encode"} <= found.report.stage_seconds.keys()
    assert found.report.frames_per_second > 0
    assert found.report.compute.startswith("cpu")
    assert found.plan is not None
    assert [(s.type, s.action) for s in found.plan.streams] == [("video", "paint"), ("audio", "copy")]


def test_its_settings_make_the_same_render_again(clip_mp4: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.mp4", tmp_path / "again.mp4"
    settings = {"style": "identity", "consistency": 0.0, "end_seconds": 0.5, "crf": 30, "device": "cpu"}
    # Slower presets of x264 look ahead in a thread of their own, and differ in a few bits from run to run.
    report = vidstyle.stylize(clip_mp4, first, encoder_preset="ultrafast", sidecar=True, **settings)
    assert report.sidecar == tmp_path / "first.mp4.json"
    found = read_sidecar(report.sidecar)
    assert found.command == ()
    assert found.models == {}
    assert found.report.notes == report.notes
    assert found.plan == report.plan

    config = make_config(**found.settings)
    vidstyle.stylize(clip_mp4, again, config=config)

    assert again.read_bytes() == first.read_bytes()
    second = read_sidecar(tmp_path / "again.mp4.json")
    assert second.settings_sha256 == found.settings_sha256 == settings_hash(found.settings)
    assert second.output.sha256 == found.output.sha256


def test_its_settings_hold_in_any_folder(clip_mp4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "mattes").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    Image.fromarray(np.full((48, 64), 128, np.uint8)).save(tmp_path / "here" / "mattes" / "half.png")
    monkeypatch.chdir(tmp_path / "here")
    settings = {"style": "identity", "mask": "mattes/half.png", "end_seconds": 0.1, "sidecar": True, "device": "cpu"}
    vidstyle.stylize(clip_mp4, "out.mp4", **settings)
    monkeypatch.chdir(tmp_path / "there")
    record = read_sidecar(tmp_path / "here" / "out.mp4.json")
    assert record.settings["mask"] == str(tmp_path / "here" / "mattes" / "half.png")
    vidstyle.stylize(record.input.path, "again.mp4", config=make_config(**record.settings))


def test_it_is_plain_json(clip_mp4: Path, tmp_path: Path) -> None:
    report = vidstyle.stylize(
        clip_mp4, tmp_path / "out.gif", style="identity", consistency=0.0, end_seconds=0.2, device="cpu", sidecar=True
    )
    raw = json.loads((tmp_path / "out.gif.json").read_text())
    assert raw["sidecar_version"] == 1
    assert raw["plan"] == json.loads(json.dumps(asdict(report.plan)))
    assert raw["plan"]["container"] == "gif"
    assert raw["plan"]["streams"][1]["action"] == "drop"


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"in\xff.png")
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(source)
    output = tmp_path / os.fsdecode(b"\xfeout \xc3\xa9.png")
    vidstyle.stylize(source, output, style="identity", device="cpu", sidecar=True)
    written = output.with_name(f"{output.name}.json")
    assert b"\xc3\xa9" in written.read_bytes()
    found = read_sidecar(written)
    assert (found.input.path, found.output.path) == (str(source), str(output))


def test_a_picture_has_one_too(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 30, 3), 90, np.uint8)).save(tmp_path / "in.png")
    vidstyle.stylize(tmp_path / "in.png", tmp_path / "out.png", style="identity", device="cpu", sidecar=True)
    found = read_sidecar(tmp_path / "out.png.json")
    assert found.report.num_frames == 1
    assert found.plan is not None
    assert found.plan.container == "png"


def test_a_sequence_has_one_for_all_its_files(clip_mp4: Path, tmp_path: Path) -> None:
    pattern = tmp_path / "shot.%04d.png"
    settings = {"style": "identity", "consistency": 0.0, "device": "cpu", "sidecar": True}
    vidstyle.stylize(clip_mp4, pattern, frames="0-2", **settings)
    files = sorted(tmp_path.glob("shot.*.png"))
    found = read_sidecar(tmp_path / "shot.png.json")
    assert found.output.num_files == len(files) == 3
    assert found.output.size_bytes == sum(file.stat().st_size for file in files)
    assert found.output.sha256 == hashlib.sha256("\n".join(map(sha256, files)).encode()).hexdigest()

    files[1].unlink()
    vidstyle.stylize(clip_mp4, pattern, frames="0-2", continue_=True, **settings)

    again = read_sidecar(tmp_path / "shot.png.json")
    assert again.output.sha256 == found.output.sha256
    assert again.report.num_frames == 1
    vidstyle.stylize(pattern, tmp_path / "back.mp4", **settings)
    assert read_sidecar(tmp_path / "back.mp4.json").input.sha256 == found.output.sha256


def test_an_existing_one_is_refused_before_anything_is_rendered(clip_mp4: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    sidecar = sidecar_path(output)
    sidecar.write_text("mine")
    plans: list[str] = []
    settings = {"style": "identity", "consistency": 0.0, "end_seconds": 0.1, "device": "cpu", "sidecar": True}

    with pytest.raises(OpenError, match="--overwrite"):
        vidstyle.stylize(clip_mp4, output, on_plan=plans.extend, **settings)
    assert plans == []
    assert not output.exists()
    assert sidecar.read_text() == "mine"

    vidstyle.stylize(clip_mp4, output, overwrite=True, **settings)
    assert read_sidecar(sidecar).output.sha256 == sha256(output)


def test_a_render_that_fails_leaves_none(vidstyle: Command, tmp_path: Path) -> None:
    clip = factory.make_clip(tmp_path / "in.mkv", num_frames=48)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    result = vidstyle("stylize", clip, tmp_path / "out.mp4", "--style", "identity", "--sidecar", *QUICK)
    assert result.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_one_that_cannot_be_written_leaves_the_output(clip_mp4: Path, tmp_path: Path) -> None:
    (tmp_path / "out.mp4.json.part").mkdir()
    with pytest.raises(EncodeError, match="output is whole"):
        vidstyle.stylize(
            clip_mp4, tmp_path / "out.mp4", style="identity", consistency=0.0, end_seconds=0.1, sidecar=True
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "out.mp4.json.part"]


def test_without_the_flag_there_is_none(vidstyle: Command, clip_mp4: Path, tmp_path: Path) -> None:
    assert (
        vidstyle("stylize", clip_mp4, tmp_path / "out.mp4", "--style", "identity", "--end", 0.1, *QUICK).exit_code == 0
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    ("output", "sidecar"),
    [
        ("clip.mp4", "clip.mp4.json"),
        ("shot.%04d.exr", "shot.exr.json"),
        ("shot_####.png", "shot.png.json"),
        ("%05d.tif", "sequence.tif.json"),
    ],
)
def test_its_name(tmp_path: Path, output: str, sidecar: str) -> None:
    assert sidecar_path(tmp_path / output) == tmp_path / sidecar


def test_which_models_paint(tmp_path: Path, style_picture: Path, adain_model: Path) -> None:
    assert model_files(make_config(style="identity")) == {}
    assert model_files(make_config(style="mosaic"))["style"].name == "mosaic.safetensors"
    both = model_files(make_config(style=str(style_picture), adain_model=adain_model))
    assert both == {"style": style_picture, "adain": adain_model}


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff\xfe", b'{"sidecar_version": 1}'])
def test_what_is_no_sidecar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(OpenError, match="not a sidecar"):
        read_sidecar(tmp_path / "x.json")


def test_a_missing_one_and_one_of_another_layout_are_refused(clip_mp4: Path, tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="cannot be read"):
        read_sidecar(tmp_path / "absent.json")
    vidstyle.stylize(
        clip_mp4, tmp_path / "out.mp4", style="identity", consistency=0.0, end_seconds=0.1, device="cpu", sidecar=True
    )
    path = tmp_path / "out.mp4.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sidecar_version": 2}))
    with pytest.raises(OpenError, match="layout 2"):
        read_sidecar(path)


def test_files_that_settings_name_are_hashed(clip_mp4: Path, tmp_path: Path) -> None:
    for name in ("mask.png", "sky.001.png", "sky.002.png"):
        Image.new("L", (64, 48), 255).save(tmp_path / name)
    lut = tmp_path / "look.cube"
    lut.write_text("LUT_3D_SIZE 2\n" + "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)) + "\n")
    config = make_config(
        mask=tmp_path / "mask.png",
        lut=lut,
        regions=[
            {"mask": tmp_path / "sky.%03d.png", "style": "identity"},
            {"mask": tmp_path / "mask.png", "style": "m"},
        ],
        shots=[{"start": 1, "style": "mosaic"}],
    )
    assert {name: path.name for name, path in read_files(config).items()} == {
        "mask": "mask.png",
        "lut": "look.cube",
        "regions.0.mask": "sky.%03d.png",
        "regions.1.mask": "mask.png",
    }
    assert "mosaic.safetensors" in {path.name for path in model_files(make_config(shots=config.shots)).values()}
    settings = {"style": "identity", "consistency": 0.0, "end_seconds": 0.1, "device": "cpu", "lut": lut}
    report = vidstyle.stylize(clip_mp4, tmp_path / "out.mkv", mask=tmp_path / "mask.png", sidecar=True, **settings)
    assert report.sidecar is not None
    found = read_sidecar(report.sidecar).files
    assert {name: file.sha256 for name, file in found.items()} == {
        "mask": sha256(tmp_path / "mask.png"),
        "lut": sha256(lut),
    }
