"""What somebody who listened would notice in a corpus, and a training does not.

`extract` and `merge` say it once, of all they have written; `info` says it of any store. All is read from the tables.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sertools.config import FrontEnd
from sertools.encoding import RowSource
from sertools.sound.features import floor_db, n_dead_bands
from sertools.store.format import BANDWIDTH, MIXDOWN, SOURCE_SR, Contents, Table

# Channels of equal level cancel so far at a correlation of -0.75.
_CANCELLING_DB = -6.0
_SAME_SPAN_SECONDS = 1e-3
# Of a class: with fewer utterances, and by less, classes differ by chance.
_FEWEST = 10
_UNLIKE_SHARE = 0.5
_UNLIKE_BANDWIDTH = 1.5

Index = npt.NDArray[np.intp]


def remarks(contents: Contents) -> list[str]:
    """Say what is odd about the recordings of a store, one sentence each; nothing of rows that were made."""
    recorded = contents.utterances.take(np.flatnonzero(contents.utterances["path"] != ""))
    found = [*_without_content(recorded), *_copies(recorded), *_same_spans(recorded)]
    return [*found, *(list(_by_rate(recorded)) or _by_bandwidth(recorded))]


def dead_bands(front_end: RowSource) -> str:
    """Say how many mel bands stay empty whatever is recorded; nothing if none does."""
    if not isinstance(front_end, FrontEnd):
        return ""
    count = n_dead_bands(front_end)
    if not count:
        return ""
    return (
        f"{count} of {front_end.n_mels} mel bands fall between the frequencies of a window of {front_end.n_fft} "
        f"samples and stay at {floor_db(front_end):g} dB; extract with fewer --frames or --mels"
    )


def _without_content(recorded: Table) -> Iterator[str]:
    ids, cancelling = recorded["id"], np.zeros(len(recorded), dtype=bool)
    if MIXDOWN in recorded.columns:
        levels = _numbers(recorded[MIXDOWN])
        cancelling = levels < _CANCELLING_DB
        if cancelling.any():
            worst = int(np.nanargmin(levels))
            yield (
                f"{_are(int(cancelling.sum()), recorded)} quenched when the channels are averaged, "
                f"{str(ids[worst])!r} most ({levels[worst]:.0f} dB): a channel is out of phase; invert it or keep one"
            )
    silent = np.flatnonzero((recorded["digest"] == "") & ~cancelling)
    if len(silent):
        yield (
            f"{_are(len(silent), recorded)} silent or constant, {str(ids[silent[0]])!r} the first; leave them out "
            "with `select --where id!=…`"
        )


def _copies(recorded: Table) -> Iterator[str]:
    """Say how many recordings have the sound of another, and which say something else of it."""
    digest = recorded["digest"]
    # Sorted by sound, so that copies are neighbours; the first of them stands for the sound.
    order = np.argsort(digest, kind="stable")
    order = order[digest[order] != ""]
    new = np.append(True, digest[order][1:] != digest[order][:-1])
    original = order[np.flatnonzero(new)][np.cumsum(new) - 1] if len(order) else order
    copies = np.flatnonzero(~new) if len(order) else order
    if not len(copies):
        return
    pairs = sorted(zip(order[copies].tolist(), original[copies].tolist(), strict=True))
    a, b = pairs[0]
    parts = [f"{_are(len(pairs), recorded)} the same sound as another, such as {_both(recorded, a, b)}"]
    for column, word in (("emotion", "label"), ("speaker", "speaker")):
        if differing := [(a, b) for a, b in pairs if recorded[column][a] != recorded[column][b]]:
            a, b = differing[0]
            said = f"{str(recorded[column][a])!r} and {str(recorded[column][b])!r}"
            parts.append(f"{len(differing)} of them with another {word} ({_both(recorded, a, b)}: {said})")
    yield "; ".join([*parts, "keep one of each"])


def _same_spans(recorded: Table) -> Iterator[str]:
    """Say how many spans are another but for a millisecond; those of the very same samples are copies."""
    order = np.lexsort((recorded["start"], recorded["path"]))
    path, start, digest = (recorded[name][order] for name in ("path", "start", "digest"))
    end = start + recorded["duration"][order]
    twin: dict[int, int] = {}
    for step in range(1, len(order)):
        near = (path[step:] == path[:-step]) & (start[step:] - start[:-step] < _SAME_SPAN_SECONDS)
        if not near.any():
            break
        same = near & (np.abs(end[step:] - end[:-step]) < _SAME_SPAN_SECONDS) & (digest[step:] != digest[:-step])
        for first in np.flatnonzero(same).tolist():
            twin.setdefault(first + step, first)
    if twin:
        later, earlier = min(twin.items())
        yield (
            f"{_are(len(twin), recorded)} within 1 ms the same span as another, such as "
            f"{_both(recorded, order[earlier], order[later])}; keep one of each"
        )


def _by_rate(recorded: Table) -> Iterator[str]:
    """Say if classes were recorded at different rates: a classifier may learn the recorder."""
    if SOURCE_SR not in recorded.columns:
        return
    rates, groups = recorded[SOURCE_SR], _classes(recorded)
    found: list[tuple[float, str]] = []
    for rate in sorted(set(rates.tolist()) - {""}):
        shares = [(float((rates[members] == rate).mean()), name) for name, members in groups.items()]
        if shares and max(shares)[0] - min(shares)[0] > _UNLIKE_SHARE:
            (most, often), (least, seldom) = max(shares), min(shares)
            text = f"{100 * most:.0f} % of {often}, but {100 * least:.0f} % of {seldom}, were recorded at {rate} Hz"
            found.append((most - least, text))
    if found:
        remedy = f"compare within one, `select --where {SOURCE_SR}=…`"
        yield f"{max(found)[1]}: a classifier may learn the recorder; {remedy}"


def _by_bandwidth(recorded: Table) -> Iterator[str]:
    """Say if classes end at different frequencies, as speech that came over different lines does."""
    if BANDWIDTH not in recorded.columns:
        return
    hertz = _numbers(recorded[BANDWIDTH])
    heard = {name: hertz[members] for name, members in _classes(recorded).items()}
    middle = [(float(np.nanmedian(own)), name) for name, own in heard.items() if np.isfinite(own).any()]
    if middle and max(middle)[0] > _UNLIKE_BANDWIDTH * min(middle)[0]:
        (wide, above), (narrow, _) = max(middle), min(middle)
        below = [name for hertz, name in middle if hertz * _UNLIKE_BANDWIDTH < wide]
        yield (
            f"the sound of {', '.join(below)} ends at {narrow:.0f} Hz, that of {above} at {wide:.0f} Hz: "
            "a classifier may learn the line; bring them to one bandwidth, or leave some out"
        )


def _classes(recorded: Table) -> dict[str, Index]:
    """Recordings of each class that has enough of them."""
    emotion = recorded["emotion"]
    groups = {str(name): np.flatnonzero(emotion == name) for name in np.unique(emotion) if name}
    return {name: members for name, members in groups.items() if len(members) >= _FEWEST}


def _numbers(texts: npt.NDArray[np.str_]) -> npt.NDArray[np.float64]:
    """Read a column of numbers; what is none is NaN."""
    known = {text: _number(text) for text in np.unique(texts).tolist()}
    return np.array([known[text] for text in texts.tolist()], dtype=np.float64)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _are(count: int, recorded: Table) -> str:
    return f"{count} of {len(recorded)} recordings {'is' if count == 1 else 'are'}"


def _both(recorded: Table, a: int, b: int) -> str:
    ids = recorded["id"]
    return f"{str(ids[a])!r} and {str(ids[b])!r}"
