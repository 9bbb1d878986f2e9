from __future__ import annotations

import numpy as np
import pytest
import torch

from vidstyle.training.plots import loss_plot, smoothed


def history(num: int = 40) -> list[tuple[int, dict[str, float]]]:
    return [(5 * i, {"style": 10.0 / (i + 1), "temporal": 0.1 / (i + 1)}) for i in range(num)]


def test_a_plot_shows_every_loss() -> None:
    plot = loss_plot(history(), "mine")
    assert plot.dtype == torch.uint8
    assert plot.shape == (3, 500, 900)
    assert torch.equal(plot, loss_plot(history(), "mine"))
    only_style = loss_plot([(step, {"style": losses["style"]}) for step, losses in history()], "mine")
    saturation = [(p.amax(0).int() - p.amin(0).int() > 60).sum().item() for p in (plot, only_style)]
    assert saturation[0] > 1.5 * saturation[1] > 0


@pytest.mark.parametrize("losses", [{"style": 0.0}, {"style": 1.0}, {"style": 1.0, "temporal": 0.0}])
def test_one_record_and_losses_of_zero_can_be_plotted(losses: dict[str, float]) -> None:
    assert loss_plot([(1, losses)]).shape == (3, 500, 900)


def test_a_run_without_history_has_an_empty_plot() -> None:
    assert loss_plot([]).shape == (3, 500, 900)


def test_smoothing_averages_logarithms_and_leaves_holes_out() -> None:
    np.testing.assert_allclose(smoothed(np.array([1.0, 4.0, 1.0, 4.0])), [2, 4 ** (1 / 3), 4 ** (2 / 3), 2])
    np.testing.assert_allclose(smoothed(np.array([1.0, np.nan, 4.0])), [1, 2, 4])
    assert np.isnan(smoothed(np.full(3, np.nan))).all()
