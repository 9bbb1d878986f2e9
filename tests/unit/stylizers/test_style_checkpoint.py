from __future__ import annotations

import contextlib
import pickle
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import Hostile
from hypothesis import given
from hypothesis import strategies as st
from network_factory import picture
from safetensors.torch import save, save_file

from vidstyle.errors import CheckpointMismatchError, ModelError, UnsupportedCheckpointError, WeightsNotFoundError
from vidstyle.stylizers.checkpoint import StyleCard, load_feedforward, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet, JohnsonNet
from vidstyle.weights.files import load_tensors

CARD = StyleCard("dusk", "Dusk over the sea ≈ blue", "a picture of ours, CC0")


def blurpool(num_channels: int = 16, num_blocks: int = 2) -> BlurPoolNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = BlurPoolNet(num_channels, num_blocks)
        for skip in (net.half_skip, net.full_skip):
            torch.nn.init.normal_(skip.weight, std=0.2)
    return net


def johnson(num_channels: int = 4) -> JohnsonNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return JohnsonNet(num_channels)


@pytest.fixture(scope="module")
def style_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("style") / "dusk.safetensors"
    save_feedforward(path, blurpool(), CARD)
    return path.read_bytes()


@pytest.mark.parametrize(("num_channels", "num_blocks"), [(16, 2), (24, 0), (64, 5)])
def test_a_style_comes_back_as_it_was(num_channels: int, num_blocks: int, tmp_path: Path) -> None:
    net, path = blurpool(num_channels, num_blocks), tmp_path / "any.safetensors"
    save_feedforward(path, net, CARD)
    stylizer = load_feedforward(path)
    assert stylizer.name == "dusk"
    metadata = load_tensors(path)[1]
    assert {key: metadata[key] for key in asdict(CARD)} == asdict(CARD)
    assert list(tmp_path.iterdir()) == [path]
    # A margin is painted, too, and cut off.
    with torch.no_grad():
        expected = net(torch.nn.functional.pad(picture(32, 48), (4, 4, 4, 4), mode="replicate"))[..., 4:-4, 4:-4]
    assert (stylizer(picture(32, 48)) - expected).abs().max() < 2e-3


def test_the_file_says_what_it_is_and_is_half_precision(tmp_path: Path) -> None:
    save_feedforward(tmp_path / "a.safetensors", blurpool(), CARD)
    tensors, metadata = load_tensors(tmp_path / "a.safetensors")
    assert {value.dtype for value in tensors.values()} == {torch.float16}
    assert metadata == {
        "format": "vidstyle-1",
        "architecture": "blurpool",
        "num_channels": "16",
        "num_blocks": "2",
        "name": CARD.name,
        "title": CARD.title,
        "source": CARD.source,
    }


def test_a_style_made_before_there_were_skips_paints_as_it_did(tmp_path: Path) -> None:
    save_feedforward(tmp_path / "new.safetensors", blurpool(), CARD)
    tensors, metadata = load_tensors(tmp_path / "new.safetensors")
    older = {key: value for key, value in tensors.items() if "skip" not in key}
    assert len(older) == len(tensors) - 2
    save_file(older, tmp_path / "older.safetensors", metadata)
    without = blurpool()
    for skip in (without.half_skip, without.full_skip):
        torch.nn.init.zeros_(skip.weight)
    save_feedforward(tmp_path / "without.safetensors", without, CARD)
    new, older_painted, expected = (
        load_feedforward(tmp_path / f"{name}.safetensors")(picture(32, 48)) for name in ("new", "older", "without")
    )
    assert torch.equal(older_painted, expected)
    assert (new - expected).abs().mean() > 0.01


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("stale", [False, True])
def test_the_layout_of_pytorch_examples_loads(wrap: str | None, prefix: str, stale: bool, tmp_path: Path) -> None:
    net = johnson()
    state = {prefix + key: value for key, value in net.state_dict().items()}
    if stale:  # saved by torch 0.3, never used
        state |= {f"{prefix}in1.running_mean": torch.ones(4), f"{prefix}res1.in2.running_var": torch.ones(16)}
    path = tmp_path / "candy.pth"
    torch.save({wrap: state, "epoch": 2} if wrap else state, path)
    stylizer = load_feedforward(path)
    assert stylizer.name == "candy"
    with torch.no_grad():
        torch.testing.assert_close(stylizer(picture(32, 40)), net(picture(32, 40)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["rain_princess", "udnie"])
def test_real_fast_neural_style_checkpoints_paint(name: str, test_data: Path) -> None:
    path = test_data / "peers" / "fast_neural_style" / f"{name}.pth"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    content = picture(96, 128)
    painted = load_feedforward(path)(content)
    assert painted.shape == content.shape
    assert painted.std() > 0.1
    assert (painted - content).abs().mean() > 0.05


def test_a_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.safetensors", tmp_path / "absent.pth", tmp_path):
        with pytest.raises(WeightsNotFoundError, match="There is no weight file"):
            load_feedforward(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pt", ".model"])
@pytest.mark.parametrize("content", [b"", b"x", b"not a checkpoint at all" * 50, b"PK\x03\x04" + b"\0" * 60])
def test_what_is_no_checkpoint(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"style{suffix}"
    path.write_bytes(content)
    with pytest.raises(UnsupportedCheckpointError, match="style"):
        load_feedforward(path)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 100_000_001, 10])
def test_a_header_of_a_false_length(length: int, style_bytes: bytes, tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + style_bytes[8:])
    with pytest.raises(UnsupportedCheckpointError):
        load_feedforward(path)


@pytest.mark.parametrize(
    "header",
    [b"[" * 100_000, b"null", b"7", b'{"__metadata__": 5}', b'{"__metadata__": {"format": "other"}}', b"\xff\xfe"],
    ids=lambda header: header[:12].hex(),
)
def test_a_header_that_makes_no_sense(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(ModelError):
        load_feedforward(path)


def test_a_hostile_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "style.pth", tmp_path / "ran"
    for content in ({**johnson().state_dict(), "extra": Hostile(marker)}, Hostile(marker)):
        torch.save(content, path)
        with pytest.raises(UnsupportedCheckpointError, match="would run code"):
            load_feedforward(path)
    bare = tmp_path / "bare.pth"
    bare.write_bytes(pickle.dumps(Hostile(marker), protocol=2))
    with pytest.raises(UnsupportedCheckpointError):
        load_feedforward(bare)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists()  # it was as hostile as it looks


@given(st.data())
def test_damaged_bytes_load_or_are_refused(style_bytes: bytes, data: st.DataObject) -> None:
    damaged = bytearray(style_bytes)
    header = int.from_bytes(style_bytes[:8], "little") + 8
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, header))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        path = Path(folder) / "style.safetensors"
        path.write_bytes(damaged[:cut])
        with contextlib.suppress(ModelError):  # and nothing else
            load_feedforward(path)
            assert cut == len(damaged)


def changed(key: str, value: torch.Tensor | None) -> bytes:
    tensors = dict(blurpool().state_dict())
    tensors.pop(key, None)
    return save(tensors if value is None else {**tensors, key: value})


@pytest.mark.parametrize(
    "content",
    [
        changed("conv2.bias", None),
        changed("half_skip.weight", None),
        changed("full_skip.weight", torch.zeros(3, 3, 5, 5)),
        changed("extra", torch.zeros(1)),
        changed("conv2.weight", torch.zeros(8, 4, 5, 5)),
        changed("widen.weight", torch.zeros(64, 8, 1, 1)),
        changed("widen.weight", torch.zeros(1_000_000, 1, 1, 1)),
        changed("widen.weight", torch.tensor(1.0)),
        changed("trunk.1000.conv1.bias", torch.zeros(16)),
        changed("trunk", torch.zeros(16)),
        save({"features.0.weight": torch.zeros(4, 3, 3, 3)}),
        save({"deconv3.conv2d.weight": torch.zeros(3, 4, 9, 9), "conv1.conv2d.weight": torch.zeros(4, 3, 9, 9)}),
        save({"deconv3.conv2d.weight": torch.zeros(()), "conv1.conv2d.weight": torch.zeros(())}),
    ],
    ids=lambda content: str(len(content)),
)
def test_tensors_of_another_network_are_a_mismatch(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointMismatchError, match=r"style\.safetensors"):
        load_feedforward(path)


@pytest.mark.parametrize(
    "value", [torch.nan, -torch.inf, torch.tensor(1e300, dtype=torch.float64)], ids=["nan", "infinite", "overflows"]
)
def test_weights_that_are_not_finite_are_refused(value: float, tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    bias = torch.zeros(3, dtype=torch.float64)
    bias[1] = value
    path.write_bytes(changed("to_rgb.bias", bias))
    with pytest.raises(CheckpointMismatchError, match=r"style\.safetensors is damaged: to_rgb\.bias"):
        load_feedforward(path)


@pytest.mark.parametrize("content", [{}, [1, 2], {"epoch": 3}, {"state_dict": {}}, torch.zeros(3)], ids=str)
def test_a_checkpoint_without_named_tensors(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "style.pth")
    with pytest.raises(UnsupportedCheckpointError, match="no tensors by name"):
        load_feedforward(tmp_path / "style.pth")


def test_an_adain_model_is_named_as_what_it_is(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors", {"architecture": "adain"})
    with pytest.raises(CheckpointMismatchError, match="found adain"):
        load_feedforward(tmp_path / "a.safetensors")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_text("precious")
    net = blurpool()
    net.widen.bias = torch.nn.Parameter(torch.zeros(16, device="meta"))  # has no values that could be written
    with pytest.raises(NotImplementedError):
        save_feedforward(path, net, CARD)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]
