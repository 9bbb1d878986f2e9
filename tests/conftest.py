"""Fixtures shared by all tests.

What they need is imported inside them: pytest-xdist loads this file before it starts its workers, which need torch.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Tests assert behaviour, never times; what is slow on a busy machine is not wrong.
settings.register_profile("vidstyle", deadline=None)
settings.load_profile("vidstyle")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny operations spread over busy cores spend their time waiting for each other."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """The command sets its own, and ends with Ctrl-C ignored."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _empty_user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither see nor touch the styles of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of real clips and pictures; tests that need it skip where it is not set."""
    folder = os.environ.get("VIDSTYLE_TEST_DATA")
    if not folder:
        pytest.skip("VIDSTYLE_TEST_DATA is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def media_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def clip_mp4(media_dir: Path) -> Path:
    """Two seconds of 64x48 H.264 at 24 fps with stereo AAC."""
    import media_factory as factory

    return factory.make_clip(media_dir / "clip.mp4", audio="aac", num_frames=48)


@pytest.fixture(scope="session")
def clip_vfr_mkv(media_dir: Path) -> Path:
    """H.264 with uneven frame times and PCM sound, in milliseconds."""
    import media_factory as factory

    return factory.make_clip(media_dir / "vfr.mkv", audio="pcm_s16le", pts=factory.VFR_PTS_MS, time_base=factory.MS)
