"""What a classifier says of recordings that nobody has labelled: rows → posteriors → votes, one recording at a time.

Pictures and vectors are made as the classifier's header says, or read from stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from sertools.corpora.sources import Listing
from sertools.encoders.reopening import encoder_of
from sertools.encoding import Encoding
from sertools.errors import AudioError, UsageError, warn
from sertools.rehearsal import Plan, begin, memory_so_far, seconds_of
from sertools.scoring.results.judge import Judge
from sertools.store.format import same_front_end
from sertools.store.intake import complaint
from sertools.store.levels import warn_of_another_scale
from sertools.store.passing import Passing, pictures_passing, vectors_passing
from sertools.training.batches import Rows, open_rows
from sertools.training.scaling import MinMax

_TRIED = 3  # recordings that a rehearsal labels


@dataclass(frozen=True)
class Predicted:
    """What was said of one recording.

    Attributes
    ----------
    name : str
        The file; of a store, the id of the utterance.
    start, end : float or None
        The span within the file in seconds, where it is not the whole.
    predicted : str
        Class.
    confidence : float [range=0…1]
        Its posterior.
    posterior : mapping of str to float [range=0…1]
        Class → posterior.
    n_segments : int
        How many rows were joined.
    """

    name: str
    start: float | None
    end: float | None
    predicted: str
    confidence: float
    posterior: Mapping[str, float]
    n_segments: int


class Predictions:
    """Recordings, each labelled when its turn comes: iterate once, and again to label them again.

    Attributes
    ----------
    classes : tuple of str
        In the classifier's order.
    files : list of Path
        What is read: none may be written over.
    named_by : str
        What a recording is called by: ``file``, or the ``id`` of a store.
    has_spans : bool
        Whether some recording is a part of a file.
    calibration : Calibration or None
        What was fitted, if there is a validation set.
    """

    def __init__(
        self,
        judge: Judge,
        names: Sequence[tuple[str, float | None, float | None]],
        files: list[Path],
        passing: Callable[[], Iterator[Passing]],
        named_by: str,
        root: Path,
        on_error: str,
    ) -> None:
        self.classes, self.calibration = judge.asked.classes, judge.calibration
        self.files, self.named_by = files, named_by
        self.has_spans = any((start, end) != (None, None) for _, start, end in names)
        self._judge, self._names, self._passing = judge, names, passing
        self._root, self._on_error = root, on_error

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Predicted]:
        """Label recordings in their order; those that are skipped are warned of.

        Raises
        ------
        AudioError
            At the end, under ``fail``, naming every recording that could not be read; or if none could be.
        """
        judge, rejected, seen, silent = self._judge, [], [], []
        trained_on = judge.asked.lineage.trained_on
        loudest = -np.inf
        for (name, start, end), one in zip(self._names, self._passing(), strict=True):
            if one.reason:
                rejected.append({"path": name, "reason": one.reason})
                if self._on_error == "skip":
                    warn(f"{name}: skipped: {one.reason}")
                continue
            if one.digest == "":
                silent.append(name)
            elif one.digest in trained_on:
                seen.append(name)
            loudest = max(loudest, float(one.rows.max()))
            best, posterior = judge.judge(one.rows)
            shares = dict(zip(self.classes, posterior.tolist(), strict=True))
            predicted = self.classes[best]
            yield Predicted(name, start, end, predicted, shares[predicted], shares, len(one.rows))
        if rejected and self._on_error == "fail":
            raise AudioError(complaint(rejected, len(self), self._root))
        if len(rejected) == len(self):
            raise AudioError(f"{self._root}: none of the {len(self)} recordings could be read")
        for found, what in (
            (silent, "are silent: what is said of them means nothing"),
            (seen, f"were trained on by {judge.asked.name}: they are known better than others"),
        ):
            if found:
                warn(f"{len(found)} of {len(self)} recordings {what}; {found[0]!r} is one")
        for member in judge.asked.members:
            scaler = member.header.scaler
            if isinstance(scaler, MinMax):
                warn_of_another_scale(str(self._root), loudest, scaler.low_db, scaler.high_db, str(member.path))


def predictions(
    judge: Judge, sources: Listing | Sequence[Path], *, encoder: str | None = None, on_error: str = "fail"
) -> Predictions:
    """Open all that labelling needs; nothing is labelled before the result is iterated.

    Parameters
    ----------
    sources
        Recordings, or stores whose rows are taken as they are.
    encoder
        Where the encoder of a classifier of vectors lies, as `encoder_of` takes it; rows are made in float32.
    on_error
        ``fail`` labels on, then raises with a list of all bad files; ``skip`` warns of each.

    Raises
    ------
    ModelError
        If the encoder cannot be opened.
    StoreError
        If the rows of a store are of another front end.
    UsageError
        If the encoder is another one, or not needed.
    """
    front_end, files = judge.front_end, [*judge.files]
    if encoder and (not isinstance(front_end, Encoding) or not isinstance(sources, Listing)):
        why = "a store has its rows" if isinstance(front_end, Encoding) else f"{judge.path} takes pictures"
        raise UsageError(f"--encoder: {why}; leave it out")
    if isinstance(sources, Listing):
        recordings = sources.recordings
        if isinstance(front_end, Encoding):
            opened = encoder_of(front_end, str(judge.path), encoder, judge.asked.device, "float32")
            passing = partial(vectors_passing, recordings, front_end, opened)
        else:
            passing = partial(pictures_passing, recordings, front_end)
        names = [(r.file, r.start, r.end) for r in recordings]
        files += [*sources.tables, *(Path(r.file) for r in recordings)]
        found = Predictions(judge, names, files, passing, "file", sources.root, on_error)
    else:
        rows = open_rows(sources)
        same_front_end(front_end, rows.front_end, str(judge.path), rows.name)
        ids = rows.utterance_column("id")[np.unique(rows.utterance)].tolist()
        names = [(name, None, None) for name in ids]
        files += rows.files
        found = Predictions(judge, names, files, partial(_stored, rows), "id", Path(rows.name), on_error)
    begin(None, lambda: _plan(found, judge.asked.name))
    return found


def _stored(rows: Rows) -> Iterator[Passing]:
    """Read the rows of each utterance of some stores."""
    order = np.argsort(rows.utterance, kind="stable")
    used, first = np.unique(rows.utterance[order], return_index=True)
    digests = rows.utterance_column("digest")[used].tolist()
    for index, digest in zip(np.split(order, first[1:]), digests, strict=True):
        yield Passing(rows.pictures(index), digest or None)


def _plan(found: Predictions, classifiers: str) -> Plan:
    """Say what would be labelled, by the first few recordings."""
    tried: list[Predicted] = []
    seconds = seconds_of(lambda: tried.extend(islice(found, _TRIED)))
    return Plan(
        reads=(f"{len(found)} recordings",),
        work=f"label {len(found)} recordings by {classifiers} as one of {', '.join(found.classes)}",
        n_rows=len(found),
        writes=("a line for each",),
        seconds=seconds * len(found) / len(tried) if tried else None,
        measured=f"by the first {len(tried)}; the others were not opened",
        memory_bytes=memory_so_far(),
    )
