"""What every training does around its steps: open and check what is read, train, and save with its ancestry.

A learner says only what it learns, on what, and what a step is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from sertools.provenance import Input, Inputs, digest_file, digests_of, history, refuse_clobber
from sertools.store.format import pictures_of, same_front_end
from sertools.store.lineage import Lineage, union
from sertools.training.batches import Rows, open_rows
from sertools.training.checkpoint import Header, save_model
from sertools.training.distributed import trained_with
from sertools.training.gaussians import Latents
from sertools.training.loop import Health, Record, Run, Trainer, train
from sertools.training.runtime import computed_on, told
from sertools.training.scaling import Scaler


@dataclass(frozen=True)
class Task:
    """One training: what is read, with which numbers, and what its file says of that.

    Attributes
    ----------
    verb
        Who trains, for the history.
    options
        The numbers that decide the result; `steps` among them where something is learnt in steps, which draw by
        the seed and choose on `val`.
    rows, val
        What is learnt from, and what the weights are chosen on.
    parents
        By role, the files that are gone on from, and what they say of themselves.
    donors
        Of other corpora, whose rows tell of ours; a set each.
    """

    verb: str
    options: Mapping[str, Any]
    run: Run
    rows: Rows
    val: Rows | None = None
    parents: Mapping[str, tuple[Path, Header | Latents]] = field(default_factory=dict)
    donors: Sequence[Rows] = ()

    @cached_property
    def scaler(self) -> Scaler:
        """That of a model that is gone on from, or one fitted to the rows."""
        given = [parent.scaler for _, parent in self.parents.values() if isinstance(parent, Header)]
        return given[0] if given else self.rows.fit_scaler()

    @cached_property
    def read(self) -> Inputs:
        """What is read, by role."""
        parents = {role: Input(digest_file(path), parent.history) for role, (path, parent) in self.parents.items()}
        beside = {"val": self.val.inputs} if self.val else {}
        if self.donors:
            beside["donor"] = [one for donor in self.donors for one in donor.inputs]
        return {**parents, "train": self.rows.inputs, **beside}

    @property
    def inputs(self) -> dict[str, Any]:
        """Digests of what is read, by role."""
        return digests_of(self.read)

    @property
    def history(self) -> tuple[str, ...]:
        """History of what is made."""
        learnt = "steps" in self.options
        how = trained_with(self.run.device, self.run.precision) if learnt else computed_on(self.run.device)
        return history(self.verb, {**self.options, **how}, self.read, self.run.seed if learnt else None)

    @property
    def lineage(self) -> Lineage:
        """Lineage of what is made."""
        learnt = [rows.lineage() for rows in (self.rows, *self.donors)]
        lineage = union([*(parent.lineage for _, parent in self.parents.values()), *learnt])
        return lineage.selected(self.val.seen) if self.val and "steps" in self.options else lineage

    def train(self, trainer: Trainer, health: Health | None = None, before: int = 0) -> Iterator[Record]:
        """Take the steps; see `loop.train`.

        Parameters
        ----------
        before
            Steps of another kind, which come before those of the options.
        """
        signature = {"verb": self.verb, "options": self.options, "seed": self.run.seed, "inputs": self.inputs}
        return train(trainer, before + self.options["steps"], self.run, signature, health, before)

    def save(
        self, kind: str, tensors: Mapping[str, Tensor], facts: Mapping[str, object], *,
        classes: Sequence[str] = (), config: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Write the model, and remove the resume state.

        Parameters
        ----------
        facts
            What else is worth knowing of it; updates and precision are added.
        config
            What rebuilds the nets, where that is not `options`.
        """
        if "steps" in self.options:
            facts = {"updates": self.options["steps"], **facts, **told(self.run.precision)}
        header = Header(
            kind=kind,
            config=config or self.options,
            front_end=self.rows.front_end,
            scaler=self.scaler,
            history=self.history,
            lineage=self.lineage,
            classes=tuple(classes),
            facts=facts,
        )
        save_model(self.run.output, header, tensors)
        self.run.state_path.unlink(missing_ok=True)


def open_task(
    verb: str,
    options: Mapping[str, Any],
    run: Run,
    train_paths: Sequence[Path],
    val_path: Path | None = None,
    parents: Mapping[str, tuple[Path, Header | Latents]] | None = None,
    donor_paths: Sequence[Path] = (),
    *,
    vectors: bool = False,
) -> Task:
    """Open the stores of a task, and check that they go together and that the output is none of them.

    Parameters
    ----------
    vectors
        Whether the task can learn from vectors, too.

    Raises
    ------
    LineageError
        If the validation store holds utterances that are trained on.
    StoreError
        If the stores or the parents do not go together.
    UsageError
        If the output is read here, or cannot be written.
    """
    rows, val, parents = open_rows(train_paths), None, parents or {}
    if not vectors:
        pictures_of(rows.front_end, rows.name)
    if val_path:
        val = open_rows([val_path])
        same_front_end(rows.front_end, val.front_end, rows.name, str(val_path))
        remedy = "validate on other utterances (`select --fold K/N`)"
        val.check_unseen_by(rows.lineage(), model=rows.name, remedy=remedy)
    donors = [open_rows([path]) for path in donor_paths]
    for donor in donors:
        same_front_end(rows.front_end, donor.front_end, rows.name, donor.name)
    read = [path for path, _ in parents.values()]
    read += [path for opened in (rows, val, *donors) if opened for path in opened.files]
    for path in (run.output, run.log_path):
        refuse_clobber(path, read)
    for path, parent in parents.values():
        same_front_end(parent.front_end, rows.front_end, str(path), rows.name)
    return Task(verb, options, run, rows, val, parents, donors)
