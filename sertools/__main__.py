"""``python -m sertools`` is the same as ``sertools``."""

import signal


def main() -> None:
    """Run the command line."""
    try:
        from sertools.cli import main as run  # noqa: PLC0415 - the processes that `extract` starts do without it

        run()
    except KeyboardInterrupt:
        # Before a verb has begun, or when it has ended: there is nothing to clear away.
        raise SystemExit(128 + signal.SIGINT) from None


if __name__ == "__main__":
    main()
