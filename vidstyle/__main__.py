"""The ``vidstyle`` command, also as ``python -m vidstyle``."""

import sys

from vidstyle.cli import INTERRUPTED, INTERRUPTION


def run() -> None:
    """Run the command line and exit; Ctrl-C counts from the first moment, while modules are loaded."""
    try:
        from vidstyle.cli.main import main  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write(f"vidstyle: {INTERRUPTION}\n")
        sys.exit(INTERRUPTED)
    main()


if __name__ == "__main__":
    run()
