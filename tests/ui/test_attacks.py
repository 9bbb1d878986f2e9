"""What somebody with bad intentions would try, with the token or without."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from ui_factory import NUM_FRAMES, STYLE, asked_frame

from vidstyle.ui.session import pictures_folder

PLAIN = {"style": STYLE, "flow": "dis", "consistency": 0.6}


def png(size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(size[1], size[0], 3)).save(
        buffer, "PNG", **options
    )
    return buffer.getvalue()


def kept() -> set[Path]:
    return set(pictures_folder().glob("*")) if pictures_folder().is_dir() else set()


def finished(page: TestClient) -> dict[str, Any]:
    """The latest render, when it has ended."""
    until = time.monotonic() + 60
    while (state := page.get("/api/state").json()["render"])["status"] == "running" and time.monotonic() < until:
        time.sleep(0.05)
    return dict(state)


# ---- paths


@pytest.fixture
def tempting(folder: Path) -> Path:
    """Links out of the opened folder: to a file, to a folder, to one frame of a sequence."""
    outside = folder.parent
    Image.new("L", (96, 64), 255).save(outside / "secret.001.png")
    (outside / "secret.cube").write_text("LUT_3D_SIZE 2\n" + "0 0 0\n" * 8)
    (folder / "way").symlink_to(outside)
    (folder / "link.cube").symlink_to(outside / "secret.cube")
    (folder / "mask.001.png").symlink_to(outside / "secret.001.png")
    (folder / "link.png").symlink_to(outside / "secret.001.png")
    return folder


@pytest.mark.parametrize(
    "settings",
    [
        {"mask": "way/secret.001.png"},
        {"mask": "link.png"},
        {"mask": "mask.%03d.png"},
        {"mask": "mask.###.png"},
        {"mask": "way/secret.%03d.png"},
        {"mask": "../secret.%03d.png"},
        {"mask": "/etc/passwd"},
        {"lut": "link.cube"},
        {"lut": "way/secret.cube"},
        {"lut": "../secret.cube"},
        {"style": "way/secret.001.png"},
        {"style": "link.png"},
        {"style": f"{STYLE}:0.5+link.png:0.5"},
        {"style": "../secret.safetensors"},
    ],
    ids=str,
)
def test_no_setting_leads_out_of_the_folders(page: TestClient, tempting: Path, settings: dict[str, Any]) -> None:
    for kind in ("draft", "parity", "source"):
        asked = {"clip": "waves.mp4", "at": 0, "kind": kind, "settings": PLAIN | settings}
        assert page.post("/api/frame", json=asked).status_code == 403
    request = {"clip": "waves.mp4", "settings": PLAIN | settings, "output": "out.mp4"}
    assert page.post("/api/render", json=request).status_code == 403
    assert page.post("/api/command", json=request).status_code == 403
    assert page.post("/api/preset", json=request | {"output": "mine.toml"}).status_code == 403
    if "style" in settings:
        asked_style = {"name": settings["style"], "clip": "waves.mp4", "at": 0}
        assert page.get("/api/style", params=asked_style).status_code == 403
    assert not (tempting / "out.mp4").exists()


@pytest.mark.parametrize(
    "name", ["adain_model", "flow_weights", "color_config", "sound", "shots_from", "regions", "device"]
)
def test_what_is_not_on_the_page_cannot_be_set(page: TestClient, name: str) -> None:
    asked = {"clip": "waves.mp4", "at": 0, "kind": "draft", "settings": {"style": STYLE, name: "/etc/passwd"}}
    answer = page.post("/api/frame", json=asked)
    assert answer.status_code == 422
    assert f"cannot set {name}" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/api/render", "/api/preset"])
@pytest.mark.parametrize("output", ["way/out{}", "../out{}", "/out{}", "link{}", "new/../../out{}"])
def test_nothing_is_written_outside(page: TestClient, tempting: Path, path: str, output: str) -> None:
    output = output.format(".mp4" if path == "/api/render" else ".toml")
    target = tempting.parent / "precious"
    target.write_text("precious")
    (tempting / "link.mp4").symlink_to(target)
    (tempting / "link.toml").symlink_to(target)
    before = sorted(tempting.parent.iterdir())
    asked = {"clip": "waves.mp4", "settings": PLAIN, "output": output, "overwrite": True}
    assert page.post(path, json=asked).status_code == 403
    assert sorted(tempting.parent.iterdir()) == before
    assert target.read_text() == "precious"


@pytest.mark.parametrize(
    "output", ["out.%04d.png", "out.png", "out.toml", "out.mp4.part", "a\nb", "x" * 500 + ".mp4", ""]
)
def test_odd_names_are_refused(page: TestClient, folder: Path, output: str) -> None:
    asked = {"clip": "waves.mp4", "settings": PLAIN, "output": output, "overwrite": True}
    assert page.post("/api/render", json=asked).status_code == 422
    assert [path.name for path in folder.iterdir()] == ["waves.mp4"]


def test_an_existing_file_stays_unless_told(page: TestClient, folder: Path) -> None:
    (folder / "out.mp4").write_text("precious")
    asked = {"clip": "waves.mp4", "settings": PLAIN, "output": "out.mp4"}
    assert "exists already" in page.post("/api/render", json=asked).json()["error"]
    assert "exists already" in page.post("/api/render", json=asked | {"output": "./way/../out.mp4"}).json()["error"]
    assert (folder / "out.mp4").read_text() == "precious"


@pytest.mark.parametrize(
    "path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py", "/static//etc/passwd"]
)
def test_the_page_s_own_files_are_all_there_is(page: TestClient, path: str) -> None:
    assert page.get(f"/static/{path}").status_code == 404


# ---- pictures


def announcing(width: int, height: int) -> bytes:
    """A small file that says it is a large picture."""
    header = b"IHDR" + struct.pack(">II", width, height) + bytes([1, 0, 0, 0, 0])
    checked = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + checked + png()[33:]


def moving(kind: str) -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (40, 30), color) for color in ("red", "green", "blue")]
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", lambda: announcing(20_000, 20_000), "not a picture"),
        ("a.png", lambda: announcing(13_000, 13_000), "13000x13000 pixels"),
        ("a.gif", lambda: moving("GIF"), "not a picture"),
        ("a.png", lambda: moving("GIF"), "not a picture"),
        ("a.png", lambda: moving("PNG"), "not a picture"),
        ("a.svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "not a picture"),
        ("a.png", lambda: b"GIF89a<script>alert(1)</script>", "not a picture"),
        ("a.png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9999 9999\n", "not a picture"),
        ("a.png", lambda: png()[:-30], "not a picture"),
        ("a.mp4", lambda: b"\0\0\0\x20ftypisom", "not a picture"),
    ],
)
def test_what_is_no_harmless_picture_is_refused(page: TestClient, name: str, content: Any, words: str) -> None:
    before = kept()
    answer = page.post(f"/api/pictures?name={name}", content=content())
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert kept() == before


def test_what_hangs_on_a_picture_is_left_behind(page: TestClient) -> None:
    payload = b"<script>alert(document.cookie)</script>"
    added = page.post("/api/pictures?name=waves.html", content=png() + payload).json()
    path = Path(added["name"])
    assert path.suffix == ".png"
    assert payload not in path.read_bytes()


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/evil.png", "a\0b.png", ".", "..", "", "x" * 300 + ".png", "a/b\\c.png"]
)
def test_a_picture_s_name_is_only_a_name(page: TestClient, name: str) -> None:
    added = page.post("/api/pictures", params={"name": name}, content=png()).json()
    assert Path(added["name"]).resolve().parent == pictures_folder().resolve()


# ---- several things at once


def test_frames_are_shown_during_a_render(page: TestClient, folder: Path) -> None:
    asked = {"clip": "waves.mp4", "settings": PLAIN, "output": "out.mp4"}
    number = page.post("/api/render", json=asked).json()["number"]
    assert asked_frame(page, "parity", 1.0, **PLAIN | {"consistency": 0.3}).shape == (64, 96, 3)
    assert page.post("/api/render", json=asked | {"output": "two.mp4"}).status_code == 422
    with page.stream("GET", f"/api/render/{number}/events"):
        pass  # the page is closed; the render is not its own
    assert (finished(page)["status"], finished(page)["done"]) == ("done", NUM_FRAMES)
    assert sorted(path.name for path in folder.iterdir()) == ["out.mp4", "waves.mp4"]


def test_cancelling_twice_or_too_late_does_no_harm(page: TestClient, folder: Path) -> None:
    asked = {"clip": "waves.mp4", "settings": PLAIN | {"size": "480x320"}, "output": "out.mp4"}
    number = page.post("/api/render", json=asked).json()["number"]
    for _ in range(2):
        assert page.post(f"/api/render/{number}/cancel").status_code == 200
    assert finished(page)["status"] == "cancelled"
    assert page.post(f"/api/render/{number}/cancel").json()["status"] == "cancelled"
    assert [path.name for path in folder.iterdir()] == ["waves.mp4"]
    again = page.post("/api/render", json=asked | {"settings": PLAIN}).json()["number"]
    assert finished(page)["status"] == "done"
    assert page.post(f"/api/render/{again}/cancel").json()["status"] == "done"
    assert (folder / "out.mp4").is_file()


@pytest.mark.parametrize("number", [0, -1, 99])
def test_there_is_no_other_render(page: TestClient, number: int) -> None:
    assert page.post(f"/api/render/{number}/cancel").status_code == 422
    assert page.get(f"/api/render/{number}/events").status_code == 422


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"clip": 1}', b'{"clip": "waves.mp4", "at": 1e999, "kind": "source"}']
)
def test_nonsense_gets_a_sentence(page: TestClient, body: bytes) -> None:
    answer = page.post("/api/frame", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]
