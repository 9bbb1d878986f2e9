"""Pairs of consecutive frames of real clips with the flow between them, held in memory: real motion to train on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.flow.dis import DisFlow
from vidstyle.frames import VideoFrame
from vidstyle.imaging.occlusion import occlusion_mask, soft_validity
from vidstyle.imaging.pyramid import enlarge
from vidstyle.imaging.warp import backward_warp, points_inside, resize_flow
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.media.names import is_clip, paintable_files
from vidstyle.media.reader import VideoReader, open_video
from vidstyle.temporal.consistency import temporal_loss
from vidstyle.temporal.shots import CutDetector
from vidstyle.training.checkpoints import digest_of

#: A longer clip is read in this many windows, evenly spread, instead of whole.
_NUM_WINDOWS, _WINDOW_SECONDS = 12, 5.0
#: Where less of a frame can be followed, flow has failed or a cut was missed.
_MIN_VALID_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class ClipBatch:
    """Crops of consecutive frames; both frames of a pair share their window.

    Attributes:
        frames: (N, 3, crop, crop) float32 RGB in [0, 1], at t.
        previous: the same at t-1.
        flow_backward: (N, 2, crop, crop) float32 pixels of the crop, t to t-1.
        valid: (N, 1, crop, crop) float32 in [0, 1], 1 = ``flow_backward`` can be trusted and points into the crop.
    """

    frames: Tensor
    previous: Tensor
    flow_backward: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> ClipBatch:
        """The same on another device."""
        return ClipBatch(*(x.to(device) for x in (self.frames, self.previous, self.flow_backward, self.valid)))


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    frame: Tensor  # (3, H, W) uint8
    previous: Tensor
    flow_backward: Tensor  # (2, H, W) float16
    valid: Tensor  # (1, H, W) uint8, 255 = trusted


class ClipPairs:
    """Endless random crops of consecutive frames; the same generator state gives the same crops.

    Pairs are evenly spread over the clips and never span a cut. Flow is measured once, by DIS, and checked as the
    temporal filter does it.

    Args:
        paths: clips, or folders of clips.
        crop_px: side of a crop.
        max_side_px: frames are kept at no more than this on their longer side, unless a crop needs more.
        max_pairs: of all clips together; of more clips, so many evenly spread ones are read, one pair of each. 128 at
            640 px take 0.3 GB, and as much again while they are read.

    Attributes:
        names: of the clips pairs were taken from.

    Raises:
        ConfigError: a folder without clips, or no pair of frames of at least the crop's size.
        MediaError: a clip cannot be read.
    """

    def __init__(self, paths: Sequence[Path], crop_px: int, max_side_px: int = 640, max_pairs: int = 128) -> None:
        clips = [clip for path in paths for clip in _clips_at(path)]
        self._crop_px = crop_px
        self._pairs: list[_Pair] = []
        self.names: tuple[str, ...] = ()
        shares = [(i + 1) * max_pairs // len(clips) - i * max_pairs // len(clips) for i in range(len(clips))]
        for clip, share in zip(clips, shares, strict=True):
            pairs = _pairs_of(clip, crop_px, max_side_px, share) if share else []
            if pairs:
                self._pairs += pairs
                self.names += (clip.name,)
        if not self._pairs:
            named = ", ".join(str(path) for path in paths)
            raise ConfigError(
                f"{named}: no two consecutive frames of at least {crop_px}x{crop_px} pixels can be followed; "
                "name other clips or use a smaller crop."
            )

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def digest(self) -> str:
        """By it a run that goes on knows its frames."""
        return digest_of(pair.frame for pair in self._pairs)

    def batch(self, num: int, generator: torch.Generator) -> ClipBatch:
        """``num`` random crops of random pairs."""
        crops = [self._crop(generator) for _ in range(num)]
        frames, previous, flow, valid = (torch.stack(parts) for parts in zip(*crops, strict=True))
        return ClipBatch(frames, previous, flow, valid)

    def _crop(self, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pair = self._pairs[_integer(0, len(self._pairs), generator)]
        height, width = pair.frame.shape[-2:]
        crop = self._crop_px
        side = _integer(crop, min(height, width, crop * 2) + 1, generator)
        top, left = _integer(0, height - side + 1, generator), _integer(0, width - side + 1, generator)
        flipped = _integer(0, 2, generator) == 1

        def window(x: Tensor) -> Tensor:
            cut = x[:, top : top + side, left : left + side].float()[None]
            cut = F.interpolate(cut, size=(crop, crop), mode="bilinear", antialias=True)[0]
            return cut.flip(-1) if flipped else cut

        flow = window(pair.flow_backward) * (crop / side)
        if flipped:
            flow[0] = -flow[0]
        valid = window(pair.valid) / 255 * points_inside(flow[None])[0]
        return window(pair.frame) / 255, window(pair.previous) / 255, flow, valid


def clip_stability_loss(painted: Tensor, painted_previous: Tensor, batch: ClipBatch) -> Tensor:
    """Mean M · |net(I_t) − W net(I_{t−1})|; a scalar.

    Ruder et al. 2016, eq. 7, with the first power: what the network paints should move as the clip does.
    """
    return temporal_loss(painted, backward_warp(painted_previous, batch.flow_backward), batch.valid, power=1)


def _clips_at(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    clips = [clip for clip in paintable_files(path) if is_clip(clip)]
    if not clips:
        raise ConfigError(f"There is no clip in {path}; name a folder with clips, or a clip.")
    return clips


def _pairs_of(clip: Path, crop_px: int, max_side_px: int, max_pairs: int) -> list[_Pair]:
    """Up to ``max_pairs`` of a clip, evenly spread; none where its frames are smaller than a crop."""
    candidates: list[tuple[Tensor, Tensor]] = []
    stride = 1
    for index, (previous, frame) in enumerate(_consecutive(clip)):
        if index % stride == 0:
            reduced = _reduced(previous, max_side_px, crop_px), _reduced(frame, max_side_px, crop_px)
            if min(reduced[0].shape[-2:]) < crop_px:
                return []
            candidates.append(reduced)
            if len(candidates) > 2 * max_pairs:  # the clip's length is known at its end only
                candidates, stride = candidates[::2], stride * 2
    num = min(max_pairs, len(candidates))
    chosen = [candidates[i * len(candidates) // num] for i in range(num)]
    measured = [_measured(*pair) for pair in chosen]
    return [pair for pair in measured if pair.valid.float().mean() >= 255 * _MIN_VALID_SHARE]


def _consecutive(clip: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Neighbouring (3, H, W) uint8 frames, without those a cut lies between."""
    with open_video(clip, deinterlace=True) as reader:
        duration = reader.info.duration_seconds or 0.0
        whole = duration <= _NUM_WINDOWS * _WINDOW_SECONDS
        yield from _within(reader, _NUM_WINDOWS * _WINDOW_SECONDS if whole else _WINDOW_SECONDS)
    for window in range(1, 1 if whole else _NUM_WINDOWS):
        with open_video(clip, start_seconds=window * duration / _NUM_WINDOWS, deinterlace=True) as reader:
            yield from _within(reader, _WINDOW_SECONDS)


def _within(reader: VideoReader, seconds: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Neighbours among the first ``seconds``."""
    cuts, before, first = CutDetector(reader.info.average_rate), None, 0.0
    for item in reader:
        if not isinstance(item, VideoFrame):
            continue
        is_cut, frame = cuts.push(item.data), to_eight_bits(item.data)
        if before is None:
            first = item.seconds
        elif item.seconds - first >= seconds:
            break
        elif not is_cut:
            yield before, frame
        before = frame


def _reduced(frame: Tensor, max_side_px: int, crop_px: int) -> Tensor:
    """At most ``max_side_px`` on the longer side, unless the shorter would be less than a crop."""
    height, width = frame.shape[-2:]
    scale = max(max_side_px / max(height, width), crop_px / min(height, width))
    if scale >= 1:
        return frame.contiguous()
    size = (max(round(height * scale), crop_px), max(round(width * scale), crop_px))
    smaller = F.interpolate(frame[None].float(), size=size, mode="bilinear", antialias=True)[0]
    return smaller.round().clamp(0, 255).byte()


def _measured(previous: Tensor, frame: Tensor) -> _Pair:
    estimator = DisFlow()
    estimator.push(previous[None])
    motion = estimator.push(frame[None])
    if motion is None:  # only the first frame has no motion
        raise AssertionError
    size = (frame.shape[-2], frame.shape[-1])
    occluded = occlusion_mask(motion.flow_backward, motion.flow_forward, size)
    valid = enlarge(soft_validity(occluded), size)[0]
    flow = resize_flow(motion.flow_backward, size)[0]
    return _Pair(frame, previous, flow.half(), (valid * 255).round().byte())


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, high, (), generator=generator))
