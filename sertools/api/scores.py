"""Scores of generated rows, tables, pictures, and what a file is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sertools.api.running import AnyPath, Paths, maybe, paths_of, writing
from sertools.errors import UsageError
from sertools.keywords import PICTURES, SEED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def score(
    real: AnyPath,
    synth: AnyPath,
    *,
    heldout: AnyPath | None = None,
    judge: AnyPath | None = None,
    tags: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Say whether generated rows are any good.

    Parameters
    ----------
    real, synth : path
        What the generator was trained on, and what it made.
    heldout : path, optional
        Real rows that the generator has not seen; without them `real` is halved.
    judge : path, optional
        A classifier trained on `real`, to look through its eyes as well.
    tags : mapping of str to str
        Place in a table: method, fold, reduced, seed.
    seed : int
        Which rows are drawn, and the permutations.
    device : str
        auto, cpu or cuda.

    Returns
    -------
    dict
        Plain values, as ``sertools score --json`` writes them; ``verdict`` and ``why`` first.

    Raises
    ------
    SertoolsError
        If there are too few rows, or the files do not go together.
    """
    from sertools.scoring.synthetic.score import score as run
    from sertools.training.runtime import pick_device

    SEED.check(seed)
    return run(
        Path(real),
        Path(synth),
        heldout_path=maybe(heldout),
        judge_path=maybe(judge),
        tags=dict(tags or {}),
        seed=seed,
        device=pick_device(device),
    )


def report(
    results: Paths,
    *,
    baseline: str | None = None,
    layout: str = "summary",
    paper: bool = False,
    format: str = "text",
    html: AnyPath | None = None,
) -> str:
    """Put many results into one table, with intervals.

    Parameters
    ----------
    results : path or paths
        From `evaluate`, or CSVs of other tools' predictions; or all from `score`.
    baseline : str, optional
        Method that the others are compared with; by default imbalanced.
    layout : {"summary", "table2", "table3"}
        Our table, or the paper's Table 2 or 3.
    paper : bool
        Put the paper's own figures beside ours, in its layouts.
    format : {"text", "markdown", "latex", "csv", "json"}
        CSV and JSON hold every number.
    html : path, optional
        Also write one page with pictures, that needs no other file.

    Returns
    -------
    str
        The table; it ends in a newline.

    Raises
    ------
    SertoolsError
        If a file cannot be read, or the results cannot stand in one table.
    """
    from sertools.provenance import atomic_output, refuse_clobber
    from sertools.reporting.reports.formats import check_format
    from sertools.reporting.reports.layouts import check_layout, render_layout
    from sertools.reporting.reports.score_table import compare_scores, is_score
    from sertools.scoring.comparing.summary import summarise
    from sertools.scoring.results.rivals import read_results

    known_layout = check_layout(layout, paper)
    if baseline is not None and known_layout != "summary" and html is None:
        raise UsageError(f"--baseline: {layout} compares nothing; leave it out, or use --layout summary")
    known_format = check_format(format)
    paths, page = paths_of(results), maybe(html)
    if page is not None:
        refuse_clobber(page, paths)
    if any(is_score(path) for path in paths):
        if baseline is not None or known_layout != "summary" or page is not None:
            raise UsageError("--baseline, --layout and --html are for results of evaluate; these are scores")
        return compare_scores(paths, known_format)
    read = read_results(paths)
    found = summarise(read, baseline)
    if page is not None:
        from sertools.reporting.reports.page import render_page

        with writing(page):
            text = render_page(found, read, known_layout, paper)
            with atomic_output(page) as part:
                part.write_text(text, encoding="utf-8", newline="\n")
    return render_layout(found, known_layout, known_format, paper)


def plot(
    files: Paths,
    output: AnyPath | None = None,
    *,
    kind: str = "",
    n: int = 4,
    title: str = "",
    names: Sequence[str] = (),
    baseline: str | None = None,
    seed: int = 0,
) -> Figure:
    """Draw spectrograms, class balance, results, the curves of a training, or the latent space.

    Parameters
    ----------
    files : path or paths
        Stores, results, training logs, or latents (with their autoencoder and stores).
    output : path, optional
        The picture: .png, .svg or .pdf.
    kind : {"", "spectrograms", "balance", "confusion", "comparison"}
        Where there are two ways: stores as spectrograms, or rows of each class; results as one matrix, or methods
        compared. Empty: by the files.
    n : int
        Spectrograms a class and store.
    title : str
        A line above.
    names : sequence of str
        The stores' names, in their order.
    baseline : str, optional
        Method that others are compared with; by default imbalanced.
    seed : int
        Which rows are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it.

    Raises
    ------
    SertoolsError
        If the files are of several kinds, or the picture's suffix is not known.
    """
    from sertools.provenance import atomic_output, refuse_clobber
    from sertools.reporting.plots.pictures import draw
    from sertools.reporting.plots.style import METADATA, save

    SEED.check(seed)
    PICTURES.check(n)
    paths = paths_of(files)
    options: dict[str, Any] = {"kind": kind, "n_each": n, "seed": seed, "title": title, "names": names}
    options["baseline"] = baseline
    if output is None:
        return draw(paths, **options)
    output = Path(output)
    suffix = output.suffix.lstrip(".").lower()
    if suffix not in METADATA:
        raise UsageError(f"{output}: cannot draw {suffix or 'no suffix'!r}; name the output .png, .svg or .pdf")
    with writing(output):
        refuse_clobber(output, paths)
        figure = draw(paths, **options)
        with atomic_output(output) as part:
            save(figure, part, suffix)
    return figure


def info(file: AnyPath, *, verify: bool = False) -> dict[str, Any]:
    """Say what a file is, holds and stems from.

    Parameters
    ----------
    file : path
        A store, latents, model, result or training log.
    verify : bool
        Compare every picture of a store with its digest.

    Returns
    -------
    dict
        Plain values, as ``sertools info --json`` writes them.

    Raises
    ------
    SertoolsError
        If the file is damaged, or nothing that sertools made.
    """
    from sertools.reporting.contents.description import describe

    return describe(Path(file), verify=verify)
