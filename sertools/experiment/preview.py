"""What `make mine` says before it starts, and what it refuses: classes, folds, methods, time and disk."""

from __future__ import annotations

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from pathlib import Path

from sertools.errors import SertoolsError, UsageError, printable
from sertools.experiment.labels import RARE, Labels, folds_of, folds_text, rare_classes, require_recordings, with_noun
from sertools.experiment.mine import UTTERANCE, Mine
from sertools.experiment.paper_tables import rows
from sertools.experiment.rules import OUT, Rule
from sertools.experiment.settings import SPEAKERS

KNOWN_VOICES = (
    "NOTE: no two speakers are named, so folds are of recordings. Every figure is of voices that the classifier has "
    "heard; on new ones it does worse, often by far. If there are several, name them: READER=, or a CSV with a "
    "speaker column."
)
ONE_VOICE = (
    "NOTE: all recordings are of one speaker. Every figure is of this voice alone, and says nothing of others."
)
ASKED_VOICES = (
    "NOTE: BY=utterance: every figure is of voices that the classifier has heard; on new ones it does worse."
)
NO_INTERVAL = "There will be no intervals, for they need two speakers, and all named: no method can be shown to help."
LEVEL = 0.8  # a class with this share of the largest lacks nothing that could be made up for
_FEW = 20
# Settings whose files are of other content, under the same names, when they change.
_FIXED = (
    *("ENCODER", "EMOTIONS", "FOLDS", "BY", "VAL", "VAL_BY", "NOISE", "DONORS", "PRESET", "FRONT_END", "WIDTH"),
    *("AE_OPTS", "COV_OPTS", "GAN_OPTS", "GEN_OPTS", "FLOW_OPTS", "PCA", "CLF_OPTS"),
)
# Seconds of one call on one core, measured on some hundred rows of an encoder and of 64×64 pictures (preset cpu).
_SECONDS: Mapping[str, tuple[float, float]] = {
    "select": (0.3, 0.3),
    "augment": (0.5, 1.0),
    "pretrain-ae": (12.0, 60.0),
    "fit-latents": (1.0, 2.0),
    "finetune-gan": (5.0, 30.0),
    "generate": (1.0, 2.0),
    "train-clf": (2.5, 25.0),
    "evaluate": (0.7, 2.0),
    "train-generator": (30.0, 60.0),
}
# Bytes of what they write, and of the rows of one recording.
_BYTES: Mapping[str, tuple[float, float]] = {
    "pretrain-ae": (4e6, 4e6),
    "finetune-gan": (6e6, 6e6),
    "train-generator": (6e6, 6e6),
    "generate": (1e6, 5e6),
    "augment": (1e6, 5e6),
    "train-clf": (1e5, 3e6),
    "evaluate": (2e5, 2e5),
}
_ROW_BYTES = (4e3, 8e4)
_SPARE = 1.2


def preview(mine: Mine, jobs: int) -> str:
    """Check all that would fail later, deal the folds, and say what will be done.

    Parameters
    ----------
    mine
        Of a corpus that is listed.
    jobs
        Cells side by side.

    Returns
    -------
    str
        Lines for a terminal. ``speakers.csv`` and ``begun.txt`` are in OUT then.

    Raises
    ------
    SertoolsError
        If a class has too few recordings or speakers, no class lacks anything, OUT was begun with other settings,
        or the disk is too full.
    """
    labels, settings = mine.labels, mine.settings
    require_recordings(labels)
    _refuse_level(mine, labels)
    if settings["FOLDS"] == SPEAKERS:
        dealt = folds_of(labels, mine.looked_at, mine.n_folds, fewer=not mine.asked["FOLDS"])
        n_folds = len(set(dealt.values()))
    else:
        dealt, n_folds = {}, mine.n_folds
    _begin(mine)
    if dealt:
        _put(Path(settings["OUT"]) / "speakers.csv", folds_text(dealt))
    lines = [*_classes(mine, labels), *_folds(mine, labels, n_folds)]
    asked = rows("mine", settings)
    methods = " ".join(method.name for method in asked)
    n_seeds = len(settings["SEEDS"].split())
    lines += [
        f"Methods: {methods}; each trained on {n_folds} folds × {with_noun(n_seeds, 'seed')}.",
        *(
            f"{method.name} is chosen on validation rows: if it does best, no line follows that trains it on all."
            for method in asked
            if method.grid
        ),
        *_cost(mine, labels, jobs),
    ]
    return "".join(f"{printable(line)}\n" for line in lines)


def voices(mine: Mine) -> str:
    """Say whose voices the figures are of, where it is not new speakers; else nothing."""
    if mine.settings["BY"] != UTTERANCE:
        return ""
    n_speakers = len(mine.labels.speakers)
    if n_speakers > 1:
        return ASKED_VOICES
    return ONE_VOICE if n_speakers and not mine.labels.unnamed else KNOWN_VOICES


def _classes(mine: Mine, labels: Labels) -> Iterator[str]:
    classes = labels.classes
    counts = ", ".join(f"{name} {n}" for name, n in classes.items())
    speakers = with_noun(len(labels.speakers), "named speaker")
    yield f"{sum(classes.values())} recordings, {speakers}, {len(classes)} classes: {counts}."
    if labels.unlabelled:
        yield f"Left out, without an emotion: {with_noun(labels.unlabelled, 'recording')}."
    rare = rare_classes(classes)
    looked_at = ", ".join(mine.looked_at)
    if set(mine.looked_at) == set(rare):
        yield f"Rare ({RARE}): {looked_at}."
    elif rare:
        yield f"Rare ({RARE}): {', '.join(rare)}. Looked at, as CLASSES says: {looked_at}."
    else:
        yield f"No class is rare ({RARE}). Looked at: {looked_at}."
        yield "To rehearse what would help if it were, cut to a tenth of its recordings:"
        yield f"  {rehearsal_line(mine)}"
    for name in mine.looked_at:
        # Where folds are of speakers, recordings without one are in none.
        n = classes[name] if mine.settings["BY"] == UTTERANCE else sum(labels.of(name).values())
        if n < _FEW:
            yield f"All that is said of {name} rests on {with_noun(n, 'recording')}: expect wide intervals."


def _folds(mine: Mine, labels: Labels, n_folds: int) -> Iterator[str]:
    if remark := voices(mine):
        yield f"{n_folds} folds of recordings."
        yield remark
        if (labels.unnamed or len(labels.speakers) < 2) and len(mine.settings["SEEDS"].split()) > 1:
            yield f"{NO_INTERVAL} The choice will be {mine.baseline}."
        return
    if mine.settings["FOLDS"] == SPEAKERS:
        yield f"{n_folds} folds of {len(labels.speakers)} speakers, tested by classifiers that never heard them."
    else:
        yield f"Folds of {mine.settings['FOLDS']}."
    if len(labels.speakers) < 5:
        yield "So few speakers tell little of others: expect wide intervals."
    if labels.unnamed:
        yield f"Neither trained on nor tested, without a speaker: {with_noun(labels.unnamed, 'recording')}."


def rehearsal_line(mine: Mine) -> str:
    """Write the line that cuts the looked-at classes down, one at a time."""
    labels, settings = mine.labels, mine.settings
    given = {name: settings[name] for name in ("CORPUS", "READER", "ENCODER", "RELABEL", "DONORS") if settings[name]}
    given |= {"EMOTIONS": " ".join(sorted(labels.classes)), "CLASSES": " ".join(mine.looked_at), "KEEP": "0.1"}
    given |= {"PROFILE": "cpu", "FOLDS": mine.asked["FOLDS"] or str(mine.n_folds), "SEEDS": settings["SEEDS"]}
    if settings["BY"] == UTTERANCE:
        given["BY"] = UTTERANCE
    return " ".join(["make table2", *(shlex.quote(f"{name}={value}") for name, value in given.items())])


def _refuse_level(mine: Mine, labels: Labels) -> None:
    largest = max(labels.classes.values())
    for name in mine.looked_at:
        if labels.classes[name] >= LEVEL * largest:
            raise UsageError(
                f"{labels.path}: class {name!r} has {labels.classes[name]} recordings, and the largest {largest}: it "
                "is not rare, and there is nothing to make up for. To rehearse what would help if it were, cut it "
                f"to a tenth: {rehearsal_line(mine)}"
            )


def _begin(mine: Mine) -> None:
    """Keep the settings that files depend on; refuse others in a folder that was begun."""
    path = Path(mine.settings["OUT"]) / "begun.txt"
    now = {name: mine.asked[name] for name in _FIXED}
    if path.exists():
        begun = _begun(path)
        # Donors may join and stay away: what knows of them has files of its own.
        now["DONORS"] = now["DONORS"] or begun["DONORS"]
        for name, value in begun.items():
            if now[name] != value and not (name == "DONORS" and not value):
                raise UsageError(
                    f"{name} {now[name]!r}: {path.parent} was begun with {value!r}, and its files are made so; name "
                    "another folder by OUT=, or remove that one"
                )
    _put(path, "".join(f"{name}={value}\n" for name, value in now.items()))


def _begun(path: Path) -> dict[str, str]:
    lines = os.fsdecode(path.read_bytes()).split("\n")
    begun = dict(line.split("=", 1) for line in lines if "=" in line)
    if begun.keys() != set(_FIXED):
        raise SertoolsError(
            f"{path}: damaged, or of another version of sertools; name another folder by OUT=, or remove that one"
        )
    return begun


def _put(path: Path, text: str) -> None:
    """Write a file, unless it is there with the same content: what stems from it is then still new enough."""
    content = os.fsencode(text)
    if path.exists() and path.read_bytes() == content:
        return
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise SertoolsError(f"{path}: cannot be written ({error.strerror}); name another folder by OUT=") from error


def _cost(mine: Mine, labels: Labels, jobs: int) -> Iterator[str]:
    """Say how long the rest will take, and refuse a disk that is too full for it."""
    out = Path(mine.settings["OUT"])
    kind = 0 if mine.settings["ENCODER"] else 1
    rules = [rule for section in mine.sections() for rule in section.rules]
    stale = _stale(rules, out)
    lines = [rule.lines[-1] for rule in rules if rule.target in stale]
    missing = Counter(line.split()[1] for line in lines if line.startswith("$(SERTOOLS) "))
    seconds = sum(n * _SECONDS[verb][kind] for verb, n in missing.items() if verb in _SECONDS) / jobs
    wanted = sum(n * _BYTES[verb][kind] for verb, n in missing.items() if verb in _BYTES)
    if missing["extract"] or missing["embed"]:
        wanted += _ROW_BYTES[kind] * sum(labels.classes.values())
    free = shutil.disk_usage(out).free
    if wanted * _SPARE > free:
        raise SertoolsError(
            f"{out}: the disk has {_size(free)} free, and about {_size(wanted)} will be written; free some, or name "
            "a folder on another disk by OUT="
        )
    if not stale:
        yield f"All files are in {out}."
        return
    first = " after the encoding" if missing["extract"] or missing["embed"] else ""
    yield f"To be made in {out}: {len(stale)} files, about {_size(wanted)} of {_size(free)} that are free;"
    yield f"about {_duration(seconds)}{first}, {jobs} at a time. Stop it when you like: the same line goes on."


def _stale(rules: Sequence[Rule], out: Path) -> set[str]:
    """Name the files that make would make: what is not there, or is older than what it stems from."""
    by_target = {rule.target: rule for rule in rules}
    times: dict[str, float] = {}

    def time_of(target: str) -> float:
        """When a file was written; after everything if it is to be made."""
        if target not in times:
            path = Path(target.replace(OUT, str(out), 1))
            written = path.stat().st_mtime if path.exists() else inf
            needs = by_target[target].needs if target in by_target else ()
            times[target] = inf if any(time_of(need) > written for need in needs) else written
        return times[target]

    return {target for target in by_target if time_of(target) == inf}


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6))} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
