"""What others do against flicker, written anew from their papers, each as a ``TemporalFilter`` with the same flow.

None of them is anybody's code; constants are the papers' own, or the customary ones, and stand in the signatures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.evaluation.pair_motion import reliable_motion
from vidstyle.imaging.warp import backward_warp, resize_flow
from vidstyle.protocols import Motion, TemporalFilter


@dataclass(frozen=True)
class Remembered:
    """(1, 3, H, W) float32 each: the frame before as shown, and as it was in the source."""

    output: Tensor
    content: Tensor


class PlainBlur:
    """A Gaussian over every frame: the attack that wins E_warp alone."""

    def __init__(self, sigma: float = 2.0) -> None:
        radius = math.ceil(3 * sigma)
        x = torch.arange(-radius, radius + 1, dtype=torch.float32)
        weights = torch.exp(-0.5 * (x / sigma).square())
        self._kernel = (weights / weights.sum()).view(1, 1, 1, -1).expand(3, 1, 1, -1)

    def step(
        self,
        content: Tensor,  # noqa: ARG002  # the protocol's signature
        stylized: Tensor,
        motion: Motion | None,  # noqa: ARG002
        state: Remembered | None,  # noqa: ARG002
    ) -> tuple[Tensor, Remembered | None]:
        radius = self._kernel.shape[-1] // 2
        padded = F.pad(stylized, (radius,) * 4, mode="replicate")
        kernel = self._kernel.to(stylized.device)
        return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3), None


class MovingAverage:
    """Exponential moving average without flow: o = s + β (o' - s)."""

    def __init__(self, beta: float = 0.8) -> None:
        self._beta = beta

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: Remembered | None
    ) -> tuple[Tensor, Remembered]:
        # Without flow nothing is known of motion; at a cut, where every method starts anew, this one does, too.
        output = stylized if motion is None or state is None else torch.lerp(stylized, state.output, self._beta)
        return output, Remembered(output, content)


class FixedBlend:
    """The frame before, moved bilinearly along the flow, blended in everywhere: o = s + β (W o' - s)."""

    def __init__(self, beta: float = 0.8) -> None:
        self._beta = beta

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: Remembered | None
    ) -> tuple[Tensor, Remembered]:
        output = stylized
        if motion is not None and state is not None:
            output = torch.lerp(stylized, _moved(state.output, motion), self._beta)
        return output, Remembered(output, content)


class OcclusionBlend:
    """Ruder, Dosovitskiy and Brox (2016): the moved frame counts only where their mask trusts the flow (eq. 5 and 6).

    Their temporal loss pulls every iteration of an optimisation towards W o'; for a picture that is painted in one pass
    this is the minimiser of that loss and the distance to the pass's result, with their bilinear warp and hard mask.
    """

    def __init__(self, beta: float = 0.8) -> None:
        self._beta = beta

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: Remembered | None
    ) -> tuple[Tensor, Remembered]:
        output = stylized
        if motion is not None and state is not None:
            trusted = reliable_motion(motion, (stylized.shape[-2], stylized.shape[-1])).float()
            output = stylized + self._beta * trusted * (_moved(state.output, motion) - stylized)
        return output, Remembered(output, content)


class GradientDomain:
    """Bonneel et al., "Blind Video Temporal Consistency" (SIGGRAPH Asia 2015): gradients of s, low frequencies of W o'.

    o minimises ∫ |∇o - ∇s|² + w |o - W o'|² with w = λ exp(-α |I - W I'|²), that is, solves the screened Poisson
    equation (w - Δ) o = w W o' - Δ s with a free border, here by conjugate gradients, preconditioned by the same
    equation with the mean of w, which cosine transforms solve exactly.

    Args:
        weight: λ; higher holds on to the past more.
        decay: α, how fast that falls where the moved source does not look like this frame.
        tolerance: of the residual, relative to the right side.
        max_iterations: of the conjugate gradients.
    """

    def __init__(
        self, weight: float = 1.0, decay: float = 30.0, tolerance: float = 1e-4, max_iterations: int = 30
    ) -> None:
        self._weight, self._decay = weight, decay
        self._tolerance, self._max_iterations = tolerance, max_iterations

    def step(
        self, content: Tensor, stylized: Tensor, motion: Motion | None, state: Remembered | None
    ) -> tuple[Tensor, Remembered]:
        output = stylized
        if motion is not None and state is not None:
            difference = (content - _moved(state.content, motion)).square().sum(1, keepdim=True)
            weight = self._weight * torch.exp(-self._decay * difference)
            right = weight * _moved(state.output, motion) + minus_laplacian(stylized)
            output = self._solve(weight, right, stylized).clamp(0, 1)
        return output, Remembered(output, content)

    def _solve(self, weight: Tensor, right: Tensor, start: Tensor) -> Tensor:
        mean = float(weight.mean())

        def left(image: Tensor) -> Tensor:
            return weight * image + minus_laplacian(image)

        solution = start.clone()
        residual = right - left(solution)
        limit = self._tolerance * float(right.norm())
        near = solve_even(residual, mean)
        direction = near
        slope = float((residual * near).sum())
        for _ in range(self._max_iterations):
            if float(residual.norm()) <= limit:
                break
            image = left(direction)
            length = slope / float((direction * image).sum())
            solution = solution + length * direction
            residual = residual - length * image
            near = solve_even(residual, mean)
            slope, before = float((residual * near).sum()), slope
            direction = near + slope / before * direction
        return solution


def minus_laplacian(image: Tensor) -> Tensor:
    """-Δ of (N, C, H, W) by five points; nothing flows through the border."""
    across, down = image.diff(dim=-1), image.diff(dim=-2)
    return F.pad(across, (1, 0)) - F.pad(across, (0, 1)) + F.pad(down, (0, 0, 1, 0)) - F.pad(down, (0, 0, 0, 1))


def solve_even(right: Tensor, weight: float) -> Tensor:
    """Solve (weight - Δ) x = right for (N, C, H, W) and a weight that is the same everywhere."""
    rows, columns = (cosine_basis(side).to(right.device) for side in right.shape[-2:])
    values = sum(
        2 - 2 * torch.cos(math.pi * torch.arange(side, device=right.device) / side).view(shape)
        for side, shape in zip(right.shape[-2:], ((-1, 1), (1, -1)), strict=True)
    )
    spectrum = rows @ right @ columns.T / (values + max(weight, 1e-6))
    solution: Tensor = rows.T @ spectrum @ columns
    return solution


@cache
def cosine_basis(side: int) -> Tensor:
    """(side, side) orthonormal DCT-II: rows are the eigenvectors of -Δ with a free border."""
    k, x = torch.arange(side, dtype=torch.float64)[:, None], torch.arange(side, dtype=torch.float64)[None]
    basis = torch.cos(math.pi * k * (x + 0.5) / side) * math.sqrt(2 / side)
    basis[0] /= math.sqrt(2)
    return basis.float()


def _moved(image: Tensor, motion: Motion) -> Tensor:
    flow = resize_flow(motion.flow_backward, (image.shape[-2], image.shape[-1]))
    return backward_warp(image, flow, "bilinear")


#: What the tables compare with, by name.
PEERS: dict[str, Callable[[], TemporalFilter]] = {
    "blur σ=2": PlainBlur,
    "moving average .8, no flow": MovingAverage,
    "fixed blend .8, no occlusion": FixedBlend,
    "occlusion blend .8, bilinear": OcclusionBlend,
    "gradient domain λ=1": GradientDomain,
}
