"""``python -m sertools`` is the same as ``sertools``."""

import os
import signal
import sys


def main() -> None:
    """Run the command line, here or in the warm process of `sertools batch --around`."""
    _speak_utf_8()
    # Imports within: the processes that `extract` starts do without them.
    try:
        from sertools.batch import WARM  # noqa: PLC0415

        if address := os.environ.get(WARM):
            from sertools.batch.client import hand_over  # noqa: PLC0415

            hand_over(address, sys.argv[1:])
        from sertools.cli import main as run  # noqa: PLC0415

        run()
    except KeyboardInterrupt:
        # Before a verb has begun, or when it has ended: there is nothing to clear away.
        raise SystemExit(128 + signal.SIGINT) from None


def _speak_utf_8() -> None:
    """Start again in Python's UTF-8 mode under a locale of another encoding: names of files are UTF-8 all the same.

    Python would take a name for other letters than the labels table has, and a folder's name for another class.
    """
    if sys.executable and sys.getfilesystemencoding() != "utf-8":
        # What a terminal is shown stays in its own encoding.
        os.environ.setdefault("PYTHONIOENCODING", getattr(sys.stdout, "encoding", "utf-8"))
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


if __name__ == "__main__":
    main()
