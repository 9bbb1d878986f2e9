"""Dense inverse search: optical flow on the CPU that needs no weights."""

from __future__ import annotations

from torch import Tensor

from vidstyle.flow.dis_search import DisSearch, Grey, Preset
from vidstyle.flow.grid import checked_size
from vidstyle.protocols import Motion


class DisFlow:
    """``DisSearch`` along a stream of frames.

    ``push`` takes (1, 3, H, W) RGB, floating in [0, 1] or uint8, on any device and in any memory layout, from 1x1 up.
    The flow it returns is (1, 2, h, w) float32 on the frame's device, on the working grid of about ``scale`` times the
    frame and in pixels of the frame. The frame's size may only change after ``reset``.

    Args:
        preset: how much work the search spends; see there.
        scale: working resolution over frame resolution, in (0, 1].
        rough_forward: search less for forward flow, which renders only compare with.

    Raises:
        ValueError: an unknown preset or a scale outside (0, 1].
        VidstyleError: OpenCV is installed but cannot be loaded.
    """

    def __init__(self, preset: Preset = "medium", *, scale: float = 0.71, rough_forward: bool = True) -> None:
        self.name = f"dis-{preset}"
        self._search = DisSearch(preset, scale)
        # The filter's occlusion test forgives two pixels.
        self._check = DisSearch(preset, scale, refinements=2, stride_px=4) if rough_forward else self._search
        self._previous: Grey | None = None

    def push(self, frame: Tensor) -> Motion | None:
        """Take the next frame; returns motion against the one before, None after ``reset``.

        Raises:
            ValueError: not a (1, 3, H, W) float or uint8 frame, or another size than the frame before.
        """
        checked_size(frame, None if self._previous is None else self._previous.size)
        current = self._search.grey(frame)
        previous, self._previous = self._previous, current
        if previous is None:
            return None
        # One after the other: OpenCV already spreads a single search over all cores, a second thread gains nothing.
        return Motion(
            flow_backward=self._search.flow(current, previous).to(frame.device),
            flow_forward=self._check.flow(previous, current).to(frame.device),
        )

    def reset(self) -> None:
        """Forget the frame before."""
        self._previous = None
