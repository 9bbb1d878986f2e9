"""Shots with settings of their own: in a render, in a preview, and at the cut between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_factory import sliding, write_frames
from command import Command
from cut_list_factory import event, write_edl, write_otio

import vidstyle as package
from vidstyle.config import make_config
from vidstyle.errors import ConfigError
from vidstyle.media.reader import open_video
from vidstyle.sidecar import read_sidecar
from vidstyle.ui.previews import Previewer

#: The second shot begins here, in the middle of a picture that goes on: nothing but the settings says so.
CUT = 10
NUM_FRAMES = 18


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A texture that slides, without a cut to be seen."""
    return write_frames(tmp_path_factory.mktemp("shots") / "clip.mkv", sliding(NUM_FRAMES))


@pytest.fixture
def paint(clip: Path, painted_style: Path, tmp_path: Path) -> Callable[..., np.ndarray]:
    """Render without loss; (N, 3, H, W) uint8."""

    def run(**settings: Any) -> np.ndarray:
        output = tmp_path / "out.mkv"
        package.stylize(clip, output, overwrite=True, **(lossless(painted_style) | settings))
        with open_video(output) as reader:
            return np.stack([frame.data.numpy() for frame in reader])

    return run


def lossless(style: Path) -> dict[str, Any]:
    return {"style": str(style), "codec": "ffv1", "pixel_format": "bgr0", "flow": "dis", "consistency": 0.9}


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


SHOT = {"start": CUT / 24, "strength": 0.6, "consistency": 0.7, "detail": 0.3}


def test_a_preview_and_the_page_show_what_a_render_makes_in_a_second_shot(
    paint: Callable[..., np.ndarray], clip: Path, painted_style: Path
) -> None:
    whole, plain = paint(shots=[SHOT]), paint()
    settings = lossless(painted_style) | {"shots": [SHOT]}
    shown = CUT + 3
    (cell,) = package.preview(clip, at=(shown + 0.5) / 24, **settings).cells
    assert cell.num_warmup_frames == 3
    assert psnr(cell.stylized.numpy(), whole[shown]) > 45
    assert psnr(plain[shown], whole[shown]) < 40, "the shot changes nothing"
    previewer = Previewer(64 << 20)
    for index in (shown, CUT, CUT - 1, shown):
        page = previewer.frame(clip, (index + 0.5) / 24, make_config(**settings), "parity")
        assert psnr(page.data.numpy(), whole[index]) > 45


def test_nothing_blends_over_the_boundary(paint: Callable[..., np.ndarray]) -> None:
    """The first shot is as without the second, and the second as though the clip began with it."""
    plain, cut, alone = paint(), paint(shots=[{"start": CUT / 24}]), paint(consistency=0.0)
    assert np.array_equal(cut[:CUT], plain[:CUT])
    assert np.array_equal(cut[CUT], alone[CUT])
    assert not np.array_equal(plain[CUT], alone[CUT])


def test_a_part_is_as_in_the_whole(paint: Callable[..., np.ndarray]) -> None:
    whole, part = paint(shots=[SHOT]), paint(shots=[SHOT], start_seconds=0.3)
    assert len(part) == NUM_FRAMES - CUT + 2
    assert all(psnr(a, b) > 45 for a, b in zip(part, whole[CUT - 2 :], strict=True))


def test_a_shot_begins_where_it_does_at_any_rate(paint: Callable[..., np.ndarray]) -> None:
    rate = {"fps": "12", "consistency": 0.0}
    cut = paint(shots=[{"start": CUT / 24, "strength": 0.0}], **rate)
    first = CUT // 2
    assert np.array_equal(cut[:first], paint(**rate)[:first])
    assert np.array_equal(cut[first:], paint(strength=0.0, **rate)[first:])


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_style_for_a_shot(
    paint: Callable[..., np.ndarray], style_picture: Path, adain_model: Path, batch_size: int
) -> None:
    """Also where a shot begins in the middle of a batch: its frames have its style, and as much of it."""
    common = {"consistency": 0.0, "adain_model": adain_model, "batch_size": batch_size}
    own = {"start": CUT / 24, "end": (CUT + 5) / 24, "style": str(style_picture), "style_weight": 0.5}
    painted, plain = paint(shots=[own], **common), paint(**common)
    other = paint(style=str(style_picture), style_weight=0.5, **common)
    assert np.array_equal(painted[:CUT], plain[:CUT])
    assert np.array_equal(painted[CUT + 5 :], plain[CUT + 5 :])
    assert psnr(painted[CUT : CUT + 5], other[CUT : CUT + 5]) > 55
    assert psnr(plain[CUT], other[CUT]) < 30


def test_a_keyframe_that_changes_nothing_leaves_the_filter_alone(paint: Callable[..., np.ndarray]) -> None:
    keys = [{"at": 0, "style_scale": 1.0, "ease": "hold"}, {"at": (CUT + 4) / 24, "style_scale": 2.0}]
    own = {"start": CUT / 24, "style_scale": 1.5}
    whole = {"start": CUT / 24, "style_scale": 2.0}  # the only keyframe within the shot counts all through it
    assert np.array_equal(paint(shots=[own], keyframes=keys), paint(shots=[whole]))


def test_the_colours_of_a_shots_style_are_the_clips(
    paint: Callable[..., np.ndarray], clip: Path, painted_style: Path
) -> None:
    settings = {"preserve_color": "transfer", "consistency": 0.0, "style_scale": 2.0}
    painted = paint(style="identity", shots=[{"start": CUT / 24, "style": str(painted_style)}], **settings)
    assert psnr(painted[CUT:], paint(**settings)[CUT:]) > 55


def test_a_cut_list_from_the_command_line_to_the_sidecar(
    vidstyle: Command, clip: Path, painted_style: Path, tmp_path: Path
) -> None:
    pytest.importorskip("opentimelineio", reason="the extra 'otio' is not installed")
    edl = write_edl(
        tmp_path / "cut.edl",
        event(1, "01:00:00:00", "01:00:00:10", "harbour"),
        event(2, "01:00:00:10", "01:00:00:18", "lake"),
        event(3, "01:00:01:00", "01:00:02:00", "sea"),
    )
    preset, output = tmp_path / "look.toml", tmp_path / "out.mkv"
    preset.write_text(
        f"style = '{painted_style}'\nconsistency = 0\nshots_from = '{edl}'\n[[shots]]\nname = 'lake'\nstrength = 0\n"
    )
    arguments = ("--config", preset, "--codec", "ffv1", "--pix-fmt", "bgr0", "--sidecar")
    done = vidstyle("stylize", clip, output, *arguments)
    assert done.exit_code == 0, done.stderr
    note = "1 of the 3 shots of cut.edl lie past the end of the clip (0.75 s): they have no effect."
    assert done.stdout.count(f"note: {note}") == 2  # in the plan, and in the summary
    with open_video(output) as reader, open_video(clip) as source:
        same = [torch.equal(a.data, b.data) for a, b in zip(reader, source, strict=True)]
    assert same == [False] * CUT + [True] * (NUM_FRAMES - CUT)
    sidecar = read_sidecar(tmp_path / "out.mkv.json")
    assert [Path(file.path).name for file in sidecar.files.values()] == ["cut.edl"]
    assert sidecar.report.cut_seconds == pytest.approx((CUT / 24,), abs=1e-3)
    planned = vidstyle("probe", clip, "--output", tmp_path / "other.mkv", "--config", preset)
    assert f"note: {note}" in planned.stdout

    preset.write_text(f"shots_from = '{edl}'\n[[shots]]\nname = 'lage'\nstrength = 0\n")
    refused = vidstyle("stylize", clip, tmp_path / "no.mkv", "--config", preset)
    assert refused.exit_code == 2
    assert f"'shots.0.name' in preset {preset}, line 3, cannot be 'lage'" in refused.stderr
    assert "did you mean 'lake'?" in refused.stderr
    assert not (tmp_path / "no.mkv").exists()


def test_a_timeline_beside_a_sequence(paint: Callable[..., np.ndarray], clip: Path, tmp_path: Path) -> None:
    """Shots count from the sequence's first file, whichever part is rendered."""
    pytest.importorskip("opentimelineio", reason="the extra 'otio' is not installed")
    pattern = tmp_path / "shot.%04d.png"
    package.stylize(clip, pattern, style="identity", consistency=0.0)
    timeline = write_otio(tmp_path / "cut.otio", [[("a", CUT), ("b", NUM_FRAMES - CUT)]])
    settings = {"style": "mosaic", "consistency": 0.0, "shots_from": timeline}
    shots = [{"name": "a", "strength": 0.0}, {"name": "b", "style": "identity"}]
    package.stylize(pattern, tmp_path / "out.%04d.png", frames=f"{CUT - 2}-{CUT + 2}", shots=shots, **settings)
    written = sorted(tmp_path.glob("out.*.png"))
    assert len(written) == 5
    for path in written:
        same = (cell.stylized for cell in package.preview(path, style="identity").cells)
        original = package.preview(tmp_path / path.name.replace("out", "shot"), style="identity").cells[0].stylized
        assert torch.equal(next(same), original)


def test_shots_that_overlap_are_refused_before_the_first_frame(clip: Path, tmp_path: Path) -> None:
    shots = [{"start": 0.1, "end": 0.4}, {"start": 0.3}]
    with pytest.raises(ConfigError, match=r"Setting 'shots.0.end' cannot be 0.4: the next shot begins at 0.3 s"):
        package.stylize(clip, tmp_path / "out.mkv", style="identity", shots=shots)
    assert not list(tmp_path.iterdir())
