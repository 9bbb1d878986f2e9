"""The measurements of ``benchmark.py``; each runs in a process of its own: ``python measurements.py JOB ARGUMENTS``.

Only there are torch, cv2 and vidstyle imported, because the peak memory of a process counts that of the one it was
started from.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

Result = dict[str, Any]

MIB = 1 << 20
VGG19_LAYERS = ["conv11", "conv12", "conv21", "conv22", "conv31", "conv32", "conv33", "conv34", "conv41"]
VGG19_CHANNELS = {"1": 64, "2": 128, "3": 256, "4": 512}


def measure_render(clip: str, frames: int | None, settings: Result) -> Result:
    """Render the clip, repeated or cut to ``frames``, and report."""
    from vidstyle.api import stylize
    from vidstyle.config import make_config

    config = make_config(**settings)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(clip)
        if frames is not None:
            source = Path(folder) / f"source{'.mp4' if source.suffix.lower() in ('.mp4', '.mov', '.m4v') else '.mkv'}"
            in_child("repeat", clip=clip, target=str(source), frames=frames)
        started = time.perf_counter()
        report = stylize(source, Path(folder) / "out.mp4", config=config)
        seconds = time.perf_counter() - started
    return {
        "num_frames": report.num_frames,
        "size": report.size,
        "fps": report.frames_per_second,
        "wall_seconds": report.wall_seconds,
        "setup_seconds": seconds - report.wall_seconds,
        "stage_ms_per_frame": {name: s / report.num_frames * 1000 for name, s in report.stage_seconds.items()},
        "compute": report.compute,
        "flow": report.flow,
        "notes": report.notes,
        **peak_memory(),
    }


def measure_parts(clip: str, frames: int, settings: Result) -> Result:
    """What each stage takes where nothing runs beside it: frames one by one, without decoder and encoder at work."""
    from itertools import islice
    from statistics import median

    from vidstyle.compose import Composition
    from vidstyle.config import make_config
    from vidstyle.frames import VideoFrame
    from vidstyle.media.reader import open_video

    composition = Composition.load(make_config(**settings))
    with open_video(Path(clip)) as reader:
        size = reader.info.upright_size
        painter = composition.painter(size, reader.info.average_rate, composition.flow())
        pictures = list(islice((item for item in reader if isinstance(item, VideoFrame)), frames))
    found: dict[str, list[float]] = {}
    for picture in pictures:
        before = dict(painter.clock.seconds)
        painter.paint([picture])
        for stage, seconds in painter.clock.seconds.items():
            found.setdefault(stage, []).append(1000 * (seconds - before.get(stage, 0.0)))
    return {
        "style": composition.name,
        "size": painter.size or size,
        "num_frames": len(pictures),
        "compute": composition.compute.reason,
        "flow": painter.flow.name if painter.flow is not None else None,
        "stage_ms": {stage: median(values) for stage, values in found.items()},
    }


def measure_preview(clip: str, settings: Result) -> Result:
    """One frame from the middle of the clip, in a process that has done nothing before."""
    started = time.perf_counter()
    from vidstyle.api import preview
    from vidstyle.media.probe import probe_video

    imported = time.perf_counter()
    at_seconds = (probe_video(clip).duration_seconds or 0.0) / 2
    begun, used_before = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        report = preview(clip, Path(folder) / "look.png", at=at_seconds, estimate=True, **settings)
    done = time.perf_counter()
    (cell,), (estimate,) = report.cells, report.estimates
    return {
        "at_seconds": at_seconds,
        "size": (cell.stylized.shape[-1], cell.stylized.shape[-2]),
        "num_warmup_frames": cell.num_warmup_frames,
        "import_seconds": imported - started,
        "preview_seconds": done - begun,
        "cpu_seconds": time.process_time() - used_before,
        "steady_fps": estimate.frames_per_second,
        "estimate": str(estimate),
        "flow": report.flow,
        **peak_memory(),
    }


def repeat_clip(clip: str, target: str, frames: int) -> Result:
    """Copy a clip's packets, over and over, until there are ``frames`` frames; nothing is encoded again."""
    import av

    written, shift_seconds = 0, 0.0
    copies: dict[int, Any] = {}
    last_dts: dict[int, int] = {}
    with av.open(target, "w") as output:
        while written < frames:
            before, end_seconds = written, 0.0
            with av.open(clip) as source:
                streams = [*source.streams.video[:1], *source.streams.audio[:1]]
                copies = copies or {stream.index: output.add_stream_from_template(stream) for stream in streams}
                for packet in source.demux(streams):
                    if packet.size == 0 or packet.pts is None or packet.dts is None:
                        continue
                    index, is_video = packet.stream.index, packet.stream.type == "video"
                    if is_video and written == frames:
                        break
                    end_seconds = max(end_seconds, float((packet.pts + (packet.duration or 1)) * packet.time_base))
                    shift = round(shift_seconds / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    if packet.dts <= last_dts.get(index, packet.dts - 1):
                        continue  # what an audio encoder needs to get going lies before the beginning
                    last_dts[index] = packet.dts
                    written += is_video
                    packet.stream = copies[index]
                    output.mux(packet)
            if written == before:
                sys.exit(f"benchmark: {clip} has no frames that could be copied; try another clip.")
            shift_seconds += end_seconds
    return {"num_frames": written}


def measure_baseline(network: str, clip: str, frames: int, size: str | None, device: str) -> Result:
    """The loop one would otherwise write; the first frame warms up and is not counted."""
    import cv2
    import torch

    from vidstyle.compose import choose_compute
    from vidstyle.config import output_size

    place = choose_compute(device, "fp32").device
    paint = build_baseline(network, place)
    seconds = {"decode": 0.0, "stylize": 0.0, "encode": 0.0}
    capture = cv2.VideoCapture(clip)
    source_size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    wanted = output_size(size, source_size)
    done = -1
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(f"{folder}/out.mp4", fourcc, capture.get(cv2.CAP_PROP_FPS), wanted)
        while done < frames:
            times = [time.perf_counter()]
            ok, bgr = capture.read()
            if not ok:  # the clip is over: from its beginning again
                capture = cv2.VideoCapture(clip)
                ok, bgr = capture.read()
            if wanted != source_size:
                bgr = cv2.resize(bgr, wanted, interpolation=cv2.INTER_AREA)
            times.append(time.perf_counter())
            rgb = torch.from_numpy(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)).to(place)
            painted = paint(rgb.permute(2, 0, 1)[None].float() / 255)[0]
            result = (painted * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
            times.append(time.perf_counter())
            writer.write(cv2.cvtColor(result, cv2.COLOR_RGB2BGR))
            times.append(time.perf_counter())
            done += 1
            if done == 0:
                started = time.perf_counter()
                continue
            for name, before, after in zip(seconds, times, times[1:], strict=False):
                seconds[name] += after - before
        writer.release()
        wall_seconds = time.perf_counter() - started
    return {
        "num_frames": frames,
        "size": wanted,
        "fps": frames / wall_seconds,
        "wall_seconds": wall_seconds,
        "stage_ms_per_frame": {name: value / frames * 1000 for name, value in seconds.items()},
        "compute": f"{place}, fp32, eager",
        **peak_memory(),
    }


def build_baseline(network: str, device: Any) -> Any:
    """A network from a (1, 3, H, W) picture in [0, 1] to the same; random weights are as fast as trained ones."""
    import torch
    import torch.nn.functional as F

    from vidstyle.stylizers.adain import AdaInNet
    from vidstyle.stylizers.encoder import VggEncoder
    from vidstyle.stylizers.feedforward import JohnsonNet
    from vidstyle.stylizers.pytorch_adain import PytorchAdaInDecoder

    torch.manual_seed(0)
    if network == "johnson32":
        call: Any = JohnsonNet(32).eval().to(device)
    else:
        widths = [3, *(VGG19_CHANNELS[name[4]] for name in VGG19_LAYERS)]
        convolutions = {
            name: (torch.randn(after, before, 3, 3) * (2 / (9 * before)) ** 0.5, torch.zeros(after))
            for name, before, after in zip(VGG19_LAYERS, widths, widths[1:], strict=False)
        }
        encoder = VggEncoder(convolutions, (torch.eye(3)[..., None, None], torch.zeros(3)))
        net = AdaInNet(encoder, PytorchAdaInDecoder()).eval().to(device)
        with torch.no_grad():
            style = net.statistics(torch.rand(1, 3, 512, 512, device=device))
        call = partial(net, style=style)

    def paint(picture: Any) -> Any:
        height, width = picture.shape[-2:]
        multiple = 8 if network == "vgg-adain" else 4
        padded = F.pad(picture, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        return call(padded)[..., :height, :width]

    return paint


def measure_roofline(size: list[int], settings: Result) -> Result:
    """Arithmetic and memory traffic of the style network for one frame, counted operation by operation."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves
    from torch.utils.flop_counter import FlopCounterMode

    from vidstyle.compose import Composition
    from vidstyle.config import make_config

    class TrafficCounter(TorchDispatchMode):
        """What every operation reads and writes, nothing fused: views cost nothing."""

        total = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if not func.is_view:
                tensors = (t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor))
                self.total += sum(t.numel() * t.element_size() for t in tensors)
            return out

    composition = Composition.load(make_config(**settings))
    compute, (stylizer, *_) = composition.compute, composition.stylizers.values()
    width, height = size
    frame = torch.rand(1, 3, height, width, device=compute.device).to(compute.dtype, memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as flop:
        stylizer(frame)
    with TrafficCounter() as traffic:
        stylizer(frame)
    return {"flop_per_frame": flop.get_total_flops(), "bytes_per_frame_unfused": traffic.total}


def peak_memory() -> Result:
    """Largest resident memory of this process, and of its CUDA device where one was used."""
    import torch

    used = torch.cuda.is_available() and torch.cuda.is_initialized()
    return {
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_device_mib": torch.cuda.max_memory_allocated() / MIB if used else None,
    }


def describe_machine() -> Result:
    """Hardware and versions, as far as they decide speed."""
    import torch

    model = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": model,
        "num_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_average": os.getloadavg(),
        "torch_threads": torch.get_num_threads(),
        "cuda_device": cuda,
        "platform": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("vidstyle", "torch", "torchvision", "av", "numpy", "scenedetect")},
    }


JOBS: dict[str, Callable[..., Result]] = {
    "machine": describe_machine,
    "render": measure_render,
    "parts": measure_parts,
    "preview": measure_preview,
    "repeat": repeat_clip,
    "baseline": measure_baseline,
    "roofline": measure_roofline,
}


def in_child(job: str, **arguments: Any) -> Result:
    """Run a job in a fresh process; ends the program where it fails, its own error having been printed."""
    command = [sys.executable, __file__, job, json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def run_job(job: str, arguments: str) -> None:
    """The child's side of ``in_child``: the result is the last line printed."""
    from vidstyle.errors import VidstyleError

    try:
        print(json.dumps(JOBS[job](**json.loads(arguments)), default=str))
    except (VidstyleError, OSError) as error:
        sys.exit(f"benchmark: {error}")


def main() -> None:
    run_job(*sys.argv[1:])


if __name__ == "__main__":
    main()
