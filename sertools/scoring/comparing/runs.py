"""A run: one classifier on one test fold, its counts by speaker, raw and at its own operating point."""

from math import nan

import numpy as np

from sertools.arrays import IntArray
from sertools.metrics import auc_against_rest, confusion_matrix
from sertools.scoring.results.operating_point import choose_bias, decide, towards_class, towards_rare
from sertools.scoring.results.result import Result

Cell = tuple[str, str, str]  # fold, reduced class, seed


class ScoredRun:
    """A result with its counts by speaker, counted once.

    Attributes
    ----------
    result : Result
        What was said.
    test_set : frozenset of (corpus and id, emotion, speaker)
        What was tested.
    confusions : dict of str to ndarray of int64 [shape=(n_classes, n_classes)]
        Who speaks → counts, rows are the truth.
    same_speakers : bool
        Whether speakers of one name are one person in all corpora.
    """

    def __init__(self, result: Result, *, same_speakers: bool = False):
        self.result = result
        self.test_set = frozenset((u.key, u.emotion, u.speaker) for u in result.utterances)
        truth, predicted = result.labels()
        self._truth = np.array(truth)
        self._speaker = np.array([u.speaker if same_speakers else u.person for u in result.utterances])
        # The decimals that a result file keeps.
        self._posterior = np.round([u.posterior for u in result.utterances], 6)
        self._areas: dict[tuple[str, str | None], tuple[float, int]] = {}
        self._adjusted: dict[str, tuple[float, dict[str, IntArray]]] = {}
        self.confusions = self._by_speaker(np.array(predicted))

    def _by_speaker(self, predicted: IntArray) -> dict[str, IntArray]:
        n_classes = len(self.result.classes)
        return {
            str(s): confusion_matrix(self._truth[self._speaker == s], predicted[self._speaker == s], n_classes)
            for s in np.unique(self._speaker)
        }

    def adjusted(self, reduced: str) -> tuple[float, dict[str, IntArray]]:
        """Give the bias that suits the run best on its validation set, and `confusions` with it.

        Parameters
        ----------
        reduced : str
            The class that the bias favours; empty for all by how rare they are.

        Returns
        -------
        bias : float
            As `choose_bias` finds it; 0 where no validation utterance is of the class, which says nothing of it.
        confusions : dict
            Of the mean posteriors with that bias.
        """
        if reduced not in self._adjusted:
            classes = self.result.classes
            truth = [classes.index(u.emotion) for u in self.result.validation]
            towards = classes.index(reduced) if reduced else None
            direction = towards_rare(truth, len(classes)) if towards is None else towards_class(towards, len(classes))
            posterior = np.array([u.posterior for u in self.result.validation])
            bias = choose_bias(truth, posterior, direction) if towards is None or towards in truth else 0.0
            self._adjusted[reduced] = bias, self._by_speaker(decide(self._posterior, direction, bias))
        return self._adjusted[reduced]

    def area(self, reduced: str, without: str | None = None) -> tuple[float, int]:
        """Give the area under the curve of a class against the rest, and the number of its utterances.

        Parameters
        ----------
        reduced : str
            The class.
        without : str, optional
            Speaker whose utterances are left out.

        Returns
        -------
        area : float [range=0…1]
            NaN if either side is empty, or the result has no posteriors.
        n : int
            Utterances of the class.
        """
        key = reduced, without if without in self.confusions else None
        if key not in self._areas:
            kept = self._speaker != key[1] if key[1] is not None else np.full(len(self._truth), True)
            k = self.result.classes.index(reduced)
            member = self._truth[kept] == k
            known = self.result.metrics["auc"][reduced] is not None
            area = auc_against_rest(self._posterior[kept, k], member) if known else nan
            self._areas[key] = area, int(member.sum())
        return self._areas[key]
