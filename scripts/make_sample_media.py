#!/usr/bin/env python
"""Make everything in sample_media/ anew: the clip with its sound, and the style pictures.

Usage: python scripts/make_sample_media.py [--output sample_media] [--only clip|styles]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vidstyle.evaluation.soundtrack import SAMPLE_RATE, sample_sound
from vidstyle.evaluation.synthetic import sample_scene

STYLE_SIZE = (800, 640)
STYLE_BYTES_MAX = 200_000


def write_clip(path: Path) -> None:
    """Render the sample scene into an H.264 + AAC file, complete or not at all."""
    scene = sample_scene()
    width, height = scene.size
    duration = float(scene.num_frames / scene.fps)
    sound = sample_sound(float(scene.cuts[0] / scene.fps), duration)
    part = path.with_name(path.name + ".part")
    try:
        with av.open(part, "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as output:
            video = output.add_stream("libx264", rate=scene.fps)
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            # One thread, and no name of the encoder in the file: the same machine writes the same bytes.
            video.codec_context.thread_count = 1
            video.codec_context.options = {"crf": "19", "preset": "veryslow", "bf": "2", "g": "72"}
            tag_bt709(video.codec_context)
            audio = output.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
            audio.bit_rate = 128_000
            for stream in (video, audio):
                stream.codec_context.flags |= av.codec.context.Flags.bitexact
            block = audio.codec_context.frame_size or 1024
            written = 0
            for index in range(scene.num_frames):
                picture = scene.frame(index).permute(1, 2, 0).contiguous().numpy()
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                    format="yuv420p",
                    dst_colorspace="ITU709",
                    src_color_range="JPEG",
                    dst_color_range="MPEG",
                    interpolation="AREA",
                )
                frame.pts, frame.time_base = index, Fraction(1) / scene.fps
                tag_bt709(frame)
                output.mux(video.encode(frame))
                last = index == scene.num_frames - 1
                until = sound.shape[1] if last else round((index + 1) / float(scene.fps) * SAMPLE_RATE)
                while written < until and (last or written + block <= until):
                    samples = np.ascontiguousarray(sound[:, written : written + block])
                    piece = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
                    piece.sample_rate, piece.pts, piece.time_base = SAMPLE_RATE, written, Fraction(1, SAMPLE_RATE)
                    output.mux(audio.encode(piece))
                    written += samples.shape[1]
            output.mux(video.encode())
            output.mux(audio.encode())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def tag_bt709(target: av.VideoFrame | av.VideoCodecContext) -> None:
    """Say in the file how to read its colours: BT.709, limited range."""
    target.colorspace, target.color_primaries, target.color_trc, target.color_range = 1, 1, 1, 1


def write_styles(folder: Path) -> None:
    """Paint the style pictures and save them as JPEG."""
    from vidstyle.evaluation.painted import PAINTED_STYLES

    folder.mkdir(parents=True, exist_ok=True)
    for name, paint in sorted(PAINTED_STYLES.items()):
        picture = cv2.cvtColor(paint(*STYLE_SIZE).permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2BGR)
        quality = 92
        while True:
            _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if len(encoded) <= STYLE_BYTES_MAX or quality <= 60:
                break
            quality -= 2
        path = folder / f"{name}.jpg"
        path.write_bytes(encoded.tobytes())
        print(f"{path}: {len(encoded) / 1000:.0f} kB, quality {quality}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make everything in sample_media/ anew.")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "sample_media")
    parser.add_argument("--only", choices=("clip", "styles"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    # Pictures are painted in small pieces: threads would only cost, and could change the last bit.
    cv2.setNumThreads(1)
    if arguments.only != "clip" and importlib.util.find_spec("vidstyle.evaluation.painted"):
        write_styles(arguments.output / "styles")
    if arguments.only != "styles":
        clip = arguments.output / "clip.mp4"
        write_clip(clip)
        print(f"{clip}: {clip.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
