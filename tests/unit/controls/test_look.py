"""The order in which controls act on a frame."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import torch
from fakes import flat_frame
from torch import Tensor

from vidstyle.controls.look import Look, Prepared
from vidstyle.controls.masks import Mask
from vidstyle.imaging.grain import GrainFilter

SOURCE = torch.full((1, 3, 8, 8), 0.25)
PAINT = torch.full((1, 3, 8, 8), 0.75)


class Halves:
    """A matte that is white on the left."""

    def __init__(self, moves: bool = False) -> None:
        self.moves = moves
        self.asked: list[int] = []

    def picture(self, index: int) -> Tensor:
        self.asked.append(index)
        mask = torch.zeros(1, 8, 8)
        mask[..., :4] = 1
        return mask


def finished(look: Look, *painted: Tensor, seconds: int = 0) -> Tensor:
    look.seconds_of = lambda _: Fraction(seconds)
    return look.finish(flat_frame(0), look.prepare(SOURCE), painted or (PAINT,))


def negative(picture: Tensor) -> Tensor:
    return 1 - picture


def test_strength_mixes_source_and_painting() -> None:
    assert finished(Look(strength=0.5)).unique().tolist() == [0.5]
    assert finished(Look(strength=1.0)).equal(PAINT)
    assert finished(Look(strength=0.0)).equal(SOURCE)


def test_a_table_acts_on_all_that_follows_or_on_the_end() -> None:
    assert finished(Look(strength=0.0, lut_after=negative)).unique().tolist() == [0.75]
    assert finished(Look(strength=0.5, lut_after=negative)).unique().tolist() == [0.5]
    before = Look(strength=0.0, lut_before=negative)
    assert before.prepare(SOURCE).content.equal(negative(SOURCE))
    assert finished(before).equal(negative(SOURCE))


def test_outside_of_the_mask_is_the_source_exactly() -> None:
    mixed = finished(Look(mask=Mask(Halves(), [], 8)))
    assert mixed[..., :4].equal(PAINT[..., :4])
    assert mixed[..., 4:].equal(SOURCE[..., 4:])
    inverted = finished(Look(mask=Mask(Halves(), [], 8, invert=True)))
    assert inverted[..., 4:].equal(PAINT[..., 4:])


def test_regions_lie_over_the_rest() -> None:
    region = torch.full_like(PAINT, 0.5)
    mixed = finished(Look(regions=[Mask(Halves(), [], 8)], unpainted=(False, False)), PAINT, region)
    assert mixed[..., :4].unique().tolist() == [0.5]
    assert mixed[..., 4:].equal(PAINT[..., 4:])


def test_what_is_to_be_the_source_is_the_source() -> None:
    """Not what the temporal filter makes of it."""
    smoothed = torch.full_like(PAINT, 0.3)
    mixed = finished(Look(regions=[Mask(Halves(), [], 8)], unpainted=(True, False), detail=1.0), smoothed, PAINT)
    assert mixed[..., 4:].equal(SOURCE[..., 4:])
    assert mixed[..., :4].equal(PAINT[..., :4])


def test_a_moving_matte_keeps_step_and_is_read_once_a_frame() -> None:
    matte = Halves(moves=True)
    look = Look(mask=Mask(matte, [Fraction(0), Fraction(2), Fraction(3)], 8))
    for seconds in (0, 1, 2, 2, 3, 9):
        finished(look, seconds=seconds)
    assert matte.asked == [0, 1, 2]


def test_feather_is_measured_in_pixels_of_the_clip() -> None:
    full = Mask(Halves(), [], 8, feather_px=4).opacity(Fraction(0), SOURCE)
    wide = Mask(Halves(), [], 16, feather_px=8).opacity(Fraction(0), SOURCE)  # shown at half the clip's size
    torch.testing.assert_close(full, wide)
    assert full.unique().numel() > 2


def grainy() -> tuple[GrainFilter, Tensor]:
    noise = 0.05 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    picture = (0.5 + noise).clamp(0, 1)
    return GrainFilter.measured([picture[0]]), picture


def test_grain_is_painted_without_and_comes_back() -> None:
    grain, picture = grainy()
    look = Look(grain=grain, keeps_grain=True)
    prepared = look.prepare(picture)
    assert prepared.content.std() < 0.5 * picture.std()
    kept = look.finish(flat_frame(0), prepared, (torch.full_like(picture, 0.4),))
    torch.testing.assert_close(kept - 0.4, picture - prepared.content)
    removed = Look(grain=grain).finish(flat_frame(0), prepared, (torch.full_like(picture, 0.4),))
    assert removed.unique().numel() == 1
    half = Look(grain=grain, strength=0.0).finish(flat_frame(0), prepared, (torch.full_like(picture, 0.4),))
    assert half.equal(picture)  # without a painting nothing is missing


def test_chroma_and_detail_come_from_the_picture_without_grain() -> None:
    grain, picture = grainy()
    look: Any = Look(grain=grain, detail=1.0, keeps_chroma=True)
    prepared = look.prepare(picture)
    dressed = look.finish(flat_frame(0), prepared, (torch.full_like(picture, 0.4),))
    plain = Look(detail=1.0, keeps_chroma=True).finish(
        flat_frame(0), Prepared(prepared.content, prepared.content), (torch.full_like(picture, 0.4),)
    )
    assert dressed.equal(plain)
