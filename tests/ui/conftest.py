"""A tiny clip, a tiny random style, and the page's server around them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import media_factory as factory
import pytest
import torch
from starlette.testclient import TestClient
from ui_factory import NUM_FRAMES, PORT, RATE, STYLE

from vidstyle.config import make_config
from vidstyle.stylizers.checkpoint import StyleCard, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.ui.server import create_app
from vidstyle.ui.session import Session
from vidstyle.weights.registry import user_folder


@pytest.fixture(scope="session", autouse=True)
def tiny_style(_empty_user_folder: None) -> Iterator[str]:
    """An own style by the name of ``tiny``: random strokes, quick to paint."""
    path = user_folder() / f"{STYLE}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        net = BlurPoolNet(num_channels=16, num_blocks=1)
        net.to_rgb.weight.data *= 4
        save_feedforward(path, net, StyleCard(STYLE, "random strokes"))
    yield STYLE
    path.unlink()


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of 96x64 at 12 fps, with sound."""
    path = tmp_path_factory.mktemp("clip") / "waves.mp4"
    return factory.make_clip(path, num_frames=NUM_FRAMES, rate=RATE, size=(96, 64), audio="aac")


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    """An opened folder with a clip in it, beside things that are not opened."""
    opened = tmp_path / "opened"
    opened.mkdir()
    shutil.copy(tiny_clip, opened / "waves.mp4")
    shutil.copy(tiny_clip, tmp_path / "secret.mp4")
    return opened


@pytest.fixture
def session(folder: Path) -> Session:
    return Session((folder.resolve(),), folder / "waves.mp4", make_config(style=STYLE, flow="dis"))


@pytest.fixture
def page(session: Session) -> Iterator[TestClient]:
    """Asks as the page itself does."""
    base = f"http://127.0.0.1:{PORT}"
    headers = {"Authorization": f"Bearer {session.token}", "Origin": base, "Sec-Fetch-Site": "same-origin"}
    with TestClient(create_app(session, PORT), base_url=base, headers=headers) as client:
        yield client
