"""How steady a stylized clip is, and what that cost in texture: numbers that blur cannot win together.

Pictures are (3, H, W) or (N, 3, H, W) RGB in [0, 1], floating; flow is (2, H, W) or (N, 2, H, W) pixels (dx, dy).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.imaging.opencv import image_of, load_opencv, pixels_of
from vidstyle.imaging.pyramid import halve, laplacian_bands
from vidstyle.imaging.warp import backward_warp

_LUMA = (0.2126, 0.7152, 0.0722)  # Rec. ITU-R BT.709
_EPSILON = 1e-10  # energy of a picture that is flat but for rounding


def warping_error(current: Tensor, previous: Tensor, flow_backward: Tensor, valid: Tensor) -> float:
    """E_warp: mean over valid pixels and channels of |o_t - W o_{t-k}|², W being a bicubic backward warp.

    The formula of Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), on [0, 1]. Bicubic,
    clamped to [0, 1], because a bilinear warp blurs and would charge sharp pictures for it.

    Args:
        current: o_t.
        previous: o_{t-k}.
        flow_backward: from t to t-k.
        valid: (1, H, W) or (N, 1, H, W) bool or 0..1; 0 where the pixel of t is not seen in t-k.

    Returns:
        The error, 0 for perfect steadiness; NaN where nothing is valid.
    """
    weight = batched(valid).float()
    total = float(weight.sum())
    return float((difference_map(current, previous, flow_backward) * weight).sum()) / total if total else math.nan


def difference_map(current: Tensor, previous: Tensor, flow_backward: Tensor) -> Tensor:
    """|o_t - W o_{t-k}|² of every pixel, mean over channels, W being a bicubic backward warp clamped to [0, 1].

    Arguments as ``warping_error``, which is this map's mean over valid pixels.

    Returns:
        (N, 1, H, W) float32.
    """
    warped = backward_warp(batched(previous).float(), batched(flow_backward), mode="bicubic").clamp(0, 1)
    return (batched(current).float() - warped).square().mean(1, keepdim=True)


def gradient_energy(image: Tensor, mask: Tensor | None = None) -> float:
    """Mean |∇o|² of luma by forward differences, where a pixel and both neighbours are in ``mask``.

    Returns:
        The energy, in squared luma per squared pixel; NaN where the mask is empty.
    """
    luma = _luma(image)
    center = luma[..., :-1, :-1]
    energy = (luma[..., :-1, 1:] - center).square() + (luma[..., 1:, :-1] - center).square()
    if mask is None:
        return float(energy.mean())
    inside = batched(mask) > 0
    weight = (inside[..., :-1, :-1] & inside[..., :-1, 1:] & inside[..., 1:, :-1]).expand_as(energy)
    return float(energy[weight].mean()) if bool(weight.any()) else math.nan


def gradient_ratio(steady: Tensor, per_frame: Tensor) -> float:
    """Gradient energy of the steady picture over that of the picture painted alone; below 1 texture was lost."""
    return energy_ratio(gradient_energy(steady), gradient_energy(per_frame))


def energy_ratio(energy: float, reference: float) -> float:
    """The ratio of two energies; 1 where both pictures are flat but for rounding."""
    return (energy + _EPSILON) / (reference + _EPSILON)


def normalized_warping_error(current: Tensor, previous: Tensor, flow_backward: Tensor, valid: Tensor) -> float:
    """Warping error over gradient energy, nE = E_warp / mean |∇o_t|² over valid pixels.

    It takes from a blurred picture most of the advantage it has in E_warp, in squared pixels; strong blur still
    gains about a third, so look at ``band_energy_ratios`` as well. Arguments as ``warping_error``.
    """
    error = warping_error(current, previous, flow_backward, valid)
    return error / (gradient_energy(current, valid) + _EPSILON)


def band_energies(image: Tensor, num_levels: int = 4) -> tuple[float, ...]:
    """Mean squares of the luma's Laplacian bands, finest first, the low-pass rest left out.

    The pyramid is that of ``vidstyle.imaging.pyramid`` (Burt and Adelson, 1983).

    Raises:
        ValueError: the picture has fewer than 2**num_levels pixels on a side.
    """
    luma = _luma(image)
    if min(luma.shape[-2:]) < 2**num_levels:
        raise ValueError(
            f"{num_levels} bands need at least {2**num_levels} pixels a side, got {tuple(luma.shape[-2:])}"
        )
    return tuple(float(band.square().mean()) for band in laplacian_bands(luma, num_levels))


def band_energy_ratios(steady: Tensor, per_frame: Tensor, num_levels: int = 4) -> tuple[float, ...]:
    """Band energies of the steady picture over those of the picture painted alone; finest first, gate [0.9, 1.1]."""
    pairs = zip(band_energies(steady, num_levels), band_energies(per_frame, num_levels), strict=True)
    return tuple(energy_ratio(x, s) for x, s in pairs)


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1]; infinite for equal ones."""
    return to_decibels(float((first.float() - second.float()).square().mean()))


def low_pass_psnr(first: Tensor, second: Tensor, sigma: float = 4.0) -> float:
    """PSNR in dB of the two pictures after a Gaussian of ``sigma`` pixels: has colour drifted? Gate: at least 30."""
    radius = math.ceil(3 * sigma)
    x = torch.arange(-radius, radius + 1, dtype=torch.float32, device=first.device)
    kernel = torch.exp(-0.5 * (x / sigma).square())
    kernel = kernel / kernel.sum()
    return psnr(_separable(batched(first).float(), kernel), _separable(batched(second).float(), kernel))


def ghosting_error(steady: Tensor, per_frame: Tensor, valid: Tensor, margin_px: int = 5) -> float:
    """Mean |o - s|² where nothing can be carried over: within ``margin_px`` of what the frame before did not show.

    There the steady picture should be the one painted alone; what is left of the past is a ghost. As a PSNR,
    ``-10 log10`` of it (``to_decibels``), it is the ghosting figure: higher is better.

    Args:
        steady: o_t.
        per_frame: s_t.
        valid: (1, H, W) or (N, 1, H, W) bool or 0..1; 0 where the pixel of t is not seen in t-1.
        margin_px: by how much the hidden area is dilated.

    Returns:
        The mean square; NaN where everything was seen before.
    """
    hidden = 1.0 - batched(valid).float()
    side = 2 * margin_px + 1
    # Rows, then columns: the same maximum for a fifth of the work.
    near = F.max_pool2d(F.max_pool2d(hidden, (1, side), 1, (0, margin_px)), (side, 1), 1, (margin_px, 0))
    total = float(near.sum())
    if not total:
        return math.nan
    difference = (batched(steady).float() - batched(per_frame).float()).square().mean(1, keepdim=True)
    return float((difference * near).sum()) / total


def to_decibels(error: float) -> float:
    """A mean square in [0, 1] as PSNR in dB; infinite for 0, NaN for NaN."""
    return -10 * math.log10(error) if error > 0 else (math.inf if error == 0 else math.nan)


class PatchSwd:
    """Patch-SWD to one reference: how far the patches of a picture are from the reference's, wherever they lie.

    Sliced Wasserstein distance of order 2 (Rabin et al., "Wasserstein Barycenter and its Application to Texture
    Mixing", 2011): all patches are projected onto random unit vectors, the same ones in every call, and each
    projection is compared as sorted values, that is quantile by quantile. At each scale, the picture being halved
    between them, the distance is sqrt(mean over projections and quantiles of (q - q')²); the result is their mean.

    Args:
        reference: (3, H, W) RGB in [0, 1].
        patch_px: side of a patch.
        num_scales: full size, a half, a quarter, ...
        num_projections: more make the figure less dependent on ``seed``.
        seed: of the projections.

    Raises:
        ValueError: a picture smaller than a patch at the coarsest scale; calling raises it, too.
    """

    def __init__(
        self, reference: Tensor, *, patch_px: int = 7, num_scales: int = 3, num_projections: int = 48, seed: int = 0
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        directions = torch.randn(num_scales, num_projections, 3, patch_px, patch_px, generator=generator)
        self._directions = directions / directions.flatten(2).norm(dim=2)[..., None, None, None]
        self._smallest = patch_px << (num_scales - 1)
        self._reference = self._projections(reference)

    def __call__(self, image: Tensor) -> float:
        """The distance of (3, H, W) RGB in [0, 1], of any size: quantiles are interpolated.

        Returns:
            0 for the same picture, symmetric, in the unit of a patch's Euclidean length.
        """
        total = 0.0
        for found, wanted in zip(self._projections(image), self._reference, strict=True):
            num_quantiles = max(found.shape[1], wanted.shape[1])
            # Value i of n is the quantile (i + 1/2) / n, which is where linear interpolation of pixel centres reads.
            a, b = (F.interpolate(values[None], num_quantiles, mode="linear")[0] for values in (found, wanted))
            total += float((a - b).square().mean().sqrt())
        return total / len(self._reference)

    def _projections(self, image: Tensor) -> list[Tensor]:
        """Sorted projections of all patches at each scale: (projections, patches) float32 on the CPU."""
        picture = batched(image).float()
        sorted_values = []
        for directions in self._directions.to(picture.device):
            if min(picture.shape[-2:]) < directions.shape[-1]:
                raise ValueError(
                    f"{len(self._directions)} scales of {directions.shape[-1]}x{directions.shape[-1]} patches need "
                    f"pictures of at least {self._smallest} pixels a side, got {tuple(image.shape)}"
                )
            sorted_values.append(_sorted(F.conv2d(picture, directions)[0].flatten(1)))
            picture = halve(picture)
        return sorted_values


def patch_swd(
    image: Tensor,
    reference: Tensor,
    *,
    patch_px: int = 7,
    num_scales: int = 3,
    num_projections: int = 48,
    seed: int = 0,
) -> float:
    """Patch-SWD of two pictures; arguments as ``PatchSwd``, which is quicker for several pictures and one reference."""
    measure = PatchSwd(reference, patch_px=patch_px, num_scales=num_scales, num_projections=num_projections, seed=seed)
    return measure(image)


def batched(image: Tensor) -> Tensor:
    """(N, C, H, W) of that or of (C, H, W)."""
    return image if image.dim() == 4 else image[None]


def _sorted(values: Tensor) -> Tensor:
    """Rows in rising order, on the CPU, by NumPy, which sorts long rows several times faster than torch does."""
    return torch.from_numpy(np.sort(values.detach().cpu().numpy(), axis=1))


def _luma(image: Tensor) -> Tensor:
    batch = batched(image).float()
    return (batch * batch.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _separable(image: Tensor, kernel: Tensor) -> Tensor:
    """Filter rows and columns with a symmetric kernel; the border pixel repeats."""
    pixels = pixels_of(image)
    if pixels is not None:  # ten times as fast
        cv2, taps = load_opencv(), kernel.numpy()
        return image_of(cv2.sepFilter2D(pixels, -1, taps, taps, borderType=cv2.BORDER_REPLICATE))
    channels, radius = image.shape[1], len(kernel) // 2
    weight = kernel.expand(channels, 1, 1, -1)
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, weight, groups=channels), weight.transpose(2, 3), groups=channels)
