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
    from vidstyle.planning import plan as plan
    from vidstyle.planning import probe as probe
    from vidstyle.training.optimize import optimize as optimize

__version__ = "0.1.0"
__all__ = ["__version__", "optimize", "plan", "preview", "probe", "stylize"]

_HOMES = {
    "optimize": "vidstyle.training.optimize",
    "plan": "vidstyle.planning",
    "preview": "vidstyle.api",
    "probe": "vidstyle.planning",
    "stylize": "vidstyle.api",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
