"""Scores of classifiers and of generated rows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sertools.api.running import AnyPath, Paths, maybe, path_of, paths_of, writing
from sertools.config import check_vote
from sertools.keywords import SEED

if TYPE_CHECKING:
    from sertools.scoring.results.result import Result


def evaluate(
    classifier: AnyPath,
    stores: Paths,
    output: AnyPath | None = None,
    *,
    vote: str = "majority",
    tags: Mapping[str, str] | None = None,
    val: AnyPath | None = None,
    allow_seen: bool = False,
    device: str = "auto",
) -> Result:
    """Test a classifier on utterances it has never seen (§3.2).

    Parameters
    ----------
    classifier : path
        From `train_clf`.
    stores : path or paths
        Test stores.
    output : path, optional
        The result as JSON, which `report` and `plot` read.
    vote : {"majority", "mean"}
        How an utterance's segments are joined.
    tags : mapping of str to str
        Place in the table: method, fold, reduced, seed.
    val : path, optional
        Store to run on as well, so that `report` can choose an operating point on it.
    allow_seen : bool
        Test on utterances that were trained on; the result is marked.
    device : str
        auto, cpu or cuda.

    Returns
    -------
    Result
        Scores, and every prediction.

    Raises
    ------
    SertoolsError
        If the files do not go together; `LineageError` if an utterance was seen before.
    """
    from sertools.provenance import atomic_output, refuse_clobber
    from sertools.scoring.results.evaluation import evaluate as run
    from sertools.scoring.results.result_file import write_result
    from sertools.training.batches import open_rows
    from sertools.training.runtime import pick_device

    check_vote(vote)
    classifier, tested = path_of(classifier), paths_of(stores)
    val_path = maybe(val)

    def test() -> Result:
        return run(
            classifier,
            tested,
            rule=vote,
            tags=tags,
            val_path=val_path,
            allow_seen=allow_seen,
            device=pick_device(device),
        )

    if output is None:
        return test()
    output = path_of(output)
    with writing(output):
        read = [classifier, *open_rows(tested).files, *(open_rows([val_path]).files if val_path else ())]
        refuse_clobber(output, read)
        result = test()
        text = io.StringIO()
        write_result(result, text)
        with atomic_output(output) as part:
            part.write_text(text.getvalue(), encoding="utf-8")
    return result


def score(
    real: AnyPath,
    synth: AnyPath,
    *,
    heldout: AnyPath | None = None,
    judge: AnyPath | None = None,
    tags: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Say whether generated rows are any good.

    Parameters
    ----------
    real, synth : path
        What the generator was trained on, and what it made.
    heldout : path, optional
        Real rows that the generator has not seen; without them `real` is halved.
    judge : path, optional
        A classifier trained on `real`; rows are compared in its features as well.
    tags : mapping of str to str
        Place in a table: method, fold, reduced, seed.
    seed : int
        Which rows are drawn, and the permutations.
    device : str
        auto, cpu or cuda.

    Returns
    -------
    dict
        Plain values, as ``sertools score --json`` writes them; ``verdict`` and ``why`` first.

    Raises
    ------
    SertoolsError
        If there are too few rows, or the files do not go together.
    """
    from sertools.scoring.synthetic.score import score as run
    from sertools.training.runtime import pick_device

    SEED.check(seed)
    return run(
        path_of(real),
        path_of(synth),
        heldout_path=maybe(heldout),
        judge_path=maybe(judge),
        tags=dict(tags or {}),
        seed=seed,
        device=pick_device(device),
    )
