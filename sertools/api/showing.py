"""What is shown: tables, pictures, what a file is, files for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sertools.api.running import AnyPath, Paths, maybe, path_of, paths_of, takes, writing
from sertools.config import EXPORTS
from sertools.errors import UsageError
from sertools.keywords import parted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sertools.api.typed import Export, Plot, Report, Unpack


@takes("report")
def report(results: Paths, **options: Unpack[Report]) -> str:
    """Put many results into one table, with intervals.

    Parameters
    ----------
    results : path or paths
        From `evaluate`, or CSVs of other tools' predictions; or all from `score`.
    **options
        Those of ``sertools report``.

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
    from sertools.reporting.reports.corpora_table import render_corpora
    from sertools.reporting.reports.layouts import render
    from sertools.reporting.reports.power_table import render_plan
    from sertools.reporting.reports.score_table import compare_scores, is_score
    from sertools.scoring.comparing.corpora import over_corpora
    from sertools.scoring.comparing.summary import summarise
    from sertools.scoring.results.rivals import read_results

    how, _ = parted("report", options)
    if how.baseline is not None and how.layout not in ("summary", "corpora") and how.html is None:
        raise UsageError(f"--baseline: {how.layout} compares nothing; leave it out, or use --layout summary")
    paths, page = paths_of(results), maybe(how.html)
    if page is not None:
        refuse_clobber(page, paths)
    if how.power is not None and (how.layout != "summary" or page is not None):
        raise UsageError("--power: prints a plan, which has no layout and no page; leave --layout and --html out")
    if any(is_score(path) for path in paths):
        unfit = (how.baseline, page, how.power)
        if any(each is not None for each in unfit) or how.layout != "summary" or how.same_speakers:
            raise UsageError("--baseline, --layout, --html, --same-speakers and --power are for results of evaluate")
        return compare_scores(paths, how.format)
    read = read_results(paths)
    if how.layout == "corpora":
        if page is not None:
            raise UsageError("--html: a page is of one corpus; leave it out, or leave --layout out")
        return render_corpora(over_corpora(read, how.baseline, same_speakers=how.same_speakers), how.format)
    if how.power is not None:
        return render_plan(read, how.power, how.baseline, how.format, same_speakers=how.same_speakers)
    found = summarise(read, how.baseline, same_speakers=how.same_speakers)
    if page is not None:
        from sertools.reporting.reports.page import render_page

        with writing(page):
            text = render_page(found, read, how.layout, how.paper)
            with atomic_output(page) as part:
                part.write_text(text, encoding="utf-8", newline="\n")
    return render(found, how.format, how.layout, how.paper)


@takes("plot")
def plot(files: Paths, output: AnyPath | None = None, **options: Unpack[Plot]) -> Figure:
    """Draw spectrograms, class balance, results, the curves of a training, or the latent space.

    Parameters
    ----------
    files : path or paths
        Stores, results, training logs, or latents (with their autoencoder and stores).
    output : path, optional
        The picture: .png, .svg or .pdf.
    **options
        Those of ``sertools plot``.

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
    from sertools.reporting.plots.style import format_of, save

    how, _ = parted("plot", options)
    paths = paths_of(files)

    if output is None:
        figure = draw(paths, how)
        spell_out(figure)
        return figure
    output = path_of(output)
    suffix = format_of(output)
    with writing(output):
        refuse_clobber(output, paths)
        figure = draw(paths, how)
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


@takes("export")
def export(file: AnyPath, output: AnyPath, **options: Unpack[Export]) -> int:
    """Write a store, a result, a training log or a classifier for other tools.

    Parameters
    ----------
    file : path
        A store, a result of `evaluate`, the log of a training, or a classifier.
    output : path
        npz, arrow and onnx: a file; npy, audformat and tensorboard: a folder, made if it is missing.
    **options
        Those of ``sertools export``.

    Returns
    -------
    int
        Rows, utterances, records or weights written.

    Raises
    ------
    SertoolsError
        If the file is of another kind, the format is not of its kind, or needs a package that is not installed.
    """
    from sertools.reporting.contents.description import LOG, RESULT, file_kind
    from sertools.reporting.exports.onnx_graph import export_classifier
    from sertools.reporting.exports.predictions import export_result
    from sertools.reporting.exports.store import export_store
    from sertools.reporting.exports.tensorboard import export_log
    from sertools.store.format import KINDS as STORES

    how, _ = parted("export", options)
    file, output, root = path_of(file), path_of(output), maybe(how.audio_root)
    stores, results, logs, classifiers = EXPORTS[:3], EXPORTS[3:4], EXPORTS[4:5], EXPORTS[5:]
    kinds = {**dict.fromkeys(STORES, stores), RESULT: results, LOG: logs, "classifier": classifiers}
    kind = file_kind(file)
    if kind not in kinds:
        raise UsageError(f"{file}: is {kind}; give a store, a result, a training log or a classifier")
    form = how.format or kinds[kind][0]
    if form not in kinds[kind]:
        raise UsageError(f"--format {form}: {file} is {kind}; give {' or '.join(kinds[kind])}")
    if root is not None and kind != RESULT:
        raise UsageError(f"--audio-root: {file} is {kind}, which does not need it; leave it out")
    with writing(output):
        if kind == RESULT:
            return export_result(file, output, root)
        if kind == LOG:
            return export_log(file, output)
        return export_store(file, output, form) if kind in STORES else export_classifier(file, output)
