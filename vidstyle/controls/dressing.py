"""From settings and a clip to a look, and to stylizers that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.config import RenderConfig
from vidstyle.controls.clip import ClipFacts, as_float
from vidstyle.controls.keyframes import Setting
from vidstyle.controls.look import Look
from vidstyle.controls.masks import Mask
from vidstyle.controls.shots import over_time
from vidstyle.errors import ConfigError
from vidstyle.imaging.grain import GrainFilter
from vidstyle.media.lut import Lut3d
from vidstyle.media.mattes import matte_moves, open_matte
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.adain import AdaInStylizer
from vidstyle.stylizers.brush import ScaledBrush
from vidstyle.stylizers.by_shot import ByShot
from vidstyle.stylizers.checkpoint import IdentityStylizer
from vidstyle.stylizers.mixture import LightMixture
from vidstyle.stylizers.recolored import Recolored, in_colors_of

_Size = tuple[int, int]


def dress(
    config: RenderConfig,
    stylizers: Sequence[Stylizer],
    size: _Size,
    output_size: _Size,
    clip: ClipFacts | None,
    *,
    device: torch.device,
    shot_stylizers: Mapping[str, Stylizer] | None = None,
) -> tuple[Look | None, list[Stylizer]]:
    """Turn the controls for a clip.

    Args:
        config: settings.
        stylizers: that of the whole picture, and those of the regions, on their device.
        size: (width, height) of the clip's upright picture.
        output_size: (width, height) to work at.
        clip: the clip; None where settings have no control that needs one.
        device: where the stylizers are.
        shot_stylizers: of the styles that single shots have, likewise.

    Returns:
        The look, None where no control is turned; and the stylizers with what belongs to them.

    Raises:
        ConfigError: a mask or a look-up table does not fit, or keyframes or shots contradict each other.
        MediaError: a mask, a cut list or the clip cannot be read.
    """
    if not _is_turned(config):
        return None, list(stylizers)
    if clip is None:
        raise ConfigError("These settings have controls that depend on the clip, and no clip was given.")
    shots = clip.shots(config)
    needs_samples = config.preserve_color == "transfer" or config.grain != "off"
    lut = Lut3d(config.lut) if config.lut is not None else None
    lut_before, lut_after = (lut, None) if config.lut_at == "before" else (None, lut)
    samples = [_sized(as_float(sample).to(device), output_size) for sample in clip.samples()] if needs_samples else []
    if needs_samples and not samples:
        raise ConfigError("No frame of the clip could be measured; use --preserve-color luma or none, and --grain off.")
    samples = [lut_before(sample[None])[0] for sample in samples] if lut_before is not None else samples
    grain = GrainFilter.measured(samples) if config.grain != "off" else None
    takes_colors = config.preserve_color == "transfer"

    def colored(stylizer: Stylizer) -> Stylizer:
        return in_colors_of(stylizer, samples) if takes_colors else stylizer

    def changing(name: str) -> Setting:
        return over_time(name, config, shots, clip.moment)

    dressed = [colored(stylizer) for stylizer in stylizers]
    styled = None
    if shots is not None and shot_stylizers:
        styled = ByShot(dressed[0], {style: colored(stylizer) for style, stylizer in shot_stylizers.items()})
        dressed[0] = styled
    style_weight, consistency = changing("style_weight"), changing("consistency")
    look = Look(
        strength=changing("strength"),
        detail=changing("detail"),
        weighted=_weighted(dressed),
        style_weight=style_weight if callable(style_weight) else None,
        shots=shots,
        styled=styled,
        consistency=consistency if callable(consistency) else None,
        seconds_of=clip.seconds_of,
        matrix=clip.matrix,
        keeps_chroma=config.preserve_color == "luma",
        grain=grain,
        keeps_grain=config.grain == "keep",
        lut_before=lut_before,
        lut_after=lut_after,
    )
    _add_masks(look, config, stylizers, (size, output_size), clip)
    if config.style_scale != 1.0:
        dressed = [ScaledBrush(stylizer, config.style_scale) for stylizer in dressed]
    return look, list(dressed)


def _is_turned(config: RenderConfig) -> bool:
    fields = ("strength", "preserve_color", "mask", "regions", "keyframes", "shots", "shots_from", "lut", "style_scale")
    defaults = type(config).model_fields
    return any(getattr(config, name) != defaults[name].default for name in (*fields, "detail", "grain"))


def _weighted(stylizers: Sequence[Stylizer]) -> list[AdaInStylizer]:
    found: list[AdaInStylizer] = []
    for stylizer in stylizers:
        if isinstance(stylizer, AdaInStylizer):
            found.append(stylizer)
        elif isinstance(stylizer, Recolored | ScaledBrush):
            found += _weighted([stylizer.inner])
        elif isinstance(stylizer, LightMixture):
            found += _weighted(stylizer.parts)
        elif isinstance(stylizer, ByShot):
            found += _weighted([stylizer.otherwise, *stylizer.parts.values()])
    return found


def _add_masks(
    look: Look, config: RenderConfig, stylizers: Sequence[Stylizer], sizes: tuple[_Size, _Size], clip: ClipFacts
) -> None:
    if config.mask is None and not config.regions:
        return
    paths = [path for path in (config.mask, *(region.mask for region in config.regions)) if path is not None]
    times = clip.frame_seconds() if any(matte_moves(path) for path in paths) else []
    num_frames = len(times) or None

    def mask(path: Path, feather: float, invert: bool) -> Mask:
        matte = open_matte(path, sizes, num_frames)
        return Mask(matte, times, sizes[0][0], feather_px=feather, invert=invert)

    if config.mask is not None:
        look.mask = mask(config.mask, config.feather, config.invert_mask)
    look.unpainted = [isinstance(stylizer, IdentityStylizer) and bool(config.regions) for stylizer in stylizers]
    look.regions = [mask(region.mask, region.feather, region.invert) for region in config.regions]


def _sized(picture: Tensor, size: _Size) -> Tensor:
    if (picture.shape[-1], picture.shape[-2]) == size:
        return picture
    height_first = (size[1], size[0])
    return F.interpolate(picture[None], size=height_first, mode="bicubic", antialias=True)[0].clamp_(0.0, 1.0)
