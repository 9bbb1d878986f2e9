"""What the page's server answers."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import click
import media_factory as factory
import numpy as np
import pytest
import torch
from network_factory import tiny_adain
from PIL import Image
from starlette.testclient import TestClient
from ui_factory import NUM_FRAMES, PORT, RATE, STYLE, asked_frame, psnr

import vidstyle
from vidstyle.cli.stylize import stylize as stylize_command
from vidstyle.config import RenderConfig, make_config
from vidstyle.encoding import ENCODING_FIELDS
from vidstyle.errors import DeviceError
from vidstyle.stylizers.adain import save_adain
from vidstyle.stylizers.checkpoint import FeedforwardStylizer, StyleCard, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.ui.controls import CONTROLS, combined, command_line, flag_of, preset_text
from vidstyle.ui.previews import Previewer
from vidstyle.ui.server import create_app
from vidstyle.ui.session import MAX_UPLOAD_BYTES, Session, pictures_folder

AT = 2.04


def frame(page: TestClient, kind: str = "parity", at: float = AT, **settings: Any) -> np.ndarray:
    return asked_frame(page, kind, at, **({"style": STYLE, "flow": "dis"} | settings))


def previewed(folder: Path, at: float = AT, **settings: Any) -> np.ndarray:
    (cell,) = vidstyle.preview(folder / "waves.mp4", at=at, **({"style": STYLE, "flow": "dis"} | settings)).cells
    return cell.stylized.permute(1, 2, 0).numpy()


# ---- the table of controls


def test_the_page_offers_what_settings_and_command_line_know(page: TestClient) -> None:
    flags = {option: parameter.name for parameter in stylize_command.params for option in parameter.opts}
    for control in CONTROLS:
        assert control.field in RenderConfig.model_fields
        assert flags[flag_of(control.field)] == control.field
    offered = {control["field"]: control for control in page.get("/api/state").json()["controls"]}
    assert offered["consistency"] | {"kind": "slider", "low": 0, "high": 1, "default": 0.9} == offered["consistency"]
    assert offered["flow"]["choices"][0] == "auto"
    assert offered["deinterlace"]["kind"] == "toggle"
    assert offered["start_seconds"]["kind"] == "moment"
    assert offered["crf"] | {"kind": "number", "default": None, "optional": True} == offered["crf"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"consistency": 2}, "'consistency'"),
        ({"size": "huge"}, "a size is written"),
        ({"adain_model": "/etc/passwd"}, "cannot set adain_model"),
        ({"style": "no-such-style"}, "no style 'no-such-style'"),
    ],
)
def test_settings_that_cannot_be_used_are_explained(page: TestClient, settings: dict[str, Any], words: str) -> None:
    answer = page.post("/api/frame", json={"clip": "waves.mp4", "at": 0, "kind": "draft", "settings": settings})
    assert answer.status_code == 422
    assert words in answer.json()["error"]


# ---- folders


@pytest.mark.parametrize("path", ["../secret.mp4", "{outside}/secret.mp4", "link.mp4", "/etc/passwd", "a\0b"])
def test_nothing_outside_the_opened_folders(page: TestClient, folder: Path, path: str) -> None:
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    path = path.format(outside=folder.parent)
    assert page.get("/media", params={"path": path}).status_code == 403
    assert page.get("/api/clip", params={"path": path}).status_code == 403
    assert page.get("/api/thumbnail", params={"clip": path, "at": 0}).status_code == 403
    asked = {"clip": path, "at": 0, "kind": "source"}
    assert page.post("/api/frame", json=asked).status_code == 403
    inside = {"clip": "waves.mp4", "settings": {"style": STYLE}}
    assert page.post("/api/render", json=inside | {"output": path}).status_code == 403
    assert page.post("/api/preset", json=inside | {"output": path}).status_code == 403
    for settings in ({"style": f"{path}.pth"}, {"lut": path}, {"mask": path}):
        asked = {"clip": "waves.mp4", "at": 0, "kind": "draft", "settings": settings}
        assert page.post("/api/frame", json=asked).status_code == 403 or path == "link.mp4"


def test_only_clips_are_given_out(page: TestClient, folder: Path) -> None:
    (folder / "notes.txt").write_text("private")
    assert page.get("/media", params={"path": "notes.txt"}).status_code == 422
    part = page.get("/media", params={"path": "waves.mp4"}, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert [clip["name"] for clip in page.get("/api/state").json()["clips"]] == ["waves.mp4"]


# ---- frames


@pytest.mark.parametrize(
    "settings",
    [{}, {"consistency": 0.5}, {"consistency": 1.0}, {"consistency": 0.0}, {"size": "50%"}, {"flow": "none"}],
    ids=str,
)
def test_a_parity_frame_is_the_preview_s(page: TestClient, folder: Path, settings: dict[str, Any]) -> None:
    frame(page)  # so that something is remembered, which must change nothing
    assert psnr(frame(page, **settings), previewed(folder, **settings)) > 50


def test_a_draft_is_the_frame_painted_alone(page: TestClient, folder: Path) -> None:
    draft = frame(page, "draft")
    assert psnr(draft, previewed(folder, consistency=0.0)) > 30  # a JPEG
    assert psnr(frame(page, "source"), frame(page, style="identity", consistency=0.0)) > 50


def test_painting_ahead_leaves_little_to_do(page: TestClient, session: Session) -> None:
    asked = {"clip": "waves.mp4", "at": AT, "kind": "parity", "settings": {"style": STYLE, "flow": "dis"}}
    assert page.post("/api/prepare", json=asked).json() == {"ready": True}
    stylizer = Mock(side_effect=AssertionError("painted again"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeedforwardStylizer, "__call__", stylizer)
        for consistency in (0.2, 0.95, 1.0):
            frame(page, consistency=consistency, strength=0.7)


def test_a_style_that_was_replaced_is_painted_anew(page: TestClient, folder: Path) -> None:
    path = folder / "own.safetensors"
    asked = {"style": str(path), "consistency": 0.5}
    found = []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = BlurPoolNet(num_channels=16, num_blocks=1)
            net.to_rgb.weight.data *= 4
        save_feedforward(path, net, StyleCard("own", "random strokes"))
        os.utime(path, ns=(seed, seed))  # a clock may be too coarse to tell two writes apart
        found.append(frame(page, **asked))
    assert psnr(*found) < 40
    assert psnr(found[1], previewed(folder, **asked)) > 50


def test_memory_that_is_full_of_the_past_makes_room(page: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = frame(page, consistency=0.5)
    left = [DeviceError("cpu has too little memory"), None]
    painted = Previewer._painted

    def hungry(self: Previewer, *arguments: Any, **named: Any) -> Any:
        if (error := left.pop(0)) is not None:
            raise error
        assert not self._memory.num_bytes
        return painted(self, *arguments, **named)

    monkeypatch.setattr(Previewer, "_painted", hungry)
    assert psnr(frame(page, consistency=0.5), expected) > 50
    assert not left


def test_samples_of_a_clip_are_held_for_few_ways_to_read_it(folder: Path) -> None:
    previewer = Previewer(1 << 24)
    for rate in ("4", "5", "6", "7"):
        config = make_config(style="identity", preserve_color="transfer", fps=rate)
        previewer.frame(folder / "waves.mp4", AT, config, "draft")
    assert len(previewer._facts) == 2


def test_names_that_no_page_can_show_and_links_that_lead_out_are_left_out(page: TestClient, folder: Path) -> None:
    shutil.copy(folder / "waves.mp4", folder / os.fsdecode(b"caf\xe9.mp4"))
    (folder / os.fsdecode(b"caf\xe9.cube")).write_bytes(b"")
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    (folder / "inside.mp4").symlink_to(folder / "waves.mp4")
    answer = page.get("/api/state")
    assert answer.status_code == 200
    assert [clip["name"] for clip in answer.json()["clips"]] == ["inside.mp4", "waves.mp4"]


def test_a_clip_whose_name_is_no_text_is_refused_at_the_start(folder: Path) -> None:
    clip = folder / os.fsdecode(b"caf\xe9.mp4")
    shutil.copy(folder / "waves.mp4", clip)
    from vidstyle.cli.main import cli
    from vidstyle.errors import ConfigError

    with pytest.raises(ConfigError, match="no valid text"):
        cli.main(["ui", str(clip), "--no-open"], standalone_mode=False)


def test_an_older_request_gives_way(page: TestClient) -> None:
    asked = {"clip": "waves.mp4", "at": 0, "kind": "source", "tab": "a"}
    assert page.post("/api/frame", json=asked | {"view": 5}).status_code == 200
    assert page.post("/api/frame", json=asked | {"view": 4}).status_code == 409
    assert page.post("/api/frame", json=asked | {"view": 4, "tab": "b"}).status_code == 200


def test_a_moment_past_the_end(page: TestClient) -> None:
    answer = page.post("/api/frame", json={"clip": "waves.mp4", "at": 99, "kind": "source"})
    assert answer.status_code == 422
    assert "3.000 s long" in answer.json()["error"]


def test_thumbnails(page: TestClient) -> None:
    moment = page.get("/api/thumbnail", params={"clip": "waves.mp4", "at": 1.5, "height": 32})
    style = page.get("/api/style", params={"name": STYLE, "clip": "waves.mp4", "at": 1.5, "height": 48})
    assert [Image.open(io.BytesIO(answer.content)).size for answer in (moment, style)] == [(48, 32), (72, 48)]


# ---- command line and preset


SETTINGS = {
    "style": STYLE,
    "consistency": 0.75,
    "flow": "dis",
    "size": "50%",
    "fps": "10",
    "start_seconds": 0.5,
    "end_seconds": "00:00:02:00",
    "codec": "libx264",
    "crf": 30,
    "audio": "drop",
    "deinterlace": True,
    "sidecar": True,
    "strength": 0.8,
}


def test_the_copied_command_means_the_same(page: TestClient, folder: Path) -> None:
    asked = {"clip": "waves.mp4", "settings": SETTINGS, "output": "it's here.mp4"}
    words = shlex.split(page.post("/api/command", json=asked).json()["command"])
    assert words[:4] == ["vidstyle", "stylize", str(folder / "waves.mp4"), str(folder / "it's here.mp4")]
    given = stylize_command.make_context("stylize", words[2:]).params
    settings = {name: value for name, value in given.items() if name in RenderConfig.model_fields}
    assert make_config(None, **settings) == make_config(None, **SETTINGS)


def test_every_setting_goes_into_a_preset_and_comes_back(tmp_path: Path) -> None:
    config = make_config(
        None,
        **SETTINGS,
        encoder_options={"x264-params": 'a="b"\\n'},
        keyframes=({"at": 1.0, "strength": 0.2, "ease": "smooth"},),
        lut=Path("look.cube"),
    )
    (tmp_path / "mine.toml").write_text(preset_text(config), encoding="utf-8")
    assert make_config(tmp_path / "mine.toml") == config


def test_a_preset_is_saved_once(page: TestClient, folder: Path) -> None:
    asked = {"clip": "waves.mp4", "settings": SETTINGS, "output": "mine.toml"}
    assert page.post("/api/preset", json=asked).status_code == 200
    assert make_config(folder / "mine.toml") == make_config(None, **SETTINGS)
    assert "exists already" in page.post("/api/preset", json=asked).json()["error"]
    assert page.post("/api/preset", json=asked | {"overwrite": True}).status_code == 200
    assert page.post("/api/preset", json=asked | {"output": "waves.mp4", "overwrite": True}).status_code == 422
    assert sorted(path.name for path in folder.iterdir()) == ["mine.toml", "waves.mp4"]


def test_what_the_command_line_gave_stays_unless_the_page_offers_it() -> None:
    base = make_config(device="cpu", consistency=0.2, batch_size=3)
    config = combined(base, {"strength": 0.5}, Path)
    assert (config.device, config.batch_size, config.strength) == ("cpu", 3, 0.5)
    assert config.consistency == make_config().consistency  # the page shows every control, so it says all of them


@pytest.mark.parametrize("preset", ["web", "film", "archive"])
def test_a_preset_at_the_start_holds_until_the_page_changes_it(preset: str, tmp_path: Path) -> None:
    base = make_config(preset)
    page_begins_with = {control.field: getattr(base, control.field) for control in CONTROLS}
    shown = {name: value for name, value in page_begins_with.items() if value != getattr(make_config(), name)}
    assert combined(base, shown, Path) == base
    assert combined(base, shown | {"crf": 3}, Path) == make_config(preset, crf=3)
    for output in ("out.mp4", "out.webm", "out.mkv"):
        words = shlex.split(command_line(Path("in.mp4"), Path(output), base))
        given = stylize_command.make_context("stylize", words[2:]).params
        settings = {name: each for name, each in given.items() if name in RenderConfig.model_fields}
        again = make_config(None, **settings)
        found, wanted = (each.encoding(Path(output).suffix) for each in (again, base))
        assert [getattr(found, name) for name in ENCODING_FIELDS] == [getattr(wanted, name) for name in ENCODING_FIELDS]


def test_what_has_no_flag_is_not_left_out_silently(page: TestClient, session: Session) -> None:
    session.base = make_config(style=STYLE, keyframes=({"at": 1.0, "strength": 0.2},))
    asked = {"clip": "waves.mp4", "settings": {"style": STYLE}, "output": "out.mp4"}
    assert "save a preset" in page.post("/api/command", json=asked).json()["error"]
    told = {each["field"] for each in page.get("/api/state").json()["controls"] if "keyframes" in each["help"]}
    assert told == {"strength"}


# ---- pictures as styles


@pytest.fixture(scope="module")
def adain_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, and small."""
    path = tmp_path_factory.mktemp("model") / "any.safetensors"
    save_adain(path, tiny_adain(), StyleCard("any"))
    return path


def png(size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(size[1], size[0], 3)).save(buffer, "PNG")
    return buffer.getvalue()


def test_without_a_model_the_page_says_what_is_missing(
    page: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidstyle.ui.session.ANY_STYLE", tmp_path / "gone.safetensors")
    assert "--adain-model" in page.get("/api/state").json()["pictures"]
    assert "--adain-model" in page.post("/api/pictures?name=a.png", content=png()).json()["error"]


@pytest.fixture
def painter_of_pictures(session: Session, adain_model: Path) -> TestClient:
    session.base = make_config(style=STYLE, flow="dis", adain_model=adain_model)
    base = f"http://127.0.0.1:{PORT}"
    headers = {"Authorization": f"Bearer {session.token}", "Origin": base}
    return TestClient(create_app(session, PORT), base_url=base, headers=headers)


def test_a_picture_becomes_a_style(painter_of_pictures: TestClient) -> None:
    page = painter_of_pictures
    added = page.post("/api/pictures?name=../My%20waves.png", content=png()).json()
    assert Path(added["name"]).parent == pictures_folder()
    assert added["label"] == "My-waves"
    assert added["name"] in [style["name"] for style in page.get("/api/state").json()["styles"]]
    whole, none = (frame(page, style=added["name"], style_weight=weight, consistency=0.0) for weight in (1.0, 0.0))
    assert psnr(whole, none) < 40


@pytest.mark.parametrize("content", [b"", b"not a picture", png()[:60], b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_only_pictures_are_taken(painter_of_pictures: TestClient, content: bytes) -> None:
    before = set(pictures_folder().glob("*")) if pictures_folder().is_dir() else set()
    answer = painter_of_pictures.post("/api/pictures?name=a.png", content=content)
    assert answer.status_code == 422
    assert "not a picture" in answer.json()["error"]
    assert set(pictures_folder().glob("*")) == before


def test_a_picture_has_a_largest_size(painter_of_pictures: TestClient) -> None:
    answer = painter_of_pictures.post("/api/pictures?name=a.png", content=bytes(MAX_UPLOAD_BYTES + 1))
    assert answer.status_code == 422
    assert "larger than" in answer.json()["error"]


# ---- the full render


def rendered(page: TestClient, output: str, **settings: Any) -> dict[str, Any]:
    asked = {"clip": "waves.mp4", "output": output, "settings": {"style": STYLE, "flow": "dis"} | settings}
    started = page.post("/api/render", json=asked)
    assert started.status_code == 200, started.text
    with page.stream("GET", f"/api/render/{started.json()['number']}/events") as events:
        states = [json.loads(line.removeprefix("data: ")) for line in events.iter_lines() if line]
    done = [state["done"] for state in states]
    assert done == sorted(done)
    return dict(states[-1])


def test_a_render_writes_what_the_page_shows(page: TestClient, folder: Path) -> None:
    shown = frame(page)
    state = rendered(page, "out.mkv", codec="ffv1")
    assert (state["status"], state["done"], state["error"]) == ("done", NUM_FRAMES, "")
    assert psnr(factory.rgb_frames(folder / "out.mkv")[int(AT * RATE)], shown) > 40  # FFV1 stores 4:2:0 here
    assert page.get("/api/state").json()["render"]["status"] == "done"


def test_a_render_says_where_in_which_clip_it_begins(page: TestClient, folder: Path) -> None:
    state = rendered(page, "part.mp4", style="identity", start_seconds="0:01", end_seconds="1.2")
    assert (state["status"], state["source"], state["start_seconds"]) == ("done", str(folder / "waves.mp4"), 1.0)


def test_a_failing_render_says_why(page: TestClient, folder: Path) -> None:
    state = rendered(page, "out.mp4", codec="no-such-encoder")
    assert state["status"] == "failed"
    assert "no-such-encoder" in state["error"]
    assert [path.name for path in folder.iterdir()] == ["waves.mp4"]


def test_a_cancelled_render_leaves_nothing(page: TestClient, folder: Path) -> None:
    asked = {"clip": "waves.mp4", "output": "out.mp4", "settings": {"style": STYLE, "size": "480x320"}}
    number = page.post("/api/render", json=asked).json()["number"]
    busy = page.post("/api/render", json=asked | {"output": "other.mp4"})
    assert "under way" in busy.json()["error"]
    page.post(f"/api/render/{number}/cancel")
    until = time.monotonic() + 20
    while (state := page.get("/api/state").json()["render"])["status"] == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert state["status"] == "cancelled"
    assert [path.name for path in folder.iterdir()] == ["waves.mp4"]


@pytest.mark.parametrize("output", ["waves.mp4", "out.txt", "no/folder.mp4"])
def test_an_output_that_cannot_be_is_refused_at_once(page: TestClient, output: str) -> None:
    asked = {"clip": "waves.mp4", "output": output, "settings": {"style": STYLE}, "overwrite": True}
    assert page.post("/api/render", json=asked).status_code == 422


def test_the_command_needs_its_extra(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    import importlib.util

    from vidstyle.cli.main import cli
    from vidstyle.errors import ConfigError

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else find(name))
    with pytest.raises(ConfigError, match=r"pip install 'vidstyle\[ui\]'"):
        cli.main(["ui", str(folder / "waves.mp4")], standalone_mode=False)


def test_the_command_refuses_what_is_no_clip(folder: Path) -> None:
    from vidstyle.cli.main import cli
    from vidstyle.errors import OpenError

    for name in ("none.mp4", "notes.txt"):
        (folder / "notes.txt").touch()
        with pytest.raises(OpenError):
            cli.main(["ui", str(folder / name)], standalone_mode=False)
    assert isinstance(cli.get_command(click.Context(cli), "ui"), click.Command)
