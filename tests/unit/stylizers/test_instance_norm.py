"""Instance normalisation is exact where the mean is far above the deviation, as it is in fog and in the dark."""

from __future__ import annotations

import pytest
import torch

from vidstyle.stylizers.feedforward import InstanceNorm


@pytest.mark.parametrize("num", [1, 2])
@pytest.mark.parametrize("mean", [0.0, 100.0])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_mean_far_above_the_deviation_costs_no_precision(
    num: int, mean: float, memory_format: torch.memory_format
) -> None:
    exact = mean + torch.randn(num, 32, 90, 160, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.nn.functional.instance_norm(exact)
    with torch.inference_mode():
        found = InstanceNorm(32)(exact.float().contiguous(memory_format=memory_format))
    assert (found - expected).abs().max() < 5e-3
