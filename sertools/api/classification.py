"""The classifier: trained, and tested on utterances that it has never seen."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sertools.api.running import (
    AnyPath,
    Paths,
    Progress,
    Tell,
    maybe,
    never,
    paths_of,
    run_training,
    silent,
    takes,
    writing,
)
from sertools.config import check_vote
from sertools.keywords import ValidatedTraining, parted
from sertools.presets import override, preset

if TYPE_CHECKING:
    from sertools.api.typed import TrainClf, Unpack
    from sertools.scoring.results.result import Result
    from sertools.training.loop import Record


@takes("train-clf")
def train_clf(
    stores: Paths,
    output: AnyPath,
    *,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
    **options: Unpack[TrainClf],
) -> Record | None:
    """Train a classifier on any number of stores (§3.2).

    Parameters
    ----------
    stores : path or paths
        Training stores: real, altered and generated rows add up.
    output : path
        The classifier (safetensors), written when complete, beside ``OUTPUT.log.ndjson``.
    stop, tell, progress
        As of `pretrain_ae`.
    **options
        Those of ``sertools train-clf``; numbers stand in place of the preset's.

    Returns
    -------
    Record or None
        The last losses; None without steps.

    Raises
    ------
    SertoolsError
        If rows lack a label, the stores do not go together, `val` was trained on, or a loss is not finite.
    """
    from sertools.training.classifier import train_classifier

    how, numbers = parted("train-clf", ValidatedTraining, options)
    config = override(preset(how.preset).classifier, **numbers)
    return run_training(
        output,
        how,
        lambda run: train_classifier(paths_of(stores), run, config, val_path=maybe(how.val)),
        stage="classifier",
        numbers=config,
        stop=stop,
        tell=tell,
        progress=progress,
        distributed=True,
    )


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
        Test on utterances that were trained on; stamps the result.
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
    classifier, tested = Path(classifier), paths_of(stores)
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
    output = Path(output)
    with writing(output):
        read = [classifier, *open_rows(tested).files, *(open_rows([val_path]).files if val_path else ())]
        refuse_clobber(output, read)
        result = test()
        text = io.StringIO()
        write_result(result, text)
        with atomic_output(output) as part:
            part.write_text(text.getvalue(), encoding="utf-8")
    return result
