"""Training RAFT-small on made-up pairs of frames with exact flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_small
from torchvision.models.optical_flow.raft import CorrBlock

from vidstyle.training.checkpoints import digest_of
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.flow_pairs import FlowPairs
from vidstyle.training.flow_settings import FlowSettings

#: Farther than this nothing is learnt, as in RAFT's own training; a guard against flow that makes no sense.
MAX_FLOW_PX = 400.0
# RAFT-small's own correlation block.
_CORRELATION = {"num_levels": 4, "radius": 3}


class FlowObjective:
    """Follow every pixel of the first frame, hidden ones too: an ``Objective``.

    The loss is RAFT's sequence loss (Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow",
    ECCV 2020, equation 7). ``end_point_error`` is shown beside it and counts nothing.

    Args:
        crops: photos, of ``flow_pairs.crop_side``.
        settings: what to do.
        start_from: a RAFT-small to go on from.
    """

    def __init__(self, crops: ContentCrops, settings: FlowSettings, start_from: nn.Module | None = None) -> None:
        self._device = torch.device(settings.device)
        with torch.random.fork_rng(devices=[]):  # the caller's seed is the caller's
            torch.manual_seed(settings.seed)
            net: nn.Module = raft_small(weights=None, corr_block=_Float32Correlation(**_CORRELATION))
        if start_from is not None:
            net.load_state_dict(start_from.state_dict())
        self.net = net.to(self._device).train()
        self.weights: Mapping[str, float] = {"sequence": 1.0, "end_point_error": 0.0}
        self.identity: Mapping[str, Any] = {
            "batch_size": settings.batch_size,
            "height_px": settings.height_px,
            "width_px": settings.width_px,
            "max_motion_px": settings.max_motion_px,
            "slowness": settings.slowness,
            "num_updates": settings.num_updates,
            "gamma": settings.gamma,
            "seed": settings.seed,
        }
        if start_from is not None:
            self.identity = {**self.identity, "start_from": digest_of(start_from.state_dict().values())}
        self._settings = settings
        self._pairs = FlowPairs(
            crops,
            settings.height_px,
            settings.width_px,
            settings.max_motion_px,
            slowness=settings.slowness,
            device=self._device,
        )

    def losses(self, net: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
        """Measure the motion of fresh pairs and judge every refinement."""
        settings = self._settings
        pair = self._pairs.batch(settings.batch_size, generator)
        with torch.autocast(self._device.type, torch.bfloat16):
            predictions = net(pair.first * 2 - 1, pair.second * 2 - 1, num_flow_updates=settings.num_updates)
        valid = torch.linalg.vector_norm(pair.flow, dim=1, keepdim=True) < MAX_FLOW_PX
        with torch.no_grad():
            error = end_point_error(predictions[-1].float(), pair.flow)
        return {
            "sequence": sequence_loss(predictions, pair.flow, valid, settings.gamma),
            "end_point_error": error[valid].mean(),
        }


def sequence_loss(predictions: Sequence[Tensor], flow: Tensor, valid: Tensor, gamma: float = 0.8) -> Tensor:
    """RAFT's loss, Σ γ^(n−1−i) |flow − prediction_i|₁: a scalar, the mean over valid pixels.

    Args:
        predictions: n refinements, (N, 2, H, W) pixels each.
        flow: (N, 2, H, W) true flow.
        valid: (N, 1, H, W) bool; at least one pixel.
        gamma: what each refinement counts relative to the one after it.
    """
    num_valid = valid.sum()
    losses = [((prediction.float() - flow).abs() * valid).sum() / num_valid for prediction in predictions]
    return torch.stack([gamma ** (len(losses) - 1 - i) * loss for i, loss in enumerate(losses)]).sum()


def end_point_error(prediction: Tensor, flow: Tensor) -> Tensor:
    """(N, 1, H, W) distance in pixels between two (N, 2, H, W) flows."""
    error: Tensor = torch.linalg.vector_norm(prediction - flow, dim=1, keepdim=True)
    return error


class _Float32Correlation(CorrBlock):  # type: ignore[misc]  # torchvision is untyped
    """Correlation and coordinates in full precision inside autocast: bfloat16 cannot tell pixel 256 from 257."""

    def build_pyramid(self, first: Tensor, second: Tensor) -> None:
        with torch.autocast(first.device.type, enabled=False):
            super().build_pyramid(first.float(), second.float())

    def index_pyramid(self, centroids_coords: Tensor) -> Tensor:
        with torch.autocast(centroids_coords.device.type, enabled=False):
            found: Tensor = super().index_pyramid(centroids_coords.float())
        return found
