"""``python -m sertools`` is the same as ``sertools``."""

from sertools.cli import main

if __name__ == "__main__":
    main()
