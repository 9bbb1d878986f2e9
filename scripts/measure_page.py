#!/usr/bin/env python
"""How long the page of ``vidstyle ui`` takes to show what a control does, asked over HTTP as the page asks.

Every change starts from the same settled page: the frame is shown as rendered, and the page has painted ahead while
nobody waited. Then come a draft and the frame as rendered, one after the other, after the 60 ms that the page waits for
a second change. What a browser needs to draw a picture is not in it.

Usage: python scripts/measure_page.py [--clip CLIP] [--at SECONDS] [--style STYLE] [--threads N] [--only WORD] ...
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from arguments import output_file
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SETTLE_SECONDS = 0.06
AFTER, LOOK = {"parity": 1.0}, {"draft": 1.0, "parity": 5.0}
#: What is turned, and how soon it has to be seen.
CASES: list[tuple[str, dict[str, Any], dict[str, float]]] = [
    ("strength 0.6", {"strength": 0.6}, AFTER),
    ("detail 0.5", {"detail": 0.5}, AFTER),
    ("consistency 0.7", {"consistency": 0.7}, AFTER),
    ("consistency 0.93", {"consistency": 0.93}, AFTER),
    ("consistency 0.97", {"consistency": 0.97}, AFTER),
    ("consistency 1.0", {"consistency": 1.0}, AFTER),
    ("colours: luma", {"preserve_color": "luma"}, AFTER),
    ("mask", {"mask": "{files}/mask.png"}, AFTER),
    ("mask, soft, inverted", {"mask": "{files}/mask.png", "feather": 40, "invert_mask": True}, AFTER),
    ("look-up table, after", {"lut": "{files}/look.cube"}, AFTER),
    ("style", {"style": "great-wave"}, LOOK),
    ("two styles mixed", {"style": "mosaic:0.6+udnie:0.4"}, LOOK),
    ("picture as style", {"style": "{files}/picture.png"}, LOOK),
    ("brush size 2", {"style_scale": 2.0}, LOOK),
    ("brush size 0.5", {"style_scale": 0.5}, LOOK),
    ("grain kept", {"grain": "keep"}, LOOK),
    ("colours: transfer", {"preserve_color": "transfer"}, LOOK),
    ("look-up table, before", {"lut": "{files}/look.cube", "lut_at": "before"}, LOOK),
]


class Page:
    """Asks as the page does."""

    def __init__(self, address: str, clip: Path, style: str, at: float) -> None:
        parts = urlsplit(address)
        self._host = str(parts.netloc)
        self._headers = {
            "Authorization": f"Bearer {parse_qs(parts.query)['token'][0]}",
            "Origin": f"http://{self._host}",
            "Content-Type": "application/json",
        }
        self._clip, self._style, self._at = str(clip), style, at
        self._view = 0
        self._connection = http.client.HTTPConnection(self._host)

    def ask(self, path: str, kind: str, settings: dict[str, Any]) -> float:
        """Seconds until the answer is there."""
        started = time.perf_counter()
        asked = {
            "clip": self._clip,
            "at": self._at,
            "kind": kind,
            "settings": {"style": self._style} | settings,
            "tab": "measured",
            "view": self._view,
        }
        self._connection.request("POST", path, json.dumps(asked), self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            sys.exit(f"The page answered {answer.status}: {content.decode(errors='replace')}")
        return time.perf_counter() - started

    def settle(self) -> dict[str, float]:
        """The page as it stands untouched; seconds that each part took."""
        self._view += 1
        return {
            "source": self.ask("/api/frame", "source", {}),
            "draft": self.ask("/api/frame", "draft", {}),
            "parity": self.ask("/api/frame", "parity", {}),
            "painting ahead": self.ask("/api/prepare", "parity", {}),
        }

    def change(self, settings: dict[str, Any]) -> dict[str, float]:
        """Seconds from a change to its draft, and to its frame as rendered."""
        self._view += 1
        started = time.perf_counter()
        time.sleep(SETTLE_SECONDS)
        found = {}
        for kind in ("draft", "parity"):
            self.ask("/api/frame", kind, settings)
            found[kind] = time.perf_counter() - started
        return found


@contextmanager
def served(clip: Path, files: Path, threads: int | None) -> Any:
    """``vidstyle ui`` in a process of its own: its address and its process id."""
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    command = [sys.executable, "-m", "vidstyle", "ui", str(clip), "--no-open", "--folder", str(files)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    try:
        line = server.stdout.readline() if server.stdout is not None else ""
        address = re.search(r"http://\S+", line)
        if address is None:
            sys.exit(f"The page did not start: {line}")
        yield address[0], server.pid
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def make_files(folder: Path) -> None:
    """A mask, a look-up table, and a picture to take the style of."""
    ramp = Image.linear_gradient("L").resize((640, 360))
    ramp.save(folder / "mask.png")
    Image.merge("RGB", [ramp, ramp.rotate(180), ramp.effect_spread(40)]).save(folder / "picture.png")
    steps = [i / 16 for i in range(17)]
    lines = [f"{r**0.9:.4f} {g:.4f} {b**1.1:.4f}" for b in steps for g in steps for r in steps]
    (folder / "look.cube").write_text("\n".join(["LUT_3D_SIZE 17", *lines, ""]), encoding="ascii")


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used; NaN where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for."""
    found: dict[str, Any] = {"clip": options.clip.name, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as name:
        files = Path(name).resolve()
        make_files(files)
        with served(options.clip.resolve(), files, options.threads) as (address, pid):
            page = Page(address, options.clip.resolve(), options.style, options.at)
            found["first"] = page.settle()
            rows = found["rows"] = []
            for label, settings, limits in CASES:
                if options.only and options.only not in label:
                    continue
                page.settle()
                turned = {k: v.format(files=files) if isinstance(v, str) else v for k, v in settings.items()}
                before = cpu_seconds(pid)
                times = page.change(turned)
                rows.append({"control": label, **times, "cpu": cpu_seconds(pid) - before, "limits": limits})
    return found | {"load_after": os.getloadavg()[0]}


def print_table(found: dict[str, Any]) -> None:
    """The same for people."""
    load = f"load {found['load_before']:.1f} before, {found['load_after']:.1f} after (the page alone makes 1 to 2)"
    print(f"{found['clip']}; {found['cores']} cores, {load}")
    print("opened: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found["first"].items()))
    print(f"\n{'':<24}{'draft':>8}{'as rendered':>13}{'allowed':>12}{'CPU s':>8}")
    for row in found["rows"]:
        limits = row["limits"]
        allowed = " / ".join(f"{limits[kind]:g}" for kind in ("draft", "parity") if kind in limits)
        kept = all(row[kind] <= seconds for kind, seconds in limits.items())
        late = "" if kept else "  late"
        print(f"{row['control']:<24}{row['draft']:>8.2f}{row['parity']:>13.2f}{allowed:>12}{row['cpu']:>8.2f}{late}")


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=ROOT / "sample_media" / "clip.mp4")
    parser.add_argument("--at", type=float, default=5.0, help="moment to look at, in seconds")
    parser.add_argument("--style", default="starry-night")
    parser.add_argument("--threads", type=int, help="of the server's arithmetic; all cores by default")
    parser.add_argument("--only", help="measure only controls with this word in their name")
    parser.add_argument("--json", type=output_file, help="write the figures there, too")
    options = parser.parse_args()
    found = measure(options)
    print_table(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
