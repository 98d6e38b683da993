"""The page of ``sertools score``: plain text of at most 80 columns, every figure beside its references."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sertools.scoring.synthetic.nearness import JUDGE, PIXELS, VECTORS
from sertools.scoring.synthetic.verdict import (
    BAD,
    COLLAPSED,
    COPIES,
    MARRED,
    REAL,
    UNSURE,
    USABLE,
    decimals,
    whole_percent,
)

WIDTH = 80
_NAME = 38
_CELL = 14
Values = Mapping[str, Any]
_Line = tuple[str, str, Callable[[float], str]]  # words, the figure's name, and how it is written
_EYES = {
    PIXELS: "In pixels (64 principal components)",
    VECTORS: "In vectors (64 principal components)",
    JUDGE: "In the judge's eyes (last layer)",
}
_SHORT = {
    COLLAPSED: "collapsed",
    COPIES: "copies",
    BAD: "bad",
    MARRED: "marred",
    USABLE: "usable",
    UNSURE: "too few",
    REAL: "as real",
}
_NEIGHBOURHOOD: Sequence[_Line] = (
    ("among the real (precision)", "precision", whole_percent),
    ("real ones reached (recall)", "recall", whole_percent),
    ("density where real rows are", "density", "{:.2f}".format),
    ("real rows covered (coverage)", "coverage", whole_percent),
)
_TEXTURE: Sequence[_Line] = (
    ("fine detail (energy)", "fine", whole_percent),
    ("checkerboard (energy)", "checkerboard", whole_percent),
    ("extreme pixels, beyond ±0.98", "extreme", whole_percent),
    ("mean of each mel band, off by", "mel_mean_db", "{:.1f} dB".format),
    ("spread of each mel band, off by", "mel_sd_db", "{:.1f} dB".format),
    ("movement over time, off by", "modulation_db", "{:.1f} dB".format),
    ("levels, off by", "level_db", "{:.1f} dB".format),
)
_LEGEND = (
    "Read a figure beside its neighbours: held-out is real speech of the class that nobody has seen, the best to "
    "hope for; other emotion is real speech of the other classes, what a wrong label looks like."
)


def page(scored: Values) -> str:
    """Lay out what `score` found."""
    files, rows = scored["files"], scored["rows"]
    heldout = files["heldout"] or "half of the real rows"
    lines = [
        *_item("verdict", scored["verdict"].upper()),
        *(line for sentence in scored["why"] for line in _item("", f"- {sentence}")),
        "",
        *_item("generated", f"{files['generated']}, {rows['generated']} rows"),
        *_item("real", f"{files['real']}, {rows['real']} rows: what the generator was trained on"),
        *_item("held-out", f"{heldout}, {rows['heldout']} rows" if rows["heldout"] else heldout),
        *_item("compared", f"{rows['compared']} rows of each, of every class the same number"),
        *(line for note in scored["notes"] for line in _item("note", note)),
        "",
        *textwrap.wrap(_LEGEND, WIDTH),
        "",
        *_all(scored["all"], scored["usefulness"], scored["judge"]),
        "",
        *_classes(scored["classes"], scored["all"], scored["judge"]),
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _item(name: str, text: str) -> list[str]:
    hanging = " " * (13 if text.startswith("- ") else 11)
    # A number and its unit stay on one line.
    lines = textwrap.wrap(
        text.replace(" %", "\xa0%"),
        WIDTH,
        initial_indent=f"{name:11}",
        subsequent_indent=hanging,
        break_on_hyphens=False,
    )
    return [line.replace("\xa0", " ") for line in lines]


def _row(name: str, *cells: str) -> str:
    return f"{name:{_NAME}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)


def _rows(lines: Iterable[_Line], measured: Values, reference: Values) -> Iterable[str]:
    """Figures of generated rows, each beside that of held-out ones."""
    for name, key, write in lines:
        yield _row(f"  {name}", write(measured[key]), write(reference[key]))


def _all(group: Values, taught: Values | None, judge: Values | None) -> Iterable[str]:
    """Figures of all classes together: generated rows, the best to expect, and what another emotion scores."""
    for number, each in enumerate(group["fidelity"]):
        distance = each["distance"]
        heads = ("generated", "held-out", "other emotion") if number == 0 else ("", "", "")
        yield _row(_EYES[each["embedding"]], *heads)
        yield _row("  distance to real (KID)", *(_distance(distance[of]) for of in ("generated", "heldout", "other")))
        yield _row("  p: drawn alike with the real rows", f"{distance['p_different']:.3f}")
        yield _row("  p: no farther than held-out rows", f"{distance['p_farther']:.3f}")
        name = f"  Fréchet distance, {each['frechet_dimensions']} dimensions"
        yield _row(name, f"{each['frechet']:.2f}", f"{each['frechet_heldout']:.2f}")
        yield from _rows(_NEIGHBOURHOOD, each["neighbourhood"], each["neighbourhood_heldout"])
        yield ""
    variety, copying = group["variety"], group["copying"]
    yield _row("Variety", "generated", "held-out")
    spreads = (whole_percent(variety[key]) for key in ("spread", "spread_heldout"))
    yield _row("  differ within a class, against real", *spreads)
    yield _row("  have a twin in their class", whole_percent(variety["repeated"]))
    yield ""
    yield _row("Copying", "generated", "held-out")
    copied = (whole_percent(copying[key]) for key in ("copied", "copied_heldout"))
    yield _row("  sit on one training row", *copied)
    yield _row("  way to the nearest training row", whole_percent(copying["nearness"]), "100 %")
    yield _row("  C_T (below -3: suspiciously near)", f"{copying['z']:.1f}", "0")
    if group["texture"]:
        yield ""
        yield _row("Texture, against real", "generated", "held-out")
        yield from _rows(_TEXTURE, group["texture"], group["texture_heldout"])
    if taught or judge:
        yield ""
        yield _row("What they teach", "generated", "real", "chance" if taught else "")
    if taught:
        scores = (whole_percent(taught[key]) for key in ("synth", "real", "chance"))
        yield _row("  UAR on held-out, small classifier", *scores)
        yield _row("  standard error", whole_percent(taught["standard_error"]))
    if judge:
        taken = (whole_percent(judge[key]["all"]) for key in ("generated", "heldout"))
        yield _row("  taken for their class by the judge", *taken)


def _classes(classes: Values, group: Values, judge: Values | None) -> Iterable[str]:
    """One line per class: distance and its references, coverage, fine detail of pictures, judge, verdict."""
    embedding, textured = group["fidelity"][0]["embedding"], bool(group["texture"])
    beside = (("fine", "fine detail", textured), ("judge", "rows that the judge takes for the class", bool(judge)))
    head = ("distance", "held-out", "other", "covered", *(name for name, _, there in beside if there))
    words = ("real rows covered", *(meaning for _, meaning, there in beside if there))
    name_width = min(14, max(9, *(len(name) for name in classes)))
    said = f"Class by class: distance in {embedding} beside its references, {', '.join(words)}"
    yield from textwrap.wrap(said, WIDTH)
    yield _cells("class", name_width, head, "verdict")
    for name, measured in classes.items():
        short = name if len(name) <= name_width else name[: name_width - 1] + "…"
        if measured["verdict"] is None:
            yield f"{short:{name_width}}  not scored: {measured['why'][0]}"
            continue
        each = measured["fidelity"][0]
        distance = each["distance"]
        cells = [
            *(_distance(distance[of]) for of in ("generated", "heldout", "other")),
            whole_percent(each["neighbourhood"]["coverage"]),
        ]
        if textured:
            cells.append(whole_percent(measured["texture"]["fine"]))
        if judge:
            cells.append(whole_percent(judge["generated"]["classes"][name]))
        yield _cells(short, name_width, cells, _SHORT[measured["verdict"]])


def _cells(name: str, name_width: int, cells: Sequence[str], verdict: str) -> str:
    return f"{name:{name_width}}" + "".join(f"{cell:>9}" for cell in cells) + f"  {verdict}"


def _distance(value: float | None) -> str:
    return "–" if value is None else decimals(value)
