"""Which pixel format a picture is encoded in: as deep as the source, with its chroma and opacity, if there is one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vidstyle.errors import ConfigError
from vidstyle.frames import VideoInfo
from vidstyle.media.color import HDR_TRANSFERS, bit_depth, chroma_step, has_alpha, is_rgb

# Samples of chroma kept, least first: 4:2:0, 4:2:2, 4:4:4.
_CHROMA_LEVELS = {(2, 2): 0, (4, 1): 0, (4, 4): 0, (2, 1): 1, (1, 2): 1, (1, 1): 2}
_CHROMA_NAMES = ("4:2:0", "4:2:2", "4:4:4")
# These go on to further work: RGB sources keep their full chroma.
_MASTERING = ("prores_ks", "dnxhd", "ffv1", "cfhd")
# Lossless: what was painted, not its YCbCr, is what they are chosen for.
_STORES_RGB = ("ffv1",)
# These list formats with opacity and do not encode it, or so that nothing reads it.
_NO_ALPHA = ("libx265", "h264_nvenc", "hevc_nvenc", "av1_nvenc")
_HARDWARE = ("cuda", "vaapi", "qsv", "d3d11", "videotoolbox_vld", "vulkan", "mediacodec", "drm_prime")
_PROFILE_FORMATS = {
    "prores_ks": {"4444": 2, "4444xq": 2, "4": 2, "5": 2},
    "dnxhd": {"dnxhr_444": 2},
}


@dataclass(frozen=True, slots=True)
class PixelNeeds:
    """What an output has to hold so that nothing of the source's picture is lost.

    Attributes:
        depth: bits of a component.
        chroma: 0, 1 or 2 for 4:2:0, 4:2:2 and 4:4:4.
        rgb: stored as RGB, so that chroma says nothing about what is wanted.
        alpha: opacity is wanted.
        hdr: PQ or HLG, which 8 bits cannot hold without bands.
        unpainted: the source's own samples are to be written, of some frames at least.
    """

    depth: int = 8
    chroma: int = 0
    rgb: bool = False
    alpha: bool = False
    hdr: bool = False
    unpainted: bool = False

    @classmethod
    def of(cls, info: VideoInfo, alpha: bool = False, unpainted: bool = False) -> PixelNeeds:
        """Those of a source; ``alpha`` where its opacity is to be kept, ``unpainted`` where frames come as decoded."""
        stored = info.pixel_format or "yuv420p"
        grey = stored.startswith(("gray", "ya", "mono"))
        return cls(
            depth=min(info.bit_depth, 16),
            chroma=0 if grey else _CHROMA_LEVELS.get(chroma_step(stored), 2),
            rgb=is_rgb(stored),
            alpha=alpha and info.has_alpha,
            hdr=info.color.transfer in HDR_TRANSFERS,
            unpainted=unpainted,
        )


def refuse_profile_without_alpha(codec: str, options: Mapping[str, str]) -> None:
    """See that opacity, which is wanted, is not lost to a profile that has none.

    Raises:
        ConfigError: the ``profile`` that the user gave does.
    """
    profile = options.get("profile")
    following = (None, "auto", "-1")
    if codec == "prores_ks" and profile not in (*_PROFILE_FORMATS[codec], *following):
        raise ConfigError(
            f"{codec}'s profile {profile} has no opacity; use 4444 or 4444xq, or leave it out with --alpha drop."
        )


def rank_pixel_formats(
    codec: str, formats: Sequence[str], needs: PixelNeeds, size: tuple[int, int], options: Mapping[str, str]
) -> list[str]:
    """An encoder's formats, best first: those that lose nothing, the smallest of them.

    Behind the best come first those that take a picture of this size.

    Args:
        codec: FFmpeg's encoder name.
        formats: what it takes; empty where it does not say.
        needs: of the source.
        size: (width, height) of the output in pixels.
        options: given by the user; a ``profile`` among them narrows the choice.

    Raises:
        ConfigError: opacity is wanted and the encoder has none.
    """
    usable = [f for f in formats or ("yuv420p", "yuv444p") if _is_plain(f) and has_alpha(f) == needs.alpha]
    if needs.alpha and (not usable or codec in _NO_ALPHA):
        raise ConfigError(
            f"{codec} has no opacity; use prores_ks, ffv1 or (in .webm) libvpx-vp9, or leave it out with --alpha drop."
        )
    rgb = [f for f in usable if is_rgb(f)]
    ycbcr = [f for f in usable if not is_rgb(f)]
    stores_rgb = codec in _STORES_RGB and (needs.rgb or not needs.unpainted)
    usable = (rgb if stores_rgb else ycbcr) or usable or list(formats[:1])
    chroma = (2 if codec in _MASTERING else 0) if needs.rgb else needs.chroma
    chroma, depth = _by_profile(codec, options.get("profile"), chroma, needs.depth)

    def cost(name: str) -> tuple[int, ...]:
        bits, level = bit_depth(name), _level(name)
        return (max(depth - bits, 0), max(chroma - level, 0), max(bits - depth, 0), max(level - chroma, 0))

    ranked = sorted(usable, key=cost)
    return ranked[:1] + sorted(ranked[1:], key=lambda name: not fits(name, size))


def fits(pixel_format: str, size: tuple[int, int]) -> bool:
    """Whether a picture of this (width, height) has whole chroma samples everywhere."""
    return all(side % step == 0 for side, step in zip(size, chroma_step(pixel_format), strict=True))


def profile_options(codec: str, pixel_format: str) -> dict[str, str]:
    """Options an encoder needs for a pixel format; what the user gives wins over them."""
    if codec == "prores_ks" and _level(pixel_format) == 2:
        return {"profile": "4444"} | ({"alpha_bits": "16"} if has_alpha(pixel_format) else {})
    if codec == "dnxhd" and (_level(pixel_format) == 2 or bit_depth(pixel_format) > 8):
        return {"profile": "dnxhr_444" if _level(pixel_format) == 2 else "dnxhr_hqx"}
    if codec == "libvpx-vp9" and has_alpha(pixel_format):
        return {"auto-alt-ref": "0"}  # it refuses opacity otherwise
    return {}


def note_losses(codec: str, pixel_format: str, needs: PixelNeeds, *, chosen: bool, note: Callable[[str], None]) -> None:
    """Say what of the source's picture the format cannot hold, and who cannot play it.

    Args:
        codec: FFmpeg's encoder name.
        pixel_format: of the output.
        needs: of the source.
        chosen: by vidstyle, not by the settings; who chose knows where it plays.
        note: called with each sentence.
    """
    depth, level = bit_depth(pixel_format), _level(pixel_format)
    if needs.hdr and depth < 10:
        note(f"HDR in {depth} bits shows bands; use an encoder of 10 bits, such as libx265 with --pix-fmt yuv420p10le.")
    elif depth < needs.depth:
        note(f"The source has {needs.depth} bits a component, {codec} as {pixel_format} keeps {depth} of them.")
    if level < needs.chroma and not needs.rgb:
        note(f"{codec} reduces the source's {_CHROMA_NAMES[needs.chroma]} colour to {_CHROMA_NAMES[level]}.")
    if not chosen:
        return
    family = next((name for key, name in _NARROW.items() if key in codec), None)
    if family is not None and (level > 0 or (depth > 8 and family == "H.264")):
        note(
            f"Written as {pixel_format} to keep what the source has, which not every player takes in {family}; "
            "--pix-fmt yuv420p plays everywhere."
        )


#: Families of encoders whose players often know 4:2:0 only, H.264's with 8 bits only.
_NARROW = {"264": "H.264", "hevc": "HEVC", "265": "HEVC", "vp9": "VP9", "av1": "AV1"}


def _by_profile(codec: str, profile: str | None, chroma: int, depth: int) -> tuple[int, int]:
    if profile is None or codec not in _PROFILE_FORMATS:
        return chroma, depth
    chroma = _PROFILE_FORMATS[codec].get(profile, 1)
    if codec == "dnxhd":
        depth = 10 if profile in ("dnxhr_444", "dnxhr_hqx") else 8
    return chroma, depth


def _level(pixel_format: str) -> int:
    return _CHROMA_LEVELS.get(chroma_step(pixel_format), 2)


def _is_plain(name: str) -> bool:
    """Whether pictures can be put into this format as they are: no palette, grey, float, packed or hardware format."""
    if bit_depth(name) not in (8, 10, 12, 16) or name in _HARDWARE:
        return False
    return re.match(r"gray|ya\d|yaf|mono|pal|yuvj|nv|p2|yuva?440p|yuva?41|xyz", name) is None and not re.search(
        r"f16|f32|msb|x2", name
    )
