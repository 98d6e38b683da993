"""The end of `make mine`: which method to take, by a stated rule, and what to type for it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sertools.errors import SertoolsError
from sertools.experiment.methods import joined
from sertools.experiment.mine import Mine
from sertools.experiment.preview import voices
from sertools.experiment.rules import OUT
from sertools.experiment.steps import command, rules_in_order

_LEVEL = 0.05


def closing(mine: Mine, tool: str) -> str:
    """Say which method to take, and write the lines that train it on all rows and use it.

    Parameters
    ----------
    mine
        Of which the report is there.
    tool
        How `sertools` is called.

    Returns
    -------
    str
        Lines for a terminal.

    Raises
    ------
    SertoolsError
        If there is no report as JSON in OUT.
    """
    out = Path(mine.settings["OUT"])
    report = _read(out / "mine.json")
    looked_at = ", ".join(mine.looked_at)
    judged_by = f"AUC of {' and '.join(mine.looked_at)}"
    chosen, why = choice(report)
    lines = [
        f"'Reduced' above is the class that is looked at ({looked_at}); nothing of it was removed.",
        *filter(None, [voices(mine)]),
        f"The page: {out / 'mine.html'}",
        "",
        f"Rule: {mine.baseline}, unless another method is shown to have a higher {judged_by} (Holm's p < {_LEVEL}).",
        f"Choice: {chosen}, for {why}.",
    ]
    if joined(chosen).grid:
        lines.append("It is chosen on validation rows, and training on all recordings leaves none: no line does it.")
    else:
        lines += ["To train it on all recordings, and to label new ones:", ""]
        lines += [f"  {line}" for line in final_lines(mine, chosen, tool)]
    return "".join(f"{line}\n" for line in lines)


def choice(report: Mapping[str, Any]) -> tuple[str, str]:
    """Choose among the rows of a report as JSON: its baseline, or the best of those that are shown to be above it.

    Parameters
    ----------
    report
        Rows have ``method``, ``anew_difference`` with ``estimate`` and ``low``, ``p_holm`` and ``lacks``.

    Returns
    -------
    The method, and why.
    """
    above = [
        row
        for row in report["rows"]
        if row["p_holm"] is not None and row["p_holm"] < _LEVEL and (row["anew_difference"]["low"] or 0) > 0
    ]
    if not above:
        unknown = {row["lacks"] for row in report["rows"] if row["method"] != report["baseline"]}
        if unknown and all(unknown):
            return report["baseline"], f"none can be shown to be above it here ({', '.join(sorted(unknown))})"
        return report["baseline"], "no other method is shown to be above it"
    best = max(above, key=lambda row: row["anew_difference"]["estimate"])
    found = best["anew_difference"]
    interval = f"{found['estimate']:+} [{found['low']:+}, {found['high']:+}]"
    return best["method"], f"it is {interval} points above {report['baseline']}, p {best['p_holm']:.2g}"


def final_lines(mine: Mine, method: str, tool: str) -> list[str]:
    """Write the commands that train a method on all rows and label recordings with it."""
    cell, asked = mine.final(), joined(method)
    trained, *_ = cell.classifier(asked)
    rules = {rule.target: rule for rule in (*cell.artefacts(), *cell.stores(), trained)}
    made = [f"{tool} {command(rule).partition(' ')[2]}" for rule in rules_in_order(rules, trained.target)]
    encoder = mine.settings["ENCODER"]
    used = ["predict", trained.target, "NEW-RECORDINGS/", *(["--encoder", shlex.quote(encoder)] if encoder else [])]
    predicted = " ".join([tool, *used, *filter(None, [asked.evaluated]), "-o predicted.csv"])
    out = mine.settings["OUT"]
    return [line.replace(OUT, shlex.quote(out)) for line in (f"mkdir -p {cell.folder}", *made, predicted)]


def _read(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SertoolsError(f"{path}: cannot be read ({error}); make mine writes it") from error
    return report
