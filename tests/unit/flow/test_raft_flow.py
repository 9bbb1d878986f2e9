from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fakes import Hostile
from safetensors.torch import save_file
from torchvision.models.optical_flow import Raft_Small_Weights, raft_large, raft_small

from vidstyle.errors import CheckpointMismatchError, UnsupportedCheckpointError, WeightsNotFoundError
from vidstyle.flow.raft import RaftFlow
from vidstyle.flow.raft_weights import download_checked, load_raft, raft_weights_at_hand
from vidstyle.protocols import Motion


def build(model: str, seed: int = 7) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return {"small": raft_small, "large": raft_large}[model](weights=None).eval()


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    return {model: build(model) for model in ("small", "large")}


@pytest.fixture(scope="module")
def files(networks: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("raft")
    for model, network in networks.items():
        save_file(network.state_dict(), folder / f"{model}.safetensors")
    return {model: folder / f"{model}.safetensors" for model in networks}


def frames(num: int, height: int, width: int) -> list[torch.Tensor]:
    """Smooth noise, which random encoders map to features that differ from place to place."""
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(num, 3, height // 4, width // 4, generator=generator)
    return list(F.interpolate(noise, (height, width), mode="bilinear").split(1))


def pushed(estimator: RaftFlow, first: torch.Tensor, second: torch.Tensor) -> Motion:
    estimator.reset()
    assert estimator.push(first) is None
    motion = estimator.push(second)
    assert motion is not None
    return motion


@torch.no_grad()
def reference(network: Any, source: torch.Tensor, target: torch.Tensor, num_updates: int) -> torch.Tensor:
    return network(source * 2 - 1, target * 2 - 1, num_flow_updates=num_updates)[-1]


@pytest.mark.parametrize("model", ["small", "large"])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (136, 160)])
def test_a_stream_equals_torchvision_pair_by_pair(
    model: Any, height: int, width: int, networks: dict[str, Any], files: dict[str, Path]
) -> None:
    sequence = frames(3, height, width)
    estimator = RaftFlow(model, weights=files[model], num_updates=4)
    estimator.push(sequence[0])
    for previous, current in pairwise(sequence):
        motion = estimator.push(current)
        assert motion is not None
        backward = reference(networks[model], current, previous, 4)
        forward = reference(networks[model], previous, current, 4)
        assert backward.abs().amax() > 0.1  # otherwise the comparison says nothing
        assert (backward - forward).abs().amax() > 0.1
        torch.testing.assert_close(motion.flow_backward, backward, atol=1e-3, rtol=0)
        torch.testing.assert_close(motion.flow_forward, forward, atol=1e-3, rtol=0)


def test_each_frame_is_encoded_once(files: dict[str, Path]) -> None:
    estimator = RaftFlow("small", weights=files["small"], num_updates=1)
    seen: list[torch.Size] = []
    for encoder in (estimator._network.feature_encoder, estimator._network.context_encoder):
        encoder.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape))
    for frame in frames(4, 128, 128):
        estimator.push(frame)
    assert seen == [torch.Size([1, 3, 128, 128])] * 8


def test_odd_sizes_equal_torchvision_on_the_padded_picture(networks: dict[str, Any], files: dict[str, Path]) -> None:
    first, second = (frame[..., :131, :141] for frame in frames(2, 136, 144))
    motion = pushed(RaftFlow("small", weights=files["small"], num_updates=3), first, second)
    padding = (1, 2, 2, 3)  # left, right, top, bottom: to 144 x 136
    padded = [F.pad(frame, padding, mode="replicate") for frame in (second, first)]
    expected = reference(networks["small"], *padded, 3)[..., 2:-3, 1:-2]
    torch.testing.assert_close(motion.flow_backward, expected, atol=1e-3, rtol=0)


def test_reduced_resolution_keeps_pixels_of_the_frame(networks: dict[str, Any], files: dict[str, Path]) -> None:
    first, second = frames(2, 256, 384)
    motion = pushed(RaftFlow("small", weights=files["small"], num_updates=2, scale=0.5), first, second)
    half = [
        F.interpolate(frame, scale_factor=0.5, mode="bilinear", align_corners=False, antialias=True)
        for frame in (second, first)
    ]
    assert motion.flow_backward.shape == (1, 2, 128, 192)
    torch.testing.assert_close(motion.flow_backward, 2 * reference(networks["small"], *half, 2), atol=2e-3, rtol=0)


def test_large_frames_are_reduced_by_default(files: dict[str, Path]) -> None:
    estimator = RaftFlow("small", weights=files["small"], num_updates=1)
    assert estimator._working_picture(torch.zeros(1, 3, 2160, 3840), (2160, 3840)).shape[-2:] == (542, 964)
    assert estimator._working_picture(torch.zeros(1, 3, 540, 960), (540, 960)).shape[-2:] == (540, 960)


def test_networks_may_run_in_bfloat16(files: dict[str, Path]) -> None:
    first, second = frames(2, 128, 128)
    motion = pushed(RaftFlow("small", weights=files["small"], num_updates=2, dtype=torch.bfloat16), first, second)
    exact = pushed(RaftFlow("small", weights=files["small"], num_updates=2), first, second)
    assert motion.flow_backward.dtype == torch.float32
    error = (motion.flow_backward - exact.flow_backward).abs().mean()
    assert 0 < error < 0.1 * exact.flow_backward.abs().mean() + 0.1


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("model", ["small", "large"])
def test_cuda_agrees_with_the_cpu(model: Any, dtype: torch.dtype, files: dict[str, Path]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    first, second = frames(2, 128, 160)
    exact = pushed(RaftFlow(model, weights=files[model], num_updates=2), first, second)
    motion = pushed(RaftFlow(model, weights=files[model], num_updates=2, device="cuda", dtype=dtype), first, second)
    assert motion.flow_forward.is_cuda
    assert motion.flow_forward.dtype == torch.float32
    error = (motion.flow_forward.cpu() - exact.flow_forward).abs().mean()
    assert error < 0.1 * exact.flow_forward.abs().mean() + 0.1


@pytest.mark.parametrize("options", [{"model": "huge"}, {"num_updates": 0}, {"scale": 0.0}, {"scale": 2.0}])
def test_options_out_of_range_are_refused(options: dict[str, Any], files: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        RaftFlow(**{"weights": files["small"], **options})


# Weights -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True])
def test_pytorch_checkpoints_load_like_safetensors(
    wrapped: bool, tmp_path: Path, networks: dict[str, Any], files: dict[str, Path]
) -> None:
    state = {f"module.{key}": value for key, value in networks["large"].state_dict().items()}
    path = tmp_path / "raft.pth"
    torch.save({"state_dict": state} if wrapped else state, path)
    first, second = frames(2, 128, 128)
    motion = pushed(RaftFlow("large", weights=path, num_updates=1), first, second)
    expected = pushed(RaftFlow("large", weights=files["large"], num_updates=1), first, second)
    assert torch.equal(motion.flow_backward, expected.flow_backward)


def test_counters_of_batch_norms_are_optional(tmp_path: Path, networks: dict[str, Any]) -> None:
    state = {key: value for key, value in networks["large"].state_dict().items() if "num_batches" not in key}
    path = tmp_path / "raft.safetensors"
    save_file(state, path)
    assert not any(tensor.is_meta for tensor in load_raft("large", path).state_dict().values())


def test_loading_leaves_the_global_seed_alone(files: dict[str, Path]) -> None:
    before = torch.random.get_rng_state()
    load_raft("small", files["small"])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_weights_of_the_other_model_are_a_mismatch(files: dict[str, Path]) -> None:
    with pytest.raises(CheckpointMismatchError, match="RAFT-small"):
        RaftFlow("small", weights=files["large"])


def test_one_missing_tensor_is_a_mismatch(tmp_path: Path, networks: dict[str, Any]) -> None:
    state = dict(networks["small"].state_dict())
    state.pop("update_block.flow_head.conv2.bias")
    save_file(state, tmp_path / "raft.safetensors")
    with pytest.raises(CheckpointMismatchError, match="1 of its"):
        RaftFlow("small", weights=tmp_path / "raft.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        torch.Tensor.to_sparse,
        lambda value: value.to("meta"),
        lambda value: torch.ones(1).expand(value.shape),
        lambda value: value * torch.inf,
    ],
    ids=["sparse", "meta", "expanded", "not finite"],
)
def test_odd_tensors_are_a_mismatch(
    change: Callable[[torch.Tensor], torch.Tensor], tmp_path: Path, networks: dict[str, Any]
) -> None:
    state = dict(networks["small"].state_dict())
    key = "update_block.flow_head.conv2.weight"
    torch.save({**state, key: change(state[key].clone())}, tmp_path / "raft.pth")
    with pytest.raises(CheckpointMismatchError, match=rf"raft\.pth.*{key}"):
        RaftFlow("small", weights=tmp_path / "raft.pth")


def test_half_precision_files_load_as_float32(tmp_path: Path, networks: dict[str, Any]) -> None:
    save_file({key: value.half() for key, value in networks["small"].state_dict().items()}, tmp_path / "a.safetensors")
    assert {value.dtype for value in load_raft("small", tmp_path / "a.safetensors").parameters()} == {torch.float32}


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "raft.pth", tmp_path / "ran"
    torch.save({"weight": Hostile(marker)}, path)
    with pytest.raises(UnsupportedCheckpointError):
        RaftFlow("small", weights=path)
    path.write_bytes(pickle.dumps(Hostile(marker), protocol=2))
    with pytest.raises(UnsupportedCheckpointError):
        RaftFlow("small", weights=path)
    assert not marker.exists()


def test_missing_weights_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for weights in (None, tmp_path / "absent.pth"):
        with pytest.raises(WeightsNotFoundError, match=r"--allow-download.*--flow dis"):
            RaftFlow("small", weights=weights)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_in_the_cache_is_not_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub" / "checkpoints" / Path(Raft_Small_Weights.DEFAULT.url).name
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a download")
    assert raft_weights_at_hand("small") is None


def test_a_download_is_checked(tmp_path: Path, files: dict[str, Path]) -> None:
    digest = hashlib.sha256(files["small"].read_bytes()).hexdigest()[:8]
    target = tmp_path / "checkpoints" / "raft.safetensors"
    with pytest.raises(WeightsNotFoundError, match="--flow dis"):
        download_checked(files["small"].as_uri(), target, "00000000")
    with pytest.raises(WeightsNotFoundError, match="--flow dis"):
        download_checked((tmp_path / "absent").as_uri(), target, digest)
    assert not list(target.parent.iterdir())
    download_checked(files["small"].as_uri(), target, digest)
    assert target.read_bytes() == files["small"].read_bytes()
