"""What a stylizer, a flow estimator, a temporal filter, a source and a sink promise to the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from vidstyle.frames import Packet, VideoFrame, VideoInfo

if TYPE_CHECKING:
    from torch import Tensor

#: How many frames before a given one lies the older one that its motion may lead to, too.
LOOK_BACK: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Optical flow between the previous frame (t-1) and this one (t).

    All fields are (1, 2, h, w) float32, channels (dx, dy), on grids that may be coarser than the frame; values are
    always pixels of the *frame*, and ``source(x)`` matches ``target(x + flow(x))``.

    Attributes:
        flow_backward: from t to t-1: where each pixel of this frame was.
        flow_forward: from t-1 to t: where each pixel of the previous frame went; it may be coarser, for it is only
            compared with.
        flow_older: from t to t - ``LOOK_BACK``; None where it was not measured, or the shot is younger.
    """

    flow_backward: Tensor
    flow_forward: Tensor
    flow_older: Tensor | None = None


@runtime_checkable
class Stylizer(Protocol):
    """Paints pictures. Stateless: a picture's result depends on that picture alone.

    Attributes:
        name: what a user calls the style.
    """

    name: str

    def __call__(self, content: Tensor) -> Tensor:
        """Paint (N, 3, H, W) RGB in [0, 1], of any floating dtype and any size from 1x1; returns float32, same shape.

        Padding to what a network needs, and its precision, are the stylizer's own affair.
        """
        ...

    def to(self, device: str, dtype: Any) -> Stylizer:
        """Move weights to ``device`` and cast them to the torch ``dtype``; returns itself."""
        ...


@runtime_checkable
class FlowEstimator(Protocol):
    """Measures motion along a stream of frames, one push a frame."""

    name: str

    def push(self, frame: Tensor) -> Motion | None:
        """Take the next (1, 3, H, W) RGB frame in [0, 1]; returns motion against the frame before.

        Returns None for the first frame and for the first after ``reset``.
        """
        ...

    def reset(self) -> None:
        """Forget the previous frame: at cuts, seeks and decode gaps."""
        ...


@runtime_checkable
class TemporalFilter(Protocol):
    """Makes a stylized stream steady; all memory is in the explicit ``state``."""

    def step(self, content: Tensor, stylized: Tensor, motion: Motion | None, state: Any | None) -> tuple[Tensor, Any]:
        """Filter one frame.

        Args:
            content: (1, 3, H, W) source frame in [0, 1], float32.
            stylized: (1, 3, H, W) the same frame painted, in [0, 1], float32.
            motion: flow against the frame before; None restarts the recursion.
            state: what the previous call returned; None restarts the recursion.

        Returns:
            The steady frame, like ``stylized``, and the state for the next call.
        """
        ...

    def at(self, consistency: float) -> TemporalFilter:
        """The same filter with another consistency, 0 to 1; states of one do for the other."""
        ...


class MediaSource(Protocol):
    """An open clip: iterate once to get its frames and packets in the file's order."""

    info: VideoInfo

    def __iter__(self) -> Iterator[VideoFrame | Packet]: ...

    def close(self) -> None:
        """Release the file."""
        ...


class MediaSink(Protocol):
    """An output being written. Nothing exists under its name until ``commit``."""

    def write(self, item: VideoFrame | Packet) -> None:
        """Encode a frame, or pass a packet through."""
        ...

    def commit(self) -> None:
        """Flush, close and move the result to its name."""
        ...

    def abort(self) -> None:
        """Throw everything away; a no-op after ``commit``."""
        ...
