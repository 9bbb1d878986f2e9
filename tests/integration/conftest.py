"""Styles with random weights, and the command line run in this process."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from command import Command, CommandResult
from network_factory import tiny_adain
from PIL import Image

from vidstyle.cli.main import main
from vidstyle.stylizers.adain import save_adain
from vidstyle.stylizers.checkpoint import StyleCard, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet, JohnsonNet


@pytest.fixture
def vidstyle() -> Command:
    """Run ``vidstyle ARGUMENTS`` as a user would, without the seconds a new process takes."""

    def run(*arguments: object) -> CommandResult:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return CommandResult(int(left.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def style_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("styles")


@pytest.fixture(scope="session")
def painted_style(style_dir: Path) -> Path:
    """A small feedforward style, untrained: textured, and different from the content."""
    path = style_dir / "untrained.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        net = BlurPoolNet(num_channels=16, num_blocks=1)
        net.to_rgb.weight.data *= 4
        save_feedforward(path, net, StyleCard("untrained", "random strokes"))
    return path


@pytest.fixture(scope="session")
def examples_checkpoint(style_dir: Path) -> Path:
    """A checkpoint as pytorch/examples' fast_neural_style saves it."""
    path = style_dir / "mosaic.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        tensors = JohnsonNet(8).state_dict()
    # Versions of that time saved statistics that were never used.
    tensors["in1.running_mean"] = torch.zeros(8)
    torch.save(tensors, path)
    return path


@pytest.fixture(scope="session")
def adain_model(style_dir: Path) -> Path:
    """An AdaIN model, untrained."""
    path = style_dir / "adain.safetensors"
    save_adain(path, tiny_adain(), StyleCard("adain"))
    return path


@pytest.fixture(scope="session")
def style_picture(style_dir: Path) -> Path:
    path = style_dir / "waves.png"
    y, x = np.mgrid[0:80, 0:112]
    stripes = np.stack([128 + 120 * np.sin((x + 2 * y) / 3), 2 * x, 255 - 3 * y], axis=-1)
    Image.fromarray(stripes.clip(0, 255).astype(np.uint8)).save(path)
    return path
