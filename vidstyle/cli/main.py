"""The ``vidstyle`` command. Subcommands are imported when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from importlib import import_module
from types import FrameType

import click

from vidstyle import __version__
from vidstyle.cli import INTERRUPTED, INTERRUPTION
from vidstyle.cli.exit_codes import exit_code_of, sentence_of
from vidstyle.cli.terminal import say
from vidstyle.errors import VidstyleError

#: Subcommand, its module and its function there, and its line in ``--help``.
_COMMANDS = {
    "stylize": ("vidstyle.cli.stylize", "stylize", "Paint clips, GIFs and stills."),
    "preview": ("vidstyle.cli.preview", "preview", "Show frames as the full render would paint them."),
    "ui": ("vidstyle.cli.ui", "ui", "Try styles and settings in a page in your browser."),
    "init-config": ("vidstyle.cli.init_config", "init_config", "Write a preset with every setting, commented."),
    "probe": ("vidstyle.cli.probe", "probe", "Say what a clip is, and what would become of its streams."),
    "styles": ("vidstyle.cli.inspect", "styles", "List styles; keep your own by name."),
    "doctor": ("vidstyle.cli.inspect", "doctor", "Say what is installed, what would be used, and why."),
    "train": ("vidstyle.cli.train", "train", "Train your own style."),
    "optimize": ("vidstyle.cli.optimize", "optimize", "Paint one still by optimising its pixels."),
    "evaluate": ("vidstyle.cli.evaluate", "evaluate", "Measure how steady a stylized clip is, and what that cost."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, function, _ = _COMMANDS[cmd_name]
        command = getattr(import_module(module), function)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vidstyle")
def cli() -> None:
    """Paint a video clip in a style and keep it steady; the sound stays untouched."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    signal.signal(signal.SIGTERM, _end)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup has it ignored
        signal.signal(signal.SIGHUP, _end)
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    command = ("vidstyle", *(sys.argv[1:] if arguments is None else arguments))  # for a sidecar
    try:
        result = cli.main(arguments, prog_name="vidstyle", standalone_mode=False, obj=command)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"vidstyle: {INTERRUPTION}", err=True)
        sys.exit(INTERRUPTED)
    except (VidstyleError, OSError) as error:
        if os.environ.get("VIDSTYLE_DEBUG") == "1":
            raise
        say(f"vidstyle: {sentence_of(error)}", err=True)
        sys.exit(exit_code_of(error))
    else:
        sys.exit(result if isinstance(result, int) else 0)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is _end:  # Python itself has to tidy up, too
                signal.signal(number, signal.SIG_IGN)


def _end(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal module's signature
    """Raise what ends the command and unwinds like any error, so that the part file goes, too."""
    if _is_loading("torch"):  # whose C++ code drops what is raised meanwhile, or ends the process by it
        again = threading.Timer(0.05, signal.raise_signal, (signum,))
        again.daemon = True
        again.start()
    elif _ending() is None:
        raise _noted(_Interrupted() if signum == signal.SIGINT else _Terminated(128 + signum))
    elif time.monotonic() - _ending_since > _PATIENCE_SECONDS:
        os._exit(128 + signum)


def _is_loading(name: str) -> bool:
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))  # importlib's own mark


# Of their own, because built-in exceptions cannot be referred to weakly.
class _Interrupted(KeyboardInterrupt):
    pass


class _Terminated(SystemExit):
    pass


def _nothing() -> None:
    """What a weak reference says whose object has gone."""


#: What a signal has raised to end the command, as long as it is on its way: a second would break off what tidies up.
#: One that a library has dropped has gone, so the next signal counts.
_ending: Callable[[], BaseException | None] = _nothing
_ending_since = 0.0
#: What has not tidied up in this time is stuck, and the next signal ends the process as it is.
_PATIENCE_SECONDS = 10.0


def _noted(error: BaseException) -> BaseException:
    # Not in the handler, whose frame the traceback holds: the error would keep itself.
    global _ending, _ending_since
    _ending, _ending_since = weakref.ref(error), time.monotonic()
    return error
