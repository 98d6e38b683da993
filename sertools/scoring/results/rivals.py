"""Rivals: another tool's predictions beside our results, in every table and interval.

A rival's CSV is `rival_file`. Its utterances must be those of our results of the same fold: a rival that left some
out would be graded on an easier test.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sertools.errors import ModelError, printable
from sertools.metrics import scores
from sertools.scoring.results.result import EXTERNAL, Result, Utterance
from sertools.scoring.results.result_file import parse_result
from sertools.scoring.results.rival_file import POSTERIOR, Prediction, check_head, read_predictions, shown
from sertools.scoring.results.tags import TAGS, canonical_tag
from sertools.spelling import spelled

_HEAD_BYTES = 4096
_Place = tuple[str, ...]  # method, fold, reduced class, seed
_Key = tuple[str, str]  # corpus, id


def read_results(paths: Sequence[str | Path]) -> list[Result]:
    """Read result files and rivals' CSV, told apart by their content.

    Parameters
    ----------
    paths : sequence of path
        Files that `sertools evaluate` wrote, which begin with ``{``, and CSV as above, in any order.

    Returns
    -------
    list of Result
        Those of the result files, then those of the CSV, each in the order of the paths. A rival's ``model`` has
        the ``arch`` "external". One alone without the tag ``method`` has the name of its file there.

    Raises
    ------
    ModelError
        If a file cannot be read, is neither, or contradicts itself or the others; names file and line.
    """
    results: list[Result] = []
    tables: list[tuple[str, bytes]] = []
    for path in paths:
        name = printable(str(path))
        try:
            with open(path, "rb") as file:
                head = file.peek(_HEAD_BYTES)[:_HEAD_BYTES]  # a pipe cannot be read twice
                if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
                    results.append(parse_result(file, name))
                else:
                    check_head(head, name)
                    tables.append((name, file.read()))
        except OSError as error:
            raise ModelError(f"{name}: cannot be read: {error.strerror or error}") from None
    ours = tuple(results)
    known = ours[0].classes if ours else ()
    predictions = [(name, read_predictions(data, name, known)) for name, data in tables]
    classes = known or _classes(predictions)
    for name, lines in predictions:
        results += _results(lines, name, classes, ours)
    if len(results) == 1 and not results[0].tags.get("method"):
        # Alone it needs no name to be told by, and has its file's.
        results = [replace(results[0], tags={**results[0].tags, "method": canonical_tag("method", Path(name).stem)})]
    return results


def _classes(predictions: Sequence[tuple[str, Sequence[Prediction]]]) -> tuple[str, ...]:
    """All classes of the rivals, where none of our results says which there are."""
    lines = [line for _, part in predictions for line in part]
    return tuple(sorted({c for line in lines for c in (line.emotion, line.predicted, *line.posterior)}))


def _results(
    lines: Sequence[Prediction], name: str, classes: tuple[str, ...], ours: Sequence[Result]
) -> Iterator[Result]:
    """Give one result a place."""
    places: dict[_Place, dict[_Key, Prediction]] = {}
    for line in lines:
        _check_classes(line, classes)
        known = places.setdefault(line.place, {})
        key = line.corpus, line.id
        if key in known:
            raise _twice(line, known[key])
        known[key] = line
    for place, known in places.items():
        own = _check_test_set(known, place, ours)
        yield _result(place, list(known.values()), own, name, classes)


def _check_classes(line: Prediction, classes: tuple[str, ...]) -> None:
    reduced = line.place[TAGS.index("reduced")]
    for what, emotion in (("emotion", line.emotion), ("predicted", line.predicted), ("reduced", reduced)):
        if emotion not in classes and (emotion or what != "reduced"):
            raise ModelError(f"{line.where}: {what} {shown(emotion)} is none of the classes {', '.join(classes)}")
    if line.posterior and line.posterior.keys() != set(classes):
        odd = sorted(line.posterior.keys() ^ set(classes))[0]
        raise ModelError(
            f"{line.where}: the posteriors need one column for each of the classes {', '.join(classes)}; "
            f"see {shown(POSTERIOR + odd)}"
        )


def _check_test_set(known: Mapping[_Key, Prediction], place: _Place, ours: Sequence[Result]) -> dict[_Key, Utterance]:
    """Compare with our result of the same place, else of the same fold; give the utterance of ours that each is."""
    if not ours:
        return {}
    own = _own_result(next(iter(known.values())), place, ours)
    by_id: dict[str, list[Utterance]] = {}
    for u in own.utterances:
        by_id.setdefault(spelled(u.id), []).append(u)
    found: dict[_Key, Utterance] = {}
    line_of: dict[_Key, Prediction] = {}
    for key, line in known.items():
        found[key] = _own_utterance(line, by_id, own)
        other = line_of.setdefault(found[key].key, line)
        if other is not line:
            raise _twice(line, other)
        for what in ("emotion", "speaker"):
            said, true = getattr(line, what), getattr(found[key], what)
            if said != true and (what == "emotion" or (said and true)):
                raise ModelError(
                    f"{line.where}: {what} of {shown(line.id)} is {shown(said)}, but {shown(true)} in {own.source}; "
                    "correct it"
                )
    missing = [u.name for u in own.utterances if u.key not in line_of]
    if missing:
        tags = " ".join(f"{tag}={value or '?'}" for tag, value in zip(TAGS, place, strict=True))
        last = list(known.values())[-1].where
        raise ModelError(
            f"{last}: {tags} ends here and lacks {len(missing)} of the {len(own.utterances)} utterances of "
            f"{own.source}, such as {shown(missing[0])}; predict all of them"
        )
    return found


def _own_result(line: Prediction, place: _Place, ours: Sequence[Result]) -> Result:
    same_fold = [r for r in ours if r.tags.get("fold", "") == place[1]]
    if not same_fold:
        folds = sorted({r.tags.get("fold", "") for r in ours} - {""})
        known = f"they are {', '.join(folds)}" if folds else "they have none; leave the column out"
        raise ModelError(f"{line.where}: fold {shown(place[1])} is none of our results' folds, {known}")
    return next(
        (r for r in same_fold if (r.tags.get("reduced", ""), r.tags.get("seed", "")) == place[2:]), same_fold[0]
    )


def _own_utterance(line: Prediction, by_id: Mapping[str, Sequence[Utterance]], own: Result) -> Utterance:
    """Find what a line is about: by its id in one spelling, of its corpus where both name one."""
    fitting = [u for u in by_id.get(line.id, ()) if u.corpus == line.corpus or not (u.corpus and line.corpus)]
    exact = [u for u in fitting if u.corpus == line.corpus] or fitting
    if not exact:
        raise ModelError(f"{line.where}: {shown(line.id)} is not an utterance of {own.source}; use its ids and folds")
    if len(exact) > 1:
        raise ModelError(
            f"{line.where}: {shown(line.id)} may be each of {', '.join(shown(u.name) for u in exact)} of "
            f"{own.source}; say which in a column corpus"
        )
    return exact[0]


def _twice(line: Prediction, other: Prediction) -> ModelError:
    return ModelError(
        f"{line.where}: {shown(line.id)} stands in line {other.where.rpartition(':')[2]} too, with "
        "the same method, fold, reduced and seed; remove one, or say in a column corpus of which each is"
    )


def _result(
    place: _Place, lines: Sequence[Prediction], own: Mapping[_Key, Utterance], name: str, classes: tuple[str, ...]
) -> Result:
    with_posteriors = bool(lines[0].posterior)
    posteriors = [
        tuple(line.posterior[c] if with_posteriors else float(c == line.predicted) for c in classes) for line in lines
    ]
    truth, predicted = (
        np.array([classes.index(getattr(u, what)) for u in lines]) for what in ("emotion", "predicted")
    )
    metrics = {**scores(truth, predicted, posteriors, classes), "n_ties": 0}
    if not with_posteriors:
        metrics["auc"] = dict.fromkeys(classes)  # a class is no score: its area would be another UAR
    return Result(
        tags={tag: value for tag, value in zip(TAGS, place, strict=True) if value},
        classes=classes,
        vote="majority",
        allow_seen=False,
        metrics=metrics,
        model={"digest": "", "arch": EXTERNAL, "n_train_rows": {}, "updates": 0},
        utterances=tuple(
            replace(
                own[line.corpus, line.id] if own else _unknown(line),
                predicted=line.predicted,
                posterior=posterior,
                n_segments=1,
                tied=False,
            )
            for line, posterior in zip(lines, posteriors, strict=True)
        ),
        source=name,
    )


def _unknown(line: Prediction) -> Utterance:
    """Give an utterance that no result of ours knows."""
    return Utterance(
        id=line.id,
        emotion=line.emotion,
        speaker=line.speaker,
        predicted="",
        posterior=(),
        n_segments=1,
        tied=False,
        corpus=line.corpus,
    )
