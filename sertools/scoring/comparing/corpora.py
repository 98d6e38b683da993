"""One comparison over several corpora: each corpus by itself, then their mean.

Corpora share no speakers and no training sets, so that their differences are independent of each other: the variance
of the mean is that of independent estimates, with Satterthwaite's degrees of freedom. Every corpus counts alike,
whatever its size, and the question is about these corpora, not about others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, isfinite, nan, sqrt
from statistics import fmean

from scipy.stats import t as student_t

from sertools.errors import ModelError, UsageError
from sertools.experiment.methods import FULL
from sertools.scoring.comparing.comparison import Report, Row, differs
from sertools.scoring.comparing.resampling import holm
from sertools.scoring.comparing.statistics import Interval
from sertools.scoring.comparing.summary import summarise
from sertools.scoring.results.result import Result

_LEVEL = 0.95
_NOTHING = 1e-12


@dataclass(frozen=True, kw_only=True)
class OverCorpora:
    """A method against the baseline, on each corpus and on their mean; trained anew, on new speakers.

    Attributes
    ----------
    method : str
        Its tag.
    primary, uar : dict of str to Interval or None
        Corpus → difference of what methods are judged by, and of the UAR; None where there is none.
    mean_primary, mean_uar : Interval or None
        Over all corpora; None unless each has an interval.
    p, p_holm : float
        Two-sided, that `mean_primary` is 0, and corrected for the number of methods; NaN where there is no test.
    """

    method: str
    primary: Mapping[str, Interval | None]
    uar: Mapping[str, Interval | None]
    mean_primary: Interval | None
    mean_uar: Interval | None
    p: float
    p_holm: float = nan

    @property
    def differs(self) -> int:
        """1 or -1 where the mean over the corpora is above or below 0 for certain; else 0."""
        return differs(self.mean_primary, self.p_holm)


@dataclass(frozen=True, kw_only=True)
class CorporaReport:
    """What is said of several corpora at once.

    Attributes
    ----------
    reports : dict of str to Report
        Corpus → its own table.
    baseline : str
        What methods are compared with.
    rows : tuple of OverCorpora
        Every other method, in the order of the tables.
    """

    reports: Mapping[str, Report]
    baseline: str
    rows: tuple[OverCorpora, ...]

    @property
    def primary(self) -> str:
        """What methods are judged by, as a table heads it."""
        names = {report.primary for report in self.reports.values()}
        return names.pop() if len(names) == 1 else "reduced AUC"


def over_corpora(
    results: Sequence[Result], baseline: str | None = None, *, same_speakers: bool = False
) -> CorporaReport:
    """Compare methods on several corpora, and on their mean.

    Parameters
    ----------
    results, baseline, same_speakers
        As for `summarise`; results belong to the corpus that their test utterances name.

    Raises
    ------
    ModelError
        If a result names no corpus, or the results of a corpus cannot stand in one table.
    UsageError
        If there is one corpus alone, a class is reduced on some of them only, or nothing to compare with.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(_corpus(result), []).append(result)
    if len(groups) == 1:
        raise UsageError(
            f"--layout corpora: all results are of {next(iter(groups))}; give those of another corpus too"
        )
    reports = {name: summarise(own, baseline, same_speakers=same_speakers) for name, own in sorted(groups.items())}
    baselines = {report.baseline for report in reports.values()}
    compared = baselines.pop() if len(baselines) == 1 else None
    if compared is None:
        raise UsageError(
            "--layout corpora: no method to compare with is there on every corpus; name it by --baseline"
        )
    if len({bool(report.reduced) for report in reports.values()}) > 1:
        raise UsageError("--layout corpora: on some corpora a class is reduced, on others none; report them apart")
    methods = dict.fromkeys(row.method for report in reports.values() for row in report.rows)
    rows = [_row(method, reports) for method in methods if method != compared]
    # As in the table of one corpus: a reference is no strategy.
    corrected = holm([nan if row.method == FULL else row.p for row in rows])
    return CorporaReport(
        reports=reports,
        baseline=compared,
        rows=tuple(replace(row, p_holm=p) for row, p in zip(rows, corrected, strict=True)),
    )


def mean_of(intervals: Sequence[Interval], level: float = _LEVEL) -> tuple[Interval, float]:
    """Interval and test of the mean of independent estimates.

    Parameters
    ----------
    intervals : sequence of Interval
        Of each corpus, at the same level.
    level : float [range=0…1]
        Coverage of theirs and of the mean's.

    Returns
    -------
    interval : Interval
        Degrees of freedom are Satterthwaite's, rounded down.
    p : float [range=0…1]
        Two-sided, that the mean is 0; NaN where there is no spread to compare with.
    """
    estimate = fmean(each.estimate for each in intervals)
    variances = [
        ((each.high - each.low) / 2 / float(student_t.ppf((1 + level) / 2, each.df))) ** 2 for each in intervals
    ]
    total = sum(variances)
    error = sqrt(total) / len(intervals)
    if error < _NOTHING:
        df = sum(each.df for each in intervals)
        return Interval(estimate, estimate, estimate, df), 1.0 if abs(estimate) < _NOTHING else nan
    df = floor(total**2 / sum(v**2 / each.df for v, each in zip(variances, intervals, strict=True)))
    half = float(student_t.ppf((1 + level) / 2, df)) * error
    p = float(2 * student_t.sf(abs(estimate) / error, df))
    return Interval(estimate, estimate - half, estimate + half, df), p


def _corpus(result: Result) -> str:
    names = sorted({u.corpus for u in result.utterances})
    if "" in names:
        raise ModelError(
            f"{result.source}: its utterances name no corpus; extract or embed with a reader (--reader), "
            "or report each corpus apart"
        )
    return "+".join(names)


def _row(method: str, reports: Mapping[str, Report]) -> OverCorpora:
    found: dict[str, Row | None] = {
        name: next((row for row in report.rows if row.method == method), None) for name, report in reports.items()
    }
    primary = {name: row.anew_difference if row else None for name, row in found.items()}
    uar = {name: row.anew_uar_difference if row else None for name, row in found.items()}
    mean_primary, p = _mean(list(primary.values()))
    return OverCorpora(
        method=method, primary=primary, uar=uar, mean_primary=mean_primary, mean_uar=_mean(list(uar.values()))[0], p=p
    )


def _mean(intervals: Sequence[Interval | None]) -> tuple[Interval | None, float]:
    known = [each for each in intervals if each is not None and isfinite(each.low)]
    return mean_of(known) if len(known) == len(intervals) else (None, nan)
