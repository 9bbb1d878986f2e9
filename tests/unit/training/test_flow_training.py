from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from network_factory import photo_folder, picture
from torchvision.models.optical_flow import raft_small

from vidstyle.cli.main import cli
from vidstyle.errors import CheckpointMismatchError, ConfigError, VidstyleError
from vidstyle.flow.raft import RaftFlow
from vidstyle.flow.raft_weights import load_raft
from vidstyle.training.dataset import ContentCrops
from vidstyle.training.flow import FlowObjective, end_point_error, sequence_loss
from vidstyle.training.flow_pairs import crop_side
from vidstyle.training.flow_settings import FlowSettings
from vidstyle.training.run_flow import packed_raft, train_flow
from vidstyle.training.trainer import StepReport
from vidstyle.weights.files import load_tensors

TINY = FlowSettings(
    steps=3, batch_size=1, height_px=128, width_px=128, max_motion_px=4, num_updates=2, checkpoint_every=1
)
SIDE = crop_side(128, 128)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    photo_folder(folder, 2, (SIDE, SIDE + 8))
    return folder


@pytest.fixture(scope="module")
def crops(photos: Path) -> ContentCrops:
    return ContentCrops(photos, SIDE)


def test_the_sequence_loss_is_that_of_the_paper() -> None:
    flow = torch.zeros(1, 2, 2, 2)
    valid = torch.tensor([[[[True, True], [True, False]]]])
    first, last = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    first[0, 0, 0, 0], first[0, 1, 0, 0] = 3.0, -1.5
    last[0, 0, 0, 1] = 6.0
    first[..., 1, 1] = last[..., 1, 1] = 1e6  # not valid
    assert sequence_loss([first, last], flow, valid, 0.5).item() == pytest.approx(0.5 * 4.5 / 3 + 6 / 3)


def test_end_point_error_is_a_distance() -> None:
    flow = torch.zeros(1, 2, 1, 2)
    found = torch.tensor([[[[3.0, 0.0]], [[4.0, 0.0]]]])
    assert end_point_error(found, flow).tolist() == [[[[5.0, 0.0]]]]


def test_the_network_learns_what_it_is_shown(crops: ContentCrops) -> None:
    objective = FlowObjective(crops, TINY)
    optimizer = torch.optim.Adam(objective.net.parameters(), lr=1e-3)
    history = []
    for _ in range(15):
        losses = objective.losses(objective.net, torch.Generator().manual_seed(0))  # the same pair each time
        optimizer.zero_grad()
        losses["sequence"].backward()
        optimizer.step()
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
    assert history[-1]["sequence"] < 0.7 * history[0]["sequence"]
    assert history[-1]["end_point_error"] < 0.8 * history[0]["end_point_error"]


def test_in_autocast_the_network_is_torchvisions(crops: ContentCrops) -> None:
    """Encoders and updates in bfloat16 hardly change the flow; correlation in bfloat16 would."""
    net = FlowObjective(crops, TINY).net
    plain = raft_small(weights=None)
    plain.load_state_dict(net.state_dict())
    first = picture(128, 128)
    frames = first * 2 - 1, first.roll(3, -1) * 2 - 1
    with torch.no_grad():
        expected = plain(*frames, num_flow_updates=3)[-1]
        same = net(*frames, num_flow_updates=3)[-1]
        with torch.autocast("cpu", torch.bfloat16):
            found = net(*frames, num_flow_updates=3)[-1].float()
    assert torch.equal(same, expected)
    assert end_point_error(found, expected).mean() < 0.05 * expected.norm(dim=1).mean()


def test_what_is_trained_is_what_raft_flow_runs(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    report = train_flow(photos, output, settings=TINY)
    assert report.weights == output
    assert report.final.step == 3
    assert [path.name for path in tmp_path.iterdir()] == ["own.safetensors"]
    tensors, metadata = load_tensors(output)
    assert metadata["architecture"] == "raft-small"
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    estimator = RaftFlow("small", weights=output, num_updates=2)
    assert estimator.push(picture(136, 140)) is None
    motion = estimator.push(picture(136, 140, seed=1))
    assert motion is not None
    assert motion.flow_forward.isfinite().all()


def test_a_run_goes_on_from_trained_weights(crops: ContentCrops, photos: Path, tmp_path: Path) -> None:
    start = tmp_path / "start.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(77)
        start.write_bytes(packed_raft(raft_small(weights=None)))
    objective = FlowObjective(crops, TINY, load_raft("small", start))
    assert "start_from" in objective.identity
    assert "start_from" not in FlowObjective(crops, TINY).identity
    stored = load_tensors(start)[0]
    for name, value in objective.net.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, stored[name].float())
    assert all(parameter.requires_grad for parameter in objective.net.parameters())
    train_flow(photos, tmp_path / "own.safetensors", settings=replace(TINY, steps=1), start_from=start)
    later = load_tensors(tmp_path / "own.safetensors")[0]
    # One step of warm-up moves the weights by next to nothing.
    assert all((later[name] - value).abs().max() < 1e-2 for name, value in stored.items())


def test_an_interrupted_run_goes_on_exactly(photos: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    train_flow(photos, whole, settings=TINY)

    def interrupt(report: StepReport) -> None:
        if report.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_flow(photos, cut, settings=TINY, on_step=interrupt)
    assert (tmp_path / "cut.safetensors.checkpoint").is_file()
    assert not cut.exists()
    with pytest.raises(CheckpointMismatchError, match="max_motion_px"):
        train_flow(photos, cut, settings=replace(TINY, max_motion_px=5))
    started: list[int] = []
    train_flow(photos, cut, settings=TINY, on_plan=lambda plan: started.append(plan.step))
    assert started == [2]
    expected, found = load_tensors(whole)[0], load_tensors(cut)[0]
    assert all(torch.equal(value, found[name]) for name, value in expected.items())
    assert not (tmp_path / "cut.safetensors.checkpoint").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"height_px": 120},
        {"width_px": 130},
        {"max_motion_px": 0},
        {"max_motion_px": 97},
        {"slowness": 0.0},
        {"num_updates": 0},
        {"gamma": 0.0},
        {"gamma": 1.1},
        {"steps": 0},
        {"slowness": math.nan},
        {"seed": 2**63},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        FlowSettings(**values)


def run(photos: Path, output: Path, *extra: str) -> Result:
    options: dict[str, Any] = {
        "--content": photos,
        "--out": output,
        "--steps": 2,
        "--height": 128,
        "--width": 128,
        "--max-motion": 4,
        "--updates": 2,
        "--batch-size": 1,
        "--device": "cpu",
    }
    given = [str(word) for pair in options.items() for word in pair]
    return CliRunner().invoke(cli, ["train", "flow", *given, *extra])


def test_the_command_writes_weights_that_a_render_takes(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    result = run(photos, output)
    assert result.exit_code == 0, result.output
    assert "end point error" in result.output
    assert f"--flow-weights {output}" in result.output

    animation, painted = tmp_path / "in.gif", tmp_path / "out.gif"
    from PIL import Image

    frames = [
        Image.fromarray((picture(32, 40)[0].roll(shift, -1) * 255).byte().permute(1, 2, 0).numpy())
        for shift in range(3)
    ]
    frames[0].save(animation, save_all=True, append_images=frames[1:], duration=40)
    arguments = ["stylize", animation, painted, "--style", "identity", "--flow", "raft", "--flow-weights", output]
    rendered = CliRunner().invoke(cli, [*map(str, arguments), "--device", "cpu"])
    assert rendered.exit_code == 0, rendered.exception
    assert "flow: RAFT-small" in rendered.output or "raft-small" in rendered.output
    assert painted.stat().st_size > 0


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--content", "absent"), "There is no folder absent"),
        (("--out", "own.pth"), ".safetensors"),
        (("--out", "absent/own.safetensors"), "create it first"),
        (("--height", "100"), "multiple of 8"),
        (("--height", "1024"), "no picture of at least"),
        (("--max-motion", "100"), "up to half"),
        (("--start-from", "absent.safetensors"), "There is no weight file"),
        (("--start-from", "foreign.safetensors"), "foreign.safetensors"),
        (("--device", "cuda:99"), "There is no device cuda:99"),
    ],
)
def test_bad_input_gets_one_sentence(
    extra: tuple[str, ...], message: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foreign.safetensors").write_bytes(b"nothing of the kind")
    before = sorted(tmp_path.iterdir())
    result = run(photos, tmp_path / "own.safetensors", *extra)
    assert isinstance(result.exception, VidstyleError), result.exception
    assert message in str(result.exception)
    assert sorted(tmp_path.iterdir()) == before


def test_what_exists_is_kept_unless_told(photos: Path, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    output.write_text("precious")
    assert "exists already" in str(run(photos, output).exception)
    assert output.read_text() == "precious"
    assert run(photos, output, "--overwrite").exit_code == 0
    assert load_raft("small", output) is not None
