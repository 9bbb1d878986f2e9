"""Decoder pixels to RGB and back, against arithmetic done here in double precision."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from deep_factory import WEIGHTS, color, gradients, noise, opacity, stored

from vidstyle.frames import ColorInfo, VideoInfo
from vidstyle.media import pixels
from vidstyle.media.color import bit_depth, has_alpha, resolve_color
from vidstyle.media.orientation import Orientation
from vidstyle.media.pixels import PictureDecoder, RgbDecoder, RgbEncoder, plane_views
from vidstyle.media.transfer import DisplayCurve

FORMATS = [f"yuv{chroma}p{depth}" for chroma in ("420", "422", "444") for depth in ("", "10le", "12le", "16le")]


def quantised(rgb: np.ndarray, dtype: type) -> np.ndarray:
    return np.rint(rgb * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("size", [(96, 64), (65, 47)])
@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_code_comes_back(pixel_format, matrix, value_range, size):
    tags = color(matrix, value_range)
    frame = stored(gradients(*size), tags, pixel_format)
    before = [view.astype(int) for view in plane_views(frame)]

    rgb = RgbDecoder(tags, *size, deep=bit_depth(pixel_format) > 8)(frame)
    back = RgbEncoder(tags, pixel_format)(rgb)

    errors = [np.abs(old - new).mean() for old, new in zip(before, plane_views(back), strict=True)]
    # swscale's coefficients have 15 bits, and resampled chroma cannot be exact.
    assert errors[0] < (1.5 if pixel_format.endswith("16le") else 1e-9)
    finest = 1 << max(bit_depth(pixel_format) - 10, 0)
    assert max(errors[1:]) < (0.1 * finest if "444" in pixel_format else 0.45 * finest)


@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize(("pixel_format", "levels"), [("yuv444p", 255), ("yuv444p10le", 1023), ("yuv444p12le", 4095)])
def test_decoded_rgb_is_what_the_equations_say(pixel_format, levels, matrix, value_range):
    tags = color(matrix, value_range)
    wanted = gradients(96, 64)

    rgb = RgbDecoder(tags, 96, 64, deep=levels > 255)(stored(wanted, tags, pixel_format))

    error = (rgb / np.iinfo(rgb.dtype).max - wanted) * levels
    assert np.abs(error).mean() < 0.6  # of a code; YCbCr codes are rounded
    assert np.abs(error.mean(axis=(1, 2))).max() < 0.1


@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize(
    "pixel_format",
    [
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p12le",
        "yuv444p16le",
        "p010le",
        "nv12",
        "gray10le",
        "gbrp10le",
        "gbrp12le",
        "gbrp16le",
        "rgb48le",
    ],
)
def test_black_and_white_fill_the_range(pixel_format, value_range):
    tags = color(value_range=value_range)
    rgb = np.zeros((3, 32, 32), np.uint16)
    rgb[:, :, 16:] = 65535

    frame = RgbEncoder(tags, pixel_format)(rgb)
    back = RgbDecoder(tags, 32, 32, deep=True)(frame)

    assert np.abs(back[:, :, [0, -1]] - [0.0, 65535.0]).max() <= (8 if pixel_format in ("nv12", "yuv444p16le") else 0)


def test_the_matrix_matters():
    rgb = quantised(gradients(160, 120), np.uint8)

    frame = RgbEncoder(color("bt709"), "yuv444p")(rgb)
    wrong = RgbDecoder(color("smpte170m"), 160, 120)(frame)

    assert np.abs(wrong.astype(int) - rgb).mean() > 3


@pytest.mark.parametrize(("value_range", "black", "white"), [("tv", 16, 235), ("pc", 0, 255)])
def test_range_of_the_stored_luma(value_range, black, white):
    rgb = np.zeros((3, 16, 16), np.uint8)
    rgb[:, :, 8:] = 255

    luma = plane_views(RgbEncoder(color(value_range=value_range), "yuv444p")(rgb))[0]

    assert (int(luma.min()), int(luma.max())) == (black, white)


def test_frames_carry_all_four_tags():
    tags = ColorInfo("bt2020nc", "bt2020", "smpte2084", "tv")

    frame = RgbEncoder(tags, "yuv420p10le")(quantised(gradients(64, 48), np.uint16))

    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (9, 9, 16, 1)
    assert resolve_color(frame) == tags


@pytest.mark.parametrize(
    ("pixel_format", "dtype"), [("bgr0", np.uint8), ("gbrp", np.uint8), ("gbrp16le", np.uint16), ("rgb48le", np.uint16)]
)
def test_rgb_output_is_exact(pixel_format, dtype):
    rgb = quantised(gradients(65, 47), dtype)

    frame = RgbEncoder(color(), pixel_format)(rgb)

    assert (RgbDecoder(color(), 65, 47, deep=dtype is np.uint16)(frame) == rgb).all()


def test_eight_bit_pictures_into_deep_formats():
    rgb = quantised(gradients(64, 48), np.uint8)

    back = RgbDecoder(color(), 64, 48, deep=True)(RgbEncoder(color(), "yuv444p10le")(rgb))

    assert np.abs(back / 257 - rgb).mean() < 0.3


def test_deep_pictures_keep_what_eight_bits_lose():
    ramp = np.broadcast_to(np.linspace(20000, 20400, 64).astype(np.uint16), (3, 48, 64)).copy()

    back = RgbDecoder(color(), 64, 48, deep=True)(RgbEncoder(color(), "yuv444p12le")(ramp))

    assert np.unique(back[1, 0]).size > 20  # a step and a half of 8 bits
    assert np.abs(back.astype(int) - ramp).max() < 24


@pytest.mark.parametrize(
    ("pixel_format", "tolerance"),
    [("yuva444p10le", 33), ("yuva444p12le", 9), ("yuva420p", 0), ("bgra", 0), ("gbrap16le", 0)],
)
@pytest.mark.parametrize("value_range", ["tv", "pc"])
def test_opacity_travels_apart_from_colour(pixel_format, tolerance, value_range):
    tags, deep = color(value_range=value_range), bit_depth(pixel_format) > 8
    dtype = np.uint16 if deep else np.uint8
    rgb = quantised(gradients(64, 48), dtype)
    alpha = np.tile(quantised(np.linspace(0, 1, 64), dtype), (1, 48, 1))

    frame = RgbEncoder(tags, pixel_format)(rgb, alpha)
    back = RgbDecoder(tags, 64, 48, deep=deep, alpha=True)(frame)

    assert has_alpha(pixel_format)
    assert np.abs(back[3:].astype(int) - alpha).max() <= tolerance
    assert np.abs(back[:3].astype(int) - rgb).mean() < (200 if deep else 2)


def test_a_format_without_opacity_is_opaque():
    frame = RgbEncoder(color(), "yuv420p")(quantised(gradients(64, 48), np.uint8))

    assert (RgbDecoder(color(), 64, 48, alpha=True)(frame)[3] == 255).all()


def test_other_sizes_are_scaled():
    frame = RgbEncoder(color(), "yuv420p10le")(quantised(gradients(64, 48), np.uint16))

    back = RgbDecoder(color(), 32, 24, deep=True)(frame)

    assert back.shape == (3, 24, 32)
    assert np.abs(back / 65535 - gradients(32, 24)).mean() < 0.02


@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("curve", [DisplayCurve("smpte2084", 10000.0), DisplayCurve("arib-std-b67", 1000.0)])
@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv422p10le", "yuv444p12le"])
def test_every_hdr_code_comes_back(pixel_format, curve, value_range):
    tags = ColorInfo("bt2020nc", "bt2020", curve.transfer, value_range)
    frame = stored(gradients(96, 64), tags, pixel_format)
    before = [view.astype(int) for view in plane_views(frame)]

    shown = RgbDecoder(tags, 96, 64, curve=curve)(frame)
    back = RgbEncoder(tags, pixel_format, curve)(shown)

    assert shown.dtype == np.uint16
    unit = 1 << (bit_depth(pixel_format) - 10)
    for old, new in zip(before, plane_views(back), strict=True):
        assert np.abs(old - new).mean() < unit * (0.3 if "420" in pixel_format else 0.1)
    assert np.abs(before[0] - plane_views(back)[0]).max() <= 1


@pytest.mark.parametrize("curve", [None, DisplayCurve("smpte2084", 1000.0)], ids=["SDR", "HDR"])
@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p10le", "yuva444p16le", "yuv420p10le", "gbrp10le", "rgb24"])
def test_huge_pictures_are_converted_by_strips(monkeypatch, pixel_format, curve):
    frame = noise(33, 600, pixel_format)
    given = {"deep": bit_depth(pixel_format) > 8, "alpha": has_alpha(pixel_format), "curve": curve}
    whole = RgbDecoder(color(), 33, 600, **given)(frame)
    monkeypatch.setattr(pixels, "_HUGE_PIXELS", 0)
    assert np.array_equal(RgbDecoder(color(), 33, 600, **given)(frame), whole)


def test_views_share_memory_with_their_frame():
    frame = av.VideoFrame(33, 17, "yuv420p10le")
    for value, view in enumerate(plane_views(frame)):
        view[:] = value

    assert [view.shape for view in plane_views(frame)] == [(17, 33), (9, 17), (9, 17)]
    assert [int(view.max()) for view in plane_views(frame)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("size", "given", "expected"),
    [
        ((64, 48), {}, ("smpte170m", "smpte170m", "smpte170m", "tv")),
        ((64, 720), {}, ("bt709", "bt709", "bt709", "tv")),
        ((64, 48), {"color_primaries": 9}, ("bt2020nc", "bt2020", "bt2020-10", "tv")),
        ((64, 48), {"color_trc": 16}, ("bt2020nc", "bt2020", "smpte2084", "tv")),
        ((64, 720), {"color_trc": 18, "color_range": 2}, ("bt2020nc", "bt2020", "arib-std-b67", "pc")),
        ((64, 720), {"color_trc": 16, "colorspace": 1}, ("bt709", "bt709", "smpte2084", "tv")),
        ((64, 720), {"colorspace": 10, "color_primaries": 9}, ("bt2020nc", "bt2020", "bt2020-10", "tv")),
    ],
)
def test_missing_tags_follow_from_the_others(size, given, expected):
    frame = av.VideoFrame(*size, "yuv420p10le")
    for name, value in given.items():
        setattr(frame, name, value)

    assert resolve_color(frame) == ColorInfo(*expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (2, 3), (3, 3)])
@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p10le", "yuv444p", "gbrp10le", "bgr0"])
def test_tiny_pictures(pixel_format, value_range, size):
    tags, dtype = color(value_range=value_range), np.uint16 if "10" in pixel_format else np.uint8
    rgb = np.broadcast_to(np.array([200, 100, 50], dtype)[:, None, None], (3, size[1], size[0]))
    rgb = rgb * np.array(np.iinfo(dtype).max // 255, dtype)

    back = RgbDecoder(tags, *size, deep=dtype is np.uint16)(RgbEncoder(tags, pixel_format)(rgb))

    assert back.shape == rgb.shape
    assert np.abs(back / np.iinfo(dtype).max - rgb / np.iinfo(dtype).max).max() < 2.5 / 255


@pytest.mark.parametrize("alpha", [True, False])
def test_pictures_and_their_opacity_are_upright(alpha):
    tags = color()
    info = VideoInfo(
        64, 48, Fraction(24), Fraction(1, 24), tags, bit_depth=10, pixel_format="yuva444p10le", has_alpha=True
    )
    frame = stored(gradients(64, 48), tags, "yuva444p10le")

    data, opaque = PictureDecoder(info, Orientation(90), alpha=alpha)(frame)

    assert np.abs(data.numpy() / 65535 - np.rot90(gradients(64, 48), axes=(1, 2))).mean() < 1 / 1023
    assert (opaque is not None) == alpha
    if opaque is not None:
        assert np.abs(opaque.numpy() / 65535 - np.rot90(opacity(64, 48), axes=(1, 2))).max() < 1 / 1023
