from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidstyle.errors import OpenError
from vidstyle.part_file import PartFile


def make(folder: Path) -> PartFile:
    return PartFile(folder / "out.mp4.part", folder / "out.mp4")


def test_it_takes_its_name_when_published(tmp_path: Path) -> None:
    part = make(tmp_path)
    part.path.write_bytes(b"whole")
    part.publish()
    part.discard()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"out.mp4": b"whole"}


def test_nothing_stays_when_discarded(tmp_path: Path) -> None:
    part = make(tmp_path)
    part.discard()
    part.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    first = make(tmp_path)
    first.path.write_bytes(b"halfway")
    with pytest.raises(OpenError, match=r"another run; wait for it or choose another name\.$"):
        make(tmp_path)
    assert first.path.read_bytes() == b"halfway"
    first.discard()
    make(tmp_path).discard()


def test_after_publishing_the_next_may_start(tmp_path: Path) -> None:
    make(tmp_path).publish()
    second = make(tmp_path)
    assert second.path.stat().st_size == 0
    second.discard()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from vidstyle.part_file import PartFile\n"
        "folder = Path(sys.argv[1]); part = PartFile(folder / 'out.mp4.part', folder / 'out.mp4')\n"
        "part.path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=env, check=False, capture_output=True)
    assert killed.returncode == -9
    assert (tmp_path / "out.mp4.part").read_bytes() == b"half"

    part = make(tmp_path)

    assert part.path.read_bytes() == b""
    part.discard()


@pytest.mark.parametrize("kind", ["symbolic", "dangling", "hard"])
def test_a_link_in_its_place_is_not_followed(tmp_path: Path, kind: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    link = tmp_path / "out.mp4.part"
    if kind == "hard":
        link.hardlink_to(victim)
    else:
        link.symlink_to(victim if kind == "symbolic" else tmp_path / "nowhere")

    part = make(tmp_path)
    part.path.write_bytes(b"new")
    part.publish()

    assert victim.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "victim"]


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    part = tmp_path / "out.mp4.part"
    if kind == "folder":
        part.mkdir()
    else:
        os.mkfifo(part)
    with pytest.raises(OpenError, match=r"out\.mp4 cannot be written"):
        make(tmp_path)
    assert part.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OpenError, match="choose a folder you may write to"):
        make(tmp_path)
    tmp_path.chmod(0o700)
