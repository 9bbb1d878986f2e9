"""The ``vidstyle`` command, also as ``python -m vidstyle``."""

import sys


def run() -> None:
    """Run the command line and exit; Ctrl-C counts from the first moment, while modules are loaded."""
    try:
        from vidstyle.cli.main import main  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("vidstyle: interrupted; nothing unfinished was left behind.\n")
        sys.exit(130)
    main()


if __name__ == "__main__":
    run()
