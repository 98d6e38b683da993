"""What `extract` is given, turned into recordings: files, folders, labels tables, or standard input.

Nothing is decoded here. A labels table may be a source itself, or sit beside sources by ``--labels``; then it
says what the files are, and a file it does not mention is an error rather than an unlabelled row.
"""

import io
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from sertools.corpora import folders, table
from sertools.corpora.files import check_inside, on_disk
from sertools.corpora.table import AUDIO_SUFFIXES, HEADER, STDIN, Recording, conversion, listed, looks_like_labels
from sertools.corpora.vocabulary import USUAL, Vocabulary, remark_alike, respelled, settle
from sertools.errors import CorpusError, UsageError, printable
from sertools.provenance import Input
from sertools.spelling import is_utf_8, spelled

# Named as a source they are tables, and those that are none of ours are told so.
_TABLES = {".csv", ".tsv", ".tab", ".txt", ".gz", ".bz2", ".xz", ".zip", ".xlsx", ".xls", ".ods", ".parquet"}
# How files begin that hold a table in another form, and what helps.
_OTHER_FORMS = {
    b"\x1f\x8b": "compressed; unpack it by gunzip",
    b"BZh": "compressed; unpack it by bunzip2",
    b"\xfd7zXZ": "compressed; unpack it by unxz",
    b"PK\x03\x04": "a spreadsheet or an archive; save the table as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "a spreadsheet; save the table as CSV in UTF-8",
    b"PAR1": "Parquet; save the table as CSV in UTF-8",
}
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Listing:
    """All recordings of one extraction.

    Attributes
    ----------
    recordings : list of Recording
        With `file` as a path that can be opened from the working folder.
    root : Path
        The deepest folder above all of them: the corpus root.
    tables : tuple of Path
        Labels CSVs that were read, or the files of a store.
    vocabulary : Vocabulary
        How words were read.
    corpus : str
        What `named` was given, if it was.
    known : tuple of (str, str)
        Of recordings that are in a store, the id and the digest of the audio there.
    store : Input or None
        That store.
    """

    recordings: list[Recording]
    root: Path
    tables: tuple[Path, ...] = ()
    vocabulary: Vocabulary = USUAL
    corpus: str = ""
    known: tuple[tuple[str, str], ...] = ()
    store: Input | None = None

    def options(self) -> dict[str, str]:
        """What was asked for beside sources, by the options' names."""
        return self.vocabulary.options() | ({"corpus": self.corpus} if self.corpus else {})

    def named(self, corpus: str) -> "Listing":
        """Say which corpus all recordings are of.

        Raises
        ------
        UsageError
            If the name is empty.
        """
        name = spelled(corpus)
        if not name:
            raise UsageError(f"--corpus {corpus!r}: expected a name, such as ravdess")
        recordings = [replace(recording, corpus=name) for recording in self.recordings]
        return replace(self, recordings=recordings, corpus=name)


def list_recordings(
    sources: Sequence[str],
    labels: Path | None,
    stdin: TextIO,
    audio_root: Path | None = None,
    vocabulary: Vocabulary = USUAL,
) -> Listing:
    """Find every recording that `sources` mean.

    Parameters
    ----------
    sources : sequence of str
        Audio files, folders, labels CSVs, or ``-`` for paths or a CSV on `stdin`.
    labels : Path or None
        A labels CSV that says what the audio of `sources` is.
    audio_root : Path or None
        Where all audio must lie.
    vocabulary : Vocabulary
        How words are read.

    Raises
    ------
    CorpusError
        A source is missing or holds no audio, `labels` does not mention a file, a file has two labels,
        or lies outside `audio_root`.
    """
    found: list[Recording] = []
    unlabelled: set[str] = set()
    tables = [Path(source) for source in sources if _is_table(source)] + ([labels] if labels else [])
    for source in sources:
        part, labelled = _from_stdin(stdin) if source == "-" else _from_path(source)
        found += part
        if not labelled:
            unlabelled |= {recording.file for recording in part}
    found = _by_folder(found, unlabelled) if labels is None else _labelled(found, labels)
    if not found:
        raise CorpusError(f"{', '.join(sources)}: no audio found; name files, folders, a labels CSV or -")
    name = ", ".join(map(str, tables or sources))
    unique = _unique(settle(found, name, vocabulary))
    if audio_root is not None:
        check_inside(audio_root, (recording.file for recording in unique), name)
    is_lone_folder = len(sources) == 1 and Path(sources[0]).is_dir()
    return Listing(unique, Path(sources[0]) if is_lone_folder else _root(unique), tuple(tables), vocabulary)


def list_unlabelled(sources: Sequence[str], stdin: TextIO) -> Listing:
    """Find every recording that `sources` mean, as `list_recordings` does, and look at no label: a CSV needs none."""
    parts = [
        _from_stdin(stdin, table.UNLABELLED) if each == "-" else _from_path(each, table.UNLABELLED)
        for each in sources
    ]
    unique = _unique(Recording(r.file, start=r.start, end=r.end) for found, _ in parts for r in found)
    if not unique:
        raise CorpusError(f"{', '.join(sources)}: no audio found; name files, folders, a labels CSV or -")
    return Listing(unique, _root(unique), tuple(Path(source) for source in sources if _is_table(source)))


def listing_of(recordings: Sequence[Recording]) -> Listing:
    """List recordings, at least one, that are known already, each once.

    Raises
    ------
    CorpusError
        If one is given twice, with other labels, or has a label that is not UTF-8.

    Warns
    -----
    SertoolsWarning
        Of classes, speakers or sessions that may be one.
    """
    unique = _unique([respelled(recording) for recording in recordings])
    remark_alike(unique, "recordings")
    return Listing(unique, _root(unique))


def _is_table(source: str) -> bool:
    return Path(source).suffix.lower() in _TABLES and not os.path.isdir(source)


def _root(recordings: Sequence[Recording]) -> Path:
    return Path(os.path.commonpath([_folder_of(r.file) for r in recordings]))


def _folder_of(file: str) -> str:
    return os.path.dirname(os.path.abspath(file))


# Recordings, and whether their labels are known: by a table, or by the folders of a folder.
_Found = tuple[list[Recording], bool]


def _from_path(source: str, needed: Sequence[str] = table.LABELLED) -> _Found:
    path = Path(on_disk(source))
    if path.is_dir():
        recordings = folders.read(path)
        return recordings, any(recording.emotion for recording in recordings)
    if _is_table(source):
        return read_table(path, needed), True
    if not path.exists() and path.suffix.lower() not in AUDIO_SUFFIXES:
        raise CorpusError(f"{path}: no such file or folder")
    # An audio file that is missing or broken is the decoder's to report, with all the others.
    return [Recording(file=str(path))], False


def _by_folder(found: list[Recording], unlabelled: set[str]) -> list[Recording]:
    """Label single files and single folders together, as the folders of one folder are labelled."""
    folder_of = {file: _folder_of(file) for file in unlabelled}
    if len(set(folder_of.values())) < 2:
        return found
    top = os.path.commonpath(folder_of.values())
    return [
        replace(r, emotion=os.path.basename(folder_of[r.file]))
        if r.file in unlabelled and folder_of[r.file] != top
        else r
        for r in found
    ]


def _unique(found: Iterable[Recording]) -> list[Recording]:
    """Drop what is given twice; the labels must not differ."""
    first: dict[tuple[str, float | None, float | None], Recording] = {}
    for recording in found:
        known = first.setdefault((os.path.realpath(recording.file), recording.start, recording.end), recording)
        if replace(recording, file=known.file) != known:
            also = f" (also {known.file})" if known.file != recording.file else ""
            raise CorpusError(
                f"{recording.file}{also}: is given twice, with other labels; give it once, "
                "or a table beside its folder by --labels"
            )
    return list(first.values())


def _from_stdin(stdin: TextIO, needed: Sequence[str] = table.LABELLED) -> _Found:
    # Not splitlines: it also splits at characters that a name may hold.
    lines = list(stdin)
    if any("\0" in line for line in lines):
        raise CorpusError(f"{STDIN}: holds NUL characters; give one path a line, or a CSV in UTF-8")
    if lines and looks_like_labels(lines[0]):
        return _resolved(listed(lines, STDIN, needed), None, STDIN), True
    return [Recording(file=on_disk(line.rstrip("\r\n"))) for line in lines if line.strip()], False


def read_table(path: Path, needed: Sequence[str] = table.LABELLED) -> list[Recording]:
    """Read a labels CSV, its words as they are, whose files lie relative to its own folder or to the working folder.

    Raises
    ------
    CorpusError
        As `read_labels`; or a file is in neither folder, or another one in each.
    """
    try:
        with path.open("rb") as file:
            _refuse_other_forms(file.peek(_HEAD_BYTES)[:_HEAD_BYTES], path)
            stream = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
            return _resolved(listed(stream, str(path), needed), path.parent, str(path))
    except OSError as error:
        raise CorpusError(f"{path}: {error.strerror}") from error


def _refuse_other_forms(head: bytes, path: Path) -> None:
    """Refuse what holds a table, or paths, in another form than CSV."""
    for magic, what in _OTHER_FORMS.items():
        if head.startswith(magic):
            raise CorpusError(f"{path}: is {what}")
    first = head.decode("utf-8", "replace").lstrip("\ufeff\r\n").partition("\n")[0]
    if path.suffix.lower() == ".txt" and first and not looks_like_labels(first):
        raise CorpusError(
            f"{path}: is no labels CSV, which begins as {HEADER}; if it lists paths, give them by: "
            f"sertools extract - < {shlex.quote(str(path))}"
        )


def _resolved(recordings: Iterable[Recording], folder: Path | None, name: str) -> list[Recording]:
    """Find each relative file in the CSV's folder or the working folder; it must be in one, not in both."""
    resolved, missing = [], []
    for recording in recordings:
        candidates = [Path(recording.file)]
        if folder is not None and not candidates[0].is_absolute():
            candidates.append(folder / recording.file)
        existing = [there for c in candidates if (there := Path(on_disk(str(c)))).exists()]
        if len(existing) == 2 and not existing[0].samefile(existing[1]):
            raise CorpusError(
                f"{name}: {recording.file!r} is both in the working folder and in {folder}; run from another folder"
            )
        if not existing:
            missing.append(recording.file)
        else:
            resolved.append(replace(recording, file=str(existing[0])))
    if missing:
        where = "the working folder" if folder is None else f"{folder} or the working folder"
        remedy = "correct the paths or run from the folder they start in"
        if not is_utf_8(missing[0]):
            remedy = f"the name is not UTF-8: if the disk's is, {conversion(name)}"
        raise CorpusError(
            f"{name}: {len(missing)} of its files are not in {where}, '{printable(missing[0])}' the first; {remedy}"
        )
    return resolved


def _labelled(found: list[Recording], labels: Path) -> list[Recording]:
    rows: dict[str, list[Recording]] = {}
    for row in read_table(labels):
        rows.setdefault(os.path.realpath(row.file), []).append(row)
    unknown = [r.file for r in found if os.path.realpath(r.file) not in rows]
    if unknown:
        raise CorpusError(
            f"{labels}: does not mention {len(unknown)} of the {len(found)} audio files, {unknown[0]!r} the first; "
            "add them to it, or name it as the source in place of the folder"
        )
    return [replace(row, file=r.file) for r in found for row in rows[os.path.realpath(r.file)]]
