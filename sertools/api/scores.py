"""What classifiers say, scores of them and of generated rows."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sertools.api.running import AnyPath, Paths, maybe, path_of, paths_of, takes, writing
from sertools.errors import UsageError
from sertools.fields import name_of
from sertools.keywords import parted

if TYPE_CHECKING:
    from sertools.api.typed import Evaluate, Predict, Score, Unpack
    from sertools.scoring.results.predicting import Predictions
    from sertools.scoring.results.result import Result


@takes("evaluate")
def evaluate(
    classifier: AnyPath, stores: Paths, output: AnyPath | None = None, **options: Unpack[Evaluate]
) -> Result:
    """Test a classifier, or several together, on utterances they have never seen (§3.2).

    Parameters
    ----------
    classifier : path
        From `train_clf`.
    stores : path or paths
        Test stores.
    output : path, optional
        The result as JSON, which `report` and `plot` read.
    **options
        Those of ``sertools evaluate``; `tags` is a mapping.

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

    how, _ = parted("evaluate", options)
    classifier, tested, val_path = path_of(classifier), paths_of(stores), maybe(how.val)
    average = paths_of(how.average or ())

    def test() -> Result:
        return run(
            classifier,
            tested,
            rule=how.vote,
            adjust=how.adjust,
            tags=how.tags,
            val_path=val_path,
            allow_seen=how.allow_seen,
            average=average,
            mean=how.mean,
            device=pick_device(how.device),
        )

    if output is None:
        return test()
    output = path_of(output)
    with writing(output):
        read = [classifier, *average, *open_rows(tested).files, *(open_rows([val_path]).files if val_path else ())]
        refuse_clobber(output, read)
        result = test()
        text = io.StringIO()
        write_result(result, text)
        with atomic_output(output) as part:
            part.write_text(text.getvalue(), encoding="utf-8")
    return result


@takes("predict")
def predict(
    classifier: AnyPath, sources: Paths, *, stdin: TextIO | None = None, **options: Unpack[Predict]
) -> Predictions:
    """Label new recordings, one at a time, by a classifier or by several together.

    Parameters
    ----------
    classifier : path
        From `train_clf`.
    sources : path or paths
        Audio files, folders, CSVs of files and spans, or ``-`` for either on `stdin`; or stores. No label is looked
        at.
    stdin : text stream, optional
        What ``-`` stands for; by default the process's own.
    **options
        Those of ``sertools predict``.

    Returns
    -------
    Predictions
        To be iterated: a `Predicted` for each recording, made when its turn comes.

    Raises
    ------
    SertoolsError
        If the files do not go together; while it is iterated, if recordings cannot be read.
    """
    from sertools.corpora.sources import list_unlabelled
    from sertools.scoring.results.judge import open_judge
    from sertools.scoring.results.predicting import predictions
    from sertools.store.guard import is_hdf5
    from sertools.training.runtime import pick_device

    how, _ = parted("predict", options)
    classifier, val_path = path_of(classifier), maybe(how.val)
    names = [name_of(each) for each in ([sources] if isinstance(sources, (str, os.PathLike)) else sources)]
    stores = [Path(name) for name in names if name != "-" and is_hdf5(Path(name))]
    if stores and len(stores) < len(names):
        raise UsageError(f"{stores[0]}: is a store, and other sources are recordings; label them by two commands")
    listing = None if stores else list_unlabelled(names, stdin or sys.stdin)
    judge = open_judge(
        classifier,
        average=paths_of(how.average or ()),
        mean=how.mean,
        val_path=val_path,
        rule=how.vote,
        adjust=how.adjust,
        device=pick_device(how.device),
    )
    return predictions(judge, listing or stores, encoder=how.encoder, on_error=how.on_error)


@takes("score")
def score(real: AnyPath, synth: AnyPath, **options: Unpack[Score]) -> dict[str, Any]:
    """Say whether generated rows are any good.

    Parameters
    ----------
    real, synth : path
        What the generator was trained on, and what it made.
    **options
        Those of ``sertools score``; `tags` is a mapping.

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

    how, _ = parted("score", options)
    return run(
        path_of(real),
        path_of(synth),
        heldout_path=maybe(how.heldout),
        judge_path=maybe(how.judge),
        tags=dict(how.tags or {}),
        seed=how.seed,
        device=pick_device(how.device),
    )
