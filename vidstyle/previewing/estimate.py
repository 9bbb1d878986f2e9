"""What the full render would take, measured on the frames that a preview paints."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from vidstyle.compose import choose_compute
from vidstyle.config import RenderConfig, output_size
from vidstyle.encoding import bits_per_second
from vidstyle.errors import ConfigError, MediaError
from vidstyle.media.closing import Closing
from vidstyle.media.containers import WRITABLE_SUFFIXES
from vidstyle.media.names import output_name
from vidstyle.media.plan import OutputPlan
from vidstyle.media.sizes import PacketSize, scaled_size, sound_size, video_packet_sizes
from vidstyle.media.writer import open_writer
from vidstyle.pipeline.meter import Meter
from vidstyle.planning import open_source, plan_render
from vidstyle.report import RenderEstimate


@dataclass(slots=True)
class _Measured:
    """Of one style.

    Attributes:
        num_frames: that were clocked.
        seconds: they took.
        packets: of those that were encoded.
        device_bytes: most memory of a GPU that was in use.
    """

    num_frames: int = 0
    seconds: float = 0.0
    packets: list[PacketSize] = field(default_factory=list)
    device_bytes: int = 0


class Estimator(Closing):
    """Measures previews of one clip, and says what its full render would take. A context manager.

    Args:
        source: the clip, or the pattern of a sequence.
        config: settings of the full render.
        suffix: of its file; None takes the clip's own where that can be written, and ``.mp4`` otherwise.
        size: (width, height) of the frames that are measured; None is the render's. Costs grow with the pixels.

    Raises:
        ConfigError, MediaError: the source cannot be used.
    """

    def __init__(
        self, source: Path, config: RenderConfig, *, suffix: str | None = None, size: tuple[int, int] | None = None
    ) -> None:
        own = Path(output_name(source)).suffix.lower()
        self._source, self._config = source, config
        self._suffix = suffix or (own if own in WRITABLE_SUFFIXES else ".mp4")
        self._measured: dict[str, _Measured] = {}
        self._fixed_memory: int | None = None
        self._device = choose_compute(config.device, config.precision).device
        self._open = ExitStack()
        try:
            self._reader = open_source(source, None, config, lambda _: None)
            self._open.callback(self._reader.close)
            self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="vidstyle-")))
            self._size = output_size(config.size, self._reader.info.upright_size)
            self._measured_size = size or self._size
            self._plan = self._planned()
        except BaseException:
            self._open.close()
            raise

    def _planned(self) -> OutputPlan | None:
        width, height = self._measured_size
        config = self._config.model_copy(update={"size": f"{width}x{height}"})
        for suffix in dict.fromkeys((self._suffix, ".mkv")):  # which carries what others do not
            with suppress(ConfigError, MediaError):
                _, planned = plan_render(self._reader, self._source, Path(f"render{suffix}"), config)
                self._suffix = suffix
                return planned if isinstance(planned, OutputPlan) else None
        return None

    def _one_is_painted(self) -> None:
        # Everything is loaded and set up, and what a frame takes while it is painted is free.
        self._fixed_memory = self._fixed_memory or _memory_bytes("VmRSS")

    @contextmanager
    def meter(self, style: str, batch_size: int, *, encodes: bool = True) -> Iterator[Meter]:
        """Measure one stream of frames.

        Args:
            style: by which measurements are put together.
            batch_size: frames that are painted at once.
            encodes: frames will be given to it, not only clocked.
        """
        file = self._folder / f"piece{self._suffix}"
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        with ExitStack() as stack:
            sink = None
            if encodes and self._plan is not None:
                alone = replace(self._plan, streams=())
                with suppress(MediaError):  # such as a full disk
                    sink = stack.enter_context(open_writer(file, self._reader, alone, overwrite=True))
            with Meter(sink, batch_size, self._one_is_painted) as meter:
                yield meter
        measured = self._measured.setdefault(style, _Measured())
        num_frames, seconds = meter.steady()
        measured.num_frames += num_frames
        measured.seconds += seconds
        if self._device.type == "cuda":
            measured.device_bytes = max(measured.device_bytes, torch.cuda.max_memory_allocated(self._device))
        if file.is_file():
            measured.packets += video_packet_sizes(file)
            file.unlink()

    def count(self, style: str, file: Path) -> None:
        """Take the size of frames from a file that holds nothing but them."""
        self._measured.setdefault(style, _Measured()).packets += video_packet_sizes(file)

    def estimates(self) -> tuple[RenderEstimate, ...]:
        """One for each style, in the order they were measured."""
        return tuple(self._estimate(style, measured) for style, measured in self._measured.items())

    def _estimate(self, style: str, measured: _Measured) -> RenderEstimate:
        (width, height), (measured_width, measured_height) = self._size, self._measured_size
        larger = width * height / (measured_width * measured_height)
        rate = measured.num_frames / measured.seconds / larger if measured.seconds > 0 else None
        peak, fixed = _memory_bytes("VmHWM"), self._fixed_memory
        if peak is not None and fixed is not None and larger != 1:
            peak = round(fixed + max(peak - fixed, 0) * larger)
        return RenderEstimate(
            style=style,
            size=self._size,
            num_frames=self._reader.num_frames_expected,
            frames_per_second=rate,
            memory_bytes=peak,
            device_memory_bytes=round(measured.device_bytes * larger) or None,
            output_bytes=self._output_bytes(measured, larger),
            suffix=self._suffix,
        )

    def _output_bytes(self, measured: _Measured, larger: float) -> int | None:
        num_frames = self._reader.num_frames_expected
        if num_frames is None or self._plan is None:
            return None
        seconds = num_frames / self._reader.info.average_rate
        sound = sound_size(self._reader, self._plan, seconds)
        bitrate = self._config.encoding(self._suffix).bitrate
        if bitrate is not None:
            return round(bits_per_second(bitrate) * seconds / 8) + sound
        if not measured.packets:
            return None
        return round(scaled_size(measured.packets, num_frames) * larger) + sound

    def close(self) -> None:
        """Release the source and what was encoded."""
        self._open.close()


def _memory_bytes(which: str) -> int | None:
    """Resident memory of this process, now (``VmRSS``) or at its peak (``VmHWM``); None where nobody says."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return _peak_bytes() if which == "VmHWM" else None
    found = [line.split()[1] for line in status.splitlines() if line.startswith(f"{which}:")]
    return int(found[0]) * 1024 if found else None


def _peak_bytes() -> int | None:
    try:
        import resource  # noqa: PLC0415  # Windows has none
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
