"""A training run that is killed goes on from its checkpoint."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from network_factory import photo_folder, picture, vgg_tensors
from safetensors.torch import save_file

from vidstyle.media.stills import write_still
from vidstyle.stylizers.checkpoint import load_feedforward
from vidstyle.training.checkpoints import read_checkpoint

if TYPE_CHECKING:
    from command import Command

STEPS = 9


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_still(tmp_path / "painting.png", (picture(72, 90, seed=9)[0] * 255).byte())
    save_file(vgg_tensors(), tmp_path / "encoder.safetensors")
    photo_folder(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(output: str, checkpoint_every: int = STEPS) -> list[str]:
    files = f"--style painting.png --content photos --out {output} --encoder encoder.safetensors"
    small = f"--steps {STEPS} --crop 64 --style-size 64 --batch-size 1 --device cpu --threads 1"
    return f"train feedforward {files} {small} --checkpoint-every {checkpoint_every} --sample-every 0".split()


def killed_after_its_first_checkpoint(output: str, checkpoint: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "vidstyle", *arguments(output, checkpoint_every=1)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not checkpoint.is_file():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(folder: Path, vidstyle: Command) -> None:
    checkpoint = folder / "own.safetensors.checkpoint"
    killed_after_its_first_checkpoint("own.safetensors", checkpoint)
    step = read_checkpoint(checkpoint)["step"]
    assert 0 < step < STEPS
    assert not (folder / "own.safetensors").exists()

    done = vidstyle(*arguments("own.safetensors"))
    assert done.exit_code == 0, done.stderr
    assert f"resumed at step {step} " in done.stdout
    assert f"{STEPS} steps" in done.stdout
    left = {path.name for path in folder.glob("own*")}
    assert left == {"own.safetensors", "own.safetensors.png", "own.safetensors.losses.png"}

    assert vidstyle(*arguments("whole.safetensors")).exit_code == 0
    content = picture(64, 72)
    mine, whole = (load_feedforward(folder / name)(content) for name in ("own.safetensors", "whole.safetensors"))
    assert torch.equal(mine, whole)
