"""Motion to a frame some way back, beside that to the frame before: what is hidden in one may be seen in the other."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from torch import Tensor

from vidstyle.flow.dis_search import DisSearch, Grey
from vidstyle.protocols import LOOK_BACK, FlowEstimator, Motion


class OlderSearch(DisSearch):
    """At half the resolution, which is enough for what only fills gaps and is trusted by looks alone."""

    def __init__(self) -> None:
        super().__init__("medium", 0.5, refinements=5)


class LookingBack:
    """A flow estimator whose motion also leads ``LOOK_BACK`` frames back, one way.

    ``push`` takes what the estimator takes.

    Args:
        estimator: measures motion against the frame before.
        search: for the older frame; on a CPU, whatever the estimator works on.

    Attributes:
        estimator: the same.
    """

    def __init__(self, estimator: FlowEstimator, search: DisSearch | None = None) -> None:
        self.name = estimator.name
        self.estimator = estimator
        self._search = search or OlderSearch()
        self._past: deque[Grey] = deque(maxlen=LOOK_BACK)

    def push(self, frame: Tensor) -> Motion | None:
        """As the estimator's own, with ``flow_older`` once there are so many frames since ``reset``."""
        motion = self.estimator.push(frame)
        current, older = self._search.grey(frame), self._past[0] if len(self._past) == LOOK_BACK else None
        self._past.append(current)
        if motion is None or older is None:
            return motion
        return replace(motion, flow_older=self._search.flow(current, older).to(motion.flow_backward.device))

    def glimpse(self, frame: Tensor) -> None:
        """Take a frame of the same shot from before the first one that is pushed."""
        self._past.append(self._search.grey(frame))

    def reset(self) -> None:
        """As the estimator's own."""
        self.estimator.reset()
        self._past.clear()
