"""How steady a stylized clip is, and what that cost in texture: numbers that blur cannot win together.

Pictures are (3, H, W) or (N, 3, H, W) RGB in [0, 1], floating; flow is (2, H, W) or (N, 2, H, W) pixels (dx, dy).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.synthetic import SyntheticSequence
from vidstyle.imaging.pyramid import halve, laplacian_bands
from vidstyle.imaging.warp import backward_warp
from vidstyle.temporal.consistency import temporal_loss

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
    warped = backward_warp(_batched(previous).float(), _batched(flow_backward), mode="bicubic").clamp(0, 1)
    weight = _batched(valid).float()
    share = float(weight.mean())
    return float(temporal_loss(_batched(current).float(), warped, weight)) / share if share else math.nan


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
    inside = _batched(mask) > 0
    weight = (inside[..., :-1, :-1] & inside[..., :-1, 1:] & inside[..., 1:, :-1]).expand_as(energy)
    return float(energy[weight].mean()) if bool(weight.any()) else math.nan


def gradient_ratio(steady: Tensor, per_frame: Tensor) -> float:
    """Gradient energy of the steady picture over that of the picture painted alone; below 1 texture was lost."""
    return (gradient_energy(steady) + _EPSILON) / (gradient_energy(per_frame) + _EPSILON)


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
    return tuple((x + _EPSILON) / (s + _EPSILON) for x, s in pairs)


def psnr(first: Tensor, second: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1]; infinite for equal ones."""
    error = float((first.float() - second.float()).square().mean())
    return -10 * math.log10(error) if error > 0 else math.inf


def low_pass_psnr(first: Tensor, second: Tensor, sigma: float = 4.0) -> float:
    """PSNR in dB of the two pictures after a Gaussian of ``sigma`` pixels: has colour drifted? Gate: at least 30."""
    radius = math.ceil(3 * sigma)
    x = torch.arange(-radius, radius + 1, dtype=torch.float32, device=first.device)
    kernel = torch.exp(-0.5 * (x / sigma).square())
    kernel = kernel / kernel.sum()
    return psnr(_separable(_batched(first).float(), kernel), _separable(_batched(second).float(), kernel))


def patch_swd(
    image: Tensor,
    reference: Tensor,
    *,
    patch_px: int = 7,
    num_scales: int = 3,
    num_projections: int = 48,
    seed: int = 0,
) -> float:
    """Patch-SWD: how far the patches of two pictures are from each other as distributions, wherever they lie.

    Sliced Wasserstein distance of order 2 (Rabin et al., "Wasserstein Barycenter and its Application to Texture
    Mixing", 2011): all patches are projected onto random unit vectors, the same ones in every call, and each
    projection is compared as sorted values, that is quantile by quantile. At each scale, the picture being halved
    between them, the distance is sqrt(mean over projections and quantiles of (q - q')²); the result is their mean.

    Args:
        image: (3, H, W) RGB in [0, 1].
        reference: (3, H', W') likewise, of any size: quantiles are interpolated.
        patch_px: side of a patch.
        num_scales: full size, a half, a quarter, ...
        num_projections: more make the figure less dependent on ``seed``.
        seed: of the projections.

    Returns:
        The distance: 0 for the same picture, symmetric, in the unit of a patch's Euclidean length.

    Raises:
        ValueError: a picture smaller than a patch at the coarsest scale.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(num_scales, num_projections, 3, patch_px, patch_px, generator=generator)
    directions = (directions / directions.flatten(2).norm(dim=2)[..., None, None, None]).to(image.device)
    first, second = _batched(image).float(), _batched(reference).to(image.device).float()
    total = 0.0
    for scale in range(num_scales):
        if min(*first.shape[-2:], *second.shape[-2:]) < patch_px:
            raise ValueError(
                f"{num_scales} scales of {patch_px}x{patch_px} patches need pictures of at least "
                f"{patch_px << (num_scales - 1)} pixels a side, got {tuple(image.shape)} and {tuple(reference.shape)}"
            )
        sorted_values = [_sorted(F.conv2d(x, directions[scale])[0].flatten(1)) for x in (first, second)]
        num_quantiles = max(values.shape[1] for values in sorted_values)
        # Value i of n is the quantile (i + 1/2) / n, which is where linear interpolation of pixel centres reads.
        a, b = (F.interpolate(values[None], num_quantiles, mode="linear")[0] for values in sorted_values)
        total += float((a - b).square().mean().sqrt())
        first, second = halve(first), halve(second)
    return total / num_scales


@dataclass(frozen=True, slots=True)
class SequenceMetrics:
    """Steadiness and texture of a whole clip; pairs across cuts do not count.

    Attributes:
        num_frames: frames that were pushed.
        warping_error: E_warp of the steady frames by gap in frames, mean over pairs; NaN without a pair.
        warping_error_per_frame: the same of the frames painted alone.
        warping_error_content: the same of the source, a floor for the others; empty where it was not given.
        normalized_error: nE of the steady frames at the smallest gap, mean over pairs.
        normalized_error_per_frame: the same of the frames painted alone.
        gradient_ratio: gradient energy of all steady frames over that of all frames painted alone.
        band_energy_ratios: the same of the Laplacian bands, finest first.
        low_pass_psnr_min: dB, the worst frame's: drift.
    """

    num_frames: int
    warping_error: dict[int, float]
    warping_error_per_frame: dict[int, float]
    warping_error_content: dict[int, float]
    normalized_error: float
    normalized_error_per_frame: float
    gradient_ratio: float
    band_energy_ratios: tuple[float, ...]
    low_pass_psnr_min: float


class SequenceEvaluator:
    """Takes a clip's frames one by one and keeps no more than the largest gap needs.

    Args:
        sequence: what the frames were painted from, with its exact flow.
        gaps: distances in frames at which steadiness is measured; flow is exact at each, never chained.
        num_levels: Laplacian bands; fewer for pictures too small for them.
    """

    def __init__(self, sequence: SyntheticSequence, gaps: Sequence[int] = (1, 5), num_levels: int = 4) -> None:
        if not gaps or min(gaps) < 1:
            raise ValueError(f"gaps must be at least one frame, got {tuple(gaps)}")
        self._sequence = sequence
        self._gaps = tuple(sorted(set(gaps)))
        self._num_levels = min(num_levels, int(math.log2(min(sequence.size))))
        self._recent: deque[tuple[Tensor, ...]] = deque(maxlen=self._gaps[-1])
        self._index = 0
        self._sums: dict[tuple[str, int], _Mean] = {}
        self._drift = math.inf

    def push(self, steady: Tensor, per_frame: Tensor, content: Tensor | None = None) -> None:
        """Take the next frame: (3, H, W) in [0, 1] each; ``content`` in every call or in none.

        Raises:
            ValueError: shapes are not those of the sequence, or it has no more frames.
        """
        width, height = self._sequence.size
        given = (steady, per_frame) if content is None else (steady, per_frame, content)
        if any(tuple(image.shape) != (3, height, width) for image in given):
            raise ValueError(f"frames must be (3, {height}, {width}), got {[tuple(image.shape) for image in given]}")
        index = self._index
        if index >= self._sequence.num_frames:
            raise ValueError(f"the sequence has only {self._sequence.num_frames} frames")
        shot_start = max((cut for cut in self._sequence.cuts if cut <= index), default=0)
        for gap in self._gaps:
            if index - gap >= shot_start:
                self._compare(given, self._recent[-gap], index, gap)
        for name, image in zip(("steady", "per_frame"), given, strict=False):
            self._add(f"gradient {name}", 0, gradient_energy(image))
            for level, energy in enumerate(band_energies(image, self._num_levels)):
                self._add(f"band {name}", level, energy)
        self._drift = min(self._drift, low_pass_psnr(steady, per_frame))
        self._recent.append(tuple(image.detach() for image in given))
        self._index += 1

    def result(self) -> SequenceMetrics:
        """What the frames so far amount to."""

        def errors(name: str) -> dict[int, float]:
            return {gap: self._mean(f"error {name}", gap) for gap in self._gaps}

        def ratio(kind: str, key: int = 0) -> float:
            return (self._mean(f"{kind} steady", key) + _EPSILON) / (self._mean(f"{kind} per_frame", key) + _EPSILON)

        has_content = any(name == "error content" for name, _ in self._sums)
        return SequenceMetrics(
            num_frames=self._index,
            warping_error=errors("steady"),
            warping_error_per_frame=errors("per_frame"),
            warping_error_content=errors("content") if has_content else {},
            normalized_error=self._mean("normalized steady", self._gaps[0]),
            normalized_error_per_frame=self._mean("normalized per_frame", self._gaps[0]),
            gradient_ratio=ratio("gradient"),
            band_energy_ratios=tuple(ratio("band", level) for level in range(self._num_levels)),
            low_pass_psnr_min=self._drift,
        )

    def _compare(self, now: tuple[Tensor, ...], before: tuple[Tensor, ...], index: int, gap: int) -> None:
        flow, valid = self._sequence.flow(index, index - gap)
        flow, valid = flow.to(now[0].device), valid.to(now[0].device)
        for name, current, previous in zip(("steady", "per_frame", "content"), now, before, strict=False):
            error = warping_error(current, previous, flow, valid)
            self._add(f"error {name}", gap, error)
            self._add(f"normalized {name}", gap, error / (gradient_energy(current, valid) + _EPSILON))

    def _add(self, name: str, key: int, value: float) -> None:
        if not math.isnan(value):
            self._sums.setdefault((name, key), _Mean()).add(value)

    def _mean(self, name: str, key: int) -> float:
        return self._sums.get((name, key), _Mean()).value


@dataclass(slots=True)
class _Mean:
    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> None:
        self.total += value
        self.count += 1

    @property
    def value(self) -> float:
        return self.total / self.count if self.count else math.nan


def evaluate_sequence(
    sequence: SyntheticSequence, frames: Iterable[tuple[Tensor, Tensor]], gaps: Sequence[int] = (1, 5)
) -> SequenceMetrics:
    """Measure a clip given as (steady, per-frame) pairs of (3, H, W) pictures in [0, 1], with exact flow."""
    evaluator = SequenceEvaluator(sequence, gaps)
    for steady, per_frame in frames:
        evaluator.push(steady, per_frame)
    return evaluator.result()


def _batched(image: Tensor) -> Tensor:
    return image if image.dim() == 4 else image[None]


def _sorted(values: Tensor) -> Tensor:
    """Rows in rising order, on the CPU, by NumPy, which sorts long rows several times faster than torch does."""
    return torch.from_numpy(np.sort(values.detach().cpu().numpy(), axis=1))


def _luma(image: Tensor) -> Tensor:
    batch = _batched(image).float()
    return (batch * batch.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _separable(image: Tensor, kernel: Tensor) -> Tensor:
    """Filter rows and columns with a symmetric kernel; the border pixel repeats."""
    channels, radius = image.shape[1], len(kernel) // 2
    weight = kernel.expand(channels, 1, 1, -1)
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, weight, groups=channels), weight.transpose(2, 3), groups=channels)
