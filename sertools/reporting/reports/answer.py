"""What a comparison says, in plain English: what was asked, what helped and by how much, and how far to trust it.

Nothing is computed here that the tables do not hold: a sentence says that a method helps or harms only where its
interval and its corrected p do (`Row.differs`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from sertools.experiment.methods import FULL
from sertools.reporting.reports.formats import percent
from sertools.reporting.reports.tables import interval_text
from sertools.scoring.comparing.comparison import LEVEL, Report, Row
from sertools.scoring.comparing.corpora import CorporaReport
from sertools.scoring.comparing.notes import number_of
from sertools.scoring.comparing.power import POWER, found_now
from sertools.scoring.comparing.statistics import Interval
from sertools.scoring.results.reduction import Reduction

_MOST_NAMES = 3  # methods whose numbers a sentence holds; the tables have those of all


@dataclass(frozen=True)
class Answer:
    """What a comparison says.

    Attributes
    ----------
    asked : str
        What was compared, on whom; of one method alone its UAR.
    found : tuple of str
        What helps, what harms, what is left open, each with its numbers.
    reading : tuple of str
        What the numbers are of; empty where nothing is compared.
    thin : str
        A warning where the evidence is thin; else empty.
    """

    asked: str
    found: tuple[str, ...]
    reading: tuple[str, ...] = ()
    thin: str = ""

    @property
    def sentences(self) -> list[str]:
        """All of it, in order."""
        return [self.asked, *self.found, *self.reading, *([self.thin] if self.thin else [])]


@dataclass(frozen=True)
class _Compared:
    """A method beside the baseline: `primary` is of what methods are judged by, both are of the method anew."""

    method: str
    primary: Interval | None
    uar: Interval | None
    p_holm: float
    lacks: str  # why there is no p
    differs: int


@dataclass(frozen=True)
class _Question:
    """What was asked of them all."""

    baseline: str
    reduced: Sequence[str]
    asked: str  # a clause, of what was done to the training
    tested: str

    @property
    def measure(self) -> str:
        """What methods are judged by, in words."""
        if not self.reduced:
            return "UAR"
        return f"AUC of {self.reduced[0] if len(self.reduced) == 1 else 'the reduced class'}"


def answer(report: Report) -> Answer:
    """Say what a report found.

    Parameters
    ----------
    report : Report
        What `summarise` made.
    """
    tested = _tested(report)
    if report.baseline is None or len(report.rows) == 1:
        return _alone(report, tested)
    question = _Question(
        report.baseline, report.reduced, _cut(report.reduced, report.reduction), f"{tested}, in {_design([report])}"
    )
    found = [
        _Compared(row.method, row.anew_difference, row.anew_uar_difference, row.p_holm, row.lacks, row.differs)
        for row in report.rows
        if row.method != report.baseline
    ]
    # Without speakers nothing tells whether those of the test set were heard in training.
    what = "the method, trained anew" + (" and tested on new speakers" if report.n_speakers > 1 else "")
    return _compared(question, found, what, _thin([report]))


def answer_over(report: CorporaReport) -> Answer:
    """Say what a comparison over several corpora found, on their mean."""
    own = list(report.reports.values())
    reduced = tuple(dict.fromkeys(name for each in own for name in each.reduced))
    shares = sorted({share for each in own for share in each.reduction.shares})
    rows = sorted({n for each in own for n in each.reduction.rows})
    speakers = _range([each.n_speakers for each in own])
    question = _Question(
        report.baseline,
        reduced,
        _cut(reduced, Reduction(tuple(shares), tuple(rows))),
        f"{len(own)} corpora ({', '.join(report.reports)}; {speakers} speakers each), in {_design(own)}",
    )
    lacks = "not every corpus has an interval of it"
    found = [
        _Compared(row.method, row.mean_primary, row.mean_uar, row.p_holm, lacks, row.differs) for row in report.rows
    ]
    what = "the mean over these corpora, the method trained anew and tested on new speakers of each"
    return _compared(question, found, what, _thin(own))


def _alone(report: Report, tested: str) -> Answer:
    """Say how well each method does where there is nothing to compare it with."""
    guess = percent(1 / len(report.classes))
    at = f"on {tested}, in {_design([report])}"
    if len(report.rows) > 1:
        ordered = sorted(report.rows, key=lambda row: row.uar)
        low, high = (f"{percent(row.uar)} % ({row.method})" for row in (ordered[0], ordered[-1]))
        rest = (
            "Nothing is said of their differences, for there is no method imbalanced: name one to compare with by "
            "--baseline."
        )
        said = f"{len(ordered)} methods have a UAR from {low} to {high}, where guessing has {guess} %, {at}."
        return Answer(said, (rest,), thin=_thin([report]))
    (row,) = report.rows
    cut = f"with {_cut(report.reduced, report.reduction)}, " if report.reduced else ""
    said = f"{cut}the method {row.method} has a UAR of {percent(row.uar)} %, where guessing has {guess} %, {at}."
    rest = "One method alone cannot be said to help: give results of another one too."
    if not report.reduced:
        return Answer(_sentence(said), (rest,), thin=_thin([report]))
    names = report.reduced[0] if len(report.reduced) == 1 else "the reduced class"
    area = f" (AUC {percent(row.reduced_auc)})" if isfinite(row.reduced_auc) else ""
    recall = f"It recognises {percent(row.reduced_recall)} % of {names}{area}."
    return Answer(_sentence(said), (recall, rest), thin=_thin([report]))


def _compared(question: _Question, found: Sequence[_Compared], what: str, thin: str) -> Answer:
    """Say which methods help against a baseline."""
    methods = [each for each in found if each.method != FULL]
    who = f"{_names(methods)} {_verb(methods, 'was', 'were')}" if methods else "full alone was"
    where = f"on {question.tested}"
    if question.asked:
        asked = f"With {question.asked}, {who} compared with {question.baseline} {where}."
    else:
        asked = f"{_sentence(where)}, {who} compared with {question.baseline}."
    sentences, reading = list[str](), list[str]()
    helped = sorted((each for each in methods if each.differs > 0), key=_gain, reverse=True)
    harmed = sorted((each for each in methods if each.differs < 0), key=_gain)
    tested = [each for each in methods if isfinite(each.p_holm)]
    left_open = sorted((each for each in tested if not each.differs), key=_gain, reverse=True)
    for group, one, several in ((helped, "helps", "help"), (harmed, "harms", "harm")):
        if group:
            that = f"{_names(group)} {_verb(group, one, several)}"
            sentences.append(f"It was shown that {that}: {_numbers(question, group)}.")
    if left_open:
        that = f"It was not shown that {_names(left_open)} {_verb(left_open, 'helps or harms', 'help or harm')}"
        if len(left_open) == len(methods) > 1:
            that = "No method was shown to help or to harm"
        sentences.append(f"{that}: {_numbers(question, left_open)}{_would_be_found(left_open)}.")
    for reason in sorted({each.lacks for each in methods if not isfinite(each.p_holm)}):
        unknown = [each for each in methods if not isfinite(each.p_holm) and each.lacks == reason]
        why = reason or "no spread to judge by"
        sentences.append(
            f"Nothing can be said of a method trained anew ({why}): {_numbers(question, unknown, named=True)}."
        )
    reference = [each for each in found if each.method == FULL and _known(each.primary)]
    if reference:
        sentences.append(f"With nothing removed (full): {_numbers(question, reference)}.")
    if tested or reference:
        corrected = f", corrected for {len(tested)} comparisons," if len(tested) > 1 else ""
        reading.append(f"Numbers are points from {question.baseline} with the 95 % interval of {what}.")
        if tested:
            by = f"the interval of the {question.measure.partition(' of ')[0]} excludes 0"
            but = " The UAR alone is no proof: a shifted threshold raises it too." if question.reduced else ""
            reading.append(f"Shown means that {by} and that p{corrected} is below {LEVEL}.{but}")
    return Answer(asked, tuple(sentences), tuple(reading), thin)


def _numbers(question: _Question, found: Sequence[_Compared], *, named: bool = False) -> str:
    """Differences of the first few methods, in what they are judged by and in UAR; one alone only if `named`."""
    texts = []
    for place, each in enumerate(found[:_MOST_NAMES]):
        measure = question.measure if not place else question.measure.partition(" of ")[0]
        text = f"{measure} {interval_text(each.primary, '+')}"
        if question.reduced:
            falls = each.differs > 0 and each.uar is not None and each.uar.high < 0
            text += f", {'but ' if falls else ''}UAR {interval_text(each.uar, '+')}"
        texts.append(f"{each.method} ({text})" if named or len(found) > 1 else text)
    more = len(found) - _MOST_NAMES
    return _joined([*texts, *([f"{more} more"] if more > 0 else [])])


def _would_be_found(found: Sequence[_Compared]) -> str:
    """Say which gain such an experiment finds."""
    gains = [gain for each in found if each.primary and (gain := found_now(each.primary)) > 0]
    if not gains:
        return ""
    if min(gains) >= 1:
        return "; such an experiment is too small to find any gain"
    size = " to ".join(dict.fromkeys((percent(min(gains)), percent(max(gains)))))
    return f"; such an experiment finds a gain of {size} points in {100 * POWER:.0f} % of cases, as one comparison"


def _cut(reduced: Sequence[str], left: Reduction) -> str:
    """Say what was done to the training set, or which class is rare by itself: a clause, or nothing."""
    if not reduced:
        return ""
    what = reduced[0] if len(reduced) == 1 else f"one of {_joined(reduced)} at a time"
    rows = f"{_range(left.rows)} rows" if left.rows else ""
    if not left.shares:
        return f"{what} as the rare class{f' ({rows} in training)' if rows else ''}"
    shares = _range([float(f"{100 * share:.3g}") for share in left.shares])
    return f"{what} cut to {shares} % of its recordings{f' ({rows})' if rows else ''} in training"


def _tested(report: Report) -> str:
    if not report.n_speakers:
        return number_of(report.n_utterances, "utterance") + " of unnamed speakers"
    return f"{number_of(report.n_utterances, 'utterance')} of {number_of(report.n_speakers, 'speaker')}"


def _design(reports: Sequence[Report]) -> str:
    folds, seeds = ([getattr(each, field) for each in reports] for field in ("n_folds", "n_seeds"))
    # Nothing is removed in full, which has one run for all reduced classes.
    uneven = any(len({row.n_results for row in each.rows if row.method != FULL}) > 1 for each in reports)
    most = "up to " if uneven else ""
    return f"{most}{_range(folds)} {_plural('fold', folds)} with {most}{_range(seeds)} {_plural('seed', seeds)}"


def _thin(reports: Sequence[Report]) -> str:
    """Warn where little can be seen; empty where there is nothing to warn of."""
    rows: list[Row] = [row for report in reports for row in report.rows]
    thin = []
    if any(row.seen for row in rows):
        thin.append("a classifier had met rows of its test set, so its numbers prove nothing")
    if min(report.n_folds for report in reports) == 1:
        thin.append("one fold says nothing of other training speakers")
    if min(report.n_seeds for report in reports) == 1:
        thin.append("one seed says nothing of what another draw or start would do")
    if min(report.n_speakers for report in reports) < 2:
        thin.append("with fewer than two known speakers nothing is known of new ones")
    return f"Thin evidence: {'; '.join(thin)}." if thin else ""


def _gain(each: _Compared) -> float:
    return each.primary.estimate if each.primary else 0.0


def _known(found: Interval | None) -> bool:
    return found is not None and isfinite(found.estimate)


def _names(found: Sequence[_Compared]) -> str:
    if len(found) > _MOST_NAMES:
        return f"{len(found)} methods"
    return _joined([each.method for each in found])


def _verb(found: Sequence[_Compared], one: str, several: str) -> str:
    return one if len(found) == 1 else several


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _plural(noun: str, counts: Sequence[int]) -> str:
    return noun if max(counts) == 1 else noun + "s"


def _sentence(text: str) -> str:
    """Begin with a capital; a method's name keeps its letters elsewhere."""
    return text[:1].upper() + text[1:]
