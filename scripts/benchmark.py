#!/usr/bin/env python
"""How fast a render is and how much memory it takes, next to the loops one would otherwise write.

A render is the real one: ``vidstyle.stylize`` from file to file, sound and all. The baselines read with
cv2.VideoCapture, paint every frame alone in eager fp32 and write with cv2.VideoWriter: no sound, nothing that keeps
frames steady. Every measurement is a process of its own, so that its peak memory is its own.

Usage: python scripts/benchmark.py [--clip CLIP] [--frames N] [--size 1280x720] [--memory] [--json OUT] ...
       python scripts/benchmark.py --preview [--clip CLIP]      # one frame, in a fresh process
       python scripts/benchmark.py --parts [--clip CLIP]        # every stage with nothing beside it
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from arguments import output_file
from measurements import Result, in_child

SAMPLE_CLIP = Path(__file__).resolve().parent.parent / "sample_media" / "clip.mp4"
#: A picture as style, which the AdaIN network paints with.
PICTURE = SAMPLE_CLIP.parent / "styles" / "oil_strokes.jpg"
PARTS_FRAMES = 48
BASELINE_FRAMES = {"johnson32": 24, "vgg-adain": 6}
MEMORY_FRAMES = [200, 2000]
_MEMORY_KEYS = ("num_frames", "fps", "peak_rss_mib", "peak_device_mib")


def benchmark(options: argparse.Namespace) -> Result:
    """Measure everything that was asked for."""
    names = ("style", "consistency", "flow", "device", "precision", "size", "batch_size")
    settings = {name: value for name in names if (value := getattr(options, name)) is not None}
    clip = str(options.clip)
    found: Result = {"machine": in_child("machine"), "clip": options.clip.name, "settings": settings}
    if options.preview:
        found["preview"] = in_child("preview", clip=clip, settings=settings)
        return found
    if options.parts:
        frames = options.frames or PARTS_FRAMES
        styles = [settings, settings | {"style": str(PICTURE)}]
        found["parts"] = [in_child("parts", clip=clip, frames=frames, settings=each) for each in styles]
        return found
    found["vidstyle"] = ours = in_child("render", clip=clip, frames=options.frames, settings=settings)
    if not options.skip_baseline:
        shared = {"clip": clip, "size": options.size, "device": options.device or "auto"}
        found["baselines"] = {
            name: in_child("baseline", network=name, frames=frames, **shared)
            for name, frames in BASELINE_FRAMES.items()
        }
        found["speed_ratio"] = {name: ours["fps"] / theirs["fps"] for name, theirs in found["baselines"].items()}
    if options.memory is not None:
        runs = {
            frames: in_child("render", clip=clip, frames=frames, settings=settings)
            for frames in options.memory or MEMORY_FRAMES
        }
        found["memory"] = {frames: {key: run[key] for key in _MEMORY_KEYS} for frames, run in runs.items()}
        peaks = [run["peak_rss_mib"] for run in runs.values()]
        found["memory_ratio"] = peaks[-1] / peaks[0]
    if options.roofline:
        found["roofline"] = roofline(ours, settings, options.peak_tflops, options.peak_tbps)
    return found


def roofline(render: Result, settings: Result, peak_tflops: float | None, peak_tbps: float | None) -> Result:
    """The least time the network could take on a device of the given peaks, against what it took."""
    counted = in_child("roofline", size=render["size"], settings=settings)
    bounds = []
    if peak_tflops:
        bounds.append(counted["flop_per_frame"] / peak_tflops / 1e9)
    if peak_tbps:
        bounds.append(counted["bytes_per_frame_unfused"] / peak_tbps / 1e9)
    if bounds:
        counted["bound_ms_per_frame"] = max(bounds)
        counted["share_of_bound"] = max(bounds) / render["stage_ms_per_frame"]["stylize"]
    return counted


def print_table(found: Result) -> None:
    """The same for people."""
    machine, ours = found["machine"], found.get("vidstyle") or {"compute": "a part of a render"}
    print(f"{machine['cpu']}, {machine['num_cores']} cores, torch {machine['torch']}, {ours['compute']}")
    if machine["load_average"][0] > 0.5:
        print(
            f"note: load average {machine['load_average'][0]:.1f} before the first measurement: other work slows these"
        )
    if "preview" in found:
        print_preview(found["clip"], found["preview"])
        return
    if "parts" in found:
        for part in found["parts"]:
            print_parts(found["clip"], part)
        return
    print(f"{found['clip']} at {ours['size'][0]}x{ours['size'][1]}; {ours['flow']}\n")
    line = "{:<10} {:>8} {:>11} {:>9} {:>8} {:>7}  {}"
    print(
        line.format(
            "", "fps", "vidstyle is", "peak MiB", "GPU MiB", "frames", "ms a frame by stage (vidstyle's overlap)"
        )
    )
    for name, row in {"vidstyle": ours, **found.get("baselines", {})}.items():
        ratio = f"{ours['fps'] / row['fps']:.1f}x" if row is not ours else ""
        on_device = f"{row['peak_device_mib']:.0f}" if row["peak_device_mib"] is not None else "-"
        stages = ", ".join(f"{stage} {value:.1f}" for stage, value in row["stage_ms_per_frame"].items())
        peak = f"{row['peak_rss_mib']:.0f}"
        print(line.format(name, f"{row['fps']:.2f}", ratio, peak, on_device, row["num_frames"], stages))
    if "memory" in found:
        peaks = ", ".join(f"{frames} frames {run['peak_rss_mib']:.0f} MiB" for frames, run in found["memory"].items())
        print(f"\npeak memory by length: {peaks}; ratio {found['memory_ratio']:.3f}")
    if "roofline" in found:
        counted = found["roofline"]
        line = f"{counted['flop_per_frame'] / 1e9:.1f} GFLOP, {counted['bytes_per_frame_unfused'] / 1e6:.0f} MB unfused"
        if "bound_ms_per_frame" in counted:
            line += f", at best {counted['bound_ms_per_frame']:.3f} ms: {counted['share_of_bound']:.0%} of it reached"
        print(f"\nstyle network, one frame: {line}")


def print_preview(clip: str, found: Result) -> None:
    """How long one frame took, imports apart."""
    width, height = found["size"]
    print(f"{clip}: the frame of {found['at_seconds']:g} s at {width}x{height}; {found['flow']}\n")
    print(f"preview {found['preview_seconds']:.1f} s, with {found['num_warmup_frames']} frames painted before it")
    print(f"imports {found['import_seconds']:.1f} s, not counted above")
    print(
        f"processor {found['cpu_seconds']:.1f} s over all threads, imports apart; peak {found['peak_rss_mib']:.0f} MiB"
    )
    print(f"it says of the full render: {found['estimate']}")


def print_parts(clip: str, found: Result) -> None:
    """What each stage took on its own."""
    width, height = found["size"]
    print(f"\n{clip} at {width}x{height}, {found['style']}; {found['compute']}; {found['flow']}")
    print(
        "ms, median of {} frames: {}".format(
            found["num_frames"], ", ".join(f"{k} {v:.1f}" for k, v in found["stage_ms"].items())
        )
    )


def main(arguments: list[str] | None = None) -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description="Measure speed and memory of a render, and of the baselines.")
    parser.add_argument("--clip", type=Path, default=SAMPLE_CLIP, help="default: the sample clip")
    parser.add_argument("--frames", type=int, help="repeat or cut the clip to this many frames")
    parser.add_argument("--style")
    parser.add_argument("--consistency", type=float)
    parser.add_argument("--flow")
    parser.add_argument("--device")
    parser.add_argument("--precision")
    parser.add_argument("--size", help="1280x720, 720p, 640w or 50%%")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--threads", type=int, help="of torch, in every measurement; default: torch's own choice")
    parser.add_argument("--preview", action="store_true", help="measure one frame's preview instead, imports apart")
    parser.add_argument("--parts", action="store_true", help="measure every stage alone instead, AdaIN's network too")
    parser.add_argument("--skip-baseline", action="store_true")
    parser.add_argument(
        "--memory", type=int, nargs="*", metavar="FRAMES", help="peak memory by length; default 200 and 2000 frames"
    )
    parser.add_argument("--roofline", action="store_true", help="count the style network's arithmetic and traffic")
    parser.add_argument("--peak-tflops", type=float, help="of the device, in 10^12 operations a second")
    parser.add_argument("--peak-tbps", type=float, help="of the device's memory, in 10^12 bytes a second")
    parser.add_argument("--json", type=output_file, help="write everything here")
    options = parser.parse_args(arguments)
    if not options.clip.is_file():
        parser.error(f"there is no file {options.clip}")
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    found = benchmark(options)
    print_table(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        print(f"\nwrote {options.json}")


if __name__ == "__main__":
    main()
