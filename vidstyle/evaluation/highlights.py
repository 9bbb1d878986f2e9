"""What to look at: the worst moments of a clip, and slices through time that show flicker to the eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.opencv import load_opencv

#: Frames this close together are one moment.
_MOMENT_FRAMES = 12
_MAX_WIDTH_PX = 640
_NUM_ROWS = 12
#: Squared differences are shown as their root times this.
_DIFFERENCE_GAIN = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame at which the stylized clip flickers most beyond its source.

    Attributes:
        index: of the frame.
        seconds: since the first frame.
        error: E_warp of the stylized clip over one frame.
        floor: that of the source, scaled to the stylized frame's gradient energy.
        pictures: JPEG by name: ``source``, ``stylized``, and ``difference``, the stylized frame's difference to the
            one before moved along the flow, brighter for more.
    """

    index: int
    seconds: float
    error: float
    floor: float
    pictures: Mapping[str, bytes]


class WorstMoments:
    """Keeps the frames whose error is furthest above its floor, no two of one moment.

    Args:
        num: how many.
    """

    def __init__(self, num: int = 5) -> None:
        self._num = num
        self._kept: list[Moment] = []

    def push(
        self, at: tuple[int, float], error: float, floor: float, pictures: tuple[Tensor, Tensor], differences: Tensor
    ) -> None:
        """Take a frame.

        Args:
            at: its index and its time in seconds.
            error: E_warp of the stylized clip over one frame.
            floor: that of the source, at the stylized frame's contrast.
            pictures: source and stylized, (3, H, W) in [0, 1].
            differences: (1, 1, H, W) squared differences of the stylized clip.
        """
        near = next((kept for kept in self._kept if at[0] - kept.index < _MOMENT_FRAMES), None)
        rival = near or (min(self._kept, key=_excess) if len(self._kept) == self._num else None)
        if rival is not None:
            if error - floor <= _excess(rival):
                return
            self._kept.remove(rival)
        shown = {"source": pictures[0], "stylized": pictures[1], "difference": _glow(differences)}
        self._kept.append(Moment(*at, error, floor, {name: jpeg(picture) for name, picture in shown.items()}))

    def result(self) -> list[Moment]:
        """The worst first."""
        return sorted(self._kept, key=_excess, reverse=True)


def _excess(moment: Moment) -> float:
    return moment.error - moment.floor


@dataclass(frozen=True, slots=True, eq=False)
class TimeSlice:
    """One row of the picture over time, of several clips.

    Attributes:
        row_share: where the row lies, 0 at the top, 1 at the bottom.
        start_seconds: of the first frame.
        num_frames: frames from top to bottom.
        pictures: PNG by name of the clip: the row's pixels from left to right, time from top to bottom; only the
            most restless piece of the row, so that single pixels can be seen.
    """

    row_share: float
    start_seconds: float
    num_frames: int
    pictures: Mapping[str, bytes]


@dataclass(slots=True)
class _Block:
    start_seconds: float
    rows: list[dict[str, Tensor]] = field(default_factory=list)  # name -> (3, rows, W) uint8, one a frame
    energy: Tensor | None = None  # (rows, W): restlessness around each pixel kept


class TimeSlices:
    """Keeps a few rows of the most restless stretch of frames.

    A clip is cut into stretches of ``num_frames``; of each, a dozen rows are remembered, and only the most restless
    stretch (and of it the most restless piece of a row) is kept.

    Args:
        num_frames: of a stretch.
        width_px: of the piece.
    """

    def __init__(self, num_frames: int = 160, width_px: int = 200) -> None:
        self._num_frames, self._width_px = num_frames, width_px
        self._best: _Block | None = None
        self._now: _Block | None = None

    def push(self, seconds: float, clips: Mapping[str, Tensor], restless: Tensor | None) -> None:
        """Take a frame.

        Args:
            seconds: since the first frame.
            clips: (3, H, W) in [0, 1] by name, the same names every time.
            restless: (1, 1, H, W) squared differences to look for, None where there is no frame before.
        """
        if self._now is None or len(self._now.rows) == self._num_frames:
            self._settle()
            self._now = _Block(seconds)
        chosen = self._rows(next(iter(clips.values())).shape[-2])
        self._now.rows.append({name: _narrow(image[:, chosen]) for name, image in clips.items()})
        if restless is not None:
            # A patch around each pixel: a single one is a matter of luck.
            energy = F.avg_pool2d(restless, (9, 1), 1, (4, 0))[0, 0, chosen].cpu()
            energy = F.adaptive_avg_pool1d(energy, min(energy.shape[-1], _MAX_WIDTH_PX))
            self._now.energy = energy if self._now.energy is None else self._now.energy + energy

    def result(self) -> TimeSlice | None:
        """The most restless piece; None before the second frame."""
        self._settle()
        block = self._best
        if block is None or block.energy is None:
            return None
        num_rows, width = block.energy.shape
        piece = min(self._width_px, width)
        place = int(F.avg_pool1d(block.energy[None], piece, 1).argmax())
        row, left = divmod(place, width - piece + 1)
        pictures = {
            name: _png(torch.stack([rows[name][:, row, left : left + piece] for rows in block.rows], dim=1))
            for name in block.rows[0]
        }
        return TimeSlice((row + 1) / (num_rows + 1), block.start_seconds, len(block.rows), pictures)

    def _settle(self) -> None:
        block, self._now = self._now, None
        if block is None or block.energy is None:
            return
        if self._best is None or self._best.energy is None or block.energy.sum() > self._best.energy.sum():
            self._best = block

    @staticmethod
    def _rows(height: int) -> Tensor:
        shares = torch.arange(1, _NUM_ROWS + 1) / (_NUM_ROWS + 1)
        return (shares * height).long().clamp(max=height - 1)


def jpeg(picture: Tensor, quality: int = 82) -> bytes:
    """(3, H, W) in [0, 1] as JPEG, at most 640 pixels wide."""
    return _encode(".jpg", _narrow_picture(picture), [load_opencv().IMWRITE_JPEG_QUALITY, quality])


def _png(picture: Tensor) -> bytes:
    return _encode(".png", picture, [])


def _encode(suffix: str, picture: Tensor, options: Sequence[int]) -> bytes:
    cv2 = load_opencv()
    bgr = picture.flip(0).permute(1, 2, 0).contiguous().cpu().numpy()
    done, data = cv2.imencode(suffix, bgr, list(options))
    if not done:
        raise RuntimeError(f"OpenCV could not encode a {suffix} of {tuple(picture.shape)}")
    return bytes(data)


def _glow(squares: Tensor) -> Tensor:
    """Squared differences (1, 1, H, W) as a picture: black, red, yellow, white."""
    strength = (squares[0, 0].sqrt() * _DIFFERENCE_GAIN).clamp(0, 1)
    return torch.stack([(3 * strength - shift).clamp(0, 1) for shift in (0.0, 1.0, 2.0)])


def _narrow_picture(picture: Tensor) -> Tensor:
    width = picture.shape[-1]
    if width > _MAX_WIDTH_PX:
        size = (max(round(picture.shape[-2] * _MAX_WIDTH_PX / width), 1), _MAX_WIDTH_PX)
        picture = F.interpolate(picture[None], size=size, mode="bilinear", antialias=True)[0]
    return picture.mul(255).round().clamp(0, 255).to(torch.uint8)


def _narrow(rows: Tensor) -> Tensor:
    """(3, n, W) rows in [0, 1] as uint8, at most 640 pixels wide; none of them is mixed with another."""
    if rows.shape[-1] > _MAX_WIDTH_PX:
        flat = rows.reshape(1, -1, rows.shape[-1])
        rows = F.interpolate(flat, size=_MAX_WIDTH_PX, mode="area").reshape(3, -1, _MAX_WIDTH_PX)
    return rows.mul(255).round().clamp(0, 255).to(torch.uint8).cpu()
