"""Tiny sequences of pictures made in code: smooth moving gradients in every format, numbered from 1001."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

SIZE = (64, 48)
#: An OpenColorIO configuration that mixes channels, which no built-in curve does.
OCIO = """ocio_profile_version: 2
roles: {scene_linear: lin, texture_paint: shown, default: lin}
file_rules:
  - !<Rule> {name: Default, colorspace: lin}
displays:
  screen:
    - !<View> {name: plain, colorspace: shown}
colorspaces:
  - !<ColorSpace>
    name: lin
  - !<ColorSpace>
    name: shown
    from_scene_reference: !<GroupTransform>
      children:
        - !<MatrixTransform> {matrix: [0.9, 0.1, 0, 0, 0.05, 0.9, 0.05, 0, 0, 0.2, 0.8, 0, 0, 0, 0, 1]}
        - !<ExponentWithLinearTransform> {gamma: 2.4, offset: 0.055, direction: inverse}
"""


def gradient(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) float64 in [0, 1], different in every corner and channel, moving with ``index``."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    wave_ = 0.5 + 0.25 * np.sin(2 * np.pi * (x / width + y / height + index / 24))
    return np.stack([0.15 + 0.7 * x / width, 0.2 + 0.6 * y / height, wave_], axis=-1)


def linear(index: int, size: tuple[int, int] = SIZE, peak: float = 64.0) -> np.ndarray:
    """(H, W, 3) float32 linear light, from black to ``peak`` across the picture."""
    width = size[0]
    rising = np.linspace(0.0, 1.0, width) ** 4 * peak
    light: np.ndarray = (gradient(index, size) ** 2.2 * rising[None, :, None]).astype(np.float32)
    return light


def codes(index: int, bits: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) integers of so many bits."""
    return np.rint(gradient(index, size) * ((1 << bits) - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def write_av(path: Path, codec: str, pixel_format: str, planes: np.ndarray, **options: str) -> Path:
    """Encode (H, W, C) as one file with FFmpeg."""
    height, width = planes.shape[:2]
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt, context.time_base = width, height, pixel_format, Fraction(1, 24)
    if "pixel_shape" in options:
        context.sample_aspect_ratio = Fraction(options.pop("pixel_shape"))
    context.options = options
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format=pixel_format)
    frame.pts = 0
    path.write_bytes(b"".join(bytes(packet) for packet in (*context.encode(frame), *context.encode(None))))
    return path


def write_frame(path: Path, index: int, *, bits: int | None = None, size: tuple[int, int] = SIZE) -> Path:
    """Frame ``index`` in the format of the suffix: EXR half (16) or float (32), DPX 10, PNG and TIFF 8 or 16, JPEG."""
    match path.suffix:
        case ".exr":
            light = linear(index, size).astype(np.float32 if bits == 32 else np.float16).astype(np.float32)
            return write_av(path, "exr", "gbrpf32le", light, format="float" if bits == 32 else "half")
        case ".dpx":
            return write_av(path, "dpx", "gbrp10le", codes(index, 10, size))
        case ".png" if bits == 16:
            return write_av(path, "png", "rgb48be", codes(index, 16, size))
        case ".tif" if bits == 16:
            return write_av(path, "tiff", "rgb48le", codes(index, 16, size))
        case _:
            Image.fromarray(codes(index, 8, size)).save(
                path, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {})
            )
            return path


def make_sequence(
    folder: Path,
    name: str = "shot.%04d.png",
    numbers: Iterable[int] = range(1001, 1007),
    *,
    bits: int | None = None,
    size: tuple[int, int] = SIZE,
) -> Path:
    """Write a sequence; returns its pattern. The frame numbered 1001 is frame 0 of the motion."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        write_frame(folder / (name % number), number - 1001, bits=bits, size=size)
    return folder / name


def make_wav(path: Path, seconds: float, rate: int = 48000) -> Path:
    """Stereo, 16 bits: a ramp, so that every sample says where it is."""
    ramp = (np.arange(round(seconds * rate)) % 30000).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.stack([ramp, ramp], axis=-1).tobytes())
    return path


def read_planes(path: Path) -> tuple[str, np.ndarray]:
    """Pixel format and stored values, (C, H, W) in the order R, G, B(, A), of a file, decoded by FFmpeg."""
    codec = {".exr": "exr", ".dpx": "dpx", ".png": "png", ".tif": "tiff", ".jpg": "mjpeg"}[path.suffix]
    context: Any = av.CodecContext.create(codec, "r")
    frame = (context.decode(av.Packet(path.read_bytes())) + context.decode(None))[0]
    name = frame.format.name
    if not name.startswith("gb"):
        return name, np.moveaxis(frame.to_ndarray(), -1, 0)
    dtype = np.dtype("<f2" if "f16" in name else "<f4" if "f32" in name else "<u2")
    planes = [
        np.frombuffer(p, dtype).reshape(-1, p.line_size // dtype.itemsize)[: p.height, : p.width] for p in frame.planes
    ]
    return name, np.stack([planes[2], planes[0], planes[1], *planes[3:]])
