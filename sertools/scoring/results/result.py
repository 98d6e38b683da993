"""A result: what one classifier, or several together, said about one test set, utterance by utterance."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sertools.config import ADJUSTMENTS
from sertools.store.identity import in_corpus

KIND = "result"
VERSION = 1
# Of an utterance: what a file says only where it is known.
IF_KNOWN = ("corpus", "gender", "digest")
EXTERNAL = "external"  # arch of a model that sertools did not train


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One utterance of the test set, or of the validation set.

    Attributes
    ----------
    id : str
        Its name in the store, and within `corpus`.
    emotion, predicted : str
        True and predicted class.
    speaker, gender : str
        Empty if unknown. The speaker is a name within `corpus` too.
    posterior : tuple of float [length=n_classes, range=0…1]
        Mean over its segments, in the order of the classes.
    n_segments : int
        At least 1.
    tied : bool
        Whether the vote was a tie.
    corpus : str
        Empty if it has no name.
    digest : str
        Of the decoded audio; empty for silence, and where it is not known.
    """

    id: str
    emotion: str
    speaker: str
    predicted: str
    posterior: tuple[float, ...]
    n_segments: int
    tied: bool
    corpus: str = ""
    gender: str = ""
    digest: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What it is: its corpus and id."""
        return self.corpus, self.id

    @property
    def name(self) -> str:
        """Its id for people, with its corpus."""
        return f"{self.corpus}:{self.id}" if self.corpus else self.id

    @property
    def person(self) -> str:
        """Who speaks: the speaker, told apart from those of other corpora; empty if unknown."""
        return in_corpus([self.corpus], [self.speaker])[0]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What `evaluate` found.

    Attributes
    ----------
    tags : mapping of str to str
        Place in the table: ``method``, ``fold``, ``reduced`` (the class that was reduced), ``seed``; others
        are kept.
    classes : tuple of str
        In the order of the posteriors.
    vote : {"majority", "mean"}
        How segments were joined.
    adjust : {"none", "priors"}
        Whether the posteriors of segments were divided by the prior that the training implied.
    allow_seen : bool
        True if rows that the classifier had seen were let in: the numbers prove nothing.
    metrics : mapping
        `sertools.metrics.scores` and ``n_ties``.
    model : mapping
        ``digest`` (hex), ``arch``, ``n_train_rows`` (origin → rows), ``updates``; and ``prior``, the class shares
        that the training implied (class → share), where they are known. Of averaged classifiers also ``members``,
        these facts of each: above them stand a digest of their digests, the most rows that one learnt from, the sum
        of their updates, and the prior that the mean implies.
    utterances : tuple of Utterance
        At least one; none twice.
    validation : tuple of Utterance
        What the same classifier said about the validation set, to fit an operating point on; none of the
        utterances above. Empty if there was none.
    history : tuple of str
        One JSON line a tool.
    source : str
        The file it was read from, for messages.
    """

    tags: Mapping[str, str]
    classes: tuple[str, ...]
    vote: str
    allow_seen: bool
    metrics: Mapping[str, Any]
    model: Mapping[str, Any]
    utterances: tuple[Utterance, ...]
    validation: tuple[Utterance, ...] = ()
    adjust: str = ADJUSTMENTS[0]
    history: tuple[str, ...] = ()
    source: str = field(default="", compare=False)

    @property
    def implied_prior(self) -> tuple[float, ...] | None:
        """Class shares that the posteriors imply, in the order of `classes`; None where they are not known."""
        if self.adjust == "priors":
            return (1 / len(self.classes),) * len(self.classes)
        prior = self.model.get("prior")
        return None if prior is None else tuple(prior[name] for name in self.classes)

    def labels(self) -> tuple[list[int], list[int]]:
        """Give the true and the predicted class of each utterance as places in `classes`."""
        place = {name: k for k, name in enumerate(self.classes)}
        return [place[u.emotion] for u in self.utterances], [place[u.predicted] for u in self.utterances]
