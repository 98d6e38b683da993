"""What can be set, for `make settings`: each setting with its words and its value, and each method."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from textwrap import fill

from sertools.experiment.methods import METHODS
from sertools.experiment.paper_tables import rows
from sertools.experiment.settings import HOW, WHAT, resolve

_WIDTH = 110
_NAMES = 11  # columns of a name


def guide(given: Mapping[str, str]) -> str:
    """Show every setting as it stands, and the rows of METHODS.

    Parameters
    ----------
    given
        Name → value of the settings that are given.

    Raises
    ------
    UsageError
        If one of them is wrong.
    """
    values = resolve(given)
    lines = []
    for title, settings in (("What to run on", WHAT), ("How", HOW)):
        lines += ["", f"{title}:"]
        lines += [_entry(setting.name, f"{setting.words} [{values[setting.name]}]") for setting in settings]
    lines += ["", "Rows of these settings:"]
    for title, table in (("Table 2", "table2"), ("Table 3", "table3"), ("mine", "mine")):
        lines.append(_entry("", f"{title}: {' '.join(method.name for method in rows(table, values))}"))
    lines += ["", "Methods, joined by + (pot+half, CP+specaug):"]
    methods = [method for method in METHODS if not (method.share or method.oracle)]
    for group, members in groupby(methods, key=lambda method: method.group):
        lines.append(_entry("", f"{group}: {' '.join(method.name for method in members)}"))
    oracles = " ".join(method.name for method in METHODS if method.oracle)
    shares = " ".join(method.name for method in METHODS if method.share)
    lines.append(_entry("", f"Shares of a class's draws, for new rows: {shares}"))
    lines.append(_entry("", f"Oracles, whose generator has seen what was removed (Table 2): {oracles}"))
    return "\n".join([*lines[1:], ""])


def _entry(name: str, words: str) -> str:
    return fill(
        f"{name:<{_NAMES}} {words}",
        _WIDTH,
        subsequent_indent=" " * (_NAMES + 1),
        break_long_words=False,
        break_on_hyphens=False,
    )
