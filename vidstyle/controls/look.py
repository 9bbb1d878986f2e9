"""What happens to frames before they are painted, and to paintings before they are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import Tensor

from vidstyle.controls.keyframes import Setting, value_at
from vidstyle.controls.masks import Mask
from vidstyle.controls.shots import ShotList
from vidstyle.frames import VideoFrame
from vidstyle.imaging.edges import add_detail
from vidstyle.imaging.grain import GrainFilter
from vidstyle.imaging.luma import with_chroma_of
from vidstyle.stylizers.adain import AdaInStylizer
from vidstyle.stylizers.by_shot import ByShot
from vidstyle.temporal.filter import ConsistencyFilter

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


@dataclass
class Look:
    """The controls of a render, resolved for one clip.

    A frame's way: look-up table (before), grain taken away, [painted, made steady], chroma of the source, its edges,
    its grain, masks and regions, strength, look-up table (after). The brackets are the painter's.

    Attributes:
        strength: 0 is the source, 1 the painting; a number, or one that changes over time.
        detail: how much of the source's fine edges is added, likewise.
        weighted: AdaIN stylizers whose style weight changes over time.
        style_weight: α over time; None where it does not change.
        shots: where shots begin, and their styles; None where nothing is known of them.
        styled: the stylizer that paints each shot in its style; None where all have the same.
        consistency: over time; None where it does not change.
        seconds_of: when a frame starts, counted from the clip's first frame.
        matrix: YCbCr matrix of the clip.
        keeps_chroma: colours come from the source.
        grain: takes grain away; None leaves it where it is.
        keeps_grain: put it back.
        lut_before: changes frames as they come, for all that follows.
        lut_after: changes finished frames.
        mask: where the first painting goes; None is everywhere.
        regions: where each of the further paintings goes, one over the other.
        unpainted: whether a painting, the first or a region's, is to be the source itself, which no filter smooths.
    """

    strength: Setting = 1.0
    detail: Setting = 0.0
    weighted: Sequence[AdaInStylizer] = ()
    style_weight: Callable[[Fraction], float] | None = None
    shots: ShotList | None = None
    styled: ByShot | None = None
    consistency: Callable[[Fraction], float] | None = None
    seconds_of: Callable[[VideoFrame], Fraction] = lambda _: Fraction(0)
    matrix: str = "bt709"
    keeps_chroma: bool = False
    grain: GrainFilter | None = None
    keeps_grain: bool = False
    lut_before: Picture | None = None
    lut_after: Picture | None = None
    mask: Mask | None = None
    regions: Sequence[Mask] = ()
    unpainted: Sequence[bool] = (False,)
    _filters: dict[float, ConsistencyFilter] = field(default_factory=dict)
    _shot: int | None = None

    def prepare(self, frames: Tensor) -> Prepared:
        """Before painting.

        Args:
            frames: (N, 3, H, W) float32 in [0, 1].
        """
        source = self.lut_before(frames) if self.lut_before is not None else frames
        return Prepared(source, self.grain(source) if self.grain is not None else source)

    @property
    def turns(self) -> bool:
        """Whether ``turn`` sets anything."""
        return self.styled is not None or self.style_weight is not None

    def turn(self, frames: Sequence[VideoFrame]) -> None:
        """Set the stylizers for the next batch, which will be these frames."""
        if self.styled is not None and self.shots is not None:
            self.styled.styles = [self.shots.own("style", self.seconds_of(frame)) for frame in frames]
        if self.style_weight is None:
            return
        weights = torch.tensor([self.style_weight(self.seconds_of(frame)) for frame in frames])[:, None, None, None]
        for stylizer in self.weighted:
            stylizer.style_weight = weights.to(stylizer.device)

    def starts_shot(self, frame: VideoFrame) -> bool:
        """Whether a frame, the next of the stream, is in another shot than the one before it."""
        if self.shots is None:
            return False
        before, self._shot = self._shot, self.shots.index(self.seconds_of(frame))
        return before not in (None, self._shot)

    def temporal(self, frame: VideoFrame) -> ConsistencyFilter | None:
        """The temporal filter for a frame; None where it is always the same."""
        if self.consistency is None:
            return None
        value = self.consistency(self.seconds_of(frame))
        return self._filters.setdefault(value, ConsistencyFilter(value))

    def finish(self, frame: VideoFrame, prepared: Prepared, painted: Sequence[Tensor]) -> Tensor:
        """After painting.

        Args:
            frame: as decoded.
            prepared: what ``prepare`` made of it, for this frame alone.
            painted: (1, 3, H, W) the steady painting, and those of the regions.

        Returns:
            (1, 3, H, W) in [0, 1].
        """
        moment = self.seconds_of(frame)
        strength, source = value_at(self.strength, moment), prepared.source
        picture = source
        if strength > 0.0:
            detail = value_at(self.detail, moment)
            layers = zip((self.mask, *self.regions), painted, self.unpainted, strict=True)
            for mask, painting, is_unpainted in layers:
                finished = source if is_unpainted else self._dressed(painting, prepared, detail)
                picture = finished if mask is None else picture.lerp(finished, mask.opacity(moment, source))
            # lerp with a weight of 1 is exact; the source outside of masks is, too.
            picture = source.lerp(picture, strength)
        return self.lut_after(picture) if self.lut_after is not None else picture

    def _dressed(self, painting: Tensor, prepared: Prepared, detail: float) -> Tensor:
        if self.keeps_chroma:
            painting = with_chroma_of(painting, prepared.content, self.matrix)
        painting = add_detail(painting, prepared.content, detail, self.matrix)
        if self.keeps_grain:
            painting = (painting + (prepared.source - prepared.content)).clamp_(0.0, 1.0)
        return painting
