"""``vidstyle ui`` as a process: how it starts, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from ui_factory import STYLE

from vidstyle.cli.main import cli
from vidstyle.errors import ConfigError, VidstyleError


def test_ctrl_c_in_a_render_leaves_nothing(folder: Path) -> None:
    command = [sys.executable, "-m", "vidstyle", "ui", str(folder / "waves.mp4"), "--no-open", "--style", STYLE]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address is not None
        parts = urlsplit(address[0])
        headers = {
            "Authorization": f"Bearer {parse_qs(parts.query)['token'][0]}",
            "Origin": f"http://{parts.netloc}",
            "Content-Type": "application/json",
        }
        asked = {"clip": "waves.mp4", "output": "out.mp4", "settings": {"style": STYLE, "size": "1280x852"}}
        # At once: whoever is quicker than the server must not be turned away.
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.request("POST", "/api/render", json.dumps(asked), headers)
        assert json.load(connection.getresponse())["status"] == "running"
        connection.close()
        until = time.monotonic() + 60
        while not list(folder.glob("*.part")) and time.monotonic() < until:
            time.sleep(0.02)
        assert list(folder.glob("*.part"))
    finally:
        server.send_signal(signal.SIGINT)
        _, complaints = server.communicate(timeout=30)
    assert server.returncode == 0
    assert complaints == ""
    assert [path.name for path in folder.iterdir()] == ["waves.mp4"]


def test_a_port_that_is_taken_is_a_sentence(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"Port {port} cannot be used; leave --port out"):
            cli.main(["ui", str(folder / "waves.mp4"), "--no-open", "--port", str(port)], standalone_mode=False)


@pytest.mark.parametrize("content", [b"", b"not a video", b"\0\0\0\x20ftypisom" + bytes(40)])
def test_a_clip_that_is_no_video_is_refused_at_once(folder: Path, content: bytes) -> None:
    (folder / "broken.mp4").write_bytes(content)
    with pytest.raises(VidstyleError, match=r"broken\.mp4"):
        cli.main(["ui", str(folder / "broken.mp4"), "--no-open"], standalone_mode=False)


@pytest.mark.parametrize("name", ["shot.%04d.png", "still.png"])
def test_pictures_are_sent_to_the_command_that_takes_them(folder: Path, name: str) -> None:
    for path in ("shot.0001.png", "shot.0002.png", "still.png"):
        (folder / path).touch()
    with pytest.raises(VidstyleError, match="vidstyle preview"):
        cli.main(["ui", str(folder / name), "--no-open"], standalone_mode=False)


def test_help_names_what_the_page_may_reach() -> None:
    assert "--folder" in CliRunner().invoke(cli, ["ui", "--help"]).output
