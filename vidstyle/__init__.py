"""Paint a video clip in a style and keep it steady.

    import vidstyle
    vidstyle.stylize("in.mp4", "out.mp4", style="starry-night")

Heavy libraries are imported when a function is first used, not with the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidstyle.api import preview as preview
    from vidstyle.api import stylize as stylize

__version__ = "0.1.0"
__all__ = ["__version__", "preview", "stylize"]


def __getattr__(name: str) -> Any:
    if name in ("preview", "stylize"):
        return getattr(import_module("vidstyle.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
