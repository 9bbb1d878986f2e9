"""The comparison with other methods: the filters themselves, and a run of the whole script on a tiny clip."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import cast

import pytest
import torch
from clip_factory import sliding, write_frames
from command import SCRIPTS, run_script

from vidstyle.evaluation.pair_motion import PairMotion
from vidstyle.protocols import Motion

HEIGHT, WIDTH = 24, 40


@pytest.fixture(autouse=True)
def _scripts_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))


def noise(seed: int) -> torch.Tensor:
    return torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def still() -> Motion:
    return Motion(torch.zeros(1, 2, HEIGHT, WIDTH), torch.zeros(1, 2, HEIGHT, WIDTH))


def test_first_frames_and_frames_after_a_cut_are_left_alone() -> None:
    from peers_filters import PEERS

    for name, make in PEERS.items():
        if name.startswith("blur"):
            continue
        peer = make()
        first, state = peer.step(noise(0), noise(1), None, None)
        assert torch.equal(first, noise(1))
        again, _ = peer.step(noise(2), noise(3), None, state)
        assert torch.equal(again, noise(3))


def test_blends_are_the_sums_their_papers_say() -> None:
    from peers_filters import FixedBlend, MovingAverage, OcclusionBlend

    content = noise(0)
    for peer in (MovingAverage(0.8), FixedBlend(0.8), OcclusionBlend(0.8)):
        _, state = peer.step(content, noise(1), None, None)
        output, _ = peer.step(content, noise(2), still(), state)
        assert torch.allclose(output, 0.2 * noise(2) + 0.8 * noise(1), atol=1e-6)
    # Both directions point the same way: the mask trusts nothing, and only the blend without a mask goes on.
    lost = Motion(torch.full((1, 2, HEIGHT, WIDTH), 5.0), torch.full((1, 2, HEIGHT, WIDTH), 5.0))
    peer = OcclusionBlend(0.8)
    output, _ = peer.step(content, noise(2), lost, peer.step(content, noise(1), None, None)[1])
    assert torch.equal(output, noise(2))


@pytest.mark.parametrize("weight", [0.02, 1.0, 30.0])
def test_the_gradient_domain_solves_its_equation(weight: float) -> None:
    from peers_filters import GradientDomain, minus_laplacian

    peer = GradientDomain(weight, max_iterations=200, tolerance=1e-6)
    content, before = noise(0), 0.3 + 0.4 * noise(1)
    stylized, other = 0.3 + 0.4 * noise(2), noise(3)
    mixed = torch.where(torch.arange(WIDTH) < WIDTH // 2, content, other)  # half of the source changed
    _, state = peer.step(mixed, before, None, None)
    trust = weight * torch.exp(-30.0 * (content - mixed).square().sum(1, keepdim=True))
    right = trust * before + minus_laplacian(stylized)
    solution = peer._solve(trust, right, stylized)
    residual = trust * solution + minus_laplacian(solution) - right
    assert residual.norm() < 1e-4 * right.norm()
    output, _ = peer.step(content, stylized, still(), state)
    assert torch.allclose(output, solution.clamp(0, 1), atol=1e-3)


def test_the_gradient_domain_takes_gradients_from_one_and_levels_from_the_other() -> None:
    from peers_filters import GradientDomain, solve_even

    stylized = 0.3 + 0.2 * noise(2)
    peer = GradientDomain(weight=0.01)
    _, state = peer.step(noise(0), stylized + 0.2, None, None)
    output, _ = peer.step(noise(0), stylized, still(), state)
    # The same gradients, another level: it is the level of the frame before that stays.
    assert torch.allclose(output, stylized + 0.2, atol=2e-3)
    level = torch.full((1, 3, 8, 9), 0.5)
    assert torch.allclose(solve_even(0.25 * level, 0.25), level, atol=1e-5)


def test_along_exact_motion_nothing_is_guessed() -> None:
    """What is hidden is painted anew and what is seen is held, whatever the source looks like."""
    from consistency_runs import AlongExactMotion

    def shown(is_seen: bool) -> torch.Tensor:
        method = AlongExactMotion(0.9)
        _, state = method.step(noise(1), noise(2), None, None)
        motion = PairMotion(still().flow_backward, torch.full((1, 1, HEIGHT, WIDTH), is_seen))
        return method.step(noise(3), noise(4), cast("Motion", {1: motion}), state)[0]

    assert torch.allclose(shown(False), noise(4), atol=1e-5)
    assert (shown(True) - noise(2)).abs().mean() < 0.5 * (noise(4) - noise(2)).abs().mean()


def test_the_script_compares_every_method_and_keeps_what_it_painted(tmp_path: Path) -> None:
    clip = write_frames(tmp_path / "clip.mkv", sliding(8, (96, 64)))
    photos = tmp_path / "photos"
    photos.mkdir()
    from vidstyle.media.stills import write_still

    write_still(photos / "one.png", next(iter(sliding(1, (192, 128)))))
    output, table = tmp_path / "figures.json", tmp_path / "table.md"
    done = run_script(
        "measure_consistency.py",
        *("--styles", "oil-strokes", "--sequences", "pan", "--photos", photos, "--clips", clip, "--frames", "7"),
        *("--size", "96x64", "--consistency", "0.5", "--methods", "fixed", "--cache", tmp_path / "cache"),
        *("--json", output, "--markdown", table, "--plot", tmp_path / "pareto.png", "--threads", "1"),
    )
    assert done.exit_code == 0, done.stderr
    rows = json.loads(output.read_text())
    methods = ["source", "per frame", "vidstyle 0.5", "vidstyle 0.9", "fixed blend .8, no occlusion"]
    assert [row["method"] for row in rows] == methods * 2
    assert [row["clip"] for row in rows[::5]] == ["pan", "clip"]
    steady = {row["clip"]: row for row in rows if row["method"] == "vidstyle 0.9"}
    assert [gate["name"] for gate in steady["pan"]["gates"]] == ["bands", "style", "drift"]
    assert all(math.isfinite(row["track"]["normalized_error"]["5"]) for row in rows)
    assert "vidstyle 0.9 (the default)" in done.stdout
    assert "| vidstyle 0.9 |" in table.read_text(encoding="utf-8")
    assert (tmp_path / "pareto.png").stat().st_size > 0
    # Two clips and what was painted of them.
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 4
    assert not list((tmp_path / "cache").glob("*.part*"))
