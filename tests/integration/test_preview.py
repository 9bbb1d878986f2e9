"""``vidstyle preview``: the render's own frame, before it is encoded."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest
from fakes import CollectingSink
from PIL import Image

import vidstyle as package
from vidstyle.compose import Composition
from vidstyle.config import make_config
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video
from vidstyle.pipeline.render import render
from vidstyle.temporal.consistency import beta_from_consistency

SIZE = (96, 64)
NUM_FRAMES, CUT = 110, 70


@pytest.fixture(scope="module")
def moving_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two textured shots that pan, with a square that goes its own way: 110 frames, cut at frame 70."""
    path = tmp_path_factory.mktemp("clips") / "moving.mkv"
    random = np.random.default_rng(4)
    grounds = []
    for tint in ((150, 110, 70), (60, 120, 170)):
        coarse = random.normal(0, 45, (30, 60, 1)) + random.normal(0, 12, (30, 60, 3)) + np.array(tint)
        ground = Image.fromarray(coarse.clip(0, 255).astype(np.uint8)).resize((480, 240), Image.Resampling.BICUBIC)
        grounds.append(np.asarray(ground))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "4", "preset": "ultrafast"})
        stream.width, stream.height = SIZE
        for index in range(NUM_FRAMES):
            shot = int(index >= CUT)
            x, y = 20 + 2 * index, 40 + index // 2
            picture = grounds[shot][y : y + SIZE[1], x : x + SIZE[0]].copy()
            left = 10 + (3 * index) % 60
            picture[20:44, left : left + 24] = grounds[1 - shot][100:124, 100:124]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture))))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module", params=[0.9, 1.0])
def rendered(request: pytest.FixtureRequest, moving_clip: Path, painted_style: Path) -> tuple[float, list[VideoFrame]]:
    """A consistency, and every frame of the full render as the encoder would get it."""
    composition = Composition.load(make_config(style=str(painted_style), consistency=request.param, flow="dis"))
    sink = CollectingSink()
    with open_video(moving_clip) as reader:
        render(reader, sink, composition.painter(SIZE, Fraction(24), composition.flow()))
    return request.param, sink.frames


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


@pytest.mark.parametrize("index", [0, 25, 60, CUT - 1, CUT, CUT + 1, CUT + 12, NUM_FRAMES - 1])
def test_a_preview_is_the_frame_of_the_full_render(
    rendered: tuple[float, list[VideoFrame]], moving_clip: Path, painted_style: Path, index: int
) -> None:
    consistency, frames = rendered
    report = package.preview(
        moving_clip, at=frames[index].seconds + 0.02, style=str(painted_style), consistency=consistency, flow="dis"
    )
    (cell,) = report.cells
    assert cell.shown_seconds == pytest.approx(frames[index].seconds)
    assert psnr(cell.stylized.numpy(), frames[index].data.numpy()) > 45
    shot_start = CUT if index >= CUT else 0
    assert cell.num_warmup_frames <= index - shot_start
    if cell.num_warmup_frames < index - shot_start:
        assert beta_from_consistency(consistency) ** cell.num_warmup_frames <= 0.01


def test_the_filter_matters_on_this_clip(
    rendered: tuple[float, list[VideoFrame]], moving_clip: Path, painted_style: Path
) -> None:
    _, frames = rendered
    (cell,) = package.preview(moving_clip, at=2.5, style=str(painted_style), consistency=0.0).cells
    assert psnr(cell.stylized.numpy(), frames[60].data.numpy()) < 40


def test_a_render_of_a_part_begins_as_the_whole_render_goes_on(
    rendered: tuple[float, list[VideoFrame]], moving_clip: Path, painted_style: Path
) -> None:
    consistency, whole = rendered
    config = make_config(style=str(painted_style), consistency=consistency, flow="dis", start_seconds=60 / 24)
    composition = Composition.load(config)
    sink = CollectingSink()
    with open_video(moving_clip, start_seconds=60 / 24, end_seconds=3.1, warmup_frames=90) as reader:
        stats = render(
            reader,
            sink,
            composition.painter(SIZE, Fraction(24), composition.flow()),
            first_seconds=reader.first_seconds,
        )
    assert [frame.pts * frame.time_base for frame in sink.frames][:2] == [0, Fraction(42, 1000)]
    assert len(sink.frames) == stats.num_frames == 15
    assert all(psnr(a.data.numpy(), b.data.numpy()) > 45 for a, b in zip(sink.frames, whole[60:], strict=False))
    assert stats.cut_seconds == [pytest.approx((CUT - 60) / 24, abs=1e-3)]


def test_a_part_is_warmed_up_by_the_command(
    vidstyle, rendered: tuple[float, list[VideoFrame]], moving_clip: Path, painted_style: Path, tmp_path: Path
) -> None:
    consistency, whole = rendered
    output = tmp_path / "part.mkv"
    arguments = ("--style", painted_style, "--consistency", consistency, "--flow", "dis", "--frames", "60-62")
    assert vidstyle("stylize", moving_clip, output, *arguments, "--codec", "ffv1", "--pix-fmt", "bgr0").exit_code == 0
    pictures = factory.rgb_frames(output)
    assert len(pictures) == 3
    assert psnr(pictures[0].transpose(2, 0, 1), whole[60].data.numpy()) > 45


def test_a_preview_of_a_part_is_the_whole_render_s_frame(moving_clip: Path, painted_style: Path) -> None:
    settings = {"style": str(painted_style), "consistency": 0.9, "flow": "dis"}
    (cell,) = package.preview(moving_clip, at=2.5, start_seconds=2.4, **settings).cells
    (same,) = package.preview(moving_clip, at=2.5, **settings).cells
    assert cell.num_warmup_frames > 3
    assert cell.stylized.equal(same.stylized)


def test_moments_count_from_the_first_frame(painted_style: Path, tmp_path: Path) -> None:
    late = factory.make_clip(tmp_path / "late.mkv", pts=range(8300, 9300, 40), time_base=factory.MS, rate=25)
    (cell,) = package.preview(late, at=0.5, style="identity", consistency=0.0).cells
    assert (cell.at_seconds, cell.shown_seconds) == (0.5, pytest.approx(0.48))
    assert np.abs(cell.stylized.permute(1, 2, 0).numpy().astype(int) - factory.picture(12)).mean() < 2.5


def test_the_picture_shows_before_beside_after(
    vidstyle, moving_clip: Path, painted_style: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.png"
    done = vidstyle("preview", moving_clip, output, "--at", "0:01.5", "--style", painted_style)
    assert done.exit_code == 0
    assert re.search(r"untrained at 1.5 s: frame of 1\.500 s, warmed up over \d+ frames", done.stdout)
    assert "flow: DIS" in done.stdout
    (cell,) = package.preview(moving_clip, at=1.5, style=str(painted_style)).cells
    with Image.open(output) as sheet:
        picture = np.asarray(sheet)
    bottom = picture[-SIZE[1] :]
    assert np.array_equal(bottom[:, : SIZE[0]], cell.original.permute(1, 2, 0).numpy())
    assert np.array_equal(bottom[:, -SIZE[0] :], cell.stylized.permute(1, 2, 0).numpy())


def test_moments_and_styles_make_a_contact_sheet(
    vidstyle, moving_clip: Path, painted_style: Path, tmp_path: Path
) -> None:
    arguments = ("--at", "0.5", "--at", "1", "--at", "3.2", "--style", painted_style, "--style", "identity")
    done = vidstyle("preview", moving_clip, tmp_path / "sheet.png", *arguments, "--consistency", "0")
    assert done.exit_code == 0
    assert done.stdout.count("warmed up over") == 6
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 3 * SIZE[0]
        assert sheet.height > 3 * SIZE[1]


def test_a_still_can_be_previewed(vidstyle, style_picture: Path, painted_style: Path, tmp_path: Path) -> None:
    done = vidstyle("preview", style_picture, tmp_path / "out.jpg", "--style", painted_style, "--style", "identity")
    assert done.exit_code == 0
    assert (tmp_path / "out.jpg").stat().st_size > 0


def test_size_applies_to_both_pictures(moving_clip: Path) -> None:
    (cell,) = package.preview(moving_clip, at=0, style="identity", size="50%").cells
    assert cell.original.shape == cell.stylized.shape == (3, 32, 48)


@pytest.mark.parametrize("at", ["4.6", "100", "1:00:00"])
def test_a_moment_past_the_end(vidstyle, moving_clip: Path, tmp_path: Path, at: str) -> None:
    done = vidstyle("preview", moving_clip, tmp_path / "out.png", "--at", at, "--style", "identity")
    assert done.exit_code == 1
    asked = {"1:00:00": "3600"}.get(at, at)
    assert f"{asked} s" in done.stderr
    assert "4.58" in done.stderr
    assert not list(tmp_path.iterdir())
