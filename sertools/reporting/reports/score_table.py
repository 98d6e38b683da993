"""Generators beside each other: what `score` found of each, averaged over seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from sertools.errors import UsageError
from sertools.reporting.contents.printed import damaged, document_kind, read_document
from sertools.reporting.reports.formats import DASH, TextTable, percent, write_tables
from sertools.scoring.results.documents import Defect
from sertools.scoring.synthetic.nearness import PIXELS, VECTORS
from sertools.scoring.synthetic.verdict import KIND, VERDICTS, decimals
from sertools.training.health import COMPETENT, D_AUC
from sertools.verb_config import Format

_Way = tuple[str | int, ...]
# Field of a record → where it stands in the file.
_FIGURES: dict[str, _Way] = {
    "distance": ("all", "fidelity", 0, "distance", "generated"),
    "distance_heldout": ("all", "fidelity", 0, "distance", "heldout"),
    "distance_other": ("all", "fidelity", 0, "distance", "other"),
    "recall": ("all", "fidelity", 0, "neighbourhood", "recall"),
    "coverage": ("all", "fidelity", 0, "neighbourhood", "coverage"),
    "spread": ("all", "variety", "spread"),
    "copied": ("all", "copying", "copied"),
    "nearest_z": ("all", "copying", "z"),
    "fine": ("all", "texture", "fine"),
    "checkerboard": ("all", "texture", "checkerboard"),
    "extreme": ("all", "texture", "extreme"),
    "taught": ("usefulness", "synth"),
    "taught_real": ("usefulness", "real"),
    D_AUC: ("generator", D_AUC),
}
_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "distance": ("distance", decimals),
    "coverage": ("covered", percent),
    "spread": ("variety", percent),
    "copied": ("copied", percent),
    "fine": ("fine detail", percent),
    "checkerboard": ("checkerboard", percent),
    "extreme": ("extreme", percent),
    "taught": ("teaches", percent),
    D_AUC: ("D's AUC", percent),
}
_IF_ANY = ("fine", "checkerboard", "extreme", D_AUC)
_LEGEND = (
    "Mean ± standard deviation over n scores. distance: KID to real rows, in 64 principal components of the {of}. "
    "covered: real rows with a generated one near. variety: how far rows of a class differ. {texture}"
    "teaches: UAR on held-out speech of a small classifier that saw them alone. All in percent but the distance; "
    "{relative} of what real rows have, so 100 is as real."
)
_LEGEND_OF = {
    PIXELS: _LEGEND.format(
        of=PIXELS,
        texture="fine detail, checkerboard, extreme pixels: energy or share. ",
        relative="variety and texture",
    ),
    VECTORS: _LEGEND.format(of="standardised vectors", texture="", relative="variety"),
}
_LEGEND_OF_D = (
    "D's AUC: how well the GAN's discriminator tells real rows from those of its generator before the first step, in "
    f"percent; below {100 * COMPETENT:.0f} it taught the generator little."
)


@dataclass(frozen=True)
class Scored:
    """One file of `score`: who made the rows, what they are, what was found, its figures (NaN: not there)."""

    method: str
    rows: str
    verdict: str
    figures: dict[str, float]


def is_score(path: Path) -> bool:
    """Whether a file begins as `score` writes it; False for what cannot be read."""
    if not path.is_file():  # a pipe cannot be read twice
        return False
    try:
        with path.open("rb") as stream:
            return document_kind(stream.read(256)) == KIND
    except OSError:
        return False


def read_score(path: Path) -> Scored:
    """Read what `sertools score` wrote.

    Raises
    ------
    ModelError
        If the file cannot be read, is of another kind or version, or is damaged.
    """
    document = read_document(path, KIND)
    try:
        if document.get("verdict") not in VERDICTS:
            raise Defect("no known verdict")
        tags, files = document.get("tags", {}), document.get("files")
        if not (isinstance(tags, dict) and isinstance(files, dict)):
            raise Defect("no tags or files")
        method = tags.get("method", files.get("generated"))
        if not isinstance(method, str):
            raise Defect("it does not say what it scored")
        document = {"generator": None, **document}  # which files of earlier versions lack
        figures = {name: _figure(document, way) for name, way in _FIGURES.items()}
        rows = document["all"]["fidelity"][0].get("embedding", PIXELS)
        if rows not in [*_LEGEND_OF]:  # it may be anything
            raise Defect("no known kind of rows")
        return Scored(method, rows, document["verdict"], figures)
    except Defect as defect:
        raise damaged(path, defect, KIND) from None


def compare_scores(paths: Sequence[Path], format: Format = "text") -> str:
    """Write one row for each method: the tag ``method``, or the name of the generated store.

    Parameters
    ----------
    paths
        Files of `score`, of one corpus: the distances of others cannot be compared.
    format
        JSON and CSV hold every figure and its standard deviation, NaN as null or empty.

    Raises
    ------
    ModelError
        If one is not what `score` wrote.
    UsageError
        If results of `evaluate` are among them, or some are of pictures and some of vectors.
    """
    for path in paths:
        if not is_score(path):
            raise UsageError(f"{path}: not from `score`, as the others are; report each kind on its own")
    found = [read_score(path) for path in paths]
    for path, each in zip(paths, found, strict=True):
        if each.rows != found[0].rows:
            kinds = f"of {each.rows}, and {paths[0]} of {found[0].rows}"
            raise UsageError(f"{path}: {kinds}; report each kind on its own")
    methods = list(dict.fromkeys(each.method for each in found))
    rows = [_record(method, [each for each in found if each.method == method]) for method in methods]
    of_d = [_LEGEND_OF_D] if any(isfinite(each.figures[D_AUC]) for each in found) else []
    document = {"layout": "scores", "rows": rows, "notes": [_LEGEND_OF[found[0].rows], *of_d, _references(found)]}
    return write_tables(format, [_table(rows)], document, n_names=2)


def _figure(document: Any, way: _Way) -> float:
    value = document
    for step in way:
        if value is None:
            break
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise Defect(f"no figure {'.'.join(map(str, way))}") from None
    if value is None:
        return nan
    if type(value) not in (int, float):
        raise Defect(f"{'.'.join(map(str, way))} is not a number")
    return float(value)


def _record(method: str, scored: Sequence[Scored]) -> dict[str, Any]:
    verdict, count = Counter(each.verdict for each in scored).most_common(1)[0]
    record: dict[str, Any] = {"method": method, "n": len(scored), "verdict": verdict, "verdict_n": count}
    for name in _FIGURES:
        values = [each.figures[name] for each in scored if isfinite(each.figures[name])]
        record[name] = round(mean(values), 6) if values else None
        record[f"{name}_sd"] = round(stdev(values), 6) if len(values) > 1 else None
    return record


def _table(rows: Sequence[dict[str, Any]]) -> TextTable:
    names = [name for name in _COLUMNS if name not in _IF_ANY or any(row[name] is not None for row in rows)]
    head = ["method", "verdict", *(_COLUMNS[name][0] for name in names), "n"]
    body = []
    for row in rows:
        short = row["verdict"].partition(":")[0] + (f" ({row['verdict_n']})" if row["verdict_n"] < row["n"] else "")
        body.append([row["method"], short, *(_cell(row, name) for name in names), str(row["n"])])
    return [head, *body]


def _cell(row: dict[str, Any], name: str) -> str:
    value, spread, write = row[name], row[f"{name}_sd"], _COLUMNS[name][1]
    if value is None:
        return DASH
    text = write(value) + ("" if spread is None else f" ± {write(spread)}")
    return text.replace(" %", "")


def _references(found: Sequence[Scored]) -> str:
    """Say what real speech scores, in all files together."""

    def average(name: str, write: Callable[[float], str]) -> str:
        values = [each.figures[name] for each in found if isfinite(each.figures[name])]
        return write(mean(values)) if values else DASH

    return (
        f"Beside them, held-out real speech: distance {average('distance_heldout', decimals)}, other emotions "
        f"{average('distance_other', decimals)}; as many real rows teach {average('taught_real', percent)} %."
    )
