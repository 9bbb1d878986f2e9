"""``vidstyle init-config``."""

from __future__ import annotations

from pathlib import Path

import click

from vidstyle.cli.terminal import say
from vidstyle.errors import OpenError


@click.command("init-config")
@click.argument("output", type=click.Path(path_type=Path), default=Path("vidstyle.toml"))
@click.option("--overwrite", "-y", is_flag=True, help="Replace an existing file.")
def init_config(output: Path, overwrite: bool) -> None:
    """Write a preset with every setting, commented, to OUTPUT (vidstyle.toml); use it with --config."""
    from vidstyle.preset_template import commented_preset

    if output.exists() and not overwrite:
        raise OpenError(f"{output} exists already; pass --overwrite to replace it.", output)
    try:
        output.write_text(commented_preset(), encoding="utf-8")
    except OSError as error:
        raise OpenError(f"{output} cannot be written ({error.strerror}); name another file.", output) from error
    say(f"wrote {output}")
