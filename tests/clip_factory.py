"""Lossless clips of given frames, to evaluate: a texture that slides, painted steadily or with flicker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import torch
import torch.nn.functional as F

SIZE = (96, 64)  # (width, height)


def write_frames(path: Path, frames: Iterable[torch.Tensor], rate: Fraction | int = 24, offset: int = 0) -> Path:
    """Write (3, H, W) uint8 frames losslessly (FFV1 in Matroska), the first ``offset`` frames after zero."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.pix_fmt = "bgr0"
        stream.codec_context.time_base = 1 / Fraction(rate)
        for index, frame in enumerate(frames):
            if index == 0:
                stream.height, stream.width = frame.shape[-2:]
            picture = av.VideoFrame.from_ndarray(frame.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
            picture.pts, picture.time_base = index + offset, 1 / Fraction(rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def sliding(num: int, size: tuple[int, int] = SIZE, seed: int = 0) -> Iterator[torch.Tensor]:
    """A smooth texture that moves one pixel to the left a frame."""
    width, height = size
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 6 + 2, (width + num) // 6 + 2, generator=generator)
    wide = F.interpolate(coarse, (height, width + num), mode="bicubic", align_corners=False)[0].clamp(0, 1)
    for index in range(num):
        yield (wide[:, :, index : index + width] * 255).round().to(torch.uint8)


def inverted(frames: Iterable[torch.Tensor], flicker: float = 0.0) -> Iterator[torch.Tensor]:
    """Frames "painted": their negative, with fresh noise of ``flicker`` (in [0, 1]) in each."""
    for index, frame in enumerate(frames):
        noise = torch.randn(frame.shape, generator=torch.Generator().manual_seed(100 + index)) * 255 * flicker
        yield (255 - frame.float() + noise).round().clamp(0, 255).to(torch.uint8)
