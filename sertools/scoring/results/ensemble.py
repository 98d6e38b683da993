"""Classifiers that answer together: the mean of their posteriors, segment by segment, before the vote.

All weigh the same. The arithmetic mean is that of the posteriors; the geometric one that of their logs, so that sums
are 1 again: what one softmax makes of mean logits. Either is the classifier itself where all are the same one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sertools.arrays import Pictures
from sertools.config import ADJUSTMENTS, MEANS
from sertools.errors import ModelError
from sertools.provenance import Input, digest_bytes, digest_file
from sertools.scoring.results.operating_point import divided
from sertools.store.format import same_front_end
from sertools.store.lineage import Lineage, union
from sertools.training.batches import Rows
from sertools.training.checkpoint import Header
from sertools.training.classifier import Posteriors, load_classifier, posteriors, posteriors_of
from sertools.training.runtime import place

_LEAST = float(np.finfo(np.float64).tiny)  # a posterior of 0 has no log


@dataclass(frozen=True)
class Member:
    """One classifier.

    Attributes
    ----------
    path, digest
        Of its file.
    header, net
        What the file says, and the net in eval mode.
    """

    path: Path
    digest: str
    header: Header
    net: nn.Module

    @property
    def prior(self) -> Mapping[str, float] | None:
        """Class shares that its training implied; None in files of earlier versions."""
        prior: Mapping[str, float] | None = self.header.facts.get("prior")
        return prior

    @property
    def input(self) -> Input:
        """What a history says of it."""
        return Input(self.digest, self.header.history)

    def facts(self) -> dict[str, Any]:
        """Say what a result keeps of it."""
        facts = self.header.facts
        return {
            "digest": self.digest,
            "arch": self.header.config["arch"],
            "n_train_rows": dict(facts["n_train_rows"]),
            "updates": facts["updates"],
            **({} if self.prior is None else {"prior": {name: self.prior[name] for name in self.header.classes}}),
        }

    def posteriors(
        self, rows: Rows | Pictures, classes: Sequence[str], adjust: str, device: torch.device
    ) -> Posteriors:
        """Ask it, and divide by its own prior if the posteriors are to be adjusted [shape=(N, n_classes)]."""
        if isinstance(rows, Rows):
            said = posteriors(self.net, rows, self.header.scaler, device)
        else:
            said = posteriors_of(self.net, rows, self.header.scaler, device)
        if adjust != ADJUSTMENTS[0] and self.prior is not None:
            said = divided(said, [self.prior[name] for name in self.header.classes])
        # `classes` are in the order of the first member.
        order = [self.header.classes.index(name) for name in classes]
        return said if order == sorted(order) else said[:, order]


@dataclass(frozen=True)
class Ensemble:
    """Classifiers of the same classes and front end; often a single one.

    Attributes
    ----------
    members
        At least one; the order of the classes is that of the first.
    mean
        One of `config.MEANS`.
    adjust
        One of `config.ADJUSTMENTS`.
    device
        Where the nets are.
    """

    members: tuple[Member, ...]
    mean: str
    adjust: str
    device: torch.device

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the posteriors."""
        return self.members[0].header.classes

    @property
    def name(self) -> str:
        """The files, for messages."""
        return " ".join(str(member.path) for member in self.members)

    @property
    def lineage(self) -> Lineage:
        """What any of them has seen."""
        return union(member.header.lineage for member in self.members)

    def posteriors(self, rows: Rows | Pictures) -> Posteriors:
        """Mean posteriors of all rows, of stores or of none [shape=(N, n_classes)]."""
        said = [member.posteriors(rows, self.classes, self.adjust, self.device) for member in self.members]
        return said[0] if len(said) == 1 else averaged(said, self.mean)

    def facts(self) -> dict[str, Any]:
        """Say what a result keeps of the classifiers: the facts of one, or of all together and of each."""
        each = [member.facts() for member in self.members]
        if len(each) == 1:
            return each[0]
        archs = Counter(one["arch"] for one in each)
        origins = dict.fromkeys(origin for one in each for origin in one["n_train_rows"])
        prior = self.prior
        return {
            "digest": digest_bytes(*(bytes.fromhex(one["digest"]) for one in each)),
            "arch": " + ".join(f"{n} × {arch}" if n > 1 else arch for arch, n in archs.items()),
            "n_train_rows": {origin: max(one["n_train_rows"].get(origin, 0) for one in each) for origin in origins},
            "updates": sum(one["updates"] for one in each),
            **({} if prior is None else {"prior": prior}),
            "members": each,
        }

    @property
    def prior(self) -> dict[str, float] | None:
        """Class shares that the mean implies, as it is before any adjustment; None where they are not known.

        An arithmetic mean of posteriors that imply different shares implies none: whatever is divided out of it, what
        is left is not what equal shares would have given.
        """
        priors = [member.prior for member in self.members]
        known = [[prior[name] for name in self.classes] for prior in priors if prior is not None]
        if len(known) < len(priors) or (self.mean == MEANS[0] and not np.allclose(known, known[0], rtol=1e-6)):
            return None
        shares = averaged([np.array([own]) for own in known], MEANS[1])[0]
        return dict(zip(self.classes, np.round(shares, 9).tolist(), strict=True))


def open_ensemble(paths: Sequence[Path], *, mean: str, adjust: str, device: torch.device) -> Ensemble:
    """Open classifiers that are to answer together.

    Raises
    ------
    ModelError
        If a file is no classifier, the classes differ, or a posterior is to be divided by a prior that its
        classifier's file does not say.
    StoreError
        If the front ends differ.
    """
    members = []
    for path in paths:
        header, net = load_classifier(path)
        members.append(Member(path, digest_file(path), header, place(net, device)))
    first = members[0]
    for member in members:
        if adjust != ADJUSTMENTS[0] and member.prior is None:
            raise ModelError(
                f"{member.path}: does not say what prior its training implied, which --adjust priors divides by; "
                "train it again"
            )
        if {*member.header.classes} != {*first.header.classes}:
            raise ModelError(
                f"{member.path}: has the classes {' '.join(member.header.classes)}, but {first.path} has "
                f"{' '.join(first.header.classes)}; only classifiers of the same classes can be averaged"
            )
        same_front_end(first.header.front_end, member.header.front_end, str(first.path), str(member.path))
    return Ensemble(tuple(members), mean, adjust, device)


def averaged(posteriors: Sequence[Posteriors], mean: str) -> Posteriors:
    """Average posteriors, all with the same weight.

    Parameters
    ----------
    posteriors
        Of each classifier [shape=(N, n_classes), range=0…1].
    mean
        "arithmetic", or "geometric": the mean of the logs, with sums of 1 again.

    Returns
    -------
    ndarray of float64 [shape=(N, n_classes), range=0…1]
    """
    stacked = np.stack(posteriors)
    if mean == MEANS[0]:
        found: Posteriors = stacked.mean(axis=0)
        return found
    logs = np.log(np.maximum(stacked, _LEAST)).mean(axis=0)
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
    return found
