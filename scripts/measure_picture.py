"""What a picture loses between decoder and encoder where its chroma is subsampled: hard edges, captions, noise, clips.

    python scripts/measure_picture.py                # made pictures, and the clips below $VIDSTYLE_TEST_DATA/clips
    python scripts/measure_picture.py --frame 40     # another frame of the clips

Mean difference of all stored samples, in levels of 255:

- unpainted: the whole render, style identity, encoded by FFV1 in the source's pixel format;
- through RGB: what painted pictures go through, decoder to RGB to encoder;
- range: as much of that is lost by RGB's range alone, computed here in double precision with chroma filters that
  undo each other (repeated, averaged).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidstyle import stylize
from vidstyle.frames import ColorInfo
from vidstyle.media.color import bit_depth, chroma_step, resolve_color, tag
from vidstyle.media.pixels import RgbDecoder, RgbEncoder, plane_views

COLOR = ColorInfo("bt709", "bt709", "bt709", "tv")
FORMATS = (("yuv420p", (320, 240)), ("yuv420p", (321, 241)), ("yuv420p10le", (320, 240)), ("yuv422p", (320, 240)))
WEIGHTS = {"bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593), "smpte240m": (0.212, 0.087)}
BT601_WEIGHTS = (0.299, 0.114)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frame", type=int, default=10, help="number of the frame to take of each clip")
    number = parser.parse_args().frame
    print(f"{'picture':34} {'format':12} {'size':>9} {'unpainted':>10} {'through RGB':>12} {'range':>6}")
    worst = 0.0
    for name, frame in (*made_pictures(), *clip_pictures(number)):
        unpainted = rendered_error(frame)
        worst = max(worst, unpainted)
        size = f"{frame.width}x{frame.height}"
        print(
            f"{name:34} {frame.format.name:12} {size:>9} {unpainted:10.2f} {converted_error(frame):12.2f} "
            f"{range_error(frame):6.2f}",
            flush=True,
        )
    print(f"unpainted: at most {worst:.2f} of 255")
    sys.exit(1 if worst > 1 else 0)


def made_pictures() -> Iterator[tuple[str, av.VideoFrame]]:
    random = np.random.default_rng(0)
    for pixel_format, (width, height) in FORMATS:
        yield "test pattern", test_pattern(width, height, pixel_format)
        yield "captions", stored(captions(width, height), pixel_format)
        blocks = random.integers(0, 2, (81, 108, 3), dtype=np.uint8) * 255
        yield "blocks of primaries", stored(blocks.repeat(3, 0).repeat(3, 1)[:height, :width], pixel_format)
        yield "noise, RGB", stored(random.integers(0, 256, (height, width, 3), dtype=np.uint8), pixel_format)
        noise = av.VideoFrame(width, height, pixel_format)
        for view in plane_views(noise):
            view[:] = random.integers(0, 1 << bit_depth(pixel_format), view.shape)
        tag(noise, COLOR)
        yield "noise, YCbCr", noise


def clip_pictures(number: int) -> Iterator[tuple[str, av.VideoFrame]]:
    data = os.environ.get("VIDSTYLE_TEST_DATA")
    for path in sorted(Path(data, "clips").rglob("*.*")) if data else ():
        try:
            with av.open(str(path)) as container:
                frames = container.decode(video=0)
                frame = next(f for i, f in enumerate(frames) if i == number)
        except (av.FFmpegError, StopIteration):
            continue
        if chroma_step(frame.format.name) != (1, 1):
            yield path.name, frame


def test_pattern(width: int, height: int, pixel_format: str) -> av.VideoFrame:
    graph = av.filter.Graph()
    nodes = [
        graph.add("testsrc2", f"size={width}x{height}"),
        graph.add("format", pixel_format),
        graph.add("buffersink"),
    ]
    for one, other in pairwise(nodes):
        one.link_to(other)
    graph.configure()
    frame: Any = graph.vpull()
    tag(frame, COLOR)
    return frame


def captions(width: int, height: int) -> np.ndarray:
    """(H, W, 3) lines of text in primaries over blue."""
    picture = Image.new("RGB", (width, height), (0, 0, 255))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for line, top in enumerate(range(0, height, 15)):
        ink = tuple(255 * (line + 1 >> bit & 1) for bit in range(3))
        draw.text((2, top), "Every clip comes back as it went in 0123456789", ink, font)
    return np.asarray(picture)


def weights(color: ColorInfo) -> tuple[float, float]:
    return WEIGHTS.get(color.matrix, BT601_WEIGHTS)


def stored(rgb: np.ndarray, pixel_format: str) -> av.VideoFrame:
    """Planar YCbCr of (H, W, 3) uint8, chroma averaged."""
    height, width = rgb.shape[:2]
    kr, kb = weights(COLOR)
    r, g, b = (rgb[..., index] / 255 for index in range(3))
    luma = kr * r + (1 - kr - kb) * g + kb * b
    frame = av.VideoFrame(width, height, pixel_format)
    unit = 1 << (bit_depth(pixel_format) - 8)
    planes = (16 + 219 * luma, 128 + 112 * (b - luma) / (1 - kb), 128 + 112 * (r - luma) / (1 - kr))
    for plane, view in zip(planes, plane_views(frame), strict=True):
        view[:] = np.rint(averaged(plane * unit, view.shape))
    tag(frame, COLOR)
    return frame


def averaged(plane: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    height, width = plane.shape
    down, across = -(-height // shape[0]), -(-width // shape[1])
    padded = np.pad(plane, ((0, shape[0] * down - height), (0, shape[1] * across - width)), mode="edge")
    return padded.reshape(shape[0], down, shape[1], across).mean(axis=(1, 3))


def difference(before: list[np.ndarray], after: list[np.ndarray], depth: int) -> float:
    levels = sum(float(np.abs(a.astype(np.float64) - b).sum()) for a, b in zip(before, after, strict=True))
    return levels / sum(a.size for a in before) / (1 << (depth - 8))


def rendered_error(frame: av.VideoFrame) -> float:
    pixel_format = frame.format.name.replace("yuvj", "yuv")
    color = resolve_color(frame)
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "in.mkv", Path(folder) / "out.mkv"
        with av.open(str(source), "w") as container:
            video: Any = container.add_stream("ffv1", rate=24)
            video.width, video.height, video.pix_fmt = frame.width, frame.height, pixel_format
            tag(video.codec_context, color)
            copy = av.VideoFrame(frame.width, frame.height, pixel_format)
            for one, other in zip(plane_views(frame), plane_views(copy), strict=True):
                other[:] = one
            copy.pts, copy.time_base = 0, Fraction(1, 24)
            tag(copy, color)
            container.mux(video.encode(copy))
            container.mux(video.encode(None))
        stylize(source, output, style="identity", codec="ffv1", pixel_format=pixel_format, device="cpu")
        with av.open(str(output)) as container:
            result = next(container.decode(video=0))
            return difference(plane_views(frame), plane_views(result), bit_depth(pixel_format))


def converted_error(frame: av.VideoFrame) -> float:
    name, color = frame.format.name, resolve_color(frame)
    before = [view.copy() for view in plane_views(frame)]
    rgb = RgbDecoder(color, frame.width, frame.height, deep=bit_depth(name) > 8)(frame)
    return difference(before, plane_views(RgbEncoder(color, name)(rgb)), bit_depth(name))


def range_error(frame: av.VideoFrame) -> float:
    color, depth = resolve_color(frame), bit_depth(frame.format.name)
    kr, kb = weights(color)
    top, unit = (1 << depth) - 1, 1 << (depth - 8)
    zero, luma_span, chroma_span = (0, top, top) if color.range == "pc" else (16 * unit, 219 * unit, 224 * unit)
    codes = [view.astype(np.float64) for view in plane_views(frame)]
    height, width = codes[0].shape
    down, across = (-(-side // part) for side, part in zip(codes[0].shape, codes[1].shape, strict=True))
    luma = (codes[0] - zero) / luma_span
    blue, red = ((c.repeat(down, 0).repeat(across, 1)[:height, :width] - 128 * unit) / chroma_span for c in codes[1:3])
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    g = (luma - kr * r - kb * b) / (1 - kr - kb)
    r, g, b = (np.rint(channel.clip(0, 1) * top) / top for channel in (r, g, b))
    luma = kr * r + (1 - kr - kb) * g + kb * b
    planes = (zero + luma_span * luma, *(128 * unit + chroma_span * c for c in chroma_of(luma, r, b, kr, kb)))
    after = [np.rint(averaged(p, c.shape)) for p, c in zip(planes, codes, strict=False)]
    return difference(codes[:3], after, depth)


def chroma_of(luma: np.ndarray, r: np.ndarray, b: np.ndarray, kr: float, kb: float) -> tuple[np.ndarray, np.ndarray]:
    return (b - luma) / (2 - 2 * kb), (r - luma) / (2 - 2 * kr)


if __name__ == "__main__":
    main()
