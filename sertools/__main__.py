"""``python -m sertools`` is the same as ``sertools``."""


def main() -> None:
    """Run the command line."""
    from sertools.cli import main as run  # noqa: PLC0415 - the processes that `extract` starts do without it

    run()


if __name__ == "__main__":
    main()
