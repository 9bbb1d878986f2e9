"""Clips deeper than 8 bits, with opacity or HDR, made by ITU-T H.273's equations in double precision."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import VideoFrame as AVFrame

from vidstyle.frames import ColorInfo
from vidstyle.media.color import bit_depth, has_alpha, is_rgb, tag
from vidstyle.media.hardware import usual_priority
from vidstyle.media.pixels import plane_views

WEIGHTS = {
    "bt709": (0.2126, 0.0722),
    "smpte170m": (0.299, 0.114),
    "bt470bg": (0.299, 0.114),
    "smpte240m": (0.212, 0.087),
    "bt2020nc": (0.2627, 0.0593),
}
LOSSLESS = {
    "libx264": {"qp": "0", "preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:lossless=1:bframes=0:frame-threads=1"},
    "libsvtav1": {"preset": "12", "crf": "1"},
    "dnxhd": {"profile": "dnxhr_hqx"},
    "libvpx-vp9": {"lossless": "1", "cpu-used": "8", "auto-alt-ref": "0"},
}


def color(matrix: str = "bt709", value_range: str = "tv", transfer: str = "bt709") -> ColorInfo:
    return ColorInfo(matrix, "bt2020" if matrix == "bt2020nc" else "bt709", transfer, value_range)


def gradients(width: int, height: int) -> np.ndarray:
    """(3, H, W) RGB in [0, 1]: smooth, different in every corner and channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    blue = 0.5 + 0.3 * np.sin(2 * np.pi * (x / width + y / height))
    return np.stack([0.15 + 0.7 * x / width, 0.2 + 0.6 * y / height, blue])


def opacity(width: int, height: int) -> np.ndarray:
    """(1, H, W) in [0, 1], from transparent at the left to opaque at the right."""
    return np.tile(np.linspace(0, 1, width), (1, height, 1))


def stored(rgb: np.ndarray, tags: ColorInfo, pixel_format: str) -> AVFrame:
    """A planar frame of RGB in [0, 1], chroma averaged; ``opacity`` where the format has it."""
    height, width = rgb.shape[1:]
    depth = bit_depth(pixel_format)
    unit, top = 1 << (depth - 8), (1 << depth) - 1
    if is_rgb(pixel_format):
        planes = [rgb[index] * top for index in (1, 2, 0)]
    else:
        kr, kb = WEIGHTS[tags.matrix]
        luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
        differences = (rgb[2] - luma) / (2 - 2 * kb), (rgb[0] - luma) / (2 - 2 * kr)
        full = tags.range == "pc"
        planes = [luma * top if full else (16 + 219 * luma) * unit]
        planes += [128 * unit + d * (top if full else 224 * unit) for d in differences]
    if has_alpha(pixel_format):
        planes.append(opacity(width, height)[0] * top)
    frame = AVFrame(width, height, pixel_format)
    for plane, view in zip(planes, plane_views(frame), strict=True):
        rows, columns = -(-height // view.shape[0]), -(-width // view.shape[1])
        padded = np.pad(plane, ((0, -height % rows), (0, -width % columns)), mode="edge")
        blocks = padded.reshape(view.shape[0], rows, view.shape[1], columns).mean(axis=(1, 3))
        view[:] = np.rint(blocks).clip(0, top)
    tag(frame, tags, rgb=is_rgb(pixel_format))
    return frame


def noise(width: int, height: int, pixel_format: str, seed: int = 0) -> AVFrame:
    """A planar frame of random codes, most of which no RGB has."""
    random = np.random.default_rng(seed)
    frame = AVFrame(width, height, pixel_format)
    for view in plane_views(frame):
        view[:] = random.integers(0, 1 << bit_depth(pixel_format), view.shape)
    return frame


def make_deep_clip(
    path: Path,
    pixel_format: str,
    *,
    codec: str = "ffv1",
    tags: ColorInfo | None = None,
    size: tuple[int, int] = (64, 48),
    num_frames: int = 2,
    options: dict[str, str] | None = None,
    noisy: bool = False,
) -> Path:
    """Write ``gradients`` that darken a little from frame to frame, or ``noise``; losslessly where the codec can."""
    tags = tags or color()
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=24, options=LOSSLESS.get(codec, {}) | (options or {}))
        video.width, video.height = size
        video.pix_fmt = pixel_format
        tag(video.codec_context, tags, rgb=is_rgb(pixel_format))
        for index in range(num_frames):
            frame = stored(gradients(*size) * (1 - 0.05 * index), tags, pixel_format)
            if noisy:
                frame = noise(*size, pixel_format, seed=index)
                tag(frame, tags, rgb=is_rgb(pixel_format))
            frame.pts, frame.time_base = index, Fraction(1, 24)
            with usual_priority():
                container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def codes(path: Path) -> list[list[np.ndarray]]:
    """The planes of every frame as stored, int64."""
    with av.open(str(path)) as container:
        return [[view.astype(np.int64) for view in plane_views(frame)] for frame in container.decode(video=0)]


def stored_as(path: Path) -> str:
    """Pixel format of the first frame."""
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).format.name
