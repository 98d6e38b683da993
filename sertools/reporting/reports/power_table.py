"""A plan written out: what the results at hand can find, and what a gain would need."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from sertools.errors import UsageError
from sertools.reporting.reports.formats import DASH, TextTable, percent, rounded_percent, write_tables
from sertools.scoring.comparing.power import POWER, Spread, designs
from sertools.scoring.comparing.summary import plan
from sertools.scoring.results.result import Result
from sertools.verb_config import Format


def render_plan(
    results: Sequence[Result],
    points: float,
    baseline: str | None = None,
    format: Format = "text",
    *,
    same_speakers: bool = False,
) -> str:
    """Say how many speakers, folds and seeds a gain would need.

    Parameters
    ----------
    results : sequence of Result
        Of at least two methods.
    points : float
        The gain, in points of what methods are judged by.
    baseline, same_speakers
        As for `summarise`.
    format : {"text", "markdown", "csv", "latex", "json"}
        CSV leaves the notes out.

    Returns
    -------
    str
        Ends in a newline.

    Raises
    ------
    UsageError
        If the gain is not above 0, or there is nothing to compare.
    ModelError
        If the results cannot stand in one table.
    """
    if not (isfinite(points) and points > 0):
        raise UsageError(f"--power {points:g}: expected a gain in points above 0, such as 2")
    baseline, found = plan(results, baseline, same_speakers=same_speakers)
    known = {method: spread for method, (spread, _) in found.items() if spread}
    sizes = designs([spread.design for spread in known.values()])
    records = [_record(method, known.get(method), sizes, points / 100) for method in found]
    document = {"rows": records, "notes": _notes(points, found), "baseline": baseline, "power": points}
    table = _table(baseline, known, found, sizes, points / 100)
    return write_tables(format, [table], document)


def _fewest(spread: Spread | None, gain: float, n_folds: int, n_seeds: int) -> int | None:
    return spread.speakers_for(gain, n_folds, n_seeds) if spread else None


def _record(method: str, spread: Spread | None, sizes: Sequence[tuple[int, int]], gain: float) -> dict[str, Any]:
    record: dict[str, Any] = {"method": method}
    for field in ("n_speakers", "n_folds", "n_seeds"):
        record[field] = getattr(spread.design, field) if spread else None
    record["found_now"] = rounded_percent(spread.detectable(spread.design)) if spread else None
    for folds, seeds in sizes:
        record[f"speakers_{folds}_folds_{seeds}_seeds"] = _fewest(spread, gain, folds, seeds)
    return record


def _table(
    baseline: str,
    known: Mapping[str, Spread],
    methods: Mapping[str, object],
    sizes: Sequence[tuple[int, int]],
    gain: float,
) -> TextTable:
    lines = [[f"vs {baseline}", "found now", *(f"{folds} folds, {seeds} seeds" for folds, seeds in sizes)]]
    for method in methods:
        spread = known.get(method)
        now = percent(spread.detectable(spread.design)) if spread else DASH
        needed = (_fewest(spread, gain, folds, seeds) for folds, seeds in sizes)
        lines.append([method, now, *(DASH if n is None else str(n) for n in needed)])
    return lines


def _notes(points: float, found: Mapping[str, tuple[Spread | None, str]]) -> list[str]:
    notes = [
        f"Found now: the gain in points that these results would show in {POWER:.0%} of cases, as one comparison at "
        "95 %; several methods need more.",
        f"The other columns: how many speakers would show a gain of {points:g} points as often, with so many folds "
        "and seeds; a dash where 1000 are too few, for then more seeds are needed, or where the results do not tell. "
        "The spreads over speakers and seeds are those of the results, so the numbers are rough.",
    ]
    reasons: dict[str, list[str]] = {}
    for method, (_, lacks) in found.items():
        if lacks:
            reasons.setdefault(lacks, []).append(method)
    return [*notes, *(f"Nothing to plan with for {', '.join(own)}: {why}." for why, own in reasons.items())]
