"""Photograph the page of ``vidstyle ui`` on the sample clip for its document, wipe in the middle, every style painted.

    python scripts/make_page_picture.py                              # docs/images/ui.jpg

Wants Chromium, and Playwright from the extra ``dev``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from arguments import output_file
from measure_page import ROOT, served
from playwright.sync_api import Error, expect, sync_playwright

from vidstyle.weights.registry import shipped_styles

SIZE_PX = {"width": 1440, "height": 900}
PATIENCE_MS = 120_000
QUALITY = 85
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=ROOT / "sample_media" / "clip.mp4")
    parser.add_argument("--style", default="great-wave", choices=[style.name for style in shipped_styles()])
    parser.add_argument("--out", type=output_file, default=ROOT / "docs" / "images" / "ui.jpg", help="a .jpg")
    options = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("make_page_picture: no Chromium on PATH; install it (on Debian: apt-get install chromium).")
    try:
        photograph(options, browser)
    except Error as error:
        sys.exit(f"make_page_picture: {error.message.splitlines()[0]}")
    print(f"wrote {options.out}: {options.out.stat().st_size / 1000:.0f} kB")


def photograph(options: argparse.Namespace, browser: str) -> None:
    """Open the page, choose the style, wait until nothing is left to paint, and take its picture."""
    expect.set_options(timeout=PATIENCE_MS)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(options.clip, Path(folder), None) as (address, _),
        sync_playwright() as driver,
    ):
        chromium = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport=SIZE_PX)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        page.locator(f".style[data-style={options.style}]").click()
        page.wait_for_selector("#badge[data-kind=parity]")
        expect(page.locator(".style img:not(.filled)")).to_have_count(0)
        expect(page.locator("#thumbs img:not(.filled)")).to_have_count(0)
        page.mouse.move(SIZE_PX["width"] / 2, SIZE_PX["height"] - 1)  # away from what it would light up
        page.screenshot(path=options.out, type="jpeg", quality=QUALITY)
        chromium.close()


if __name__ == "__main__":
    main()
