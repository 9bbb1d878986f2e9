"""Small versions of a clip's frames."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.config import make_config
from vidstyle.errors import OpenError
from vidstyle.frames import VideoFrame
from vidstyle.planning import open_moment


def clip_thumbnail(clip: Path, at_seconds: float, height_px: int) -> Tensor:
    """A small version of the frame shown at a moment, (3, ``height_px``, W) uint8 or uint16 RGB."""
    with open_moment(clip, make_config(on_error="skip"), at_seconds, 0) as reader:
        frame = next((item for item in reader if isinstance(item, VideoFrame)), None)
        if frame is None:
            raise OpenError(f"{clip.name} has no frame at {at_seconds:g} s; choose an earlier moment.", clip)
    height, width = frame.data.shape[-2:]
    return resized(frame.data, (max(round(width * height_px / height), 1), height_px))


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """(3, H, W) uint8 or uint16 as (3, height, width) of a (width, height), uint8 where anything changes."""
    width, height = size
    if tuple(picture.shape[-2:]) == (height, width):
        return picture
    if picture.dtype == torch.uint16:
        picture = (picture.to(torch.int32) >> 8).to(torch.uint8)
    return F.interpolate(picture[None], size=(height, width), mode="bilinear", antialias=True)[0]
