"""An original and its painting in one picture: side by side, wiped, or what differs between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from vidstyle.errors import ConfigError
from vidstyle.media.eight_bits import to_eight_bits
from vidstyle.media.encoder_options import near_matches
from vidstyle.media.sheets import before_after, captioned

Compare = Literal["side", "wipe", "diff"]
COMPARISONS: tuple[Compare, ...] = get_args(Compare)

#: Most that a difference is amplified: a step of 1 in 255 is then well visible.
MAX_GAIN = 64
_SHARE_BELOW_WHITE = 0.99
_MAX_SAMPLES = 1 << 20
_LIGHT, _DARK = 235, 20


def check_comparison(name: str) -> Compare:
    """See that there is a comparison of that name.

    Raises:
        ConfigError: there is none; near matches are named.
    """
    for known in COMPARISONS:
        if name == known:
            return known
    hint = near_matches(name, COMPARISONS, f"there are {', '.join(COMPARISONS)}")
    raise ConfigError(f"There is no comparison '{name}'{hint}")


def compared(kind: Compare, original: Tensor, painted: Tensor, name: str, gain: int = 1) -> Tensor:
    """Show both in one picture.

    Args:
        kind: ``side``: original beside painted, a label above each. ``wipe``: the left half of the original and the
            right half of the painted, a thin line between them, of exactly their size. ``diff``: how far each channel
            of the painted is from that of the original, amplified, with a label above that says how much.
        original: (3, H, W) uint8 or uint16 RGB.
        painted: the same, of the same size.
        name: of the style.
        gain: what differences are multiplied with; see ``difference_gain``.

    Returns:
        (3, H', W') uint8 RGB; of even size where H and W are even.
    """
    if kind == "side":
        return before_after(original, painted, labels=("original", name))
    return (
        wiped(original, painted)
        if kind == "wipe"
        else captioned(difference(original, painted, gain), f"difference x{gain}, {name}")
    )


def wiped(original: Tensor, painted: Tensor) -> Tensor:
    """The left half of one (3, H, W) picture and the right half of the other, with a line between; uint8."""
    left, right = to_eight_bits(original), to_eight_bits(painted)
    width = left.shape[-1]
    middle, line = width // 2, max(1, round(width / 960))
    picture = torch.cat([left[..., :middle], right[..., middle:]], -1)
    # Light with dark edges, to be seen on anything.
    picture[..., max(middle - line, 0) : middle + 2 * line] = _DARK
    picture[..., middle : middle + line] = _LIGHT
    return picture


def difference(original: Tensor, painted: Tensor, gain: int = 1) -> Tensor:
    """``gain`` times the absolute difference of two (3, H, W) pictures, as uint8."""
    distance = to_eight_bits(original).to(torch.int16) - to_eight_bits(painted).to(torch.int16)
    return distance.abs_().mul_(gain).clamp_(max=255).to(torch.uint8)


def difference_gain(pairs: Sequence[tuple[Tensor, Tensor]]) -> int:
    """How much to amplify the differences of some pictures, the same for all, so that they can be compared.

    The largest power of two, up to ``MAX_GAIN``, that leaves 99 of 100 channel values below white; 1 where nothing
    differs.

    Args:
        pairs: (3, H, W) originals and painted pictures.
    """
    values = torch.cat([difference(original, painted).flatten() for original, painted in pairs])
    values = values[:: max(1, values.numel() // _MAX_SAMPLES)]
    high = float(torch.quantile(values.float(), _SHARE_BELOW_WHITE))
    gain = 1
    while 0 < high * gain * 2 <= 255 and gain < MAX_GAIN:
        gain *= 2
    return gain
