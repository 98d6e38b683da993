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
    run_through,
    silent,
    telling,
    writing,
)
from sertools.config import SAVE_EVERY_MINUTES, check_vote
from sertools.presets import override
from sertools.presets import preset as preset_of

if TYPE_CHECKING:
    from sertools.scoring.results.result import Result
    from sertools.training.loop import Record


def train_clf(
    stores: Paths,
    output: AnyPath,
    *,
    val: AnyPath | None = None,
    preset: str = "paper",
    arch: str | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    width: float | None = None,
    loss: str | None = None,
    sampling: str | None = None,
    synthetic_share: float | None = None,
    spec_augment: str | None = None,
    cut_paste: float | None = None,
    mixup: float | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    save_every: float = SAVE_EVERY_MINUTES,
    stop: Callable[[], bool] = never,
    tell: Tell = silent,
    progress: Progress[Record] = iter,
) -> Record | None:
    """Train a classifier on any number of stores (§3.2).

    Parameters
    ----------
    stores : path or paths
        Training stores: real, altered and generated rows add up.
    output : path
        The classifier (safetensors), written when complete, beside ``OUTPUT.log.ndjson``.
    val : path, optional
        Store to choose the best weights on; without it the last are kept.
    arch : {"vgg19", "vgg19-bn", "crnn", "cnn"}, optional
        The network.
    loss : {"cross-entropy", "weighted", "focal", "logit-adjust"}, optional
        What rare classes weigh in the loss.
    sampling : {"shuffled", "balanced"}, optional
        Rows as they come, or every class equally often.
    synthetic_share : float, optional
        The share of a class's draws that are altered or generated rows, where it has any, below 1; less where one of
        them would then come oftener than a recorded one. Unless sampling is balanced, a class is drawn as often as it
        has recorded rows.
    spec_augment : {"none", "weak", "strong"}, optional
        Masks, shifts and gains of training pictures.
    cut_paste : float, optional
        A row's chance of a region of another row of its class and batch; 0 is off.
    mixup : float, optional
        Mix pairs of rows, shares from Beta(mixup, mixup); 0 is off.
    steps, batch_size, lr, width
        In place of the preset's.
    preset, seed, device, precision, save_every, stop, tell, progress
        As of `pretrain_ae`.

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
    from sertools.training.distributed import join
    from sertools.training.loop import Run
    from sertools.training.runtime import pick_precision

    config = override(
        preset_of(preset).classifier,
        arch=arch,
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        width=width,
        loss=loss,
        sampling=sampling,
        synthetic_share=synthetic_share,
        spec_augment=spec_augment,
        cut_paste=cut_paste,
        mixup=mixup,
    )
    output = Path(output)
    with writing(output, distributed=True):
        on = join(device)
        run = Run(output, seed, on, stop, save_every, precision=pick_precision(precision, on))
        trained = train_classifier(paths_of(stores), run, config, val_path=maybe(val))
        return run_through(telling(trained, tell, "classifier", config), progress)


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
