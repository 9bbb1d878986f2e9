#!/usr/bin/env python3
"""Read thousands of damaged clips: each must give frames or a clear error, soon, and with bounded memory.

    scripts/fuzz_reader.py --cases 2000 --keep findings/
    scripts/fuzz_reader.py --largest          # undamaged clips of the largest pictures that are read: how much memory

Clips made here, and the beginnings of those under VIDSTYLE_TEST_DATA where that is set, are mutated by seeds: flipped
bits, overwritten runs, truncation, pieces dropped, doubled or swapped, header fields set to extremes. Every case is
read in a worker process, which is started anew after a crash or a hang only. Exit code 1 where anything was found; the
files are kept, and ``--case NUMBER`` reads one again in this process.
"""

# ruff: noqa: E402  # the package and its tests' media are found beside this file

from __future__ import annotations

import argparse
import io
import multiprocessing
import multiprocessing.connection
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

import av
import media_factory as factory
import torch  # noqa: F401  # loaded here, once, so that it counts to no case

from vidstyle.errors import VidstyleError
from vidstyle.frames import VideoFrame
from vidstyle.media.reader import open_video

LIMIT_SECONDS = 10
LIMIT_BYTES = 1536 * 1024**2
#: Reading a case ends after so much: a clip may announce any length and that is no fault of the reader.
MAX_FRAMES, MAX_PIXELS = 300, 100_000_000
PIECE_BYTES = 200_000
#: The largest picture that is read, in the formats that take the most room.
LARGEST_SIZE = (8192, 4608)
LARGEST = {
    "rgba.mov": ("png", "rgba64be"),
    "yuva.mov": ("prores_ks", "yuva444p10le"),
    "yuva.mkv": ("ffv1", "yuva444p16le"),
    "gbra.mkv": ("ffv1", "gbrap16le"),
    "yuv.mp4": ("libx264", "yuv444p10le"),
}
LARGEST_LIMIT_SECONDS = 120
OUTCOMES = ("ok", "refused", "hang", "crash", "traceback", "memory", "disorder")


@dataclass(frozen=True)
class Seed:
    """A whole clip to damage."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Outcome:
    kind: str
    detail: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0


def make_seeds(folder: Path) -> list[Seed]:
    """Tiny clips of every container and many codecs, and pieces of real ones."""
    made = {
        "plain.mp4": {"audio": "aac", "options": {"preset": "fast"}, "keyframe_interval": 8},
        "front.mp4": {"container_options": {"movflags": "faststart"}, "audio": "aac", "chapters": True},
        "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "keyframe_interval": 6},
        "turned.mov": {"rotation": (90, True), "audio": "pcm_s16le", "metadata": {"timecode": "01:00:00:00"}},
        "late.mkv": {"pts": list(range(8000, 9000, 40)), "time_base": factory.MS, "audio": "flac"},
        "text.mkv": {"audio": ["aac", "libopus"], "subtitles": "subrip", "options": {"preset": "fast"}},
        "uneven.mkv": {"pts": factory.VFR_PTS_MS, "time_base": factory.MS, "codec": "ffv1"},
        "vp9.webm": {"audio": "libopus"},
        "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1"}},
        "mpeg4.avi": {"audio": "mp2"},
        "h264.avi": {"codec": "libx264", "options": {"preset": "fast"}},
        "raw.h264": {"format_name": "h264"},
        "stream.ts": {"audio": "mp2", "keyframe_interval": 8},
        "fields.mkv": {"codec": "mpeg2video", "options": {"flags": "+ilme+ildct"}},
        "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le", "num_frames": 4},
        "mjpeg.mov": {"codec": "mjpeg", "pixel_format": "yuvj420p", "num_frames": 6},
        "png.mov": {"codec": "png", "pixel_format": "rgb24", "num_frames": 4},
        "hevc.mp4": {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": "log-level=none"}},
    }
    seeds = []
    for name, options in made.items():
        path = factory.make_clip(folder / name, **({"num_frames": 16} | options))
        seeds.append(Seed(name, path.read_bytes()))
    data = os.environ.get("VIDSTYLE_TEST_DATA")
    for path in sorted(Path(data, "clips").rglob("*.*")) if data else ():
        piece = _beginning(path)
        if piece is not None:
            seeds.append(Seed(path.name, piece))
    return seeds


def _beginning(path: Path) -> bytes | None:
    """The first packets of a clip, as a clip of the same format."""
    if path.stat().st_size <= PIECE_BYTES:
        return path.read_bytes()
    buffer = io.BytesIO()
    try:
        format_name = {".mkv": "matroska", ".mpg": "mpeg"}.get(path.suffix, path.suffix.lstrip("."))
        with av.open(str(path)) as source, av.open(buffer, "w", format=format_name) as output:
            wanted = [s for s in source.streams if s.type in ("video", "audio")]
            streams = {s.index: output.add_stream_from_template(s) for s in wanted}
            size = 0
            for packet in source.demux(wanted):
                size += packet.size
                if size > PIECE_BYTES:
                    break
                if packet.size and packet.dts is not None:
                    packet.stream = streams[packet.stream_index]
                    output.mux(packet)
    except (av.FFmpegError, ValueError):
        return path.read_bytes()[:PIECE_BYTES]
    return buffer.getvalue()


def mutate(data: bytes, random_: random.Random) -> bytes:
    """One to four injuries; those that happen to change nothing, as zeros written over zeros, are drawn again."""
    mutated = bytearray(data)
    while mutated == data and len(data) > 16:  # shorter ones are never injured
        for _ in range(random_.choice((1, 1, 2, 4))):
            if len(mutated) > 16:
                random_.choice(INJURIES)(mutated, random_)
    return bytes(mutated)


def _place(data: bytearray, random_: random.Random) -> int:
    """Headers matter more than their size: half of the hits go to either end."""
    limit = len(data) if random_.random() < 0.5 else min(len(data), 2000)
    place = random_.randrange(limit)
    return place if random_.random() < 0.8 else len(data) - 1 - place


def _piece(data: bytearray, random_: random.Random) -> tuple[int, int]:
    start = _place(data, random_)
    return start, min(start + int(2 ** random_.uniform(0, 14)), len(data))


def _flip(data: bytearray, random_: random.Random) -> None:
    data[_place(data, random_)] ^= 1 << random_.randrange(8)


def _flip_many(data: bytearray, random_: random.Random) -> None:
    for _ in range(random_.randrange(2, 60)):
        _flip(data, random_)


def _overwrite(data: bytearray, random_: random.Random) -> None:
    start, end = _piece(data, random_)
    fill = random_.choice((b"\0", b"\xff", None))
    data[start:end] = random_.randbytes(end - start) if fill is None else fill * (end - start)


def _truncate(data: bytearray, random_: random.Random) -> None:
    del data[random_.randrange(len(data) // 20, len(data)) :]


def _drop(data: bytearray, random_: random.Random) -> None:
    start, end = _piece(data, random_)
    del data[start:end]


def _double(data: bytearray, random_: random.Random) -> None:
    start, end = _piece(data, random_)
    at = _place(data, random_)
    data[at:at] = data[start:end]


def _swap(data: bytearray, random_: random.Random) -> None:
    start, end = _piece(data, random_)
    size = end - start
    other = random_.randrange(max(len(data) - size, 1))
    data[start:end], data[other : other + size] = data[other : other + size], data[start:end]


def _field(data: bytearray, random_: random.Random) -> None:
    """A number of 1, 2, 4 or 8 bytes set to an extreme, in either byte order."""
    size = random_.choice((1, 2, 4, 4, 8))
    start = _place(data, random_)
    top = 2 ** (8 * size)
    value = random_.choice((0, 1, top - 1, top // 2, top // 2 - 1, 65535, 16384, 1 << 24, random_.randrange(top))) % top
    data[start : start + size] = value.to_bytes(size, random_.choice(("big", "little")))


INJURIES = (_flip, _flip_many, _overwrite, _truncate, _drop, _double, _swap, _field, _field)


def options_of(random_: random.Random) -> dict[str, object]:
    """A way to read: mostly from end to end, sometimes a part, another rate, or behind damage."""
    options: dict[str, object] = {"deinterlace": random_.random() < 0.7, "on_error": random_.choice(("stop", "skip"))}
    way = random_.random()
    if way < 0.15:
        options |= {"start_seconds": random_.uniform(0, 1), "warmup_frames": random_.randrange(5)}
    elif way < 0.25:
        options |= {"frames": f"{random_.randrange(6)}-{random_.randrange(6, 12)}", "handles": random_.randrange(3)}
    elif way < 0.35:
        options |= {"fps": random_.choice(("10", "24000/1001", "60")), "end_seconds": random_.uniform(0.1, 2)}
    return options


def case(seeds: list[Seed], number: int) -> tuple[Seed, bytes, dict[str, object]]:
    """Everything about one case follows from its number."""
    random_ = random.Random(number)  # noqa: S311
    seed = seeds[number % len(seeds)]
    return seed, mutate(seed.data, random_), options_of(random_)


def read(path: Path, options: dict[str, object]) -> Outcome:
    """Open a file and read its frames and packets."""
    last: Fraction | None = None
    num_frames = num_pixels = 0
    try:
        with open_video(path, **options) as reader:
            for item in reader:
                if not isinstance(item, VideoFrame):
                    continue
                at = item.pts * item.time_base
                if last is not None and at <= last:
                    return Outcome("disorder", f"frame at {at} after {last}")
                last = at
                num_frames += 1
                num_pixels += item.data.shape[-1] * item.data.shape[-2]
                del item  # or it counts to the next
                if num_frames >= MAX_FRAMES or num_pixels >= MAX_PIXELS:
                    break
    except VidstyleError as error:
        text = str(error)
        return Outcome("refused", text) if "\n" not in text and text.endswith(".") else Outcome("traceback", text)
    except Exception:  # noqa: BLE001  # the very thing looked for
        return Outcome("traceback", traceback.format_exc())
    return Outcome("ok", f"{num_frames} frames")


def peak_bytes() -> int:
    """Most memory this process has had, since that was last reset."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def _worker(pipe: multiprocessing.connection.Connection) -> None:
    av.logging.set_level(None)
    os.nice(5)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2 * LIMIT_BYTES, hard))  # before the machine suffers
    while (job := pipe.recv()) is not None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts anew
        started = time.perf_counter()
        outcome = read(*job)
        peak = peak_bytes()
        if peak > LIMIT_BYTES and outcome.kind in ("ok", "refused"):
            outcome = Outcome("memory", f"{peak >> 20} MiB, {outcome.detail}")
        pipe.send(Outcome(outcome.kind, outcome.detail, time.perf_counter() - started, peak))


def read_largest(folder: Path) -> int:
    """Read a clip of the largest picture in each of several formats."""
    num_found = 0
    for name, (codec, pixel_format) in LARGEST.items():
        path = folder / name
        # In a process of its own: what it leaves in memory would count to the reader.
        maker = multiprocessing.get_context("fork").Process(target=_make_large, args=(path, codec, pixel_format))
        maker.start()
        maker.join()
        workshop = Workshop(LARGEST_LIMIT_SECONDS)
        outcome = workshop.read(path, {"alpha": "keep"})
        workshop.close()
        path.unlink()
        num_found += outcome.kind != "ok"
        print(
            f"{codec:10} {pixel_format:13} {outcome.kind}: {outcome.detail}, "
            f"{outcome.seconds:.1f} s, {outcome.peak_bytes >> 20} MiB",
            flush=True,
        )
    return 1 if num_found else 0


def _make_large(path: Path, codec: str, pixel_format: str) -> None:
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=24, options={"preset": "ultrafast"} if codec == "libx264" else {})
        (video.width, video.height), video.pix_fmt = LARGEST_SIZE, pixel_format
        for number in range(3):
            frame = av.VideoFrame(*LARGEST_SIZE, pixel_format)
            for plane in frame.planes:
                plane.update(bytes([number]) * plane.buffer_size)
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


class Workshop:
    """One worker process, renewed when it is lost. It is forked, so that libraries are loaded once."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._limit_seconds = limit_seconds
        self._process: multiprocessing.process.BaseProcess | None = None

    def read(self, path: Path, options: dict[str, object]) -> Outcome:
        if self._process is None:
            context = multiprocessing.get_context("fork")
            self._pipe, inner = context.Pipe()
            self._process = context.Process(target=_worker, args=(inner,), daemon=True)
            self._process.start()
            inner.close()
        self._pipe.send((path, options))
        if not self._pipe.poll(self._limit_seconds):
            self._lose()
            return Outcome("hang", f"more than {self._limit_seconds:g} s", self._limit_seconds)
        try:
            return self._pipe.recv()
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            self._lose()
            return Outcome("crash", f"exit code {code}")

    def _lose(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = None

    def close(self) -> None:
        self._lose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument(
        "--limit", type=float, default=LIMIT_SECONDS, help="seconds a case may take; more, if the machine is busy"
    )
    parser.add_argument("--case", type=int, help="read one case here, and show everything")
    parser.add_argument("--largest", action="store_true", help="read the largest pictures instead, undamaged")
    parser.add_argument("--keep", type=Path, default=Path("fuzz_findings"), help="folder for files that showed a fault")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.largest:
            return read_largest(folder)
        seeds = make_seeds(folder)
        if arguments.case is not None:
            seed, data, options = case(seeds, arguments.case)
            path = folder / f"case{Path(seed.name).suffix}"
            path.write_bytes(data)
            print(seed.name, options)
            outcome = read(path, options)
            print(f"{outcome.kind}: {outcome.detail}")
            return outcome.kind not in ("ok", "refused")
        numbers = range(arguments.first, arguments.first + arguments.cases)
        return run(seeds, folder, numbers, arguments.keep, arguments.limit)


def run(seeds: list[Seed], folder: Path, numbers: range, keep: Path, limit_seconds: float | None = None) -> int:
    counts: dict[str, Counter[str]] = {seed.name: Counter() for seed in seeds}
    slowest, highest, num_found, started = 0.0, 0, 0, time.perf_counter()
    workshop = Workshop(limit_seconds or LIMIT_SECONDS)
    for number in numbers:
        seed, data, options = case(seeds, number)
        path = folder / f"case{Path(seed.name).suffix}"
        path.write_bytes(data)
        outcome = workshop.read(path, options)
        counts[seed.name][outcome.kind] += 1
        slowest, highest = max(slowest, outcome.seconds), max(highest, outcome.peak_bytes)
        if outcome.kind not in ("ok", "refused"):
            num_found += 1
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{number}_{outcome.kind}_{seed.name}").write_bytes(data)
            print(f"case {number} ({seed.name}, {options}): {outcome.kind}: {outcome.detail}", flush=True)
    workshop.close()
    print(f"{'clip':40} {' '.join(f'{kind:>9}' for kind in OUTCOMES)}")
    for name, counted in counts.items():
        print(f"{name:40} {' '.join(f'{counted[kind]:9}' for kind in OUTCOMES)}")
    total = sum(counts.values(), Counter())
    print(f"{'all':40} {' '.join(f'{total[kind]:9}' for kind in OUTCOMES)}")
    print(
        f"{len(numbers)} cases in {time.perf_counter() - started:.0f} s; slowest {slowest:.1f} s, "
        f"most memory {highest >> 20} MiB; {num_found} findings"
    )
    return 1 if num_found else 0


if __name__ == "__main__":
    sys.exit(main())
