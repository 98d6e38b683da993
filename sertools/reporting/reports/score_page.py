"""The page of ``sertools score``: plain text of at most 80 columns, every figure beside its references."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sertools.scoring.synthetic.verdict import BAD, COLLAPSED, COPIES, MARRED, REAL, USABLE, decimals, whole_percent

WIDTH = 80
_NAME = 38
_CELL = 14
_DASH = "–"
Values = Mapping[str, Any]
_EYES = {"pixels": "In pixels (64 principal components)", "judge": "In the judge's eyes (last layer)"}
_SHORT = {
    COLLAPSED: "collapsed",
    COPIES: "copies",
    BAD: "bad",
    MARRED: "marred",
    USABLE: "usable",
    REAL: "as real",
}
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
        *_classes(scored["classes"], scored["judge"]),
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


def _all(group: Values, taught: Values | None, judge: Values | None) -> Iterable[str]:
    """Figures of all classes together: generated rows, the best to expect, and what another emotion scores."""
    for number, each in enumerate(group["fidelity"]):
        distance, near, floor = each["distance"], each["neighbourhood"], each["neighbourhood_heldout"]
        heads = ("generated", "held-out", "other emotion") if number == 0 else ("", "", "")
        yield _row(_EYES[each["embedding"]], *heads)
        other = _DASH if distance["other"] is None else decimals(distance["other"])
        yield _row("  distance to real (KID)", decimals(distance["generated"]), decimals(distance["heldout"]), other)
        yield _row("  p: drawn alike with the real rows", _p(distance["p_different"]))
        yield _row("  p: no farther than held-out rows", _p(distance["p_farther"]))
        yield _row(
            f"  Fréchet distance, {each['frechet_dimensions']} dimensions",
            f"{each['frechet']:.2f}",
            f"{each['frechet_heldout']:.2f}",
        )
        for name, key in (("among the real (precision)", "precision"), ("real ones reached (recall)", "recall")):
            yield _row(f"  {name}", whole_percent(near[key]), whole_percent(floor[key]))
        yield _row("  density where real rows are", f"{near['density']:.2f}", f"{floor['density']:.2f}")
        yield _row(
            "  real rows covered (coverage)", whole_percent(near["coverage"]), whole_percent(floor["coverage"])
        )
        yield ""
    yield from _variety(group["variety"])
    yield ""
    yield from _copying(group["copying"])
    yield ""
    yield from _texture(group["texture"], group["texture_heldout"])
    if taught or judge:
        yield ""
        yield _row("What they teach", "generated", "real", "chance" if taught else "")
    if taught:
        yield _row(
            "  UAR on held-out, small classifier",
            whole_percent(taught["synth"]),
            whole_percent(taught["real"]),
            whole_percent(taught["chance"]),
        )
        yield _row("  standard error", whole_percent(taught["standard_error"]))
    if judge:
        yield _row(
            "  taken for their class by the judge",
            whole_percent(judge["generated"]["all"]),
            whole_percent(judge["heldout"]["all"]),
        )


def _copying(copying: Values) -> Iterable[str]:
    yield _row("Copying", "generated", "held-out")
    yield _row(
        "  sit on one training row", whole_percent(copying["copied"]), whole_percent(copying["copied_heldout"])
    )
    yield _row("  way to the nearest training row", whole_percent(copying["nearness"]), "100 %")
    yield _row("  C_T (below -3: suspiciously near)", f"{copying['z']:.1f}", "0")


def _variety(variety: Values) -> Iterable[str]:
    yield _row("Variety", "generated", "held-out")
    yield _row(
        "  differ within a class, against real",
        whole_percent(variety["spread"]),
        whole_percent(variety["spread_heldout"]),
    )
    yield _row("  have a twin in their class", whole_percent(variety["repeated"]))


def _texture(gap: Values, heldout: Values) -> Iterable[str]:
    yield _row("Texture, against real", "generated", "held-out")
    for name, key in (
        ("fine detail (energy)", "fine"),
        ("checkerboard (energy)", "checkerboard"),
        ("extreme pixels, beyond ±0.98", "extreme"),
    ):
        yield _row(f"  {name}", whole_percent(gap[key]), whole_percent(heldout[key]))
    for name, key in (
        ("mean of each mel band, off by", "mel_mean_db"),
        ("spread of each mel band, off by", "mel_sd_db"),
        ("movement over time, off by", "modulation_db"),
        ("levels, off by", "level_db"),
    ):
        yield _row(f"  {name}", f"{gap[key]:.1f} dB", f"{heldout[key]:.1f} dB")


def _classes(classes: Values, judge: Values | None) -> Iterable[str]:
    """One line per class: distance and its references, coverage, fine detail, judge, verdict."""
    head = ("distance", "held-out", "other", "covered", "fine", *(["judge"] if judge else []))
    name_width = min(14, max(9, *(len(name) for name in classes)))
    yield "Class by class: distance in pixels beside its references, real rows covered,"
    yield f"fine detail{', rows that the judge takes for the class' if judge else ''}"
    yield _cells("class", name_width, head, "verdict")
    for name, measured in classes.items():
        short = name if len(name) <= name_width else name[: name_width - 1] + "…"
        if measured["verdict"] is None:
            yield f"{short:{name_width}}  not scored: {measured['why'][0]}"
            continue
        each = measured["fidelity"][0]
        distance = each["distance"]
        cells = [
            decimals(distance["generated"]),
            decimals(distance["heldout"]),
            _DASH if distance["other"] is None else decimals(distance["other"]),
            whole_percent(each["neighbourhood"]["coverage"]),
            whole_percent(measured["texture"]["fine"]),
        ]
        if judge:
            cells.append(whole_percent(judge["generated"]["classes"][name]))
        yield _cells(short, name_width, cells, _SHORT[measured["verdict"]])


def _cells(name: str, name_width: int, cells: Sequence[str], verdict: str) -> str:
    return f"{name:{name_width}}" + "".join(f"{cell:>9}" for cell in cells) + f"  {verdict}"


def _p(value: float) -> str:
    return f"{value:.3f}"
