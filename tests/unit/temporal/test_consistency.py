"""The loss, and that the blend is what minimises it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.temporal.consistency import (
    MAX_BETA,
    beta_from_consistency,
    consistent_blend,
    low_frequency_beta,
    temporal_loss,
)

betas = st.floats(0.0, MAX_BETA)


def render_loss(x: torch.Tensor, s: torch.Tensor, w: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """|x − s|² + weight |x − w|², element by element."""
    return (x - s).square() + weight * (x - w).square()


@given(beta=betas, seed=st.integers(0, 1000), soft=st.booleans())
def test_any_change_of_the_blend_raises_the_loss(beta: float, seed: int, soft: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    s, w, direction = torch.rand(3, 1, 3, 6, 6, dtype=torch.float64, generator=generator)
    validity = torch.rand(1, 1, 6, 6, dtype=torch.float64, generator=generator)
    if not soft:
        validity = validity.round()
    # λM for binary M, and what stands in its place for a soft one: the same number where M is 0 or 1.
    weight = beta * validity / (1 - beta * validity)
    best = consistent_blend(s, w, validity, beta)
    for step in (-0.1, -1e-3, 1e-3, 0.1):
        changed = best + step * (direction + 0.5)
        assert (render_loss(changed, s, w, weight) > render_loss(best, s, w, weight)).all()


@pytest.mark.parametrize(("weight", "beta"), [(4.0, 0.8), (9.0, 0.9), (19.0, 0.95)])
def test_lambda_and_beta_belong_together(weight: float, beta: float) -> None:
    s, w = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    best = consistent_blend(s, w, torch.ones(1, 1, 2, 2), beta)
    grid = torch.linspace(0, 1, 2001)
    losses = grid.square() + weight * (grid - 1).square()
    assert float(grid[losses.argmin()]) == pytest.approx(float(best[0, 0, 0, 0]), abs=1e-3)


@given(beta=betas)
def test_untrusted_pixels_keep_their_own_stylization(beta: float) -> None:
    s, w = torch.rand(2, 1, 3, 4, 4)
    validity = torch.zeros(1, 1, 4, 4)
    assert torch.equal(consistent_blend(s, w, validity, beta), s)


def test_consistency_runs_from_per_frame_to_the_steadiest_beta() -> None:
    assert beta_from_consistency(0) == 0
    assert beta_from_consistency(1) == 0.95
    assert beta_from_consistency(0.4) < beta_from_consistency(0.6)
    for outside in (-0.01, 1.01, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            beta_from_consistency(outside)


def test_temporal_loss_of_known_pictures() -> None:
    current, previous = torch.full((1, 3, 4, 4), 0.7), torch.full((1, 3, 4, 4), 0.2)
    everywhere = torch.ones(1, 1, 4, 4)
    assert float(temporal_loss(current, current, everywhere)) == 0
    assert float(temporal_loss(current, previous, everywhere)) == pytest.approx(0.25)
    half = everywhere.clone()
    half[..., :2] = 0
    assert float(temporal_loss(current, previous, half)) == pytest.approx(0.125)
    assert float(temporal_loss(current, previous, 0 * everywhere)) == 0


def test_temporal_loss_can_be_trained_through() -> None:
    current = torch.rand(1, 3, 4, 4, requires_grad=True)
    temporal_loss(current, torch.zeros(1, 3, 4, 4), torch.ones(1, 1, 4, 4)).backward()
    torch.testing.assert_close(current.grad, 2 * current.detach() / current.numel())


def test_colour_is_held_for_longer_than_strokes() -> None:
    checks = (torch.arange(16.0) % 2 - 0.5).expand(1, 1, 16, 16)
    s, everywhere = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    torch.testing.assert_close(consistent_blend(s, s + 0.1, everywhere, 0.5, low_beta=0.8), s + 0.08)
    torch.testing.assert_close(consistent_blend(s, checks, everywhere, 0.5, low_beta=0.8), 0.5 * checks)
    assert all(beta <= low_frequency_beta(beta) <= MAX_BETA for beta in (0.0, 0.3, 0.9, MAX_BETA))


def test_what_has_drifted_little_is_left_alone_and_the_rest_is_pulled_back() -> None:
    s, everywhere = torch.full((1, 3, 16, 24), 0.4), torch.ones(1, 1, 16, 24)
    torch.testing.assert_close(consistent_blend(s, s + 0.02, everywhere, 0.9, max_drift=0.03), s + 0.018)
    torch.testing.assert_close(consistent_blend(s, s + 0.1, everywhere, 0.9, max_drift=0.03), s + 0.03)
    torch.testing.assert_close(consistent_blend(s, s, everywhere, 0.9, max_drift=0.03), s)


def test_the_frames_mean_colour_hardly_lags_where_areas_do() -> None:
    s, everywhere = 0.3 + 0.4 * torch.rand(1, 3, 32, 48), torch.ones(1, 1, 32, 48)
    apart = torch.where(torch.arange(48) < 24, 0.1, -0.1).expand(1, 3, 32, 48)  # one half lighter, the other darker
    alike = s + 0.02
    held = consistent_blend(s, alike, everywhere, 0.8, low_beta=0.9, keeps_palette=True)
    torch.testing.assert_close((held - s).mean(), torch.tensor(0.012), atol=1e-4, rtol=0)
    held = consistent_blend(s, s + apart, everywhere, 0.8, low_beta=0.9, keeps_palette=True)
    torch.testing.assert_close((held - s).mean(), torch.tensor(0.0), atol=1e-4, rtol=0)
    assert float((held - s)[..., :20].mean()) > 0.05


def test_the_frames_contrast_fades_half_as_much() -> None:
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(2, 3, 4, 6, generator=generator)
    s, w = torch.nn.functional.interpolate(coarse, (64, 96), mode="bilinear").split(1)
    everywhere = torch.ones(1, 1, 64, 96)
    faded, kept = (
        consistent_blend(s, 0.85 * s + 0.15 * w, everywhere, 0.8, low_beta=0.9, keeps_palette=keeps)
        for keeps in (False, True)
    )
    cells = [torch.nn.functional.avg_pool2d(image, 8).std((2, 3)) for image in (s, faded, kept)]
    assert (cells[1] < 0.95 * cells[0]).all()
    torch.testing.assert_close(cells[2], (cells[0] * cells[1]).sqrt(), atol=0, rtol=0.01)


def test_the_palette_is_kept_without_touching_what_is_not_trusted() -> None:
    generator = torch.Generator().manual_seed(4)
    s, w = torch.rand(2, 1, 3, 64, 96, generator=generator)
    trusted = torch.zeros(1, 1, 64, 96)
    trusted[..., :40] = 1
    blended = consistent_blend(s, w, trusted, 0.8, low_beta=0.9, keeps_palette=True)
    assert torch.equal(blended[..., 48:], s[..., 48:])
    assert torch.equal(consistent_blend(s, w, 0 * trusted, 0.8, low_beta=0.9, keeps_palette=True), s)
    flat = torch.full((1, 3, 64, 96), 0.5)
    torch.testing.assert_close(
        consistent_blend(flat, flat, trusted, 0.8, low_beta=0.9, keeps_palette=True), flat, atol=1e-6, rtol=0
    )
