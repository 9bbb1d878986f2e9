"""Styles with random weights, and the command line run in this process."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from command import Command, CommandResult
from PIL import Image
from torch import nn

from vidstyle.cli.main import main
from vidstyle.stylizers.adain import AdaInDecoder, AdaInNet, save_adain
from vidstyle.stylizers.checkpoint import StyleCard, save_feedforward
from vidstyle.stylizers.encoder import encoder_from_tensors
from vidstyle.stylizers.feedforward import BlurPoolNet, JohnsonNet


@pytest.fixture
def vidstyle() -> Iterator[Command]:
    """Run ``vidstyle ARGUMENTS`` as a user would, without the seconds a new process takes."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> CommandResult:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return CommandResult(int(left.value.code or 0), out.getvalue(), err.getvalue())

    yield run
    signal.signal(signal.SIGTERM, handler)


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
    widths = {"conv0": (3, 3, 1), "conv11": (8, 3, 3), "conv21": (12, 8, 3), "conv31": (16, 12, 3)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        tensors = {}
        for name, (num_out, num_in, side) in widths.items():
            tensors[f"{name}.weight"] = nn.init.kaiming_normal_(torch.empty(num_out, num_in, side, side))
            tensors[f"{name}.bias"] = torch.zeros(num_out)
        decoder = AdaInDecoder((8, 12, 16))
        for convolution in decoder.modules():
            if isinstance(convolution, nn.Conv2d):
                nn.init.kaiming_normal_(convolution.weight)
                nn.init.zeros_(convolution.bias)
    save_adain(path, AdaInNet(encoder_from_tensors(tensors, "test"), decoder), StyleCard("adain"))
    return path


@pytest.fixture(scope="session")
def style_picture(style_dir: Path) -> Path:
    path = style_dir / "waves.png"
    y, x = np.mgrid[0:80, 0:112]
    stripes = np.stack([128 + 120 * np.sin((x + 2 * y) / 3), 2 * x, 255 - 3 * y], axis=-1)
    Image.fromarray(stripes.clip(0, 255).astype(np.uint8)).save(path)
    return path
