"""The order in which controls act on a frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import torch
from fakes import flat_frame
from torch import Tensor

from vidstyle.controls.look import Layer, Look, Prepared
from vidstyle.controls.masks import Mask
from vidstyle.controls.over_time import Controls
from vidstyle.imaging.grain import GrainFilter

#: Names that nothing is read by.
MATTE, NEGATIVE = Path("matte.png"), Path("negative.cube")
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
    return look.finish(flat_frame(0), look.prepare(SOURCE, [flat_frame(0)]), painted or (PAINT,))


def negative(picture: Tensor) -> Tensor:
    return 1 - picture


def test_strength_mixes_source_and_painting() -> None:
    assert finished(Look(Controls(strength=0.5))).unique().tolist() == [0.5]
    assert finished(Look(Controls(strength=1.0))).equal(PAINT)
    assert finished(Look(Controls(strength=0.0))).equal(SOURCE)


def test_a_table_acts_on_all_that_follows_or_on_the_end() -> None:
    tables = {NEGATIVE: negative}
    assert finished(Look(Controls(strength=0.0, lut=NEGATIVE), tables=tables)).unique().tolist() == [0.75]
    assert finished(Look(Controls(strength=0.5, lut=NEGATIVE), tables=tables)).unique().tolist() == [0.5]
    before = Look(Controls(strength=0.0, lut=NEGATIVE, lut_at="before"), tables=tables)
    assert before.prepare(SOURCE, [flat_frame(0)]).content.equal(negative(SOURCE))
    assert finished(before).equal(negative(SOURCE))


def test_outside_of_the_mask_is_the_source_exactly() -> None:
    masks = {MATTE: Mask(Halves(), [], 8)}
    mixed = finished(Look(Controls(mask=MATTE), masks=masks))
    assert mixed[..., :4].equal(PAINT[..., :4])
    assert mixed[..., 4:].equal(SOURCE[..., 4:])
    inverted = finished(Look(Controls(mask=MATTE, invert_mask=True), masks=masks))
    assert inverted[..., 4:].equal(PAINT[..., 4:])


def test_regions_lie_over_the_rest() -> None:
    region = torch.full_like(PAINT, 0.5)
    mixed = finished(Look(regions=[Layer(Mask(Halves(), [], 8))], unpainted=(False, False)), PAINT, region)
    assert mixed[..., :4].unique().tolist() == [0.5]
    assert mixed[..., 4:].equal(PAINT[..., 4:])


def test_what_is_to_be_the_source_is_the_source() -> None:
    """Not what the temporal filter makes of it."""
    look = Look(Controls(detail=1.0), regions=[Layer(Mask(Halves(), [], 8))], unpainted=(True, False))
    assert look.paints(flat_frame(0)) == (False, True)
    mixed = look.finish(flat_frame(0), Prepared(SOURCE, SOURCE), (None, PAINT))
    assert mixed[..., 4:].equal(SOURCE[..., 4:])
    assert mixed[..., :4].equal(PAINT[..., :4])


def test_a_moving_matte_keeps_step_and_is_read_once_a_frame() -> None:
    matte = Halves(moves=True)
    look = Look(Controls(mask=MATTE), masks={MATTE: Mask(matte, [Fraction(0), Fraction(2), Fraction(3)], 8)})
    for seconds in (0, 1, 2, 2, 3, 9):
        finished(look, seconds=seconds)
    assert matte.asked == [0, 1, 2]


def test_feather_is_measured_in_pixels_of_the_clip() -> None:
    full = Mask(Halves(), [], 8).opacity(Fraction(0), SOURCE, feather_px=4)
    wide = Mask(Halves(), [], 16).opacity(Fraction(0), SOURCE, feather_px=8)  # shown at half the clip's size
    torch.testing.assert_close(full, wide)
    assert full.unique().numel() > 2


def grainy() -> tuple[GrainFilter, Tensor]:
    noise = 0.05 * torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    picture = (0.5 + noise).clamp(0, 1)
    return GrainFilter.measured([picture[0]]), picture


def test_grain_is_painted_without_and_comes_back() -> None:
    grain, picture = grainy()
    look = Look(Controls(grain="keep"), grain={None: grain})
    prepared = look.prepare(picture, [flat_frame(0)])
    assert prepared.content.std() < 0.5 * picture.std()
    kept = look.finish(flat_frame(0), prepared, (torch.full_like(picture, 0.4),))
    torch.testing.assert_close(kept - 0.4, picture - prepared.content)
    removed = Look(Controls(grain="remove"), grain={None: grain}).finish(
        flat_frame(0), prepared, (torch.full_like(picture, 0.4),)
    )
    assert removed.unique().numel() == 1
    half = Look(Controls(grain="keep", strength=0.0), grain={None: grain}).finish(
        flat_frame(0), prepared, (torch.full_like(picture, 0.4),)
    )
    assert half.equal(picture)  # without a painting nothing is missing


def test_chroma_and_detail_come_from_the_picture_without_grain() -> None:
    grain, picture = grainy()
    look = Look(Controls(grain="remove", detail=1.0, preserve_color="luma"), grain={None: grain})
    prepared = look.prepare(picture, [flat_frame(0)])
    dressed = look.finish(flat_frame(0), prepared, (torch.full_like(picture, 0.4),))
    plain = Look(Controls(detail=1.0, preserve_color="luma")).finish(
        flat_frame(0), Prepared(prepared.content, prepared.content), (torch.full_like(picture, 0.4),)
    )
    assert dressed.equal(plain)


def moving(look: Look, at: dict[int, Controls]) -> Look:
    """With other controls from moments on; frames of a batch are a second apart."""
    look.controls = lambda moment: at[max(second for second in at if second <= moment)]
    look.seconds_of = lambda frame: Fraction(frame.pts)
    return look


def test_every_frame_of_a_batch_is_prepared_by_its_own_controls() -> None:
    grain, picture = grainy()
    frames, pictures = [flat_frame(second) for second in range(4)], picture.repeat(4, 1, 1, 1)
    clean, table = Controls(grain="remove"), Controls(lut=NEGATIVE, lut_at="before")
    look = moving(Look(tables={NEGATIVE: negative}, grain={None: grain}), {0: Controls(), 1: clean, 3: table})
    prepared = look.prepare(pictures, frames)
    assert prepared.content[0].equal(picture[0])
    torch.testing.assert_close(prepared.content[1:3], grain(picture).repeat(2, 1, 1, 1))
    assert prepared.content[3:].equal(negative(picture))
    assert prepared.source.equal(torch.cat([pictures[:3], negative(picture)]))


def test_finished_by_the_controls_of_the_moment() -> None:
    inverted = Controls(mask=MATTE, invert_mask=True)
    at = {0: Controls(), 1: Controls(mask=MATTE), 2: inverted, 3: Controls(lut=NEGATIVE), 4: Controls(strength=0.5)}
    look = moving(Look(tables={NEGATIVE: negative}, masks={MATTE: Mask(Halves(), [], 8)}), at)
    shown = [look.finish(flat_frame(second), Prepared(SOURCE, SOURCE), (PAINT,)) for second in at]
    left_and_right = [(float(each[..., 0].mean()), float(each[..., -1].mean())) for each in shown]
    assert left_and_right == [(0.75, 0.75), (0.75, 0.25), (0.25, 0.75), (0.25, 0.25), (0.5, 0.5)]


def test_a_region_fades_over_time() -> None:
    mask = Mask(Halves(), [], 8)
    layer = Layer(mask, lambda moment: float(moment) / 4, lambda _: 0.0, lambda moment: moment > 2)
    look = moving(Look(regions=[layer], unpainted=(False, False)), {0: Controls()})
    region = torch.full_like(PAINT, 0.25)
    for second, left, right in ((0, 0.75, 0.75), (2, 0.5, 0.75), (4, 0.75, 0.25)):
        shown = look.finish(flat_frame(second), Prepared(SOURCE, SOURCE), (PAINT, region))
        assert (float(shown[..., 0].mean()), float(shown[..., -1].mean())) == (left, right)


def test_where_paintings_do_not_blend() -> None:
    look = moving(Look(jumps=((Fraction(2), Fraction(5)), (Fraction(5),))), {0: Controls()})
    found = [look.jumping(flat_frame(second)) for second in range(7)]
    assert [second for _, second in found] == [False] * 5 + [True, False]
    assert [first for first, _ in found] == [
        False, False, True, False, False, True, False,
    ]  # fmt: skip


def test_styles_that_are_shown_are_painted_and_added_as_light() -> None:
    half = Controls(style=(("white", 0.5), ("black", 0.5)))
    at = {0: Controls(style=(("white", 1.0),)), 1: half, 2: Controls(style=(("black", 1.0),))}
    look = moving(Look(styles=("white", "black"), unpainted=(False, False)), at)
    frames = [flat_frame(second) for second in range(4)]
    assert [look.paints(frame) for frame in frames] == [(True, False), (True, True), (False, True), (False, True)]
    assert [look.num_alike(frames[first:]) for first in range(4)] == [1, 1, 2, 1]
    white, black = torch.ones_like(SOURCE), torch.zeros_like(SOURCE)
    mixed = look.finish(frames[1], Prepared(SOURCE, SOURCE), (white, black))
    torch.testing.assert_close(mixed, torch.full_like(SOURCE, 0.7354), atol=1e-4, rtol=0)
    assert look.finish(frames[2], Prepared(SOURCE, SOURCE), (None, black)).equal(black)
