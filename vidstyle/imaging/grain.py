"""A clip's noise, measured and taken away: an empirical Wiener filter in Laplacian bands."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.pyramid import enlarge, halve

#: Film grain and sensor noise are found in the finest bands.
NUM_BANDS = 3
_WINDOW_PX = 7
# The flattest tenth of a picture holds its noise; energies there lie this much below the noise's mean energy.
_QUANTILE = 0.1
_QUANTILE_BIAS = 0.78
# Local energies scatter around the noise's; half as much again is taken off, so that single specks do not stay.
_OVERSHOOT = 1.5
# Grain fades from band to band (white noise to a twelfth). What stays, in places flat to a finer band, is a gradient.
_FADING = 0.25


class GrainFilter:
    """Separates pictures into what is drawn and grain, by noise energies that stay the same for a whole clip.

    Each Laplacian band is multiplied by max(E - s², 0) / E, E being its energy in a small window and s² the noise's
    energy in that band (Wiener's gain; Lee 1980). Bands of flat places vanish, edges pass. Constant noise energies keep
    the filter steady in time.

    Args:
        noise: energies per band and channel, (NUM_BANDS, 3), of pictures in [0, 1].
    """

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    @classmethod
    def measured(cls, pictures: Sequence[Tensor]) -> GrainFilter:
        """With the noise found in the flat places of some frames.

        Args:
            pictures: (3, H, W) in [0, 1], as large as those that will be filtered.
        """
        found = [_noise_energies(picture[None]) for picture in pictures]
        return cls(torch.stack(found).median(0).values)

    def __call__(self, picture: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the same without grain."""
        if min(picture.shape[-2:]) < 2**NUM_BANDS:
            return picture
        noise = self.noise.to(picture)
        bands, low = _split(picture)
        for band, energy in reversed(list(zip(bands, noise, strict=True))):
            local = _local_energy(band)
            gain = (local - _OVERSHOOT * energy[:, None, None]).clamp_(min=0.0) / (local + 1e-9)
            low = enlarge(low, (band.shape[-2], band.shape[-1])) + gain * band
        return low.clamp_(0.0, 1.0)


def _split(picture: Tensor) -> tuple[list[Tensor], Tensor]:
    bands = []
    for _ in range(NUM_BANDS):
        low = halve(picture)
        bands.append(picture - enlarge(low, (picture.shape[-2], picture.shape[-1])))
        picture = low
    return bands, picture


def _local_energy(band: Tensor) -> Tensor:
    return F.avg_pool2d(band * band, _WINDOW_PX, stride=1, padding=_WINDOW_PX // 2, count_include_pad=False)


def _noise_energies(picture: Tensor) -> Tensor:
    """(NUM_BANDS, 3): the energy of each band in the picture's flattest places."""
    if min(picture.shape[-2:]) < 2**NUM_BANDS:
        return torch.zeros(NUM_BANDS, 3)
    bands, _ = _split(picture)
    energies = [torch.quantile(_local_energy(band)[0].flatten(1)[:, ::4].float(), _QUANTILE, dim=1) for band in bands]
    for band in range(1, NUM_BANDS):
        energies[band] = torch.minimum(energies[band], _FADING * energies[band - 1])
    return torch.stack(energies).cpu() / _QUANTILE_BIAS
