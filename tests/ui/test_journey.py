"""The whole way through the page in a real browser: open, scrub, choose, wipe, render, play."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import run_script
from PIL import Image
from ui_factory import NUM_FRAMES, STYLE

from vidstyle.media.stills import read_style_image

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed; it is in the extra 'dev'")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH; on Debian: apt-get install chromium")

#: Generous: the machine may be busy. Nothing here waits longer than it has to.
PATIENCE_MS = 60_000


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """``vidstyle ui`` as a user runs it, ended by Ctrl-C."""
    command = [sys.executable, "-m", "vidstyle", "ui", str(folder / "waves.mp4"), "--no-open"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        [*command, "--style", STYLE, "--flow", "dis"], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert server.stdout is not None
        yield re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", server.stdout.readline())[0]  # type: ignore[index]
    finally:
        server.send_signal(signal.SIGINT)
        left = server.wait(timeout=20)
    assert left == 0


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900}, permissions=["clipboard-read"])
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        yield page
        browser.close()
    own = address.split("/?", maxsplit=1)[0]
    assert not complaints
    assert not [url for url in asked if not url.startswith((own, "blob:", "data:"))]


def settled(page: Any) -> str:
    """Wait for the frame that the render would show; returns its address. A change takes the old mark away at once."""
    page.wait_for_selector("#badge[data-kind=parity]")
    return str(page.locator("#styled").get_attribute("src"))


def painting() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 90).save(buffer, "PNG")
    return buffer.getvalue()


def drop(page: Any, name: str, content: bytes, num_zeros: int = 0) -> None:
    """Let go of a file over the page: its content, and so many zeros."""
    making = "([name, text, zeros]) => { const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));"
    making += "const held = new DataTransfer(), file = new File([bytes, new Uint8Array(zeros)], name);"
    making += "held.items.add(file); return held; }"
    held = page.evaluate_handle(making, [name, base64.b64encode(content).decode(), num_zeros])
    page.dispatch_event("#viewer", "drop", {"dataTransfer": held})


def test_the_whole_journey(page: Any, folder: Path) -> None:
    expect = playwright.expect
    expect.set_options(timeout=PATIENCE_MS)
    # Open: the address loses its token, the clip is there, the frame is that of the render.
    first = settled(page)
    assert "token" not in page.url
    expect(page.locator("#facts")).to_contain_text("96×64 · 12 fps · 3.0 s")
    expect(page.locator("#thumbs img.filled")).not_to_have_count(0)
    expect(page.locator(".style img.filled").last).to_be_attached()

    # Scrub: by key and by hand.
    moment = page.locator("#time").inner_text()
    page.locator("#viewer").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#time")).to_have_text(f"{float(moment.split()[0]) + 1:.2f} s · frame {NUM_FRAMES // 3 + 12}")
    assert settled(page) != first

    # Choose a style with the keyboard, and come back.
    page.locator(f".style[data-style={STYLE}]").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".style[aria-checked=true]")).to_have_attribute("data-style", "identity")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".style[aria-checked=true]")).to_have_attribute("data-style", STYLE)
    before = settled(page)

    # A control changes the picture, its mistake is said where it stands, and it goes back.
    page.locator("#c-strength").fill("0.5")
    assert settled(page) != before
    page.locator("#c-size").fill("huge")
    page.keyboard.press("Tab")
    expect(page.locator(".control.wrong .error")).to_contain_text("not 'huge'")
    page.locator("#reset").click()
    settled(page)
    expect(page.locator(".control.changed")).to_have_count(0)

    # Mix it with another, and take it apart again.
    before = settled(page)
    page.locator("#mix-with").select_option("identity")
    assert settled(page) != before
    expect(page.locator("#style-tag")).to_have_text(f"{STYLE}+none")
    page.locator("#mix-share").fill("0.9")
    settled(page)
    page.locator("#mix-with").select_option("")
    expect(page.locator("#mix-row")).to_be_hidden()

    # Drop what is no picture, what is too large, and a picture, which becomes the style.
    settled(page)
    drop(page, "notes.png", b"not a picture")
    expect(page.locator("#toast")).to_contain_text("notes.png is not a picture that can be read")
    drop(page, "scan.tif", b"", 25 * 2**20)
    expect(page.locator("#toast")).to_contain_text("scan.tif is larger than 24 MiB")
    expect(page.locator(".style[aria-checked=true]")).to_have_attribute("data-style", STYLE)
    drop(page, "my painting.png", painting())
    expect(page.locator(".style[aria-checked=true] span")).to_have_text("my-painting")
    expect(page.locator("#c-style_weight")).to_be_enabled()
    expect(page.locator("#style-tag")).to_have_text("my-painting")
    settled(page)
    page.locator(f".style[data-style={STYLE}]").click()
    settled(page)

    # Wipe, toggle, zoom.
    page.locator("#wipe").focus()
    page.keyboard.press("PageUp")
    expect(page.locator("#wipe")).to_have_attribute("aria-valuenow", "60")
    page.locator("#viewer").focus()
    page.keyboard.press("b")
    expect(page.locator("#viewer")).to_have_attribute("data-view", "original")
    page.keyboard.press("b")
    expect(page.locator("#viewer")).to_have_attribute("data-view", "wipe")
    page.keyboard.press("-")
    expect(page.locator("#zoom-fit")).to_have_text("800 %")

    # Copy the command.
    page.locator("#copy").click()
    expect(page.locator("#toast")).to_contain_text(f"vidstyle stylize {folder / 'waves.mp4'}")

    # Render a piece, then play it beside the source, which stays within it; also when the page was reloaded.
    page.locator("#c-start_seconds").fill("1")
    page.locator("#c-end_seconds").fill("1.5")
    page.locator("#render").click()
    page.locator("#ask-name").fill("out.mp4")
    page.keyboard.press("Enter")
    expect(page.locator("#job-play")).to_be_visible()
    page.reload()
    page.locator("#job-play").click()
    assert (folder / "out.mp4").stat().st_size > 0
    expect(page.locator("#play-result")).to_have_js_property("ended", True)
    expect(page.locator("#play")).to_have_text("Play")
    expect(page.locator("#play-source")).to_have_js_property("seeking", False)
    assert 1 <= page.evaluate("document.getElementById('play-source').currentTime") < 1.5
    expect(page.locator("#play-error")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_visible()


def test_page_is_photographed_with_everything_painted(clip_mp4: Path, tmp_path: Path) -> None:
    output = tmp_path / "images" / "ui.jpg"
    result = run_script("make_page_picture.py", "--clip", clip_mp4, "--style", "mosaic", "--out", output)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"wrote {output}: ")
    assert read_style_image(output).shape == (3, 900, 1440)
