from __future__ import annotations

from fractions import Fraction

import av
import pytest

from vidstyle.errors import ConfigError
from vidstyle.frames import ColorInfo, VideoInfo
from vidstyle.media.encoder import choose_encoder
from vidstyle.media.pixel_format import (
    PixelNeeds,
    note_losses,
    profile_options,
    rank_pixel_formats,
    refuse_profile_without_alpha,
)


def formats(codec: str) -> list[str]:
    return [f.name for f in av.Codec(codec, "w").video_formats or []]


def best(codec: str, needs: PixelNeeds, **options: str) -> str:
    return rank_pixel_formats(codec, formats(codec), needs, (64, 48), options)[0]


@pytest.mark.parametrize(
    ("codec", "depth", "chroma", "expected"),
    [
        ("libx264", 8, 0, "yuv420p"),
        ("libx264", 8, 1, "yuv422p"),
        ("libx264", 8, 2, "yuv444p"),
        ("libx264", 10, 0, "yuv420p10le"),
        ("libx264", 12, 2, "yuv444p10le"),
        ("libx265", 10, 0, "yuv420p10le"),
        ("libx265", 12, 1, "yuv422p12le"),
        ("libsvtav1", 10, 2, "yuv420p10le"),
        ("libvpx-vp9", 10, 0, "yuv420p"),
        ("prores_ks", 8, 0, "yuv422p10le"),
        ("prores_ks", 10, 2, "yuv444p10le"),
        ("dnxhd", 8, 0, "yuv422p"),
        ("dnxhd", 10, 1, "yuv422p10le"),
        ("dnxhd", 10, 2, "yuv444p10le"),
        ("ffv1", 8, 0, "bgr0"),
        ("ffv1", 10, 1, "gbrp10le"),
        ("ffv1", 16, 2, "gbrp16le"),
        ("png", 10, 2, "rgb48be"),
        ("mpeg4", 10, 2, "yuv420p"),
        ("hevc_nvenc", 10, 0, "p010le"),
        ("h264_nvenc", 8, 0, "yuv420p"),
    ],
)
def test_depth_and_chroma_follow_the_source(codec, depth, chroma, expected):
    assert best(codec, PixelNeeds(depth, chroma)) == expected


@pytest.mark.parametrize(
    ("codec", "expected"), [("libx264", "yuv420p10le"), ("prores_ks", "yuv444p10le"), ("ffv1", "gbrp16le")]
)
def test_rgb_sources_get_full_chroma_where_work_goes_on(codec, expected):
    assert best(codec, PixelNeeds(16, 2, rgb=True)) == expected


@pytest.mark.parametrize(
    ("codec", "depth", "expected"),
    [
        ("prores_ks", 8, "yuva444p10le"),
        ("ffv1", 8, "bgra"),
        ("ffv1", 12, "gbrap12le"),
        ("libvpx-vp9", 8, "yuva420p"),
        ("qtrle", 8, "argb"),
    ],
)
def test_opacity(codec, depth, expected):
    assert best(codec, PixelNeeds(depth, 0, alpha=True)) == expected


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "dnxhd", "hevc_nvenc"])
def test_encoders_without_opacity_say_where_it_goes(codec):
    with pytest.raises(ConfigError, match=r"has no opacity; use prores_ks"):
        best(codec, PixelNeeds(8, 0, alpha=True))


@pytest.mark.parametrize("profile", ["hq", "3", "standard", "proxy"])
def test_profiles_without_opacity_are_refused(profile):
    with pytest.raises(ConfigError, match=f"profile {profile} has no opacity; use 4444"):
        refuse_profile_without_alpha("prores_ks", {"profile": profile})
    for other in ({"profile": "4444"}, {"profile": "5"}, {"profile": "auto"}, {}):
        refuse_profile_without_alpha("prores_ks", other)


def test_a_format_without_opacity_is_refused_with_one_that_has_it():
    with pytest.raises(ConfigError, match=r"--pix-fmt yuva444p10le"):
        choose_encoder(
            "prores_ks",
            (64, 48),
            rate=Fraction(24),
            time_base=Fraction(1, 24),
            color=ColorInfo("bt709", "bt709", "bt709", "tv"),
            sample_aspect_ratio=Fraction(1),
            crf=None,
            preset=None,
            pixel_format="yuv422p10le",
            options={},
            note=lambda _: None,
            needs=PixelNeeds(alpha=True),
        )


def test_a_profile_decides():
    assert best("prores_ks", PixelNeeds(10, 0), profile="4444") == "yuv444p10le"
    assert best("prores_ks", PixelNeeds(10, 2), profile="hq") == "yuv422p10le"
    assert best("dnxhd", PixelNeeds(10, 1), profile="dnxhr_sq") == "yuv422p"
    assert best("dnxhd", PixelNeeds(8, 0), profile="dnxhr_hqx") == "yuv422p10le"


@pytest.mark.parametrize(
    ("codec", "pixel_format", "profile"),
    [
        ("prores_ks", "yuv422p10le", None),
        ("prores_ks", "yuv444p10le", "4444"),
        ("prores_ks", "yuva444p10le", "4444"),
        ("dnxhd", "yuv422p", None),
        ("dnxhd", "yuv422p10le", "dnxhr_hqx"),
        ("dnxhd", "yuv444p10le", "dnxhr_444"),
    ],
)
def test_profiles_follow_the_format(codec, pixel_format, profile):
    assert profile_options(codec, pixel_format).get("profile") == profile


def test_odd_sizes_go_on_with_formats_that_take_them():
    ranked = rank_pixel_formats("libx264", formats("libx264"), PixelNeeds(), (65, 47), {})

    assert ranked[:2] == ["yuv420p", "yuv444p"]


@pytest.mark.parametrize(
    ("codec", "pixel_format", "needs", "chosen", "says"),
    [
        ("libx264", "yuv420p", PixelNeeds(), True, None),
        ("libx264", "yuv420p10le", PixelNeeds(10), True, "not every player takes in H.264"),
        ("libx264", "yuv420p10le", PixelNeeds(10), False, None),
        ("libx265", "yuv420p10le", PixelNeeds(10), True, None),
        ("libx265", "yuv444p", PixelNeeds(8, 2), True, "HEVC"),
        ("libvpx-vp9", "yuv420p", PixelNeeds(10), True, "keeps 8"),
        ("libsvtav1", "yuv420p10le", PixelNeeds(10, 1), True, "4:2:2 colour to 4:2:0"),
        ("libx264", "yuv420p", PixelNeeds(10, hdr=True), False, "bands"),
        ("prores_ks", "yuv422p10le", PixelNeeds(10, 1), True, None),
    ],
)
def test_what_is_lost_is_said_once(codec, pixel_format, needs, chosen, says):
    notes: list[str] = []

    note_losses(codec, pixel_format, needs, chosen=chosen, note=notes.append)

    assert len(notes) == (says is not None)
    assert says is None or says in notes[0]


@pytest.mark.parametrize(
    ("pixel_format", "depth", "chroma", "rgb"),
    [
        ("yuv420p", 8, 0, False),
        ("yuv411p", 8, 0, False),
        ("yuv422p10le", 10, 1, False),
        ("yuva444p12le", 12, 2, False),
        ("gray", 8, 0, False),
        ("gbrp", 8, 2, True),
        ("gbrpf32le", 16, 2, True),
    ],
)
def test_needs_of_a_source(pixel_format, depth, chroma, rgb):
    color = ColorInfo("bt709", "bt709", "bt709", "tv")
    bits = 32 if "f32" in pixel_format else depth
    info = VideoInfo(64, 48, Fraction(24), Fraction(1, 24), color, bit_depth=bits, pixel_format=pixel_format)

    assert PixelNeeds.of(info) == PixelNeeds(depth, chroma, rgb)
