"""Styles that take the content's colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.color_transfer import ColorMap, ColorStatistics, monge_kantorovich
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.adain import AdaInStylizer

#: Longest side samples are painted at: colours of a painting hardly depend on its size.
_SAMPLE_SIDE_PX = 512


class Recolored:
    """A stylizer whose results go through one colour map: a ``Stylizer``."""

    def __init__(self, inner: Stylizer, colors: ColorMap) -> None:
        self.inner = inner
        self.colors = colors
        self.name = inner.name

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same in float32, painted."""
        return self.colors(self.inner(content))

    def to(self, device: str, dtype: torch.dtype) -> Recolored:
        """Move and cast the inner stylizer; returns itself."""
        self.inner = self.inner.to(device, dtype)
        return self


def in_colors_of(stylizer: Stylizer, samples: Sequence[Tensor]) -> Stylizer:
    """A stylizer that paints in the content's colours, by one linear map for the whole clip.

    The style picture of an AdaIN stylizer is recoloured before it is encoded. What other stylizers paint of the samples
    is compared with the samples, and the map found is applied to all they paint. Either way nothing is measured frame
    by frame, so that colours do not flicker.

    Args:
        stylizer: on its device.
        samples: some (3, H, W) frames of the clip, in [0, 1].
    """
    wanted = ColorStatistics.of(samples)
    if isinstance(stylizer, AdaInStylizer):
        return stylizer.recolored(lambda image: monge_kantorovich(ColorStatistics.of([image]), wanted)(image[None])[0])
    with torch.inference_mode():
        painted = [stylizer(_reduced(sample[None]))[0] for sample in samples]
    return Recolored(stylizer, monge_kantorovich(ColorStatistics.of(painted), wanted))


def _reduced(picture: Tensor) -> Tensor:
    scale = _SAMPLE_SIDE_PX / max(picture.shape[-2:])
    if scale >= 1:
        return picture
    size = tuple(max(round(side * scale), 1) for side in picture.shape[-2:])
    return F.interpolate(picture, size=size, mode="bilinear", antialias=True)
