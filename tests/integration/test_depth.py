"""More than 8 bits, HDR and opacity, from decoder to encoder."""

from __future__ import annotations

from pathlib import Path

import av
import media_factory as factory
import numpy as np
import pytest
import torch
from deep_factory import LOSSLESS, codes, color, gradients, make_deep_clip, opacity, stored_as

import vidstyle
from vidstyle.errors import ConfigError
from vidstyle.frames import VideoFrame
from vidstyle.media import open_video
from vidstyle.report import RenderReport


def identity(source: Path, output: Path, **settings) -> RenderReport:
    return vidstyle.stylize(source, output, style="identity", consistency=0.0, **settings)


def frames(path: Path, **options) -> list[VideoFrame]:
    with open_video(path, **options) as reader:
        return [item for item in reader if isinstance(item, VideoFrame)]


def error(path: Path, wanted: np.ndarray) -> float:
    """Mean absolute error of the first frame against RGB in [0, 1]."""
    data = frames(path)[0].data.numpy()
    return float(np.abs(data / np.iinfo(data.dtype).max - wanted).mean())


@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("matrix", ["smpte170m", "bt2020nc"])
@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [
        ("libx264", "yuv420p", (64, 48)),
        ("libx264", "yuv422p", (64, 47)),
        ("libx264", "yuv444p", (65, 47)),
        ("ffv1", "yuv420p", (65, 47)),
        ("libx264", "yuv420p10le", (64, 48)),
        ("libx264", "yuv422p10le", (64, 47)),
        ("ffv1", "yuv444p10le", (65, 47)),
        ("ffv1", "yuv420p12le", (65, 47)),
    ],
)
def test_identity_returns_every_code_and_tag(tmp_path, codec, pixel_format, size, matrix, value_range):
    tags = color(matrix, value_range)
    source = make_deep_clip(tmp_path / "in.mkv", pixel_format, codec=codec, tags=tags, size=size, noisy=True)
    given = {k: v for k, v in LOSSLESS.get(codec, {}).items() if k != "preset"}

    identity(source, tmp_path / "out.mkv", codec=codec, pixel_format=pixel_format, encoder_options=given)

    for before, after in zip(codes(source), codes(tmp_path / "out.mkv"), strict=True):
        assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    assert factory.stored_color(tmp_path / "out.mkv") == factory.stored_color(source)
    with open_video(tmp_path / "out.mkv") as reader:
        assert reader.info.color == tags


@pytest.mark.parametrize(
    ("codec", "name", "pixel_format"),
    [
        ("libx264", "in.mp4", "yuv420p10le"),
        ("libx265", "in.mp4", "yuv420p10le"),
        ("libx265", "in.mp4", "yuv422p12le"),
        ("libsvtav1", "in.mp4", "yuv420p10le"),
        ("prores_ks", "in.mov", "yuv422p10le"),
        ("dnxhd", "in.mov", "yuv422p10le"),
        ("ffv1", "in.mkv", "gbrp12le"),
        ("ffv1", "in.mkv", "gbrp16le"),
    ],
)
def test_deep_sources_are_read_deep(tmp_path, codec, name, pixel_format):
    size = (256, 128)
    source = make_deep_clip(tmp_path / name, pixel_format, codec=codec, size=size, num_frames=1)

    frame = frames(source)[0]

    assert frame.data.dtype == torch.uint16
    assert np.abs(frame.data.numpy() / 65535 - gradients(*size)).mean() < 1 / 255
    green = frame.data[1].view(torch.int16).to(torch.int32) & 0xFFFF
    assert (green % 257 != 0).float().mean() > 0.9  # not 8 bits in disguise


@pytest.mark.parametrize(
    ("output", "settings", "pixel_format"),
    [
        ("out.mp4", {}, "yuv422p10le"),
        ("out.mp4", {"codec": "libx265"}, "yuv422p10le"),
        ("out.mp4", {"codec": "libsvtav1"}, "yuv420p10le"),
        ("out.mov", {"codec": "prores_ks"}, "yuv422p10le"),
        ("out.mov", {"codec": "prores_ks", "encoder_options": {"profile": "4444"}}, "yuv444p12le"),
        ("out.mov", {"codec": "dnxhd"}, "yuv422p10le"),
        ("out.mkv", {"codec": "ffv1"}, "yuv422p10le"),
        ("out.mkv", {"codec": "ffv1", "pixel_format": "gbrp16le"}, "gbrp16le"),
        ("out.mkv", {"codec": "ffv1", "pixel_format": "rgb48le"}, "gbrp16le"),
        ("out.webm", {}, "yuv422p"),
    ],
)
def test_the_output_is_as_deep_as_the_source(tmp_path, output, settings, pixel_format):
    size = (256, 128)
    source = make_deep_clip(tmp_path / "in.mkv", "yuv422p10le", size=size, num_frames=1)

    report = identity(source, tmp_path / output, **settings)

    assert stored_as(tmp_path / output) == pixel_format
    assert error(tmp_path / output, gradients(*size)) < 1 / 255
    if output == "out.webm":
        assert any("10 bits" in note and "keeps 8" in note for note in report.notes)
    elif output == "out.mp4" and settings.get("codec") != "libsvtav1":
        assert any("--pix-fmt yuv420p plays everywhere" in note for note in report.notes)


@pytest.mark.parametrize(
    ("settings", "pixel_format"),
    [
        ({"style": "mosaic"}, "gbrp10le"),
        ({"style": "identity"}, "yuv422p10le"),
        ({"style": "mosaic", "strength": 0.0}, "yuv422p10le"),
        ({"style": "mosaic", "keyframes": [{"at": 0, "strength": 0.0}, {"at": 1, "strength": 1.0}]}, "yuv422p10le"),
        ({"style": "mosaic", "shots": [{"start": 0, "style": "identity"}]}, "yuv422p10le"),
        ({"style": "identity", "regions": [{"mask": "m.png", "style": "mosaic"}]}, "yuv422p10le"),
        ({"style": "mosaic", "regions": [{"mask": "m.png", "style": "identity"}]}, "gbrp10le"),
    ],
)
def test_what_is_painted_is_archived_as_rgb_and_what_is_not_as_it_came(tmp_path, settings, pixel_format):
    source = make_deep_clip(tmp_path / "in.mkv", "yuv422p10le", num_frames=1)

    assert vidstyle.plan(source, tmp_path / "out.mkv", codec="ffv1", **settings).pixel_format == pixel_format


@pytest.mark.parametrize(("pixel_format", "steps"), [("gbrp10le", 300), ("gbrp16le", 1500)])
def test_no_step_of_the_way_has_eight_bits(tmp_path, pixel_format, steps):
    size = (1600, 16)
    source = make_deep_clip(tmp_path / "in.mkv", pixel_format, size=size, num_frames=1)

    identity(source, tmp_path / "out.mkv", codec="ffv1")

    assert stored_as(tmp_path / "out.mkv") == pixel_format
    red = codes(tmp_path / "out.mkv")[0][2][0]
    assert np.unique(red).size > steps
    assert all((old == new).all() for old, new in zip(codes(source)[0], codes(tmp_path / "out.mkv")[0], strict=True))


@pytest.mark.parametrize(
    ("output", "settings"),
    [
        ("out.mp4", {"crf": 1}),
        ("out.mp4", {"codec": "libx265", "crf": 1}),
        ("out.mov", {"codec": "prores_ks"}),
        ("out.mov", {"codec": "dnxhd"}),
    ],
)
def test_lossy_outputs_have_more_than_eight_bits_of_levels(tmp_path, output, settings):
    size = (1600, 128)
    source = make_deep_clip(tmp_path / "in.mkv", "yuv422p10le", size=size, num_frames=1)

    identity(source, tmp_path / output, **settings)

    luma = codes(tmp_path / output)[0][0]
    assert np.unique(luma).size > 400  # of 876 from black to white; 219 in 8 bits
    assert (luma % 4 != 0).mean() > 0.7


def test_eight_bit_sources_keep_the_painters_precision_in_deep_outputs(tmp_path):
    source = factory.make_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="bgr0", num_frames=1)

    identity(source, tmp_path / "out.mkv", codec="ffv1", pixel_format="gbrp16le", size="256x192")

    green = frames(tmp_path / "out.mkv")[0].data[1].to(torch.float32)
    assert (green % 257 != 0).float().mean() > 0.5


@pytest.mark.parametrize(("codec", "pixel_format"), [("libx264", "yuv420p"), ("ffv1", "yuv420p")])
def test_eight_bit_sources_stay_eight_bit(tmp_path, codec, pixel_format):
    source = factory.make_clip(tmp_path / "in.mp4", num_frames=2)

    report = identity(source, tmp_path / "out.mkv", codec=codec)

    assert stored_as(tmp_path / "out.mkv") == pixel_format
    assert not report.notes


def test_a_deep_clip_as_gif_and_on_a_sheet(tmp_path):
    source = make_deep_clip(tmp_path / "in.mkv", "yuv444p10le")

    identity(source, tmp_path / "out.gif")
    shown = vidstyle.preview(source, style="identity", consistency=0.0, size="50%")

    assert shown.cells[0].original.dtype == torch.uint8
    assert error(tmp_path / "out.gif", gradients(64, 48)) < 6 / 255
    assert shown.sheet.dtype == torch.uint8


HDR = "hdr10=1:master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50):max-cll=1000,400"


@pytest.fixture(scope="module")
def hdr10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hdr") / "in.mp4"
    parameters = f"{LOSSLESS['libx265']['x265-params']}:{HDR}"
    tags = color("bt2020nc", transfer="smpte2084")
    return make_deep_clip(path, "yuv420p10le", codec="libx265", tags=tags, options={"x265-params": parameters})


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv444p10le"])
def test_hdr_goes_to_the_style_and_back_within_a_code(tmp_path, transfer, value_range, pixel_format):
    tags = color("bt2020nc", value_range, transfer)
    source = make_deep_clip(tmp_path / "in.mkv", pixel_format, tags=tags)

    report = identity(source, tmp_path / "out.mkv", codec="ffv1", pixel_format=pixel_format)

    for before, after in zip(codes(source), codes(tmp_path / "out.mkv"), strict=True):
        assert np.abs(before[0] - after[0]).max() <= 1
        assert max(np.abs(old - new).mean() for old, new in zip(before, after, strict=True)) < 0.4
    assert factory.stored_color(tmp_path / "out.mkv") == factory.stored_color(source)
    assert any("HDR" in note for note in report.notes)


def test_the_style_sees_a_display_picture(tmp_path):
    tags = color("bt2020nc", transfer="smpte2084")
    source = make_deep_clip(tmp_path / "in.mkv", "yuv444p10le", tags=tags, num_frames=1)

    shown = frames(source)[0].data.numpy() / 65535

    # 58 % of PQ is reference white, which an SDR display has near 75 %.
    assert shown[np.abs(gradients(64, 48) - 0.5806) < 0.005] == pytest.approx(0.749, abs=0.01)


@pytest.mark.parametrize("codec", ["libx265", "libx264", "libsvtav1"])
def test_mastering_display_and_light_levels_are_kept(tmp_path, hdr10, codec):
    identity(hdr10, tmp_path / "out.mp4", codec=codec)

    assert factory.stored_color(tmp_path / "out.mp4") == factory.stored_color(hdr10)
    with open_video(hdr10) as before, open_video(tmp_path / "out.mp4") as after:
        assert before.hdr is not None
        assert after.hdr is not None
        assert (after.hdr.max_content_light, after.hdr.max_average_light) == (1000, 400)
        assert before.hdr.mastering is not None
        assert after.hdr.mastering is not None
        units = [float(v) for hdr in (before.hdr, after.hdr) for xy in hdr.mastering.primaries for v in xy]
        assert units[:6] == pytest.approx(units[6:], abs=1e-4)
        assert float(after.hdr.mastering.max_luminance) == pytest.approx(1000)
        assert float(after.hdr.mastering.min_luminance) == pytest.approx(0.005, abs=1e-4)
        assert before.curve is not None
        assert before.curve.peak == 1000


def test_encoder_parameters_of_the_user_stay_beside_the_metadata(tmp_path, hdr10):
    identity(hdr10, tmp_path / "out.mkv", codec="libx265", encoder_options={"x265-params": "keyint=1:max-cll=900,300"})

    with open_video(tmp_path / "out.mkv") as reader:
        assert reader.hdr is not None
        assert reader.hdr.max_content_light == 900
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert all(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


def test_what_hdr_loses_is_said(tmp_path, hdr10):
    eight = identity(hdr10, tmp_path / "out.mp4", pixel_format="yuv420p")
    master = identity(hdr10, tmp_path / "out.mov", codec="prores_ks")

    assert any("8 bits shows bands" in note for note in eight.notes)
    assert any("cannot carry the HDR metadata" in note for note in master.notes)


ALPHA_OUTPUTS = [
    ("out.mov", {"codec": "prores_ks"}, "yuva444p12le", 2e-3),
    ("out.mkv", {"codec": "ffv1"}, "yuva444p12le", 3e-4),
    ("out.webm", {}, "yuv420p", 6e-3),
    ("out.mkv", {"codec": "libvpx-vp9"}, "yuv420p", 6e-3),
]


@pytest.mark.parametrize(("output", "settings", "pixel_format", "tolerance"), ALPHA_OUTPUTS)
def test_opacity_is_kept_on_request(tmp_path, output, settings, pixel_format, tolerance):
    source = make_deep_clip(tmp_path / "in.mkv", "yuva444p12le", num_frames=1)

    identity(source, tmp_path / output, alpha="keep", **settings)

    frame = frames(tmp_path / output, alpha="keep")[0]
    assert stored_as(tmp_path / output) == pixel_format  # FFmpeg's own VP9 decoder does not show opacity
    assert frame.alpha is not None
    assert frame.alpha.shape == (1, 48, 64)
    assert frame.alpha.dtype == frame.data.dtype
    alpha = frame.alpha.numpy() / np.iinfo(frame.alpha.numpy().dtype).max
    assert np.abs(alpha - opacity(64, 48)).mean() < tolerance
    assert error(tmp_path / output, gradients(64, 48)) < 2 / 255


def test_opacity_follows_the_size_and_the_orientation_of_the_picture(tmp_path):
    source = make_deep_clip(tmp_path / "in.mkv", "yuva444p", num_frames=1)

    identity(source, tmp_path / "out.mkv", alpha="keep", codec="ffv1", size="128x96")

    frame = frames(tmp_path / "out.mkv", alpha="keep")[0]
    assert frame.alpha is not None
    assert frame.alpha.dtype == torch.uint8
    assert np.abs(frame.alpha.numpy() / 255 - opacity(128, 96)).mean() < 0.01


def test_opacity_hidden_in_vp9_is_found_again_or_left_out_for_good(tmp_path):
    source = make_deep_clip(tmp_path / "in.webm", "yuva420p", codec="libvpx-vp9", num_frames=6)

    identity(source, tmp_path / "kept.webm", alpha="keep", frames="2-4")
    identity(source, tmp_path / "dropped.webm")

    kept = frames(tmp_path / "kept.webm", alpha="keep")
    assert [frame.alpha is not None for frame in kept] == [True] * 3
    assert np.abs(kept[0].alpha.numpy() / 255 - opacity(64, 48)).mean() < 0.01
    with open_video(source) as before, open_video(tmp_path / "dropped.webm") as after:
        assert before.info.has_alpha
        assert not after.info.has_alpha


def test_opacity_is_left_out_with_a_note(tmp_path):
    source = make_deep_clip(tmp_path / "in.mkv", "yuva420p")

    report = identity(source, tmp_path / "out.mov", codec="prores_ks")

    assert stored_as(tmp_path / "out.mov") == "yuv422p10le"
    assert any("opacity" in note and "--alpha keep" in note for note in report.notes)


@pytest.mark.parametrize(
    ("output", "settings"),
    [
        ("out.mp4", {}),
        ("out.mp4", {"codec": "libx265"}),
        ("out.mp4", {"codec": "libvpx-vp9"}),
        ("out.mov", {"codec": "prores_ks", "pixel_format": "yuv422p10le"}),
        ("out.gif", {}),
    ],
)
def test_opacity_that_cannot_be_kept_is_refused(tmp_path, output, settings):
    source = make_deep_clip(tmp_path / "in.mkv", "yuva420p")

    with pytest.raises(ConfigError, match=r"opacity"):
        identity(source, tmp_path / output, alpha="keep", **settings)

    assert not (tmp_path / output).exists()
