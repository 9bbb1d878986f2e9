"""The scripts a newcomer runs first, those that print the project's figures, and the commands of the documents."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import click
import media_factory as factory
import network_factory as networks
import pytest
import torch
from command import SCRIPTS, run_script
from torchvision.models.optical_flow import raft_small

from vidstyle.cli.main import cli
from vidstyle.config import shipped_presets
from vidstyle.media.stills import read_style_image, write_still
from vidstyle.stylizers.adain import AdaInNet, save_adain
from vidstyle.stylizers.checkpoint import StyleCard, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet

ROOT = SCRIPTS.parent


def run_shell(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run bash code that has sourced the scripts' common part."""
    command = ["bash", "-c", f'source "{SCRIPTS}/environment.sh"\n{code}', "demo"]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


def executable(path: Path, code: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{code}\n")
    path.chmod(0o755)
    return path


def documented_commands() -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [line for block in blocks for line in block.splitlines() if line.startswith("vidstyle ")]


@pytest.mark.parametrize("line", documented_commands())
def test_commands_of_the_readme_are_understood(line: str) -> None:
    # Parsed as the command line would, down to the last option; not run.
    arguments = shlex.split(line, comments=True)[1:]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and (arguments or not command.invoke_without_command):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None, line
        command = found
    parsed = command.make_context(command.name, arguments).params
    preset = parsed.get("preset")
    assert preset is None or preset in shipped_presets()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/benchmark.md"])
def test_links_between_documents_lead_somewhere(name: str) -> None:
    document = ROOT / name
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["scripts/demo", "scripts/test", "scripts/check", ".ci/run"])
def test_scripts_are_executable_bash(name: str) -> None:
    path = ROOT / name
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


def test_python_is_taken_by_what_it_is_not_by_its_name(tmp_path: Path) -> None:
    # As a version manager leaves them: a name on PATH that only prints an error.
    executable(tmp_path / "python3.13", "echo 'python3.13: version not installed' >&2; exit 127")
    executable(tmp_path / "python3.12", "exit 1")
    executable(tmp_path / "python3.11", f'exec "{sys.executable}" "$@"')
    result = run_shell("find_python", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert result.stdout == "python3.11\n"


def test_no_python_is_one_sentence(tmp_path: Path) -> None:
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python3"):
        executable(tmp_path / name, "exit 1")
    venv = tmp_path / "venv"
    result = run_shell("prepare", PATH=f"{tmp_path}:{os.environ['PATH']}", VIDSTYLE_VENV=str(venv))
    assert result.returncode == 1
    assert result.stderr.startswith("demo: Python 3.11 or newer is needed")
    assert result.stderr.count("\n") == 1
    assert not venv.exists()


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    result = run_shell("prepare", VIDSTYLE_VENV=str(tmp_path))
    assert result.returncode == 1
    assert "is not a virtual environment" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def stub_environment(venv: Path, *, opencv_loads: bool) -> Path:
    """An environment whose Python writes down what it is asked to do; cv2 loads, or only once headless is installed."""
    log, headless = venv / "log", venv / "headless"
    code = f"""
echo "$*" >> "{log}"
case "$*" in
  *"install --quiet opencv-python-headless"*) touch "{headless}" ;;
  *"import cv2"*)
    if [[ {int(opencv_loads)} == 0 && ! -e "{headless}" ]]; then echo "ImportError: libGL.so.1" >&2; exit 1; fi ;;
esac"""
    executable(venv / "bin" / "python", code)
    (venv / "pyvenv.cfg").touch()
    return log


def test_an_opencv_without_its_desktop_libraries_is_replaced(tmp_path: Path) -> None:
    log = stub_environment(tmp_path / "venv", opencv_loads=False)
    result = run_shell("prepare", VIDSTYLE_VENV=str(tmp_path / "venv"))
    assert result.returncode == 0, result.stderr
    assert "ImportError: libGL.so.1" in result.stdout
    calls = log.read_text().splitlines()
    removed = calls.index("-m pip uninstall --quiet --yes opencv-python opencv-python-headless")
    assert removed < calls.index("-m pip install --quiet opencv-python-headless")


def test_a_second_run_installs_nothing_until_the_project_changes(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    log = stub_environment(venv, opencv_loads=True)

    def installs(extra: str) -> list[str]:
        log.unlink(missing_ok=True)
        assert run_shell(f"prepare {extra}", VIDSTYLE_VENV=str(venv)).returncode == 0
        return [line.split()[-1] for line in log.read_text().splitlines() if "pip install" in line]

    assert installs("") == ["."]
    assert installs("") == []
    assert installs("dev") == [".[dev]"]
    assert installs("dev") == []
    (venv / "vidstyle-installed-dev").write_text("of an older project file\n")
    assert installs("dev") == [".[dev]"]


@pytest.fixture(scope="module")
def random_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("style") / "random.safetensors"
    torch.manual_seed(0)
    save_feedforward(path, BlurPoolNet(num_channels=16, num_blocks=1), StyleCard("random"))
    return path


def measured_here(monkeypatch: pytest.MonkeyPatch, *but: str) -> None:
    """Jobs of the benchmark run in this process, which has torch loaded; some in one of their own, as ever."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    measurements = import_module("measurements")

    def run(job: str, **arguments: object) -> dict:
        return measurements.in_child(job, **arguments) if job in but else measurements.JOBS[job](**arguments)

    monkeypatch.setattr(import_module("benchmark"), "in_child", run)


def test_benchmark_measures_a_render(
    clip_mp4: Path, random_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_here(monkeypatch, "render")
    output = tmp_path / "figures.json"
    arguments = ["--clip", clip_mp4, "--style", random_style, "--frames", "60", "--skip-baseline", "--json", output]
    result = run_script("benchmark.py", *arguments, "--roofline", "--peak-tflops", "1", "--peak-tbps", "0.1")
    assert result.exit_code == 0, result.stderr
    found = json.loads(output.read_text())
    assert found["vidstyle"]["num_frames"] == 60  # of a clip of 48
    assert {"decode", "stylize", "flow", "filter", "encode"} <= found["vidstyle"]["stage_ms_per_frame"].keys()
    assert found["vidstyle"]["peak_rss_mib"] > 50
    # One multiply-add is two operations: 3 to 4 channels by 3x3 at 64x48 is the first convolution alone.
    assert found["roofline"]["flop_per_frame"] > 2 * 3 * 4 * 9 * 64 * 48
    assert found["roofline"]["bytes_per_frame_unfused"] > 64 * 48 * 3 * 2
    assert "vidstyle" in result.stdout


def test_benchmark_measures_a_preview_imports_apart(clip_mp4: Path, random_style: Path) -> None:
    job = {"clip": str(clip_mp4), "settings": {"style": str(random_style), "consistency": 0.5}}
    result = run_script("measurements.py", "preview", json.dumps(job))
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["size"] == [64, 48]
    assert 3 < found["num_warmup_frames"] < 24
    assert found["import_seconds"] > 0
    assert found["preview_seconds"] > 0
    assert "48 frames of 64x48" in found["estimate"]


def test_benchmark_measures_every_stage_alone(
    clip_mp4: Path, random_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_here(monkeypatch)
    output = tmp_path / "figures.json"
    arguments = ["--clip", clip_mp4, "--style", random_style, "--frames", "6", "--json", output]
    result = run_script("benchmark.py", "--parts", *arguments)
    assert result.exit_code == 0, result.stderr
    given, picture = json.loads(output.read_text())["parts"]
    assert given["style"] == random_style.stem
    assert picture["style"] == "oil_strokes"  # AdaIN's network is measured, too
    for part in (given, picture):
        assert (part["size"], part["num_frames"]) == ([64, 48], 6)
        assert all(part["stage_ms"][stage] > 0 for stage in ("stylize", "flow", "filter"))
    assert "filter" in result.stdout


@pytest.mark.parametrize("network", ["johnson32", "vgg-adain"])
def test_baseline_loop_runs_past_the_end_of_the_clip(tmp_path: Path, network: str) -> None:
    clip = factory.make_clip(tmp_path / "short.mp4", num_frames=2, size=(66, 50))
    job = {"network": network, "clip": str(clip), "frames": 3, "size": "44x36", "device": "cpu"}
    result = run_script("measurements.py", "baseline", json.dumps(job))
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["num_frames"] == 3
    assert found["size"] == [44, 36]
    assert sum(found["stage_ms_per_frame"].values()) * 3 <= found["wall_seconds"] * 1000


def test_repeated_clip_has_the_frames_asked_for_and_rising_times(clip_mp4: Path, tmp_path: Path) -> None:
    target = tmp_path / "long.mp4"
    job = {"clip": str(clip_mp4), "target": str(target), "frames": 100}
    assert run_script("measurements.py", "repeat", json.dumps(job)).exit_code == 0
    pts = _video_pts(target)
    assert len(pts) == 100
    assert all(before < after for before, after in pairwise(pts))


def _video_pts(path: Path) -> list[int]:
    import av

    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0) if frame.pts is not None]


def test_evaluation_writes_figures_and_strips(random_style: Path, tmp_path: Path) -> None:
    arguments = [random_style, "--frames", "7", "--size", "64x40", "--device", "cpu", "--output", tmp_path]
    result = run_script("evaluate_sample.py", *arguments)
    assert result.exit_code == 0, result.stderr
    found = json.loads((tmp_path / "figures.json").read_text())["random"]
    assert found["num_frames"] == 7
    assert found["warping_error"]["1"] < found["warping_error_per_frame"]["1"]
    assert (tmp_path / "random.png").stat().st_size > 0


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the data folder, with a few small pictures and random networks."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "encoders").mkdir()
    torch.save(networks.vgg_tensors(), folder / "encoders" / "vgg19_pruned16x_to_conv5_1.pth")
    networks.photo_folder(folder / "photos" / "research", num=17)
    for name in ("bedroom", "houses_auvers", "starry_night"):
        (folder / "paintings").mkdir(exist_ok=True)
        write_still(folder / "paintings" / f"{name}.jpg", (networks.picture(64, 80)[0] * 255).byte())
    return folder


@pytest.fixture
def microast(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Random weights under the names of the published files and of the tensors in them."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from microast import PARTS

    folder = data_folder / "peers" / "microast"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    for name, build in PARTS.items():
        tensors = {
            f"{key.rpartition('.')[0]}.conv_layer.{key.rpartition('.')[2]}": value
            for key, value in build().state_dict().items()
        }
        torch.save(tensors, folder / f"{name}_iter_160000.pth.tar")
    return folder


def test_styles_are_measured_against_optimisation(
    data_folder: Path, random_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(data_folder))
    output = tmp_path / "figures.json"
    arguments = ["--style", "starry-night", "--weights", random_style, "--iterations", "4", "--json", output]
    result = run_script("measure_styles.py", *arguments, "--init", "content", "--init", "noise")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(output.read_text())["starry-night"]
    # 17 photos: every 16th are two.
    assert [(row["picture"], row["init"]) for row in rows] == [
        (picture, init) for picture in ("0", "9") for init in ("content", "noise")
    ]
    for row in rows:
        assert row["optimised"] < row["start"]
        assert row["evaluations"] >= 4
        if row["equal_iteration"] is not None:
            assert row["equal_iteration"] <= 4
    assert "FAIL" in result.stdout or "pass" in result.stdout


def test_any_style_models_are_measured_against_microast(
    data_folder: Path, microast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(data_folder))
    model, output = tmp_path / "tiny.safetensors", tmp_path / "figures.json"
    widths = (4, 6, 8)
    net = AdaInNet(networks.tiny_encoder(widths, last="conv31"), networks.lively_decoder(widths))
    save_adain(model, net, StyleCard("tiny"))
    arguments = ["--model", model, "--styles", "2", "--pictures", "1", "--json", output, "--sheet", tmp_path / "s.png"]
    result = run_script("measure_adain.py", *arguments)
    assert result.exit_code == 0, result.stderr
    found = json.loads(output.read_text())
    assert list(found) == ["unpainted", "MicroAST", "tiny"]
    assert list(found["tiny"]) == ["bedroom", "houses_auvers"]
    assert found["unpainted"]["bedroom"]["content"] == 0
    assert found["MicroAST"]["bedroom"]["content"] > 0
    assert found["MicroAST"]["bedroom"]["style"] != found["tiny"]["bedroom"]["style"]
    assert (tmp_path / "s.png").stat().st_size > 0


def test_encoders_are_compared_by_what_they_say_of_paintings(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(data_folder))
    output = tmp_path / "figures.json"
    reference = data_folder / "encoders" / "vgg19_pruned16x_to_conv5_1.pth"
    arguments = ["--style", "starry-night", "--style", "mosaic", "--pictures", "2", "--json", output]
    result = run_script("compare_encoders.py", "--encoder", reference, *arguments)
    assert result.exit_code == 0, result.stderr
    own = json.loads(output.read_text())
    for loss in ("content", "style"):
        assert own[loss]["reference"] == own[loss]["encoder"] > 0
        assert own[loss]["correlation"] == pytest.approx(1)
        assert own[loss]["rank_correlation"] == pytest.approx(1)
    other = tmp_path / "other.pth"
    torch.save(networks.vgg_tensors(seed=3), other)
    result = run_script("compare_encoders.py", "--encoder", other, *arguments)
    assert result.exit_code == 0, result.stderr
    assert json.loads(output.read_text())["style"]["correlation"] < 0.999


def test_what_open_photos_cost_is_measured_by_training_on_others(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    shutil.copytree(data_folder, data, ignore=shutil.ignore_patterns("photos"))
    networks.photo_folder(data / "photos" / "research", num=2, size=(224, 224))
    networks.photo_folder(data / "photos" / "open", num=1, size=(224, 224))
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(data))
    arguments = ["--style", "starry-night", "--steps", "1", "--pictures", "1", "--checkpoint-dir", tmp_path / "runs"]
    result = run_script("compare_content.py", *arguments)
    assert result.exit_code == 0, result.stderr
    found = re.search(r"held-out loss open ([\d.]+), research ([\d.]+); open ([-+][\d.]+) %", result.stdout)
    assert found is not None, result.stdout
    assert float(found[1]) != float(found[2])
    assert len(list((tmp_path / "runs").glob("*.checkpoint"))) == 2


def test_how_near_a_network_can_come_is_measured_by_training_it_on_what_is_judged(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(data_folder))

    def rows(pictures: str, steps: int, channels: int = 64) -> list[tuple[int, float]]:
        arguments = ["--style", "starry-night", "--steps", steps, "--every", "2", "--checkpoint-dir", tmp_path / "runs"]
        result = run_script("bound_styles.py", "--on", pictures, "--channels", channels, *arguments)
        assert result.exit_code == 0, result.stderr
        found = re.findall(rf"^starry-night +{channels} +{pictures} +(\d+) +([\d.]+)$", result.stdout, re.MULTILINE)
        return [(int(step), float(loss)) for step, loss in found]

    known = rows("held-out", 4)
    assert [step for step, _ in known] == [0, 2, 4]
    assert known[-1][1] < known[0][1]
    assert rows("held-out", 4) == [known[-1]]  # what is done is not done again
    others = rows("others", 3)
    assert [step for step, _ in others] == [0, 2, 3]
    assert others[0] == known[0]
    assert others[1] != known[1]
    # A wider network begins with the same pictures and learns others.
    wide = rows("held-out", 2, channels=72)
    assert wide[0] == known[0]
    assert wide[1] != known[1]
    result = run_script("bound_styles.py", "--style", "starry-night", "--channels", 48)
    assert result.exit_code == 1
    assert result.stderr == "bound_styles: a trunk of 48 channels is narrower than the 64 that ship\n"
    # The weights that ship begin where they are measured elsewhere.
    measured = run_script("measure_styles.py", "--style", "starry-night", "--iterations", "1")
    means = measured.stdout.rpartition("means")[2]
    assert float(re.findall(r"[\d.]+", means)[1]) == pytest.approx(known[0][1], abs=1e-3)


def test_stability_of_two_networks_is_measured_on_every_camera_move(
    data_folder: Path, random_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDSTYLE_TEST_DATA", str(data_folder))
    output = tmp_path / "figures.json"
    arguments = ["--pair", random_style, random_style, "--size", "64x40", "--frames", "7", "--json", output]
    picture = data_folder / "paintings" / "bedroom.jpg"
    result = run_script("measure_stability.py", "starry-night", "--picture", picture, *arguments)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(output.read_text())["starry-night"]
    assert [row["move"] for row in rows] == ["pan", "zoom", "rotation"]
    for row in rows:
        trained, untrained = row["errors"]["1"]
        assert trained == untrained > 0
        assert row["swd"][0] == row["swd"][1] > 0
    assert "FAIL: steadier 1.00x at k=1, 1.00x at k=5" in result.stdout


def test_flow_weights_are_measured_against_dis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDSTYLE_TEST_DATA", raising=False)
    weights, output = tmp_path / "random.pth", tmp_path / "figures.json"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save(raft_small(weights=None).state_dict(), weights)
    arguments = [weights, "--size", "64x40", "--samples", "1", "--updates", "1", "--json", output]
    result = run_script("evaluate_flow.py", *arguments)
    assert result.exit_code == 0, result.stderr
    rows = json.loads(output.read_text())
    assert {row["sequence"] for row in rows} == {"lake", "harbour", "pan", "zoom", "rotation", "mean"}
    means = {row["estimator"]: row["error_visible"] for row in rows if row["sequence"] == "mean"}
    assert means["DIS (shipped)"] < 0.5 < means["random"]  # random weights follow nothing
    assert "FAIL: random" in result.stdout


def test_gallery_shows_every_style(random_style: Path, tmp_path: Path) -> None:
    output = tmp_path / "images" / "gallery.jpg"
    result = run_script("make_gallery.py", random_style, "--out", output, "--size", "64", "36")
    assert result.exit_code == 0, result.stderr
    assert "1 styles" in result.stdout
    picture = read_style_image(output)
    assert picture.shape[1] > 2 * 36
    assert picture.std() > 0.1
    assert output.stat().st_size < 700_000


def test_inspection_says_what_it_measures() -> None:
    result = run_script("inspect_styles.py", "--help")
    assert result.exit_code == 0, result.stderr
    assert "python scripts/inspect_styles.py" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inspect_styles.py", "--style", "nonsense"), "inspect_styles: There is no style or file 'nonsense'"),
        (("inspect_styles.py", "--picture", "absent.jpg"), "inspect_styles: absent.jpg"),
        (("measure_adain.py", "--styles", "0"), "got 0; give a number from 1 up"),
        (("measure_adain.py", "--json", "/dev/null/figures.json"), "figures.json cannot be written there"),
        (("measure_adain.py", "--json", "/dev"), "/dev is a folder; name a file in it"),
    ],
)
def test_what_a_script_cannot_use_is_a_sentence_before_it_measures(arguments: tuple[str, ...], said: str) -> None:
    result = run_script(*arguments)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_without_the_data_folder_one_sentence_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDSTYLE_TEST_DATA", raising=False)
    result = run_script("measure_adain.py")
    assert result.exit_code == 1
    assert result.stderr.startswith("measure_adain: set VIDSTYLE_TEST_DATA")
    assert result.stderr.count("\n") == 1
