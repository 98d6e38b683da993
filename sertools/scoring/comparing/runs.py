"""A run: one classifier on one test fold, its counts by speaker, raw and at its own operating point."""

from functools import cached_property
from math import nan

import numpy as np

from sertools.arrays import FloatArray, IntArray
from sertools.metrics import auc_against_rest, confusion_matrix
from sertools.scoring.results.operating_point import corrected, decide, fit_biases
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
        self.confusions = self._by_speaker(np.array(predicted))

    def _by_speaker(self, predicted: IntArray) -> dict[str, IntArray]:
        n_classes = len(self.result.classes)
        return {
            str(s): confusion_matrix(self._truth[self._speaker == s], predicted[self._speaker == s], n_classes)
            for s in np.unique(self._speaker)
        }

    @cached_property
    def biases(self) -> FloatArray:
        """Give the biases of the run's operating point on its validation set [shape=(n_classes,)]: `fit_biases`.

        There must be a validation set, and a prior that the training implied.
        """
        truth = [self.result.classes.index(u.emotion) for u in self.result.validation]
        posterior = np.array([u.posterior for u in self.result.validation])
        return fit_biases(truth, posterior, self._prior)

    @cached_property
    def adjusted(self) -> dict[str, IntArray]:
        """Give `confusions` of the mean posteriors at the run's operating point."""
        return self._by_speaker(decide(self._posterior, self.biases))

    @cached_property
    def posthoc(self) -> dict[str, IntArray]:
        """Give `confusions` of the mean posteriors divided by the prior that the training implied."""
        return self._by_speaker(decide(self._posterior, corrected(self._prior)))

    @property
    def _prior(self) -> tuple[float, ...]:
        prior = self.result.implied_prior
        assert prior is not None, self.result.source
        return prior

    def bias(self, reduced: str) -> float:
        """Give how far the operating point favours a class: its bias minus the mean of the other classes'."""
        others = np.delete(self.biases, k := self.result.classes.index(reduced))
        return float(self.biases[k] - others.mean())

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
