"""What the page previews equals what the command renders, for every control."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import media_factory as factory
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from ui_factory import RATE, STYLE, asked_frame, psnr

import vidstyle
from vidstyle.config import make_config
from vidstyle.pipeline.painter import Painter
from vidstyle.ui.controls import CONTROLS
from vidstyle.ui.session import Session

AT = 1.04
#: Warm-up shorter than what lies before the moment, so that it matters.
PLAIN = {"style": STYLE, "flow": "dis", "consistency": 0.6}

#: Settings that are turned, and whether the frame looks different then.
CASES: Sequence[tuple[dict[str, Any], bool]] = (
    ({"strength": 0.4}, True),
    ({"strength": 0.0}, True),
    ({"detail": 1.0}, True),
    ({"style_scale": 2.0}, True),
    ({"preserve_color": "luma"}, True),
    ({"preserve_color": "transfer"}, True),
    ({"grain": "keep"}, True),
    ({"grain": "remove"}, True),
    ({"lut": "look.cube"}, True),
    ({"lut": "look.cube", "lut_at": "before"}, True),
    ({"consistency": 0.9}, True),
    ({"consistency": 0.0}, True),
    ({"flow": "none"}, True),
    ({"mask": "half.png"}, True),
    ({"mask": "half.png", "invert_mask": True, "feather": 12.0}, True),
    ({"mask": "moving.%03d.png", "feather": 3.0}, True),
    ({"size": "64x48"}, True),
    ({"fps": "6"}, True),
    ({"deinterlace": True}, False),
    ({"video_stream": 0, "on_error": "skip"}, False),
    ({"style": "identity"}, True),
    ({"style": f"{STYLE}:0.6+identity:0.4"}, True),
    ({"style": "paint.png", "style_weight": 0.7}, True),
    ({"style": f"paint.png:0.5+{STYLE}:0.5"}, True),
    (
        {
            "strength": 0.8,
            "detail": 0.5,
            "lut": "look.cube",
            "mask": "half.png",
            "preserve_color": "luma",
            "grain": "keep",
        },
        True,
    ),
)
#: What a preset says that the page has no control for.
TABLES: Sequence[dict[str, Any]] = (
    {"keyframes": ({"at": 0.0, "strength": 0.1}, {"at": 2.0, "strength": 0.9, "ease": "smooth"})},
    {"keyframes": ({"at": 0.0, "consistency": 0.2}, {"at": 2.0, "consistency": 0.8})},
    {
        "keyframes": (
            {"at": 0.8, "style": STYLE, "style_scale": 1.0},
            {"at": 1.2, "style": "identity", "style_scale": 2.0},
        )
    },
    {"keyframes": ({"at": 0.0, "lut": "none", "grain": "off"}, {"at": 0.9, "lut": "look.cube", "grain": "remove"})},
    {"keyframes": ({"at": 0.0, "mask": "none", "feather": 0.0}, {"at": 1.0, "mask": "half.png", "feather": 9.0})},
    {"keyframes": ({"at": 0.0, "preserve_color": "transfer"}, {"at": 0.9, "preserve_color": "luma"})},
    {"regions": ({"mask": "half.png", "style": "identity", "feather": 4.0},)},
    {
        "regions": (
            {
                "mask": "half.png",
                "style": "identity",
                "keyframes": ({"at": 0, "strength": 0}, {"at": 2, "strength": 1}),
            },
        )
    },
    {"shots": ({"start": 0.9, "strength": 0.5},)},
)


@pytest.fixture
def files(folder: Path) -> Path:
    """The opened folder, with masks, a look-up table and a painting in it."""
    rows, columns = np.mgrid[0:64, 0:96]
    half = np.where(columns < 48, 255, 0).astype(np.uint8)
    Image.fromarray(half).save(folder / "half.png")
    for number in range(1, 37):
        Image.fromarray(np.roll(half, number, 1)).save(folder / f"moving.{number:03d}.png")
    Image.fromarray(np.stack([rows * 4, columns * 2, 255 - rows * 3], -1).astype(np.uint8)).save(folder / "paint.png")
    corners = [f"{r} {g * 0.8:g} {b * 0.5 + 0.2:g}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
    (folder / "look.cube").write_text("\n".join(["LUT_3D_SIZE 2", *corners, ""]))
    return folder


def rendered(files: Path, settings: dict[str, Any], at: float = AT) -> np.ndarray:
    """A frame of the full render, without loss."""
    named = {
        name: value if name == "style" else files / str(value)
        for name, value in settings.items()
        if name in ("lut", "mask", "style")
    }
    named["style"] = str(named["style"]).replace("paint.png", str(files / "paint.png"))
    output = files / "render.mkv"
    vidstyle.stylize(
        files / "waves.mp4",
        output,
        end_seconds=at + 0.2,
        codec="ffv1",
        pixel_format="bgr0",
        audio="drop",
        overwrite=True,
        **(settings | named),
    )
    return np.asarray(factory.rgb_frames(output)[int(at * int(settings.get("fps", RATE)))])


def shown(page: TestClient, settings: dict[str, Any], at: float = AT) -> np.ndarray:
    return asked_frame(page, "parity", at, **settings)


@pytest.mark.parametrize(("turned", "is_seen"), CASES, ids=lambda value: str(value)[:60])
def test_a_control_shows_what_it_renders(page: TestClient, files: Path, turned: dict[str, Any], is_seen: bool) -> None:
    plain = shown(page, PLAIN)  # what is remembered of it must not come back
    seen = shown(page, PLAIN | turned)
    assert psnr(seen, rendered(files, PLAIN | turned)) > 45
    assert psnr(shown(page, PLAIN), plain) > 60
    if is_seen and seen.shape == plain.shape:
        assert psnr(seen, plain) < 55


def test_every_control_is_among_them() -> None:
    turned = {name for settings, _ in CASES for name in settings}
    assert {control.field for control in CONTROLS if control.reach != "file"} <= turned


@pytest.mark.parametrize("tables", TABLES, ids=lambda value: str(value)[:40])
def test_a_preset_s_tables_count(page: TestClient, session: Session, files: Path, tables: dict[str, Any]) -> None:
    if "regions" in tables:
        tables = {"regions": tuple(region | {"mask": files / region["mask"]} for region in tables["regions"])}
    if "keyframes" in tables:
        tables = {"keyframes": tuple(of_files(key, files) for key in tables["keyframes"])}
    plain = shown(page, PLAIN)
    session.base = make_config(**PLAIN, **tables)
    for settings in (PLAIN, PLAIN | {"strength": 0.7}):
        assert psnr(shown(page, settings), rendered(files, settings | tables)) > 45
    assert psnr(shown(page, PLAIN), plain) < 60


def of_files(key: dict[str, Any], files: Path) -> dict[str, Any]:
    """A keyframe, its files where they are."""
    named = {name: files / key[name] for name in ("lut", "mask") if key.get(name, "none") != "none"}
    return key | named


REGIONS = (
    {"mask": "half.png", "style": STYLE},
    {"mask": "half.png", "style": f"{STYLE}:0.5+identity:0.5", "invert": True},
)


@pytest.mark.parametrize("at", [2.5 / RATE, 9.5 / RATE, AT])
def test_beside_what_is_not_painted_every_layer_goes_on_with_its_own_past(
    page: TestClient, session: Session, files: Path, at: float
) -> None:
    regions = tuple(region | {"mask": files / region["mask"]} for region in REGIONS)
    settings = PLAIN | {"style": "identity"}
    session.base = make_config(**settings, regions=regions)
    page.post("/api/prepare", json={"clip": "waves.mp4", "at": at, "kind": "parity", "settings": settings})
    for turned in ({}, {"strength": 0.5}, {"consistency": 0.8}, {}):
        wanted = rendered(files, settings | turned | {"regions": regions}, at)
        assert psnr(shown(page, settings | turned, at), wanted) > 45


def test_one_thing_after_the_other_shows_what_it_renders(page: TestClient, files: Path) -> None:
    """Whatever is remembered of a frame when the next is shown, at another strength, mask or consistency."""
    now = dict(PLAIN)
    for turned, moment in (
        ({"strength": 0.5}, AT),
        ({"strength": 1.0, "consistency": 0.9}, AT),
        ({"mask": "half.png"}, AT + 1 / RATE),
        ({"lut": "look.cube", "lut_at": "before"}, AT),
        ({"lut_at": "after"}, AT + 1 / RATE),
    ):
        now |= turned
        assert psnr(shown(page, now, moment), rendered(files, now, moment)) > 45


def test_any_consistency_is_near_once_painted_ahead(
    page: TestClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = 2.9  # late enough for a window that is worth leaving out
    settings = PLAIN | {"consistency": 0.9}
    asked = {"clip": "waves.mp4", "at": at, "kind": "parity", "settings": settings}
    assert page.post("/api/prepare", json=asked).json() == {"ready": True}
    numbers: list[int] = []
    paint = Painter.paint
    monkeypatch.setattr(Painter, "paint", lambda self, frames: numbers.append(len(frames)) or paint(self, frames))
    for consistency in (0.8, 0.93, 0.97, 1.0):
        numbers.clear()
        seen = shown(page, settings | {"consistency": consistency}, at)
        num_painted = sum(numbers)
        (cell,) = vidstyle.preview(folder / "waves.mp4", at=at, **(settings | {"consistency": consistency})).cells
        assert psnr(seen, cell.stylized.permute(1, 2, 0).numpy()) > 45
        assert num_painted <= 10, f"{num_painted} frames painted for {consistency}"
