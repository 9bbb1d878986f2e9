"""Samples of what is not painted, kept as the source stores them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from deep_factory import color, noise

from vidstyle.media.color import bit_depth, chroma_step
from vidstyle.media.pixels import RgbDecoder, RgbEncoder, plane_views
from vidstyle.media.stored import StoredPicture

FORMATS = ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuva420p", "yuv411p"]


def decoded(pixel_format: str, size: tuple[int, int]) -> StoredPicture:
    frame = noise(*size, pixel_format)
    return StoredPicture(frame, torch.from_numpy(RgbDecoder(color(), *size, deep=bit_depth(pixel_format) > 8)(frame)))


@pytest.mark.parametrize("size", [(48, 32), (47, 31), (1, 1)])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_copy_has_every_sample(pixel_format: str, size: tuple[int, int]) -> None:
    picture = decoded(pixel_format, size)
    assert picture.untouched(picture.rgb).all()
    copy = picture.copy(pixel_format, color())
    assert all(np.array_equal(a, b) for a, b in zip(plane_views(picture.frame), plane_views(copy), strict=True))


@pytest.mark.parametrize("size", [(48, 32), (47, 31)])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_only_what_is_painted_changes(pixel_format: str, size: tuple[int, int]) -> None:
    picture = decoded(pixel_format, size)
    painted = picture.rgb.clone()
    painted[:, :, 20:] = torch.iinfo(painted.dtype).max // 3
    frame = RgbEncoder(color(), pixel_format)(painted.numpy())
    plain = [view.copy() for view in plane_views(frame)]

    picture.restore(frame, picture.untouched(painted))

    source, result = plane_views(picture.frame), plane_views(frame)
    across, _ = chroma_step(pixel_format)
    for index, step in enumerate((1, across, across)):
        last = 20 // step - (1 if step > 1 else 0)  # chroma beside the edge shows the painting, too
        assert np.array_equal(result[index][:, :last], source[index][:, :last])
        first = -(-20 // step)
        assert np.array_equal(result[index][:, first + 1 :], plain[index][:, first + 1 :])
    assert np.abs(plain[1].astype(int) - source[1])[:, :4].max() > 1  # RGB cannot hold this noise


def test_pictures_of_another_kind_are_never_untouched() -> None:
    picture = decoded("yuv420p", (48, 32))
    assert not picture.untouched(picture.rgb[:, :16]).any()
    assert not picture.untouched(picture.rgb.to(torch.int32).to(torch.uint16)).any()
    assert picture.is_like("yuvj420p", (48, 32))
    assert not picture.is_like("yuv420p", (48, 30))
    assert not picture.is_like("yuv422p", (48, 32))
