"""``python -m sertools`` is the same as ``sertools``."""

import os
import signal
import sys


def main() -> None:
    """Run the command line, here or in the warm process of `sertools batch --around`."""
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


if __name__ == "__main__":
    main()
