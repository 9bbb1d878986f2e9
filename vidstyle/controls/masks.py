"""A matte made ready for the frames it masks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from fractions import Fraction

import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.feather import feathered
from vidstyle.media.mattes import Matte


class Mask:
    """Opacity of a painting, from a matte that runs in lockstep with the clip.

    Args:
        matte: frame k masks the clip's frame k.
        times: when the clip's frames start, counted from the first; needed where the matte moves.
        width: of the clip's upright picture in pixels, by which the feather is measured.
    """

    def __init__(self, matte: Matte, times: Sequence[Fraction], width: int) -> None:
        self._matte = matte
        self._times = times
        self._width = width
        self._ready: tuple[Hashable, Tensor] | None = None

    def opacity(self, moment: Fraction, like: Tensor, *, feather_px: float = 0.0, invert: bool = False) -> Tensor:
        """Of the frame at a moment.

        Args:
            moment: seconds from the clip's first frame.
            like: of the size and on the device that the mask shall have.
            feather_px: width of the soft edge in pixels of the clip.
            invert: the painting goes where the matte is black.

        Returns:
            (1, 1, H, W) in [0, 1].
        """
        index = max(bisect_right(self._times, moment) - 1, 0) if self._matte.moves else 0
        wanted = (index, like.shape[-2:], feather_px, invert)
        if self._ready is None or self._ready[0] != wanted:
            self._ready = (wanted, self._prepared(index, like, feather_px, invert=invert))
        return self._ready[1]

    def _prepared(self, index: int, like: Tensor, feather_px: float, *, invert: bool) -> Tensor:
        mask = self._matte.picture(index).to(like.device)
        if invert:
            mask = 1.0 - mask
        size = (like.shape[-2], like.shape[-1])
        if tuple(mask.shape[-2:]) != size:
            mask = F.interpolate(mask[None], size=size, mode="bilinear", antialias=True)[0].clamp_(0.0, 1.0)
        return feathered(mask, feather_px * size[1] / self._width)[None]
