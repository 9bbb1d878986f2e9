"""``vidstyle ui``."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import webbrowser
from pathlib import Path
from typing import Any

import click

from vidstyle.cli.options import painting_settings
from vidstyle.errors import ConfigError, OpenError


@click.command()
@click.argument("clip", required=False, type=click.Path(path_type=Path))
@click.option("--style", "-s", help="Style to begin with.")
@click.option(
    "--folder",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder the page may read and write, besides CLIP's (or the current one); repeat it for more.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; a free one by default.")
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser.")
@painting_settings
def ui(
    *,
    clip: Path | None,
    folders: tuple[Path, ...],
    port: int,
    opens: bool,
    preset: str | None,
    overwrite: bool,  # noqa: ARG001  # the page asks
    **settings: Any,
) -> None:
    """Try styles and settings on CLIP in a page in your browser, then render from there.

    The page is served by this command, on this machine only, until Ctrl-C.
    """
    from vidstyle.config import make_config

    missing = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The page needs {' and '.join(missing)}; install them with: {sys.executable} -m pip install 'vidstyle[ui]'"
        )
    base = make_config(preset, **settings)
    opened = _opened_folders(clip, folders)

    from vidstyle.media.probe import probe_video
    from vidstyle.ui.server import serve
    from vidstyle.ui.session import Session, is_text

    if clip is not None:
        if not is_text(clip.resolve()):
            raise ConfigError(f"The name of {clip} is no valid text, which a page cannot show; rename it first.")
        probe_video(clip)  # a sentence in the terminal, rather than a page with nothing to show

    def on_ready(address: str) -> None:
        click.echo(f"The page: {address}\nCtrl-C ends it.")
        if opens and _has_desktop():
            webbrowser.open(address)

    with contextlib.suppress(KeyboardInterrupt):  # the ordinary way to end it
        serve(Session(opened, clip and clip.resolve(), base), port, on_ready)
    # What a request still works on is for nobody now, and the next signal ends it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _opened_folders(clip: Path | None, folders: tuple[Path, ...]) -> tuple[Path, ...]:
    from vidstyle.media.names import is_clip
    from vidstyle.media.sequence_names import is_sequence

    if clip is not None and is_sequence(clip):
        raise OpenError(
            f"{clip} is a sequence of pictures, which the page does not show; see 'vidstyle preview'.", clip
        )
    if clip is not None and not clip.is_file():
        raise OpenError(f"There is no clip {clip}; check the name.", clip)
    if clip is not None and not is_clip(clip):
        raise OpenError(f"{clip} is not a clip by its name; for pictures see 'vidstyle preview'.", clip)
    for folder in folders:
        if not folder.is_dir():
            raise OpenError(f"There is no folder {folder}; check the name.", folder)
    first = Path() if clip is None else clip.resolve().parent
    return tuple(dict.fromkeys(folder.resolve() for folder in (first, *folders)))


def _has_desktop() -> bool:
    """Whether a browser would open beside the terminal, not inside it."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
