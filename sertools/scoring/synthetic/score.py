"""Score generated rows against real ones, before anything is trained on them."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sertools.errors import SertoolsWarning, printable
from sertools.scoring.results.discriminators import told_of_d
from sertools.scoring.results.tags import canonical_tags
from sertools.scoring.synthetic.embedding import ComponentSpace, Embedding, Judgement, ask_judge, embed
from sertools.scoring.synthetic.groups import Groups
from sertools.scoring.synthetic.nearness import PIXELS, VECTORS
from sertools.scoring.synthetic.samples import LEAST_ROWS, MOST_ROWS, Draw, Samples, draw_equally, open_samples
from sertools.scoring.synthetic.usefulness import Usefulness, usefulness
from sertools.scoring.synthetic.verdict import ALPHA, KIND, UNSURE, VERSION, judge_all, judge_group
from sertools.training.health import D_AUC, D_AUC_ROWS


def score(
    real_path: Path,
    synth_path: Path,
    *,
    heldout_path: Path | None = None,
    judge_path: Path | None = None,
    tags: Mapping[str, str] | None = None,
    seed: int = 0,
    device: torch.device,
) -> dict[str, Any]:
    """Score generated rows; the same files and seed give the same values.

    Parameters
    ----------
    real_path
        What the generator was trained on: pictures, or vectors of an encoder, as the others then are.
    synth_path
        What it made; real rows in it are set aside, unless all are real.
    heldout_path
        Real rows that it has not seen; without them, REAL is halved.
    judge_path
        A classifier trained on REAL.
    tags
        Its place in a table: method, fold, reduced, seed.
    seed
        Decides which rows are drawn, and the permutations.

    Returns
    -------
    dict
        Plain values, ready for JSON: ``tags``, ``verdict`` (one of ``VERDICTS``), ``why``, ``rows``, ``all``,
        ``classes``, ``usefulness``, ``judge``, ``notes``.

    Raises
    ------
    StoreError, ModelError, LineageError, UsageError
        As `open_samples`, `draw_equally` and `ask_judge` say.
    """
    tags = canonical_tags(tags or {})
    samples = open_samples(real_path, synth_path, heldout_path, seed)
    draw = draw_equally(samples, seed)
    judgement = ask_judge(judge_path, samples, draw, device) if judge_path else None
    scaler = samples.train.rows.fit_scaler()
    components = ComponentSpace(samples.train.rows, samples.train.index, scaler)
    kind = VECTORS if samples.real.rows.are_vectors else PIXELS
    by_components = embed(kind, samples, draw, components.points)
    embeddings = (by_components, *([judgement.embedding] if judgement else []))
    groups = Groups(samples, draw, embeddings, components, scaler, seed)
    scored = [number for number in range(len(draw.classes)) if draw.count(number) >= LEAST_ROWS]
    pooled = groups.measure(range(len(draw.classes)))
    of_class = {draw.classes[number]: groups.measure([number]) for number in scored}
    hindrance = samples.hindrance
    findings = {name: judge_group(group, hindrance, ALPHA / len(scored)) for name, group in of_class.items()}
    too_few = {name: _too_few(samples, name) for name in draw.classes if name not in of_class}
    unsure = {name: (UNSURE, [reason]) for name, reason in too_few.items() if len(samples.synth.of_class(name))}
    taught = None if samples.known else _taught(samples, draw, components, by_components)
    verdict, why = judge_all(pooled, hindrance, findings | unsure, taught)
    classes: dict[str, Any] = {}
    for name in draw.classes:
        counts = _counts(samples, name)
        if name in of_class:
            finding, reasons = findings[name]
            measured = {"verdict": finding, "why": reasons, **dataclasses.asdict(of_class[name])}
        else:
            measured = {"verdict": None, "why": [too_few[name]]}
        classes[printable(name)] = {"of": counts, **measured}
    result: dict[str, Any] = _plain(
        {
            "sertools_kind": KIND,
            "sertools_version": VERSION,
            "tags": {printable(key): printable(value) for key, value in tags.items()},
            "verdict": verdict,
            "why": [printable(sentence) for sentence in why],
            "files": {
                "real": printable(real_path.name),
                "generated": printable(synth_path.name),
                "heldout": printable(heldout_path.name) if heldout_path else None,
                "judge": printable(judge_path.name) if judge_path else None,
            },
            "generator": _generator(samples),
            "seed": seed,
            "rows": {
                "real": len(samples.train),
                "generated": len(samples.synth),
                "heldout": 0 if samples.halved else len(samples.heldout),
                "compared": len(draw),
            },
            "all": dataclasses.asdict(pooled),
            "classes": classes,
            "usefulness": _usefulness(taught, draw),
            "judge": _class_fidelity(judgement, draw),
            "notes": _notes(samples, judgement),
        }
    )
    return result


def _generator(samples: Samples) -> dict[str, Any] | None:
    """Say what a GAN's file says of its discriminator; None where no GAN was trained for these rows."""
    told = told_of_d([line for store in samples.synth.rows.stores for line in store.contents.history])
    return {D_AUC: told.auc, D_AUC_ROWS: told.rows} if math.isfinite(told.auc) else None


def _counts(samples: Samples, name: str) -> dict[str, int]:
    """Rows of a class on each side."""
    sides = {"real": samples.real, "held-out": samples.heldout, "generated": samples.synth}
    return {side: len(rows.of_class(name)) for side, rows in sides.items()}


def _too_few(samples: Samples, name: str) -> str:
    """Why a class is not scored on its own."""
    counts = _counts(samples, name)
    scarce = min(counts, key=lambda side: counts[side])
    return f"{counts[scarce]} {scarce} rows; {LEAST_ROWS} needed"


def _taught(samples: Samples, draw: Draw, components: ComponentSpace, drawn: Embedding) -> Usefulness | None:
    """Train on the drawn generated rows, and on the drawn real ones, and test on all held-out rows."""
    side = samples.heldout
    index = side.index[np.isin(side.emotion, draw.classes)]
    number = {name: k for k, name in enumerate(draw.classes)}
    label = np.array([number[name] for name in side.rows.emotion[index].tolist()], dtype=np.int64)
    return usefulness(drawn, draw.label, components.points(side.rows, index), label)


def _usefulness(taught: Usefulness | None, draw: Draw) -> dict[str, Any] | None:
    if taught is None:
        return None
    return {**dataclasses.asdict(taught), "classes": [printable(draw.classes[number]) for number in taught.classes]}


def _class_fidelity(judgement: Judgement | None, draw: Draw) -> dict[str, Any] | None:
    """Share of each class's rows that the judge takes for that class: generated, and held-out beside it."""
    if judgement is None:
        return None
    right = {"generated": judgement.synth == draw.label, "heldout": judgement.heldout == draw.label}
    return {
        side: {
            "all": hits.mean(),
            "classes": {
                printable(name): hits[draw.label == number].mean()
                for number, name in enumerate(draw.classes)
                if draw.count(number) >= LEAST_ROWS
            },
        }
        for side, hits in right.items()
    }


def _notes(samples: Samples, judgement: Judgement | None) -> list[str]:
    """What a reader must know to read the figures; what may spoil them is a warning too."""
    notes, doubts = [], []
    if samples.halved:
        notes.append(
            "no held-out rows were given: REAL is split by utterance into halves, one standing in for them; the "
            "generator has seen both, so the floor is lower than new speech would set it"
        )
        if judgement:
            notes.append("the judge was trained on both halves: it knows the held-out column")
    if samples.set_aside:
        notes.append(f"{samples.set_aside} real rows in the generated store are set aside")
    if max(len(samples.synth.of_class(name)) for name in samples.classes) > MOST_ROWS:
        notes.append(f"of a class, {MOST_ROWS} rows are drawn on each side at most")
    if samples.known:
        doubts.append(
            f"{samples.known} of the rows to be scored are held-out rows themselves: they agree with them, "
            "and teaching is not tested"
        )
    if judgement and judgement.generated_rows:
        doubts.append(
            f"the judge was trained on {judgement.generated_rows} generated rows too; one trained on real rows alone "
            "is fairer"
        )
    for doubt in doubts:
        warnings.warn(doubt, SertoolsWarning, stacklevel=3)
    return notes + doubts


def _plain(value: Any) -> Any:
    """Turn what numpy and dataclasses leave into JSON's own types, rounded: the last digits are the machine's."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.6g}")
    if isinstance(value, np.integer):
        return int(value)
    return value
