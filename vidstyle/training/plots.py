"""How losses went, as a picture."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

#: Share of the records so far that a point of a smoothed line averages.
_SMOOTHED_SHARE = 0.05


def loss_plot(history: Sequence[tuple[int, Mapping[str, float]]], title: str = "") -> Tensor:
    """Losses over steps, one line each on a logarithmic scale: smoothed, and pale as they were.

    Args:
        history: (step, losses by name), in order; may be empty, as of a run that kept none.
        title: written above.

    Returns:
        (3, H, W) uint8 RGB.
    """
    # Importing matplotlib takes a second, which a run without plots need not pay.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    steps = [step for step, _ in history]
    for name in history[0][1] if history else ():
        values = np.array([losses.get(name, math.nan) for _, losses in history])
        values[values <= 0] = math.nan  # a logarithm has no place for them
        (line,) = axes.plot(steps, smoothed(values), label=f"{name.replace('_', ' ')} {_last(values):.3g}")
        axes.plot(steps, values, color=line.get_color(), alpha=0.2, linewidth=0.8)
    axes.set_yscale("log")
    axes.set(xlabel="step", ylabel="loss, unweighted")
    axes.set_title(title, parse_math=False)  # a name with dollar signs is no formula
    axes.grid(which="both", alpha=0.2)
    if history:
        axes.legend()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # letters its font lacks become boxes
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return torch.from_numpy(rgba[..., :3].copy()).permute(2, 0, 1)


def smoothed(values: np.ndarray) -> np.ndarray:
    """Mean of logarithms over the neighbourhood of each value; what is not a number counts nowhere."""
    radius = max(round(len(values) * _SMOOTHED_SHARE / 2), 1)
    kernel = np.ones(2 * radius + 1)
    known = np.isfinite(values)
    total = np.convolve(np.where(known, np.log(np.where(known, values, 1.0)), 0.0), kernel)[radius:-radius]
    count = np.convolve(known.astype(float), kernel)[radius:-radius]
    mean: np.ndarray = np.exp(np.divide(total, count, out=np.full(len(values), math.nan), where=count > 0))
    return mean


def _last(values: np.ndarray) -> float:
    return float(smoothed(values)[-1])
