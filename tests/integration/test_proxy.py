"""``vidstyle preview``: strengths, comparisons, proxy clips, and the estimate of the full render."""

from __future__ import annotations

from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest
from PIL import Image

import vidstyle as package
from vidstyle.errors import ConfigError

LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0", "flow": "dis", "consistency": 0.5}


@pytest.fixture(scope="module")
def large_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames whose shorter side is longer than a proxy's."""
    path = tmp_path_factory.mktemp("clips") / "large.mp4"
    return factory.make_clip(path, size=(408, 720), num_frames=12)


def test_strengths_make_rows_of_one_painting(vidstyle, clip_mp4: Path, painted_style: Path, tmp_path: Path) -> None:
    settings = {"style": str(painted_style), "flow": "dis"}
    report = package.preview(clip_mp4, tmp_path / "sheet.png", at=[0.5, 1.5], strength=[0.3, 1], **settings)
    assert [(cell.strength, cell.at_seconds) for cell in report.cells] == [
        (0.3, 0.5),
        (0.3, 1.5),
        (1.0, 0.5),
        (1.0, 1.5),
    ]
    for cell in report.cells:
        (alone,) = package.preview(clip_mp4, at=cell.at_seconds, strength=cell.strength, **settings).cells
        assert cell.stylized.equal(alone.stylized)
        assert alone.strength is None
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 3 * 48
    arguments = (
        "--at",
        1,
        "--strength",
        0.5,
        "--strength",
        1,
        "-s",
        painted_style,
        "-s",
        "identity",
        "--consistency",
        0,
    )
    done = vidstyle("preview", clip_mp4, tmp_path / "both.png", *arguments, "--no-estimate")
    assert done.exit_code == 0, done.stderr
    assert [line.split(" at ")[0] for line in done.stdout.splitlines()[:4]] == [
        "untrained, 0.5", "untrained, 1", "identity, 0.5", "identity, 1"
    ]  # fmt: skip
    assert "full render" not in done.stdout


def test_strengths_of_a_still(style_picture: Path, painted_style: Path) -> None:
    none, full = package.preview(style_picture, strength=[0, 1], style=str(painted_style)).cells
    assert none.stylized.equal(none.original)
    assert full.stylized.equal(package.preview(style_picture, style=str(painted_style)).cells[0].stylized)


def test_strengths_that_change_over_time_are_not_compared(clip_mp4: Path) -> None:
    keys = [{"at": 0, "strength": 0.0}, {"at": 1, "strength": 1.0}]
    with pytest.raises(ConfigError, match="changes strength over time"):
        package.preview(clip_mp4, strength=[0.2, 0.8], keyframes=keys, style="identity")


@pytest.mark.parametrize("compare", ["side", "wipe", "diff"])
def test_comparisons(vidstyle, clip_mp4: Path, painted_style: Path, tmp_path: Path, compare: str) -> None:
    arguments = ("--style", painted_style, "--consistency", 0, "--no-estimate", "--compare", compare)
    assert vidstyle("preview", clip_mp4, tmp_path / "one.png", *arguments, "--at", 1).exit_code == 0
    assert vidstyle("preview", clip_mp4, tmp_path / "two.png", *arguments, "--at", 0, "--at", 1).exit_code == 0
    with Image.open(tmp_path / "one.png") as picture, Image.open(tmp_path / "two.png") as sheet:
        assert (picture.size == (64, 48)) == (compare == "wipe")
        assert sheet.width > 2 * 64
        assert (sheet.height > 2 * 48) == (compare != "wipe"), "originals in a row of their own, but beside a wipe"


def test_an_unknown_comparison(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("preview", clip_mp4, tmp_path / "one.png", "--compare", "dif")
    assert done.exit_code == 2
    assert "did you mean diff" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_proxy_is_a_piece_of_the_render(vidstyle, clip_mp4: Path, painted_style: Path, tmp_path: Path) -> None:
    """With its sound, and keyframes that count from the clip's first frame."""
    settings = LOSSLESS | {"style": str(painted_style)}
    settings["keyframes"] = [{"at": 0.5, "strength": 0.0}, {"at": 1.5, "strength": 1.0}]
    package.stylize(clip_mp4, tmp_path / "whole.mkv", **settings)
    report = package.preview(clip_mp4, tmp_path / "piece.mkv", at=1.01, clip_seconds=0.5, **settings)
    whole, piece = factory.rgb_frames(tmp_path / "whole.mkv"), factory.rgb_frames(tmp_path / "piece.mkv")
    assert report.clip is not None
    assert (report.sheet, report.cells, report.clip.num_frames, report.clip.notes) == (None, (), 12, ())
    assert len(piece) == 12
    error = np.square(piece.astype(float) - whole[24:36]).mean()
    assert error < 2, "above 45 dB"
    with av.open(str(tmp_path / "piece.mkv")) as container:
        sound = [packet for packet in container.demux(audio=0) if packet.size]
        assert 0.4 < float(sum(packet.duration for packet in sound) * container.streams.audio[0].time_base) < 0.6


@pytest.mark.parametrize(
    ("arguments", "size"),
    [((), (360, 636)), (("--compare", "side"), (724, 682)), (("--compare", "wipe", "--size", "50%"), (204, 360)),
     (("--compare", "diff", "--size", "96w"), (96, 192))],
)  # fmt: skip
def test_the_size_of_a_proxy(
    vidstyle, large_clip: Path, tmp_path: Path, arguments: tuple[str, ...], size: tuple[int, int]
) -> None:
    output = tmp_path / "look.mp4"
    done = vidstyle("preview", large_clip, output, "--clip", 0.1, "--style", "identity", "--no-estimate", *arguments)
    assert done.exit_code == 0, done.stderr
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == size
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert len(list(container.decode(video=0))) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["look.mp4"]


def test_a_proxy_of_what_is_left(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    done = vidstyle("preview", clip_mp4, tmp_path / "out.mp4", "--clip", 3, "--at", 1.75, "--style", "identity")
    assert done.exit_code == 0
    assert "note: From 1.75 s on 0.25 s are left" in done.stdout
    assert len(factory.rgb_frames(tmp_path / "out.mp4")) == 6


def test_a_proxy_of_a_sequence(tmp_path: Path, painted_style: Path) -> None:
    for index in range(12):
        Image.fromarray(factory.picture(index)).save(tmp_path / f"shot.{index + 1001}.png")
    report = package.preview(
        tmp_path / "shot.%04d.png", tmp_path / "out.mkv", at=0.26, clip_seconds=0.125, estimate=True, **LOSSLESS,
        style=str(painted_style),
    )  # fmt: skip
    assert len(factory.rgb_frames(tmp_path / "out.mkv")) == 3
    assert report.estimates[0].num_frames == 12
    (cell,) = package.preview(
        tmp_path / "shot.%04d.png", at=0.26, style=str(painted_style), flow="dis", consistency=0.5
    ).cells
    assert cell.stylized.permute(1, 2, 0).numpy() == pytest.approx(factory.rgb_frames(tmp_path / "out.mkv")[0], abs=1)


#: Output, arguments, exit code, and what must be said.
REFUSED = {
    "a picture": ("out.png", ("--clip", 1), 1, "out.png is not a video"),
    "a sequence": ("out.%04d.png", ("--clip", 1), 1, "is not a video"),
    "no container": ("out.xyz", ("--clip", 1), 1, ".xyz"),
    "no seconds": ("out.mp4", ("--clip", 0), 2, "longer than 0 s"),
    "negative seconds": ("out.mp4", ("--clip", -1), 2, "not a time"),
    "past the end": ("out.mp4", ("--clip", 1, "--at", 9), 1, "9 s"),
    "two moments": ("out.mp4", ("--clip", 1, "--at", 0, "--at", 1), 2, "one of each"),
    "two strengths": ("out.mp4", ("--clip", 1, "--strength", 0, "--strength", 1), 2, "one of each"),
    "outside of the range": ("out.mp4", ("--clip", 1, "--at", 1, "--config", "range.toml"), 2, "outside the range"),
    "an unknown comparison": ("out.mp4", ("--clip", 1, "--compare", "sid"), 2, "did you mean side"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_proxies_that_cannot_be(
    vidstyle, clip_mp4: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("range.toml").write_text("end_seconds = 0.5\n")
    output, arguments, exit_code, said = REFUSED[case]
    done = vidstyle("preview", clip_mp4, output, "--style", "identity", *arguments)
    assert done.exit_code == exit_code
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["range.toml"]


def test_a_still_has_no_proxy(vidstyle, style_picture: Path, tmp_path: Path) -> None:
    done = vidstyle("preview", style_picture, tmp_path / "out.mp4", "--clip", 1)
    assert done.exit_code == 1
    assert "is a picture, which has no seconds" in done.stderr


def test_an_existing_proxy_is_kept(vidstyle, clip_mp4: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    output.write_bytes(b"mine")
    arguments = ("preview", clip_mp4, output, "--clip", 0.1, "--style", "identity")
    done = vidstyle(*arguments)
    assert done.exit_code == 1
    assert "--overwrite" in done.stderr
    assert output.read_bytes() == b"mine"
    assert vidstyle(*arguments, "-y").exit_code == 0


def test_a_proxy_has_a_name(clip_mp4: Path) -> None:
    with pytest.raises(ConfigError, match="a name to be written to"):
        package.preview(clip_mp4, clip_seconds=1.0)


@pytest.mark.parametrize(
    "settings",
    [{"at": 1.0}, {"at": 0.0, "consistency": 0.0}, {"at": [0.2, 1.0]}, {"clip_seconds": 1.0},
     {"clip_seconds": 1.0, "compare": "side"}],
    ids=str,
)  # fmt: skip
def test_the_estimate_is_near_the_render(
    clip_mp4: Path, painted_style: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    style = {"style": str(painted_style), "flow": "dis"}
    output = tmp_path / "look.mp4" if "clip_seconds" in settings else None
    (found,) = package.preview(clip_mp4, output, estimate=True, **style, **settings).estimates
    render = package.stylize(clip_mp4, tmp_path / "out.mp4", **style)
    assert (found.num_frames, found.size, found.suffix) == (48, (64, 48), ".mp4")
    assert found.frames_per_second is not None
    assert found.frames_per_second > 0
    assert found.memory_bytes is None or found.memory_bytes > 10_000_000
    assert found.output_bytes == pytest.approx(render.output.stat().st_size, rel=0.5)
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]


def test_estimates_of_several_styles_and_of_what_cannot_be_measured(
    vidstyle, clip_mp4: Path, style_picture: Path, painted_style: Path, tmp_path: Path
) -> None:
    arguments = ("--style", "identity", "--style", painted_style, "--consistency", 0, "--size", "50%")
    done = vidstyle("preview", clip_mp4, tmp_path / "a.png", *arguments)
    lines = [line for line in done.stdout.splitlines() if line.startswith("full render")]
    assert [line.split(":")[0] for line in lines] == ["full render in identity", "full render in untrained"]
    assert all("48 frames of 32x24" in line for line in lines)
    still = vidstyle("preview", style_picture, tmp_path / "b.png", "--style", "identity")
    assert still.exit_code == 0
    assert "full render" not in still.stdout


def test_a_bitrate_is_the_estimate(clip_mp4: Path) -> None:
    settings = {"style": "identity", "consistency": 0.0, "audio": "drop", "estimate": True}
    (found,) = package.preview(clip_mp4, at=1.0, bitrate="400k", **settings).estimates
    assert found.output_bytes == pytest.approx(2 * 400_000 / 8, rel=0.01)
