"""Padding to the sizes networks want."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from vidstyle.imaging.padding import pad_to_multiple

sides = st.integers(1, 70)


@given(height=sides, width=sides, multiple=st.sampled_from([1, 2, 4, 8, 32]), minimum=st.integers(1, 80))
def test_padding_fits_and_its_crop_undoes_it(height: int, width: int, multiple: int, minimum: int) -> None:
    image = torch.rand(2, 3, height, width)
    padded, crop = pad_to_multiple(image, multiple, minimum)
    for side, original in zip(padded.shape[-2:], (height, width), strict=True):
        assert side % multiple == 0
        assert side >= minimum
        assert side < max(original, minimum) + multiple
    assert torch.equal(crop(padded), image)


def test_nothing_is_copied_where_nothing_is_missing() -> None:
    image = torch.rand(1, 3, 8, 16)
    padded, crop = pad_to_multiple(image, 8)
    assert padded is image
    assert (crop.top, crop.left) == (0, 0)


def test_the_border_repeats() -> None:
    padded, _ = pad_to_multiple(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 4, 4)
    assert padded[0, 0].unique(dim=0).shape[0] == 1
    assert padded[0, 0, 0].tolist() == [1.0, 2.0, 3.0, 3.0]
