"""From settings and a clip to a look, and to stylizers that go with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from vidstyle.config import RenderConfig
from vidstyle.control_settings import Region
from vidstyle.controls.clip import ClipFacts, as_float
from vidstyle.controls.keyframes import check_keyframes, tracks, value_at
from vidstyle.controls.look import Layer, Look
from vidstyle.controls.masks import Mask
from vidstyle.controls.over_time import controls_over_time, painting_jumps
from vidstyle.errors import ConfigError
from vidstyle.imaging.grain import GrainFilter
from vidstyle.media.lut import Lut3d
from vidstyle.media.mattes import matte_moves, open_matte
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.changing import ChangingStylizer, has_weight
from vidstyle.stylizers.checkpoint import IdentityStylizer
from vidstyle.stylizers.recolored import in_colors_of

_Size = tuple[int, int]


def dress(
    config: RenderConfig,
    stylizers: Mapping[str, Stylizer],
    size: _Size,
    output_size: _Size,
    clip: ClipFacts | None,
    *,
    device: torch.device,
) -> tuple[Look | None, list[Stylizer]]:
    """Turn the controls for a clip.

    Args:
        config: settings.
        stylizers: of ``config.styles``, by name, on their device.
        size: (width, height) of the clip's upright picture.
        output_size: (width, height) to work at.
        clip: the clip; None where settings have no control that needs one.
        device: where the stylizers are.

    Returns:
        The look, None where no control is turned; and stylizers: of the whole picture, several where that changes over
        time, and of each region.

    Raises:
        ConfigError: a mask or a look-up table does not fit, or keyframes or shots contradict each other.
        MediaError: a mask, a cut list or the clip cannot be read.
    """
    if not _is_turned(config):
        return None, [stylizers[config.style]]
    if clip is None:
        raise ConfigError("These settings have controls that depend on the clip, and no clip was given.")
    shots = clip.shots(config)
    check_keyframes(config, clip.moment)
    controls = controls_over_time(config, shots, clip.moment)
    tables = {path: Lut3d(path) for path in config.values("lut") if path is not None}
    samples = _samples(config, clip, tables, output_size, device)
    turn = value_at(controls, Fraction(0)).turn
    styles = tuple(dict.fromkeys(config.values("style")))
    layers = [stylizers[style] for style in (*styles, *(region.style for region in config.regions))]
    dressed = [ChangingStylizer(each, partial(_recolored, each, samples), turn) for each in layers]
    is_weighted = any(map(has_weight, layers))
    look = Look(
        controls=controls,
        turned=dressed if _turns(config, is_weighted=is_weighted) else (),
        changes_consistency=config.changes("consistency"),
        jumps=[painting_jumps(config, controls, clip.moment, has_weight=has_weight(each)) for each in layers],
        styles=styles,
        shots=shots,
        seconds_of=clip.seconds_of,
        matrix=clip.matrix,
        tables=tables,
        # One style alone that leaves the source is painted like any other: grain and detail act on it.
        unpainted=[isinstance(each, IdentityStylizer) and len(layers) > 1 for each in layers],
    )
    if set(config.values("grain")) != {"off"}:
        look.grain = {table: GrainFilter.measured(pictures) for table, pictures in samples.items()}
    _add_masks(look, config, (size, output_size), clip)
    return look, list(dressed)


def _is_turned(config: RenderConfig) -> bool:
    fields = ("strength", "preserve_color", "mask", "regions", "keyframes", "shots", "shots_from", "lut", "style_scale")
    defaults = type(config).model_fields
    return any(getattr(config, name) != defaults[name].default for name in (*fields, "detail", "grain"))


def _turns(config: RenderConfig, *, is_weighted: bool) -> bool:
    """Whether stylizers have to be told what changes."""
    of_colors = ("lut", "lut_at") if "transfer" in config.values("preserve_color") else ()
    of_pictures = ("style_weight",) if is_weighted else ()
    return config.changes("style_scale", "preserve_color", *of_colors, *of_pictures)


def _samples(
    config: RenderConfig, clip: ClipFacts, tables: Mapping[Path, Lut3d], size: _Size, device: torch.device
) -> dict[Path | None, list[Tensor]]:
    """Some frames of the clip, by the table they are seen through; empty where nothing is measured on them."""
    if "transfer" not in config.values("preserve_color") and set(config.values("grain")) == {"off"}:
        return {}
    decoded = [_sized(as_float(sample).to(device), size) for sample in clip.samples()]
    if not decoded:
        raise ConfigError("No frame of the clip could be measured; use --preserve-color luma or none, and --grain off.")
    before = set(config.values("lut")) if "before" in config.values("lut_at") else set()
    found: dict[Path | None, list[Tensor]] = {
        path: list(tables[path](torch.stack(decoded))) for path in before - {None}
    }
    if None in before or "after" in config.values("lut_at"):
        found[None] = decoded
    return found


def _recolored(
    stylizer: Stylizer, samples: Mapping[Path | None, Sequence[Tensor]], seen_through: Path | None
) -> Stylizer:
    return in_colors_of(stylizer, samples[seen_through])


def _add_masks(look: Look, config: RenderConfig, sizes: tuple[_Size, _Size], clip: ClipFacts) -> None:
    paths = dict.fromkeys(path for path in config.values("mask") if path is not None)
    times = clip.frame_seconds() if any(map(matte_moves, (*paths, *(each.mask for each in config.regions)))) else []

    def mask(path: Path) -> Mask:
        return Mask(open_matte(path, sizes, len(times) or None), times, sizes[0][0])

    look.masks = {path: mask(path) for path in paths}
    look.regions = [_layer(region, mask(region.mask), clip) for region in config.regions]


def _layer(region: Region, mask: Mask, clip: ClipFacts) -> Layer:
    constant = {name: getattr(region, name) for name in ("strength", "feather", "invert")}
    return Layer(mask, **(constant | tracks(region.keyframes, constant, clip.moment)))


def _sized(picture: Tensor, size: _Size) -> Tensor:
    if (picture.shape[-1], picture.shape[-2]) == size:
        return picture
    height_first = (size[1], size[0])
    return F.interpolate(picture[None], size=height_first, mode="bicubic", antialias=True)[0].clamp_(0.0, 1.0)
