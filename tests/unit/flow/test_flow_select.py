from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models.optical_flow import raft_small

from vidstyle.errors import CheckpointMismatchError, ConfigError, WeightsNotFoundError
from vidstyle.flow import choose_flow, raft_weights_at_hand


@pytest.fixture(autouse=True)
def empty_torch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "raft.pth"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(raft_small(weights=None).state_dict(), path)
    return path


def test_none_is_no_estimator() -> None:
    choice = choose_flow("none", "cpu")
    assert choice.estimator is None
    assert choice.name == "none"


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "mps"])
@pytest.mark.parametrize("requested", ["dis", "auto"])
def test_without_raft_weights_it_is_dis_on_every_device(requested: Any, device: str) -> None:
    choice = choose_flow(requested, device)
    assert choice.name == "dis-medium"
    assert choice.estimator is not None
    assert choice.estimator.name == choice.name


def test_auto_says_why() -> None:
    assert "too slow" in choose_flow("auto", "cpu").reason
    assert "--allow-download" in choose_flow("auto", "cuda").reason


def test_auto_on_a_cpu_keeps_to_dis_and_says_that_the_weights_are_unused(weights: Path) -> None:
    choice = choose_flow("auto", "cpu", weights=weights)
    assert choice.name == "dis-medium"
    assert "--flow raft" in choice.reason
    assert str(weights) in choice.reason


@pytest.mark.parametrize("requested", ["raft", "raft-small"])
def test_raft_with_a_file_works_on_a_cpu(requested: Any, weights: Path) -> None:
    choice = choose_flow(requested, "cpu", weights=weights)
    assert choice.name == "raft-small"
    assert str(weights) in choice.reason
    assert choice.estimator is not None
    frame = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    assert choice.estimator.push(frame) is None
    assert choice.estimator.push(frame) is not None


@pytest.mark.parametrize("requested", ["raft", "raft-small", "raft-large"])
def test_raft_without_weights_says_what_to_do(requested: Any) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"--allow-download.*--flow dis"):
        choose_flow(requested, "cpu")


@pytest.mark.parametrize("requested", ["auto", "raft"])
def test_a_named_file_that_is_missing_is_never_passed_over(requested: Any, tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"absent\.pth"):
        choose_flow(requested, "cuda", weights=tmp_path / "absent.pth")


def test_weights_of_another_model_are_refused(weights: Path) -> None:
    with pytest.raises(CheckpointMismatchError):
        choose_flow("raft-large", "cpu", weights=weights)


def test_an_unknown_request_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="dis"):
        choose_flow("farneback", "cpu")  # type: ignore[arg-type]


def test_an_empty_cache_has_no_weights() -> None:
    assert raft_weights_at_hand("small") is None
    assert raft_weights_at_hand("large") is None


def test_dis_does_not_import_torchvision() -> None:
    code = "import sys, vidstyle.flow as f; f.choose_flow('auto', 'cpu'); print('torchvision' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
