"""What is shown: tables, pictures, what a file is, files for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sertools.api.running import AnyPath, Paths, maybe, path_of, paths_of, writing
from sertools.config import EXPORTS
from sertools.errors import UsageError, one_of
from sertools.keywords import PICTURES, SEED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def report(
    results: Paths,
    *,
    baseline: str | None = None,
    layout: str = "summary",
    paper: bool = False,
    format: str = "text",
    html: AnyPath | None = None,
    same_speakers: bool = False,
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
        Also write a page with pictures that needs no other file.
    same_speakers : bool
        Whether speakers of one name are one person in all corpora.

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
        if baseline is not None or known_layout != "summary" or page is not None or same_speakers:
            raise UsageError("--baseline, --layout, --html and --same-speakers are for results of evaluate")
        return compare_scores(paths, known_format)
    read = read_results(paths)
    found = summarise(read, baseline, same_speakers=same_speakers)
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
        For files that can be drawn in two ways: stores as spectrograms or as rows per class; results as one matrix or
        as a comparison of methods. Empty: by the files.
    n : int
        Spectrograms per class and store.
    title : str
        A title above the picture.
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
    from sertools.reporting.plots.fonts import spell_out
    from sertools.reporting.plots.pictures import draw
    from sertools.reporting.plots.style import METADATA, save

    SEED.check(seed)
    PICTURES.check(n)
    paths = paths_of(files)
    options: dict[str, Any] = {"kind": kind, "n_each": n, "seed": seed, "title": title, "names": names}
    options["baseline"] = baseline
    if output is None:
        figure = draw(paths, **options)
        spell_out(figure)
        return figure
    output = path_of(output)
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
    """Say what a file is, what it holds, where it comes from and which commands make it again.

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
        If the file is damaged, or was not made by sertools.
    """
    from sertools.reporting.contents.description import describe

    return describe(path_of(file), verify=verify)


def export(file: AnyPath, output: AnyPath, *, format: str | None = None, audio_root: AnyPath | None = None) -> int:
    """Write a store, a result or a training log for other tools.

    Parameters
    ----------
    file : path
        A store, a result of `evaluate`, or the log of a training.
    output : path
        npz and arrow: a file; npy, audformat and tensorboard: a folder, made if it is missing.
    format : {"npz", "npy", "arrow", "audformat", "tensorboard"}, optional
        For a store: npz (the default), npy or arrow; for a result: audformat; for a log: tensorboard.
    audio_root : path, optional
        The corpus of a result, to complete the names of its files by their suffix.

    Returns
    -------
    int
        Rows, utterances or records written.

    Raises
    ------
    SertoolsError
        If the file is of another kind, the format is not of its kind, or needs a package that is not installed.
    """
    from sertools.reporting.contents.description import LOG, RESULT, file_kind
    from sertools.reporting.exports.predictions import export_result
    from sertools.reporting.exports.store import export_store
    from sertools.reporting.exports.tensorboard import export_log
    from sertools.store.format import KIND as STORE

    file, output, root = path_of(file), path_of(output), maybe(audio_root)
    kinds = {STORE: EXPORTS[:3], RESULT: EXPORTS[3:4], LOG: EXPORTS[4:]}
    if format is not None:
        one_of("--format", format, EXPORTS)
    kind = file_kind(file)
    if kind not in kinds:
        raise UsageError(f"{file}: is {kind}; give a store, a result or a training log")
    form = format or kinds[kind][0]
    if form not in kinds[kind]:
        raise UsageError(f"--format {form}: {file} is {kind}; give {' or '.join(kinds[kind])}")
    if root is not None and kind != RESULT:
        raise UsageError(f"--audio-root: {file} is {kind}, which does not need it; leave it out")
    with writing(output):
        if kind == RESULT:
            return export_result(file, output, root)
        return export_log(file, output) if kind == LOG else export_store(file, output, form)
