"""The fuzzer: what it finds in the reader (nothing), and that it would find it."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz_reader.py"


def load_fuzzer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_reader", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_reader"] = module  # where dataclasses look for themselves
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fuzzer() -> ModuleType:
    return load_fuzzer()


@pytest.fixture(scope="module")
def seeds(fuzzer: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("VIDSTYLE_TEST_DATA", raising=False)
        return fuzzer.make_seeds(tmp_path_factory.mktemp("seeds"))


def test_whole_clips_are_read(fuzzer: ModuleType, seeds: list, tmp_path: Path) -> None:
    for seed in seeds:
        path = tmp_path / f"seed{Path(seed.name).suffix}"
        path.write_bytes(seed.data)
        assert fuzzer.read(path, {"deinterlace": True}).kind == "ok", seed.name


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_damaged_clips_give_frames_or_a_sentence(fuzzer: ModuleType, seeds: list, tmp_path: Path, first: int) -> None:
    kinds = []
    for number in range(first, first + 50):
        seed, data, options = fuzzer.case(seeds, number)
        path = tmp_path / f"case{Path(seed.name).suffix}"
        path.write_bytes(data)
        outcome = fuzzer.read(path, options)
        assert outcome.kind in ("ok", "refused"), (number, outcome.detail)
        kinds.append(outcome.kind)
    assert min(kinds.count("ok"), kinds.count("refused")) > 5


def test_a_case_follows_from_its_number(fuzzer: ModuleType, seeds: list) -> None:
    assert fuzzer.case(seeds, 42) == fuzzer.case(seeds, 42)
    assert len({fuzzer.case(seeds, number)[1] for number in range(100)}) == 100


def test_every_case_is_damaged(fuzzer: ModuleType, seeds: list) -> None:
    """Or cases of one clip, both as they were, would be one: which ones differs with the encoder's build."""
    assert not [n for n in range(500) if fuzzer.case(seeds, n)[1] == seeds[n % len(seeds)].data]


def hang(path: Path) -> None:
    time.sleep(60)


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill(path: Path) -> object:
    fuzzer, held = sys.modules["fuzz_reader"], []
    while fuzzer.peak_bytes() <= fuzzer.LIMIT_BYTES:
        held.append(b"\1" * 2**23)
    return fuzzer.Outcome("ok", f"{len(held)} pieces")


#: What goes wrong with which of the seeds from the first of these to the last; others are read as ever.
FAULTS = {"vp8.webm": (hang, "hang"), "mpeg4.avi": (crash, "crash"), "h264.avi": (crash, "crash")}
FAULTS |= {"stream.ts": (fill, "memory")}
FIRST, LAST = "vp8.webm", "fields.mkv"


def fuzz_with_faults(folder: Path) -> None:
    fuzzer = load_fuzzer()
    fuzzer.LIMIT_SECONDS = 6  # the worker lets others go first
    fuzzer.LIMIT_BYTES = fuzzer.peak_bytes() + 64 * 1024**2
    good, by_suffix = fuzzer.read, {Path(name).suffix: fault for name, (fault, _) in FAULTS.items()}

    def read(path: Path, options: object) -> object:
        return by_suffix[path.suffix](path) if path.suffix in by_suffix else good(path, options)

    fuzzer.read = read
    seeds = fuzzer.make_seeds(folder)
    names = [seed.name for seed in seeds]
    numbers = range(names.index(FIRST), names.index(LAST) + 1)
    sys.exit(fuzzer.run(seeds, folder, numbers, folder / "kept"))


def test_faults_are_found_and_the_next_case_is_read(
    seeds: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIDSTYLE_TEST_DATA", raising=False)
    # In a process of its own: a worker forked from one where torch has started its threads would wait for them.
    process = multiprocessing.get_context("spawn").Process(target=fuzz_with_faults, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 1
    names = [seed.name for seed in seeds]
    found = {f"{names.index(name)}_{kind}_{name}" for name, (_, kind) in FAULTS.items()}
    assert {path.name for path in (tmp_path / "kept").iterdir()} == found


def test_an_unexpected_exception_and_a_backward_time_are_faults(
    fuzzer: ModuleType, clip_mp4: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(fuzzer, "open_video", broken)
    outcome = fuzzer.read(clip_mp4, {})
    assert outcome.kind == "traceback"
    assert "surprise" in outcome.detail
