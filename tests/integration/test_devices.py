"""The whole painter in half precision, and on a GPU, against fp32 on the CPU."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from clip_factory import sliding

from vidstyle.compose import Composition
from vidstyle.config import make_config
from vidstyle.evaluation.metrics import psnr
from vidstyle.frames import VideoFrame

SIZE = (160, 96)
NUM_FRAMES = 8


@pytest.fixture(scope="module")
def frames() -> list[VideoFrame]:
    pictures = sliding(NUM_FRAMES, SIZE)
    return [VideoFrame(picture, index, Fraction(1, 24)) for index, picture in enumerate(pictures)]


def painted(device: str, precision: str, style: Path, frames: list[VideoFrame]) -> list[torch.Tensor]:
    settings = {"style": str(style), "device": device, "precision": precision, "flow": "dis", "batch_size": 4}
    composition = Composition.load(make_config(**settings))
    painter = composition.painter(SIZE, 1 / frames[0].time_base, composition.flow())
    pictures = [
        result.data for start in range(0, len(frames), 4) for result in painter.paint(frames[start : start + 4])
    ]
    assert set(painter.clock.seconds) >= {"upload", "stylize", "flow", "filter", "download"}
    return pictures


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "floor_db"), [("fp32", 45.0), ("fp16", 35.0), ("bf16", 30.0)])
def test_a_gpu_paints_what_the_cpu_paints(
    precision: str, floor_db: float, painted_style: Path, frames: list[VideoFrame]
) -> None:
    expected = painted("cpu", "fp32", painted_style, frames)
    for picture, reference in zip(painted("cuda", precision, painted_style, frames), expected, strict=True):
        assert psnr(picture / 255, reference / 255) > floor_db


def test_bf16_paints_what_fp32_paints(painted_style: Path, frames: list[VideoFrame]) -> None:
    expected = painted("cpu", "fp32", painted_style, frames)
    for picture, reference in zip(painted("cpu", "bf16", painted_style, frames), expected, strict=True):
        assert psnr(picture / 255, reference / 255) > 30.0
