"""From any of Pillow's modes to 8-bit RGB, alpha, and the colour profile that holds for them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from vidstyle.errors import UnsupportedMediaError


def to_rgb(image: Image.Image, path: Path) -> tuple[Image.Image, Image.Image | None, bytes | None, list[str]]:
    """Split into RGB, alpha and the profile that holds for that RGB, with notes about what changed."""
    notes = []
    profile = image.info.get("icc_profile") or None
    if image.mode in ("F", "LAB"):
        kind = "floating-point" if image.mode == "F" else "CIELAB"
        raise UnsupportedMediaError(f"{path}: {kind} pictures are not supported; save it as 8-bit RGB first.", path)
    if image.mode.startswith("I"):
        image = _reduce_to_8_bits(image, path)

    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    elif image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")

    if profile is not None and (image.mode == "CMYK" or not _profile_fits(profile, "RGB")):
        converted = convert_to_srgb(image, profile) if _profile_fits(profile, image.mode) else None
        notes.append(
            "a colour profile that does not fit the picture was left out"
            if converted is None
            else f"{image.mode} was converted to sRGB by its colour profile"
        )
        image, profile = converted or image, None
    elif image.mode == "CMYK":
        notes.append("CMYK without a colour profile was converted to RGB; colours are approximate")
    return image.convert("RGB"), alpha, profile, notes


def _reduce_to_8_bits(image: Image.Image, path: Path) -> Image.Image:
    samples = np.asarray(image).astype(np.int64)
    if samples.min() < 0 or samples.max() > 65535:
        raise UnsupportedMediaError(f"{path}: 32-bit pictures are not supported; save it as 8-bit RGB first.", path)
    return Image.fromarray(((samples * 255 + 32767) // 65535).astype(np.uint8))


def _profile_fits(profile: bytes, mode: str) -> bool:
    space = {"RGB": b"RGB ", "RGBA": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}[mode]
    return profile[16:20] == space


def convert_to_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert by profile; None where the profile is damaged."""
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
