"""Test classifiers on stores they must not have seen: segments → posteriors → utterance votes → scores (§3.2)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from sertools.config import ADJUSTMENTS, MEANS, VOTES
from sertools.errors import LineageError, SertoolsWarning, StoreError, one_of
from sertools.metrics import scores
from sertools.provenance import Input, history
from sertools.scoring.results.ensemble import Ensemble, open_ensemble
from sertools.scoring.results.result import IF_KNOWN, Result, Utterance
from sertools.scoring.results.tags import canonical_tags
from sertools.spelling import spelled
from sertools.store.format import same_front_end
from sertools.store.identity import alike_within, called, plain_names
from sertools.training.batches import Rows, open_rows
from sertools.training.classifier import Posteriors
from sertools.training.runtime import computed_on
from sertools.voting import VoteRule, vote


def evaluate(
    classifier_path: Path,
    test_paths: Sequence[Path],
    *,
    rule: str = "majority",
    adjust: str = ADJUSTMENTS[0],
    tags: Mapping[str, str] | None = None,
    val_path: Path | None = None,
    allow_seen: bool = False,
    average: Sequence[Path] = (),
    mean: str = MEANS[0],
    device: torch.device,
) -> Result:
    """Test a classifier, or several whose posteriors are averaged.

    Parameters
    ----------
    rule
        How the segments of an utterance are joined.
    adjust
        "priors": divide the posteriors of each segment by the prior that the training implied; "none": do not.
    tags
        Place of the result in a table: method, fold, reduced, seed.
    val_path
        Validation store to run the classifier on as well, so that `report` can fit an operating point there.
        The classifier may have been chosen on it.
    allow_seen
        Test all the same on utterances that were trained on or chosen on; the result is stamped.
    average
        Other classifiers: each segment's posteriors are the mean of all.
    mean
        "arithmetic" or "geometric".

    Raises
    ------
    LineageError
        If the stores hold utterances that a classifier, or anything it stems from, was trained or chosen on;
        if the validation store holds some that one was trained on, or that are tested.
    ModelError
        If the posteriors are to be divided by a prior that a classifier's file does not say, or the classifiers'
        classes differ.
    StoreError
        If the front end or a class is not the classifiers'.
    """
    one_of("--vote", rule, VOTES)
    one_of("--adjust", adjust, ADJUSTMENTS)
    one_of("--mean", mean, MEANS)
    tags = canonical_tags(tags or {})
    asked = open_ensemble([classifier_path, *average], mean=mean, adjust=adjust, device=device)
    rows = open_rows(test_paths)
    truth_of_row = check_rows(rows, asked)
    if not allow_seen:
        for member in asked.members:
            rows.check_unseen_by(
                member.header.lineage,
                model=str(member.path),
                remedy="test on other utterances (`select --fold K/N`), or give --allow-seen to stamp the result",
                selection_too=True,
            )
    _warn(rows, asked)
    for member in asked.members:
        rows.check_scale(member.header.scaler, member.path)
    options = {"vote": rule, "adjust": adjust, "allow_seen": allow_seen, **computed_on(device)}
    first, *others = (member.input for member in asked.members)
    inputs: dict[str, Input | list[Input]] = {"classifier": first, "test": rows.inputs}
    if others:
        options["mean"] = mean
        inputs["average"] = others
    validation: tuple[Utterance, ...] = ()
    if val_path:
        val = open_rows([val_path])
        truth_of_val_row = check_rows(val, asked)
        _check_validation(val, rows, asked, allow_seen)
        inputs["val"] = val.inputs
        validation = utterances_of(val, truth_of_val_row, asked.posteriors(val), rule, asked.classes)
    utterances = utterances_of(rows, truth_of_row, asked.posteriors(rows), rule, asked.classes)
    place_of = {name: k for k, name in enumerate(asked.classes)}
    return Result(
        tags=tags,
        classes=asked.classes,
        vote=rule,
        adjust=adjust,
        allow_seen=allow_seen,
        metrics={
            **scores(
                [place_of[u.emotion] for u in utterances],
                [place_of[u.predicted] for u in utterances],
                np.array([u.posterior for u in utterances]),
                asked.classes,
            ),
            "n_ties": sum(u.tied for u in utterances),
        },
        model=asked.facts(),
        utterances=utterances,
        validation=validation,
        history=history("evaluate", options, inputs),
    )


def check_rows(rows: Rows, asked: Ensemble) -> npt.NDArray[np.int64]:
    """Refuse rows that the classifiers cannot judge, or would judge twice; give the true class of each."""
    first = asked.members[0]
    same_front_end(first.header.front_end, rows.front_end, str(first.path), rows.name)
    truth = rows.labels(asked.classes)
    used = np.unique(rows.utterance)
    names = rows.full_names("id")[used].tolist()
    first_of: dict[str, str] = {}
    for name, digest in zip(names, rows.utterance_column("digest")[used].tolist(), strict=True):
        known = first_of.get(name)
        if known is not None and known != digest:
            raise StoreError(
                f"{rows.name}: utterance {called(name)!r} is another recording in one store than in another; name "
                "their corpora by `extract --corpus NAME`"
            )
        if known is not None:
            raise StoreError(
                f"{rows.name}: an utterance is in two of these stores, and would count twice; `merge` them"
            )
        first_of[name] = digest
    return truth


def _check_validation(val: Rows, rows: Rows, asked: Ensemble, allow_seen: bool) -> None:
    """Refuse a validation set that was trained on or is tested; remark speakers that are tested."""
    if not allow_seen:
        remedy = "give --val a store that nothing was trained on"
        for member in asked.members:
            val.check_unseen_by(member.header.lineage, model=str(member.path), remedy=remedy)
    ids = val.utterance_column("id")
    if both := val.shared_with(rows):
        raise LineageError(
            f"{val.name}: {len(both)} of its {len(ids)} utterances are in the test stores too, {both[0]!r} among "
            "them; give --val other utterances"
        )
    shared = sorted(set(val.full_names("speaker").tolist()) & set(rows.full_names("speaker").tolist()))
    if shared := [called(name) for name in shared if name]:
        warnings.warn(
            f"{val.name}: {len(shared)} of its speakers are tested too ({_some(shared)}): an operating point fitted "
            "here knows them",
            SertoolsWarning,
            stacklevel=3,
        )


def utterances_of(
    rows: Rows, truth_of_row: npt.NDArray[np.int64], said: Posteriors, rule: str, classes: Sequence[str]
) -> tuple[Utterance, ...]:
    """Join the posteriors of the rows by utterance."""
    used, utterance = np.unique(rows.utterance, return_inverse=True)
    joined = vote(said, utterance, len(used), cast(VoteRule, rule))
    truth = np.zeros(len(used), dtype=np.int64)
    truth[utterance] = truth_of_row
    columns = {what: rows.utterance_column(what) for what in IF_KNOWN}
    return tuple(
        Utterance(
            id=str(name),
            emotion=classes[true],
            speaker=speaker,
            predicted=classes[predicted],
            posterior=tuple(float(p) for p in posterior),
            n_segments=int(n_segments),
            tied=bool(tied),
            **{what: str(columns[what][row]) for what in IF_KNOWN},
        )
        for row, name, true, speaker, predicted, posterior, n_segments, tied in zip(
            used,
            rows.utterance_column("id")[used].tolist(),
            truth,
            rows.utterance_column("speaker")[used].tolist(),
            joined.predicted,
            joined.posterior,
            joined.n_segments,
            joined.tied,
            strict=True,
        )
    )


def _warn(rows: Rows, asked: Ensemble) -> None:
    altered = int((rows.origin != "real").sum())
    if altered:
        warnings.warn(
            f"{rows.name}: {altered} of its {len(rows)} rows are not real speech",
            SertoolsWarning,
            stacklevel=3,
        )
    tested = {called(name) for name in rows.full_names("speaker").tolist() if name}
    trained = set(map(spelled, asked.lineage.speakers))
    # Where one side does not name its corpora, any of them may be meant.
    shared = sorted(name for name in tested if {name, *plain_names([name])} & trained or name in plain_names(trained))
    if almost := [
        group for group in alike_within(tested | trained) if tested & {*group} and trained & {*group} - tested
    ]:
        warnings.warn(
            f"{rows.name}: speakers of almost one name were trained on and are tested: "
            f"{', '.join(map(repr, almost[0]))}; if they are the same, the result says nothing of new speakers",
            SertoolsWarning,
            stacklevel=3,
        )
    if shared:
        warnings.warn(
            f"{rows.name}: {len(shared)} of its speakers were trained on "
            f"({_some(shared)}): the result says nothing of new speakers",
            SertoolsWarning,
            stacklevel=3,
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + "…" * (len(names) > 5)
