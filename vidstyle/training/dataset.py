"""Content pictures for training: random crops of a folder of photos, held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.media.stills import is_still, read_style_image

_Item = TypeVar("_Item")
#: Of fewer pictures none can be spared.
_MIN_TO_HOLD_OUT = 16
_MADE_BY_TRAININGS = (".safetensors.png", ".safetensors.losses.png")


class ContentCrops:
    """Endless random crops; the same generator state gives the same crops.

    Some crops are smooth: skies and walls, where a network shows its lattice first.

    Args:
        photos: a folder, searched recursively for pictures, or pictures themselves.
        crop_px: side of a crop.
        max_side_px: pictures are kept at no more than this on their longer side, unless a crop needs more.
        max_pictures: a larger folder is thinned evenly to this many; at 640 px a thousand take about 1 GB.
        num_held_out: pictures never cropped but given by ``samples``; of a folder with fewer than 16 none.

    Attributes:
        num_held_out: pictures that really are.

    Raises:
        ConfigError: there is no such folder, or no picture large enough in it.
        MediaError: a picture cannot be read.
    """

    def __init__(
        self,
        photos: Path | Sequence[Path],
        crop_px: int,
        max_side_px: int = 640,
        max_pictures: int = 1000,
        num_held_out: int = 0,
    ) -> None:
        found = pictures_in(photos) if isinstance(photos, Path) else photos
        paths = _spread(found, max_pictures)
        pictures = [(read_style_image(path, max_side_px, crop_px) * 255).round().byte() for path in paths]
        usable = [picture for picture in pictures if min(picture.shape[-2:]) >= crop_px]
        if not usable:
            where = photos if isinstance(photos, Path) else f"The list of {len(found)}"
            raise ConfigError(f"{where} holds no picture of at least {crop_px}x{crop_px} pixels; name another folder.")
        self.num_held_out = num_held_out if len(usable) >= max(_MIN_TO_HOLD_OUT, 2 * num_held_out) else 0
        held_out = {i * len(usable) // num_held_out for i in range(self.num_held_out)}
        self._held_out = [picture for i, picture in enumerate(usable) if i in held_out]
        self._pictures = [picture for i, picture in enumerate(usable) if i not in held_out]
        self._crop_px = crop_px

    def __len__(self) -> int:
        """Pictures that crops are taken from."""
        return len(self._pictures)

    def samples(self, num: int) -> list[Tensor]:
        """Up to ``num`` of those held out, or else of all, evenly spread over the folder: (3, H, W) uint8 RGB each."""
        return _spread(self._held_out or self._pictures, num)

    def batch(self, num: int, generator: torch.Generator, smooth_share: float = 0.1, surround_px: int = 0) -> Tensor:
        """(num, 3, side, side) float32 RGB in [0, 1], side = crop + 2 surround: crops and what lies around them."""
        side = self._crop_px + 2 * surround_px
        return torch.stack(
            [
                self.smooth(generator, side) if _uniform(generator) < smooth_share else self._crop(generator, side)
                for _ in range(num)
            ]
        )

    def smooth(self, generator: torch.Generator, side: int | None = None) -> Tensor:
        """A flat or gently shaded picture with noise of 1/255: (3, side, side) float32 RGB in [0, 1]; crop if None."""
        side = side or self._crop_px
        spread = max(0.0, _uniform(generator) - 0.3)  # a third is flat
        corners = torch.rand(1, 3, 1, 1, generator=generator) + spread * torch.randn(1, 3, 2, 2, generator=generator)
        gradient = F.interpolate(corners, size=(side, side), mode="bilinear", align_corners=True)[0]
        return (gradient + torch.randn(gradient.shape, generator=generator) / 255).clamp(0.0, 1.0)

    def _crop(self, generator: torch.Generator, wanted: int) -> Tensor:
        picture = self._pictures[_integer(0, len(self._pictures), generator)]
        height, width = picture.shape[-2:]
        largest = min(height, width, wanted * 2)  # a small picture gives all it has
        side = _integer(min(wanted, largest), largest + 1, generator)
        top, left = _integer(0, height - side + 1, generator), _integer(0, width - side + 1, generator)
        crop = picture[:, top : top + side, left : left + side].float()[None] / 255
        crop = F.interpolate(crop, size=(wanted, wanted), mode="bilinear", antialias=True)[0]
        return crop.flip(-1) if _uniform(generator) < 0.5 else crop


def pictures_in(folder: Path) -> list[Path]:
    """Pictures in a folder and those inside it, sorted.

    Not hidden ones, as macOS's ``._photo.jpg``, nor the samples and plots that trainings leave beside what they write.

    Raises:
        ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}; name one with pictures.")
    return sorted(
        path
        for path in folder.rglob("*")
        if is_still(path)
        and path.is_file()
        and not path.name.endswith(_MADE_BY_TRAININGS)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _spread(items: Sequence[_Item], num: int) -> list[_Item]:
    return [items[i * len(items) // num] for i in range(num)] if len(items) > num else list(items)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    return int(torch.randint(low, high, (), generator=generator))
