"""Print the lowest versions that pyproject.toml allows, as constraints for pip: ``name==version`` a line.

Usage: python .ci/lowest.py [NAME …]    NAMEs are left out: torch has no old CPU builds for new Pythons.
"""

import re
import sys
from pathlib import Path

import tomllib

PROJECT = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text("utf-8"))["project"]


def lowest() -> dict[str, str]:
    """Name → lowest version, of what the package, its Parquet reader and its tests need."""
    extras = PROJECT["optional-dependencies"]
    found: dict[str, str] = {}
    for line in (*PROJECT["dependencies"], *extras["audformat"], *extras["demo"], *extras["dev"]):
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)(,.*)?", line)
        if match is None or found.setdefault(match[1], match[2]) != match[2]:
            raise SystemExit(f"pyproject.toml: {line!r}: expected one NAME>=VERSION of each package")
    return found


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in lowest().items() if name not in sys.argv[1:]))
