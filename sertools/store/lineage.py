"""Which utterances and speakers a file has already seen.

Two sets of utterance digests travel with every file, its ancestors' included: ``trained_on`` (gradients, scaler,
latents, augmentation source) and ``selected_on`` (early stopping, checkpoint choice). `check_unseen` is what
keeps a test set a test set. Digests are of the decoded audio, so a renamed or re-encoded copy is still found.
The speakers of what was trained on travel too: generated rows have none themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from sertools.errors import LineageError


@dataclass(frozen=True)
class Lineage:
    """Digests of the utterances that shaped a file, and who spoke those trained on; an empty text never counts."""

    trained_on: frozenset[str] = frozenset()
    selected_on: frozenset[str] = frozenset()
    speakers: frozenset[str] = frozenset()

    def __or__(self, other: Lineage) -> Lineage:
        return Lineage(
            self.trained_on | other.trained_on, self.selected_on | other.selected_on, self.speakers | other.speakers
        )

    def trained(self, digests: Iterable[str], speakers: Iterable[str] = ()) -> Lineage:
        """Return this lineage with `digests`, which `speakers` spoke, trained on as well."""
        return self | Lineage(frozenset(digests) - {""}, speakers=frozenset(speakers) - {""})

    def selected(self, digests: Iterable[str]) -> Lineage:
        """Return this lineage with `digests` chosen on as well."""
        return self | Lineage(selected_on=frozenset(digests) - {""})


def union(lineages: Iterable[Lineage]) -> Lineage:
    """Return all that any of `lineages` has seen."""
    return reduce(or_, lineages, Lineage())


def check_unseen(
    lineage: Lineage,
    digests: Sequence[str],
    ids: Sequence[str],
    *,
    model: str,
    store: str,
    selection_too: bool,
    remedy: str,
) -> None:
    """Refuse utterances that `lineage` has trained on, and with `selection_too` those it has chosen on.

    Parameters
    ----------
    digests, ids
        Of the utterances in question, in the same order.
    model, store
        File names for the message.

    Raises
    ------
    LineageError
        Naming how many utterances were seen, and the first of them.
    """
    selected_on = lineage.selected_on if selection_too else frozenset()
    for seen, verb in ((lineage.trained_on, "trained on"), (selected_on, "chosen on")):
        found = [name for name, digest in zip(ids, digests, strict=True) if digest in seen]
        if found:
            raise LineageError(
                f"{store}: {len(found)} of its {len(ids)} utterances were {verb} by {model}, "
                f"{found[0]!r} among them; {remedy}"
            )
