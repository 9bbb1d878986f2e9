"""Does a clip come back as it went in? Paints nothing (style identity) into every container and compares.

    python scripts/measure_media.py                            # every clip below $VIDSTYLE_TEST_DATA/clips
    python scripts/measure_media.py FOLDER --to mkv --size 160w --seconds 2 --json figures.json

Both sides are read with PyAV alone. For every clip and container:

- frames: as many as went in;
- times: every frame's pts x time base exact in mp4 and mov, within half of the 1 ms tick in mkv and webm;
- length: last frame's end minus first frame's time, within two ticks (both ends are rounded), or one frame in mp4 and
  mov, which keep no length of a single frame where the encoder reorders them;
- sound: every packet of a copied track byte for byte; first sound minus first frame within one tick of the output
  (first packet of a copied track; first heard sample of a converted one, against the source's first packet or sample:
  decoders do not agree with themselves whether their run-in counts); converted sound without gaps or overlaps;
- colour: matrix, primaries, transfer and range: what the source says is said by the output, and nothing is left open.

Ends with 1 where a figure is missed or anything but a sentence for people was raised.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from arguments import output_file
from av.stream import Disposition

CONTAINERS = ("mp4", "mov", "mkv")
#: The fastest the encoder can do: what is measured does not depend on quality.
VP9_FAST = {"encoder_options": {"deadline": "realtime", "cpu-used": "8"}}
#: Codes that stand for "not said": reserved and unspecified.
UNSAID = (0, 2)
MKV_TICK = Fraction(1, 1000)


@dataclass
class Clip:
    """What PyAV alone finds in a file.

    Attributes:
        times: of every frame in display order, in seconds.
        end: of the last frame, in seconds.
        tick: coarsest time base of picture and sound.
        rate: frames per second.
        color: matrix, primaries, transfer and range as tagged, H.273 code points.
        is_rgb: pixels are RGB, whose tags are not those of its YCbCr copy.
        sound: hash of every packet, a list a track, by stream index.
        packet_start: of each track's first packet, in seconds, by stream index.
        heard_start: of each track's first decoded sound, in seconds, by stream index.
        gap: largest gap or overlap between two pieces of each track's decoded sound, in seconds, by stream index.
        repaired: it has no timestamps, or not usable ones; ``times`` are made from its rate.
    """

    times: list[Fraction]
    end: Fraction
    tick: Fraction
    rate: Fraction
    color: tuple[int, ...]
    is_rgb: bool
    sound: dict[int, list[str]]
    packet_start: dict[int, Fraction]
    heard_start: dict[int, Fraction]
    gap: dict[int, Fraction]
    repaired: bool


@dataclass
class Row:
    """One clip in one container.

    Attributes:
        clip: its name below the folder.
        container: mp4, mov, mkv or webm.
        frames_in: number of frames of the source (in the range rendered).
        frames_out: number of frames of the output.
        time_error_ms: largest difference of a frame's time.
        length_error_ms: difference of the lengths.
        offset_error_ms: largest change of sound against picture; None without sound.
        tick_ms: of the output.
        sound: what became of each track.
        color: the output's tags.
        seconds: the render took.
        failures: what was missed; empty is a pass.
        traceback: where anything but a ``VidstyleError`` was raised.
    """

    clip: str
    container: str
    frames_in: int = 0
    frames_out: int = 0
    time_error_ms: float = 0.0
    length_error_ms: float = 0.0
    offset_error_ms: float | None = None
    tick_ms: float = 0.0
    sound: dict[int, str] = field(default_factory=dict)
    color: tuple[int, ...] = ()
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    traceback: str = ""


def main() -> None:
    arguments = parse()
    folder = arguments.folder or clips_folder()
    clips = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not clips:
        sys.exit(f"measure_media: there is no clip below {folder}; name another folder.")
    rows = []
    print_head()
    for clip in clips:
        try:
            source = look_at(clip, end=arguments.seconds)
        except (av.FFmpegError, ValueError) as error:
            print(f"{clip.relative_to(folder)}: not measured, PyAV alone cannot decode it ({error})")
            continue
        for container in arguments.to:
            row = measure(clip, str(clip.relative_to(folder)), source, container, arguments)
            rows.append(row)
            print_row(row)
    failed = [row for row in rows if row.failures]
    print(f"{len(rows) - len(failed)} of {len(rows)} pass, {sum(bool(row.traceback) for row in rows)} tracebacks")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    sys.exit(1 if failed or not rows else 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="clips; default: $VIDSTYLE_TEST_DATA/clips")
    parser.add_argument("--to", action="append", choices=("mp4", "mov", "mkv", "webm"), help="default: mp4, mov, mkv")
    parser.add_argument("--size", help="render smaller, such as 160w; the source's size by default")
    parser.add_argument("--seconds", type=float, help="render only so much of the beginning")
    parser.add_argument("--encoder-preset", default="superfast", help="of x264; ultrafast does not reorder frames")
    parser.add_argument("--json", type=output_file, help="write the figures there")
    arguments = parser.parse_args()
    arguments.to = arguments.to or list(CONTAINERS)
    return arguments


def clips_folder() -> Path:
    data = os.environ.get("VIDSTYLE_TEST_DATA")
    if not data:
        sys.exit("measure_media: set VIDSTYLE_TEST_DATA, or name a folder of clips.")
    return Path(data) / "clips"


def look_at(path: Path, end: float | None = None) -> Clip:
    """Decode a whole file, up to ``end`` seconds, with PyAV alone."""
    with av.open(str(path), metadata_errors="replace") as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        video = next((s for s in pictures if s.disposition & Disposition.default), pictures[0] if pictures else None)
        if video is None:
            raise ValueError("no picture")
        video.thread_type = "AUTO"
        tick = Fraction(video.time_base)
        rate = Fraction(video.average_rate or video.guessed_rate or 25)
        pts, durations, first = [], [], None
        for frame in container.decode(video):
            first = first or frame
            pts.append(frame.pts)
            durations.append(frame.duration or 0)
        if first is None:
            raise ValueError("no frame")
        counted = container.format.name in ("avi", "h264", "hevc", "m4v", "mpegvideo", "mjpeg", "obu")
        repaired = counted or None in pts or any(b <= a for a, b in pairwise(pts))
        times = [i / rate for i in range(len(pts))] if repaired else [p * tick for p in pts]
        last = 1 / rate if repaired or not durations[-1] else durations[-1] * tick
        color = (first.colorspace, first.color_primaries, first.color_trc, first.color_range)
        is_rgb = first.format.is_rgb or first.format.name == "pal8"
        if end is not None and times[-1] - times[0] >= end:
            times = [t for t in times if t - times[0] < end]
            last = (times[-1] - times[-2]) if len(times) > 1 else last
        tracks = [s.index for s in container.streams.audio]
        coarsest = max([tick, *(Fraction(container.streams[i].time_base) for i in tracks)])
    return Clip(
        times=times,
        end=times[-1] + last,
        tick=coarsest,
        rate=rate,
        color=color,
        is_rgb=is_rgb,
        sound={
            index: [hashlib.sha256(bytes(packet)).hexdigest() for packet in packets(path, index)] for index in tracks
        },
        packet_start=starts(tracks, lambda index: next(packets(path, index), None)),
        heard_start=starts(tracks, lambda index: first_sound(path, index)),
        gap={index: largest_gap(path, index) for index in tracks},
        repaired=repaired,
    )


def packets(path: Path, index: int) -> Iterator[Any]:
    with av.open(str(path), metadata_errors="replace") as container:
        yield from (packet for packet in container.demux(container.streams[index]) if packet.size)


def first_sound(path: Path, index: int) -> Any:
    """A track's first decoded sound; what an encoder only needs to get going is none."""
    with av.open(str(path), metadata_errors="replace") as container:
        return next(iter(container.decode(container.streams[index])), None)


def largest_gap(path: Path, index: int) -> Fraction:
    with av.open(str(path), metadata_errors="replace") as container:
        pieces = [
            (frame.pts * Fraction(frame.time_base), Fraction(frame.samples, frame.rate))
            for frame in container.decode(container.streams[index])
            if frame.pts is not None
        ]
    return max((abs(b - (a + length)) for (a, length), (b, _) in pairwise(pieces)), default=Fraction(0))


def starts(tracks: list[int], first: Callable[[int], Any]) -> dict[int, Fraction]:
    found = {index: first(index) for index in tracks}
    return {
        index: item.pts * Fraction(item.time_base) for index, item in found.items() if item and item.pts is not None
    }


def measure(path: Path, name: str, source: Clip, container: str, arguments: argparse.Namespace) -> Row:
    """Render one clip and compare."""
    from vidstyle.api import stylize
    from vidstyle.errors import VidstyleError

    row = Row(name, container, frames_in=len(source.times))
    encoding: dict[str, Any] = VP9_FAST if container == "webm" else {"encoder_preset": arguments.encoder_preset}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / f"out.{container}"
        try:
            report = stylize(
                path,
                output,
                style="identity",
                consistency=0.0,
                device="cpu",
                size=arguments.size,
                end_seconds=arguments.seconds,
                **encoding,
            )
            row.seconds = time.perf_counter() - started
            compare(row, source, look_at(output), fates_of(report.plan), is_cut=arguments.seconds is not None)
        except (VidstyleError, av.FFmpegError, ValueError) as error:
            row.failures.append(f"{type(error).__name__}: {error}")
            if not isinstance(error, VidstyleError):
                row.traceback = traceback.format_exc()
        except Exception as error:  # noqa: BLE001  # whatever is raised is a finding, and the next clip is measured
            row.failures.append(f"{type(error).__name__}: {error}")
            row.traceback = traceback.format_exc()
    return row


def sound_offset(
    source: Clip, output: Clip, index: int, target: int, *, is_copy: bool
) -> tuple[Fraction | None, list[Fraction]]:
    """How long after the first frame a track starts, and when it may; all in seconds."""
    kinds = ("packet_start",) if is_copy else ("packet_start", "heard_start")
    found = (output.packet_start if is_copy else output.heard_start).get(target)
    wanted = [starts[index] - source.times[0] for kind in kinds if index in (starts := getattr(source, kind))]
    return None if found is None else found - output.times[0], wanted


def fates_of(plan: Any) -> dict[int, str]:
    """What the render says becomes of each stream."""
    actions = {} if plan is None else {stream.index: stream for stream in plan.streams}
    return {i: s.target_codec if s.action == "convert" else s.action for i, s in actions.items()}


def compare(row: Row, source: Clip, output: Clip, fates: dict[int, str], *, is_cut: bool) -> None:
    """Fill in a row's figures and failures."""
    allowed = MKV_TICK / 2 if row.container in ("mkv", "webm") else Fraction(0)
    row.frames_out = len(output.times)
    row.tick_ms, row.color = float(output.tick * 1000), output.color
    if row.frames_out != row.frames_in:
        row.failures.append(f"{row.frames_out} frames of {row.frames_in}")
    error = max((abs(a - b) for a, b in zip(source.times, output.times, strict=False)), default=Fraction(0))
    row.time_error_ms = float(error * 1000)
    if error > allowed:
        row.failures.append(f"a frame is off by {row.time_error_ms:.3f} ms")
    length = abs((output.end - output.times[0]) - (source.end - source.times[0]))
    row.length_error_ms = float(length * 1000)
    rounding = 2 * max(output.tick, source.tick)
    if length > (rounding if allowed else max(rounding, 1 / source.rate)) and not is_cut:
        row.failures.append(f"the length is off by {row.length_error_ms:.3f} ms")
    compare_sound(row, source, output, fates, is_cut=is_cut)
    compare_color(row, source, output)


def compare_sound(row: Row, source: Clip, output: Clip, fates: dict[int, str], *, is_cut: bool) -> None:
    row.sound = {index: fates.get(index, "not mentioned") for index in source.sound}
    kept = [index for index, fate in row.sound.items() if fate != "drop"]
    if len(kept) != len(output.sound):
        row.failures.append(f"{len(output.sound)} sound tracks of {len(kept)}")
        return
    for index, target in zip(kept, output.sound, strict=True):
        before, after = source.sound[index], output.sound[target]
        if row.sound[index] == "copy":
            same = before[: len(after)] == after and after if is_cut else before == after
            if not same:
                row.failures.append(f"packets of track {index} differ ({len(after)} of {len(before)})")
        elif output.gap[target] > output.tick:
            row.failures.append(f"track {index} has gaps of {float(output.gap[target] * 1000):.3f} ms")
        offset, expected = sound_offset(source, output, index, target, is_copy=row.sound[index] == "copy")
        if offset is not None and expected:
            error = min(abs(offset - each) for each in expected)
            row.offset_error_ms = max(row.offset_error_ms or 0.0, float(error * 1000))
            if error > output.tick:
                row.failures.append(f"track {index} is shifted by {float(error * 1000):.3f} ms")


def compare_color(row: Row, source: Clip, output: Clip) -> None:
    for name, before, after in zip(
        ("matrix", "primaries", "transfer", "range"), source.color, output.color, strict=True
    ):
        unsaid = (0,) if name == "range" else UNSAID
        if after in unsaid:
            row.failures.append(f"the {name} is not tagged")
        elif before not in unsaid and after != before and not (source.is_rgb and name in ("matrix", "range")):
            row.failures.append(f"the {name} is {after}, was {before}")


def print_head() -> None:
    print(f"{'clip':<40} {'to':<4} {'frames':>11} {'time ms':>9} {'length ms':>10} {'A/V ms':>8}  sound; result")


def print_row(row: Row) -> None:
    offset = "-" if row.offset_error_ms is None else f"{row.offset_error_ms:.3f}"
    sound = ", ".join(row.sound.values()) or "none"
    result: Any = "pass" if not row.failures else "FAIL: " + "; ".join(row.failures)
    print(
        f"{row.clip:<40} {row.container:<4} {row.frames_out:>5}/{row.frames_in:<5} {row.time_error_ms:>9.3f} "
        f"{row.length_error_ms:>10.3f} {offset:>8}  {sound}; {result}",
        flush=True,
    )


if __name__ == "__main__":
    main()
