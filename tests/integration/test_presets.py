"""Every preset into every kind of file: it works, or one good sentence says where it would."""

from __future__ import annotations

from pathlib import Path

import av
import media_factory as factory
import pytest

import vidstyle
from vidstyle.config import make_config, shipped_presets
from vidstyle.errors import ConfigError

CONTAINERS = ("mp4", "mov", "mkv", "webm")
#: What each preset writes into each container; None is refused.
PRESETS = {
    "archive": (None, None, "ffv1", None),
    "film": (None, "prores", "prores", None),
    "preview": ("h264", "h264", "h264", "vp9"),
    "realtime": ("h264", "h264", "h264", "vp9"),
    "web": ("h264", "h264", "h264", "vp9"),
}
PRESET_TABLE = [(p, c, codec) for p, codecs in PRESETS.items() for c, codec in zip(CONTAINERS, codecs, strict=True)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return factory.make_clip(tmp_path_factory.mktemp("clip") / "clip.mkv", num_frames=4, audio="aac")


def test_the_table_is_complete() -> None:
    assert sorted(PRESETS) == shipped_presets()


@pytest.mark.parametrize(("preset", "container", "codec"), PRESET_TABLE)
def test_a_preset_suits_the_container_or_is_refused(
    clip: Path, tmp_path: Path, preset: str, container: str, codec: str | None
) -> None:
    output = tmp_path / f"out.{container}"
    config = make_config(preset, style="identity", flow="none", size="64x48")
    if codec is None:
        with pytest.raises(ConfigError, match=r"cannot carry .*write to \.m") as refused:
            vidstyle.stylize(clip, output, config=config)
        assert str(refused.value).count(".mkv") == 1
        assert list(tmp_path.iterdir()) == []
        return

    report = vidstyle.stylize(clip, output, config=config)

    assert report.num_frames == 4
    with av.open(str(output)) as written:
        context = written.streams.video[0].codec_context
        assert context.codec.canonical_name == codec
        if preset == "film":
            assert context.pix_fmt == "yuv422p10le"


def test_flags_win_over_the_container_s_table() -> None:
    assert make_config("web").encoding(".webm").codec == "libvpx-vp9"
    assert make_config("web", crf=40).encoding(".webm").crf == 40
    assert make_config("web", bitrate="2M").encoding(".webm").crf is None
    # Another codec has no use for what the preset says to its own.
    other = make_config("web", codec="ffv1")
    assert (other.encoding(".webm").codec, other.crf, other.encoder_preset) == ("ffv1", None, None)


def test_the_encoder_is_controlled_from_the_command_line(vidstyle, clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    flags = ("--style", "identity", "--flow", "none", "--bitrate", "300k", "-x", "g=2", "-x", "x264-params=bframes=0")

    done = vidstyle("stylize", clip, output, *flags)

    assert done.exit_code == 0, done.stderr
    with av.open(str(output)) as written:
        keys = [packet.is_keyframe for packet in written.demux(video=0) if packet.size]
    assert keys == [True, False, True, False]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("-x", "g"), "KEY=VALUE"),
        (("-x", "gop-size=2"), "no option 'gop-size'"),
        (("--crf", "20", "--bitrate", "8M"), "exclude each other"),
        (("--bitrate", "fast"), "8M"),
        (("--codec", "libx246"), "libx264"),
        (("-x", "x264-params=frobnicate=1"), "frobnicate"),
    ],
)
def test_mistakes_are_refused_before_the_first_frame(
    vidstyle, clip: Path, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    done = vidstyle("stylize", clip, tmp_path / "out.mp4", "--style", "identity", *flags)

    assert done.exit_code != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_missing_hardware_is_told_in_the_plan_and_the_report(vidstyle, clip: Path, tmp_path: Path) -> None:
    flags = ("--style", "identity", "--flow", "none", "--codec", "h264_videotoolbox")
    done = vidstyle("stylize", clip, tmp_path / "out.mp4", *flags)

    assert done.exit_code == 0, done.stderr
    if "by h264_videotoolbox" not in done.stdout:
        assert "encoded with libx264 instead" in done.stdout
