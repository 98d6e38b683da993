"""Test a classifier on stores it must not have seen: segments → posteriors → utterance votes → scores (§3.2)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from sertools.config import VOTES
from sertools.errors import SertoolsWarning, StoreError, UsageError
from sertools.provenance import digest_file, history_line, join_histories
from sertools.scoring.metrics import VoteRule, confusion_matrix, scores, uar, vote
from sertools.scoring.result import Result, Utterance
from sertools.store.format import same_front_end
from sertools.store.lineage import check_unseen
from sertools.training.batches import Rows, open_rows
from sertools.training.checkpoint import Header
from sertools.training.classifier import Posteriors, load_classifier, posteriors
from sertools.training.runtime import place


def utterance_uar(truth: npt.NDArray[np.int64], posterior: Posteriors, utterance: npt.NDArray[np.int64]) -> float:
    """UAR per utterance from the rows' posteriors, by majority vote; what `train-clf --val` chooses on."""
    used, number = np.unique(utterance, return_inverse=True)
    of_utterance = np.zeros(len(used), dtype=np.int64)
    of_utterance[number] = truth
    predicted = vote(posterior, number, len(used)).predicted
    return uar(confusion_matrix(of_utterance, predicted, posterior.shape[1]))


def evaluate(
    classifier_path: Path,
    test_paths: Sequence[Path],
    *,
    rule: str = "majority",
    tags: Mapping[str, str] | None = None,
    allow_seen: bool = False,
    device: torch.device,
) -> Result:
    """Test a classifier.

    Parameters
    ----------
    rule
        How the segments of an utterance are joined.
    tags
        Place of the result in a table: method, fold, reduced, seed.
    allow_seen
        Test all the same on utterances that were trained on or chosen on; the result is stamped.

    Raises
    ------
    LineageError
        If the stores hold utterances that the classifier, or anything it stems from, was trained or chosen on.
    StoreError
        If the front end or a class is not the classifier's.
    """
    if rule not in VOTES:
        raise UsageError(f"--vote {rule!r}: expected one of {', '.join(VOTES)}")
    header, net = load_classifier(classifier_path)
    rows = open_rows(test_paths)
    same_front_end(header.front_end, rows.front_end, str(classifier_path), rows.name)
    truth_of_row = rows.labels(header.classes)
    ids = rows.utterance_column("id")
    if not allow_seen:
        check_unseen(
            header.lineage,
            rows.utterance_column("digest").tolist(),
            ids.tolist(),
            model=str(classifier_path),
            store=rows.name,
            selection_too=True,
            remedy="test on other utterances (`select --fold K/N`), or give --allow-seen to stamp the result",
        )
    _warn(rows, header)
    used, utterance = np.unique(rows.utterance, return_inverse=True)
    if len(set(ids[used].tolist())) != len(used):
        raise StoreError(f"{rows.name}: an utterance is in two of these stores, and would count twice; `merge` them")
    predictions = posteriors(place(net, device), rows, header.scaler, device)
    joined = vote(predictions, utterance, len(used), cast(VoteRule, rule))
    truth = np.zeros(len(used), dtype=np.int64)
    truth[utterance] = truth_of_row
    speakers = rows.utterance_column("speaker")[used].tolist()
    digest = digest_file(classifier_path)
    line = history_line(
        "evaluate", {"vote": rule, "allow_seen": allow_seen}, {"classifier": digest, "test": rows.digests}
    )
    return Result(
        tags=dict(tags or {}),
        classes=header.classes,
        vote=rule,
        allow_seen=allow_seen,
        metrics={
            **scores(truth, joined.predicted, np.round(joined.posterior, 6), header.classes),
            "n_ties": int(joined.tied.sum()),
        },
        model={
            "digest": digest,
            "arch": header.config["arch"],
            "n_train_rows": dict(header.facts["n_train_rows"]),
            "updates": header.facts["updates"],
        },
        utterances=tuple(
            Utterance(
                id=str(name),
                emotion=header.classes[true],
                speaker=speaker,
                predicted=header.classes[predicted],
                posterior=tuple(float(p) for p in posterior),
                n_segments=int(n_segments),
                tied=bool(tied),
            )
            for name, true, speaker, predicted, posterior, n_segments, tied in zip(
                ids[used].tolist(),
                truth,
                speakers,
                joined.predicted,
                joined.posterior,
                joined.n_segments,
                joined.tied,
                strict=True,
            )
        ),
        history=join_histories([header.history, *rows.histories], line),
    )


def _warn(rows: Rows, header: Header) -> None:
    altered = int((rows.origin != "real").sum())
    if altered:
        warnings.warn(
            f"{rows.name}: {altered} of its {len(rows)} rows are not real speech",
            SertoolsWarning,
            stacklevel=3,
        )
    shared = sorted(set(rows.utterance_column("speaker").tolist()) & set(header.facts.get("speakers", ())) - {""})
    if shared:
        warnings.warn(
            f"{rows.name}: {len(shared)} of its speakers were trained on "
            f"({', '.join(shared[:5])}{'…' * (len(shared) > 5)}): the result says nothing of new speakers",
            SertoolsWarning,
            stacklevel=3,
        )
