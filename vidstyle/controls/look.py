"""What happens to frames before they are painted, and to paintings before they are shown."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor

from vidstyle.controls.keyframes import ROUNDING, Setting, value_at
from vidstyle.controls.masks import Mask
from vidstyle.controls.over_time import Controls, OverTime
from vidstyle.controls.shots import ShotList
from vidstyle.frames import VideoFrame
from vidstyle.imaging.edges import add_detail
from vidstyle.imaging.grain import GrainFilter
from vidstyle.imaging.linear_light import blend_light
from vidstyle.imaging.luma import with_chroma_of
from vidstyle.stylizers.changing import ChangingStylizer

#: (N, 3, H, W) in [0, 1] to the same.
Picture = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A batch before painting, (N, 3, H, W) float32 in [0, 1] each.

    Attributes:
        source: what the painting is laid over and mixed with.
        content: what style networks, flow and temporal filter see of it.
    """

    source: Tensor
    content: Tensor

    def frame(self, index: int) -> Prepared:
        """One frame of the batch."""
        return Prepared(self.source[index : index + 1], self.content[index : index + 1])


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Where one of the paintings goes.

    Attributes:
        mask: its opacity.
        strength: how much of it shows there; like the others a value, or what gives it at a moment.
        feather: width of the mask's soft edge, pixels of the clip.
        invert: it goes where the matte is black.
    """

    mask: Mask
    strength: Setting = 1.0
    feather: Setting = 0.0
    invert: Setting = False

    def opacity(self, moment: Fraction, like: Tensor) -> Tensor:
        """(1, 1, H, W) in [0, 1]; see ``Mask.opacity``."""
        feather_px, invert = value_at(self.feather, moment), value_at(self.invert, moment)
        opacity = self.mask.opacity(moment, like, feather_px=feather_px, invert=invert)
        strength = value_at(self.strength, moment)
        return opacity if strength == 1.0 else opacity * strength


@dataclass
class Look:
    """The controls of a render, resolved for one clip.

    A frame's way: look-up table (before), grain taken away, [painted, made steady], chroma of the source, its edges,
    its grain, masks and regions, strength, look-up table (after). The brackets are the painter's.

    Attributes:
        controls: what they are set to.
        turned: stylizers to tell of it, which change over time.
        changes_consistency: consistency does.
        jumps: of each stylizer the moments at which its paintings change all at once, in order; none blends over one.
        styles: what each of the first paintings is painted in, which are added as light; regions' come behind them.
        shots: where shots begin; None where nothing is known of them.
        seconds_of: when a frame starts, counted from the clip's first frame.
        matrix: YCbCr matrix of the clip.
        tables: look-up tables, by file.
        grain: takes grain away, by the table that frames go through before.
        masks: where the first paintings can go, by file.
        regions: where each of the further paintings goes, one over the other.
        unpainted: whether a painting is to be the source itself, which no filter smooths.
    """

    controls: OverTime = field(default_factory=Controls)
    turned: Sequence[ChangingStylizer] = ()
    changes_consistency: bool = False
    jumps: Sequence[Sequence[Fraction]] = ((),)
    styles: Sequence[str] = ("",)
    shots: ShotList | None = None
    seconds_of: Callable[[VideoFrame], Fraction] = lambda _: Fraction(0)
    matrix: str = "bt709"
    tables: Mapping[Path, Picture] = field(default_factory=dict)
    grain: Mapping[Path | None, GrainFilter] = field(default_factory=dict)
    masks: Mapping[Path, Mask] = field(default_factory=dict)
    regions: Sequence[Layer] = ()
    unpainted: Sequence[bool] = (False,)
    _shot: int | None = None
    _num_jumps: Sequence[int] | None = None

    def prepare(self, pictures: Tensor, frames: Sequence[VideoFrame]) -> Prepared:
        """Before painting.

        Args:
            pictures: (N, 3, H, W) float32 in [0, 1].
            frames: as they were decoded.
        """
        if not callable(self.controls):
            return self._prepared(pictures, self.controls)
        parts, done = [], 0
        for _, run in groupby(map(self._at, frames), lambda now: (now.lut_before, now.grain)):
            alike = list(run)
            parts.append(self._prepared(pictures[done : done + len(alike)], alike[0]))
            done += len(alike)
        return Prepared(torch.cat([part.source for part in parts]), torch.cat([part.content for part in parts]))

    def num_alike(self, frames: Sequence[VideoFrame]) -> int:
        """How many of the first of these frames are painted by the same stylizers in the same way."""
        if not callable(self.controls):
            return len(frames)
        return len(list(next(groupby((self._at(frame).turn, self.paints(frame)) for frame in frames))[1]))

    def paints(self, frame: VideoFrame) -> tuple[bool, ...]:
        """For each stylizer, whether anything is wanted of it for a frame."""
        shown = dict(self._at(frame).style)
        wanted = (*(style in shown for style in self.styles), *(True for _ in self.regions))
        return tuple(each and not is_source for each, is_source in zip(wanted, self.unpainted, strict=True))

    def turn(self, frame: VideoFrame) -> None:
        """Set the stylizers for a frame, and those that are painted alike."""
        turn = self._at(frame).turn
        for stylizer in self.turned:
            stylizer.turn = turn

    def starts_shot(self, frame: VideoFrame) -> bool:
        """Whether a frame, the next of the stream, is in another shot than the one before it."""
        if self.shots is None:
            return False
        before, self._shot = self._shot, self.shots.index(self.seconds_of(frame))
        return before not in (None, self._shot)

    def jumping(self, frame: VideoFrame) -> list[bool]:
        """For each stylizer, whether its painting of the stream's next frame is not to blend with the one before."""
        moment = self.seconds_of(frame) + ROUNDING
        now = [bisect_right(jumps, moment) for jumps in self.jumps]
        before, self._num_jumps = self._num_jumps or now, now
        return [num != num_before for num, num_before in zip(now, before, strict=True)]

    def consistency(self, frame: VideoFrame) -> float | None:
        """The temporal filter's, for a frame; None where it is always the same."""
        return self._at(frame).consistency if self.changes_consistency else None

    def finish(
        self, frame: VideoFrame, prepared: Prepared, painted: Sequence[Tensor | None], strength: float | None = None
    ) -> Tensor:
        """After painting.

        Args:
            frame: as decoded.
            prepared: what ``prepare`` made of it, for this frame alone.
            painted: (1, 3, H, W) the steady paintings of the styles, and those of the regions; None where nothing was
                painted, which is the source where it is shown.
            strength: in place of the look's own.

        Returns:
            (1, 3, H, W) in [0, 1].
        """
        moment, controls, source = self.seconds_of(frame), self._at(frame), prepared.source
        strength = controls.strength if strength is None else strength
        picture = source
        if strength > 0.0:
            pictures = [source if each is None else self._dressed(each, prepared, controls) for each in painted]
            of_style = dict(zip(self.styles, pictures, strict=False))
            picture = _added([of_style[style] for style, _ in controls.style], [share for _, share in controls.style])
            if controls.mask is not None:
                first = Layer(self.masks[controls.mask], 1.0, controls.feather, controls.invert_mask)
                picture = source.lerp(picture, first.opacity(moment, source))
            for layer, painting in zip(self.regions, pictures[len(self.styles) :], strict=True):
                picture = picture.lerp(painting, layer.opacity(moment, source))
            # lerp with a weight of 1 is exact; the source outside of masks is, too.
            picture = source.lerp(picture, strength)
        return self.tables[controls.lut_after](picture) if controls.lut_after is not None else picture

    def _at(self, frame: VideoFrame) -> Controls:
        return self.controls(self.seconds_of(frame)) if callable(self.controls) else self.controls

    def _prepared(self, pictures: Tensor, controls: Controls) -> Prepared:
        source = self.tables[controls.lut_before](pictures) if controls.lut_before is not None else pictures
        return Prepared(source, self.grain[controls.lut_before](source) if controls.grain != "off" else source)

    def _dressed(self, painting: Tensor, prepared: Prepared, controls: Controls) -> Tensor:
        if controls.preserve_color == "luma":
            painting = with_chroma_of(painting, prepared.content, self.matrix)
        painting = add_detail(painting, prepared.content, controls.detail, self.matrix)
        if controls.grain == "keep":
            painting = (painting + (prepared.source - prepared.content)).clamp_(0.0, 1.0)
        return painting


def _added(pictures: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """As light; one alone stays as it is, to the bit."""
    return pictures[0] if len(pictures) == 1 else blend_light(pictures, shares)
