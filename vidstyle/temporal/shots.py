"""Finding cuts while streaming, with PySceneDetect's content detector."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module

import numpy as np
from torch import Tensor

from vidstyle.imaging.opencv import load_opencv

#: Width frames are reduced to: a cut shows at any size, and the detector works per pixel.
_WIDTH_PX = 160


class CutDetector:
    """Says of each frame whether it starts a new shot, knowing only the frames before it.

    Args:
        rate: frames per second, which the detector needs for its time codes.
        threshold: of the HSV content change; PySceneDetect's own default.

    Raises:
        VidstyleError: OpenCV cannot be loaded.
    """

    def __init__(self, rate: Fraction, threshold: float = 27.0) -> None:
        self._cv2 = load_opencv()  # first, because PySceneDetect would fail on it without saying what to do
        scenedetect = import_module("scenedetect")
        # min_scene_len=0: a filter that merges short shots would report a cut late, after ghosts were made.
        self._detector = scenedetect.ContentDetector(threshold=threshold, min_scene_len=0)
        self._timecode = scenedetect.FrameTimecode
        self._rate = float(rate)
        self._index = 0

    def push(self, frame: Tensor) -> bool:
        """Take the next (3, H, W) uint8 or uint16 frame; True where it starts a new shot."""
        planes = frame.numpy()
        height, width = planes.shape[1:]
        size = (min(width, _WIDTH_PX), max(round(height * min(1.0, _WIDTH_PX / width)), 1))
        # Plane by plane, because a planar picture would have to be interleaved at its full size.
        reduced = [self._cv2.resize(plane, size, interpolation=self._cv2.INTER_AREA) for plane in planes[::-1]]
        small = np.stack(reduced, axis=-1)
        if small.dtype == np.uint16:
            small = (small >> 8).astype(np.uint8)
        cuts = self._detector.process_frame(self._timecode(self._index, self._rate), small)
        self._index += 1
        return bool(cuts)
