from __future__ import annotations

import media_factory as factory
import numpy as np
import pytest

from vidstyle.frames import ColorInfo
from vidstyle.media.color import RgbDecoder, RgbEncoder

MATRICES = ("bt709", "smpte170m", "bt470bg", "smpte240m", "bt2020nc")


def color(matrix: str, color_range: str) -> ColorInfo:
    return ColorInfo(matrix, "bt709", "bt709", color_range)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("color_range", "bias"), [("tv", 0.2), ("pc", 1.0)])  # swscale rounds full range down
@pytest.mark.parametrize("pixel_format", ["yuv444p", "yuv420p", "yuv422p10le"])
def test_there_and_back_is_the_same_picture(matrix, color_range, bias, pixel_format):
    tags = color(matrix, color_range)
    rgb = factory.picture(3, 160, 120)

    frame = RgbEncoder(tags, pixel_format)(rgb)
    back = RgbDecoder(tags, 160, 120)(frame)

    error = back.astype(int) - rgb
    assert np.abs(error).mean() < 1.0
    assert np.abs(error.mean(axis=(0, 1))).max() < bias


def test_the_matrix_matters():
    rgb = factory.picture(3, 160, 120)

    frame = RgbEncoder(color("bt709", "tv"), "yuv444p")(rgb)
    wrong = RgbDecoder(color("smpte170m", "tv"), 160, 120)(frame)

    assert np.abs(wrong.astype(int) - rgb).mean() > 3


@pytest.mark.parametrize(("color_range", "black", "white"), [("tv", 16, 235), ("pc", 0, 255)])
def test_range_of_the_stored_luma(color_range, black, white):
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:, 8:] = 255

    luma = np.frombuffer(RgbEncoder(color("bt709", color_range), "yuv444p")(rgb).planes[0], np.uint8)

    assert {int(luma.min()), int(luma.max())} <= {black, white, 0}
    assert luma.max() == white


def test_frames_carry_all_four_tags():
    frame = RgbEncoder(ColorInfo("bt2020nc", "bt2020", "smpte2084", "tv"), "yuv420p")(factory.picture(0))

    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (9, 9, 16, 1)


def test_rgb_output_is_exact():
    rgb = factory.picture(0)

    frame = RgbEncoder(color("bt709", "tv"), "bgr0")(rgb)

    assert (frame.to_ndarray(format="rgb24") == rgb).all()
