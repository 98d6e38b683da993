"""A history as commands of a shell: each file by what it is and the first digits of its digest.

A line of a history names its inputs by digest, and the lines that made them; so the commands are joined by names such
as ``train-a454cd0d.h5``, whatever the files were called. What nobody made has to be given: ``CORPUS``, ``NOISE``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sertools.errors import printable
from sertools.fields import flag_of
from sertools.provenance import line_digest
from sertools.reporting.contents.words import Word, words_of

# Roles of files that are read by an option; the others are arguments, in this order.
_OPTIONS = ("average", "val", "donor", "noise", "encoder", "folds", "smote", "translate")
_ARGUMENTS = ("corpus", "classifier", "gan", "autoencoder", "latents", "store", "stores", "train", "test", "donors")
FILE_FLAGS = tuple(map(flag_of, _OPTIONS))
# Verb → the role of what it makes, if that is no store.
_MODELS = {
    "pretrain-ae": "autoencoder",
    "fit-latents": "latents",
    "finetune-gan": "gan",
    "train-generator": "gan",
    "train-clf": "classifier",
}
_ON_A_DEVICE = (*_MODELS, "generate", "evaluate")
# What a store is called that has several roles: the first of these.
_OF_STORES = ("train", "test", "val", "donor", "donors", "smote", "translate", "store", "stores")
_ROOTS = {
    "corpus": ("CORPUS", "what was extracted"),
    "noise": ("NOISE", "a folder of background noise"),
    "encoder": ("ENCODER", "a pretrained encoder"),
    "folds": ("FOLDS", "published folds"),
}
_VARIABLE = re.compile(r"\$(CORPUS|NOISE|ENCODER|FOLDS)(_[0-9a-f]+)?")
_DIGITS = 8

# The digest of the line that made a file, empty where it is not known; and the file's own.
_File = tuple[str, str]
_Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes
    ----------
    verb : str
        Of `sertools`.
    options : tuple of (str, str)
        Flag and value; a flag that takes none has an empty value.
    files : tuple of str
        Arguments.
    output : str
        What ``-o`` names.
    remark : str
        What no option says.
    processes : int
        How many train together.
    """

    verb: str
    options: tuple[Word, ...]
    files: tuple[str, ...]
    output: str
    remark: str = ""
    processes: int = 1

    def line(self) -> str:
        """Write it as a line of a shell."""
        words = ["sertools"]
        if self.processes > 1:
            words = ["torchrun", "--standalone", "--nproc-per-node", str(self.processes), "-m", "sertools"]
        words += [self.verb, *self.files]
        for flag, value in self.options:
            words += [flag, value] if value else [flag]
        line = " ".join(map(_quoted, [*words, "-o", self.output]))
        return line + (f"  # {printable(self.remark)}" if self.remark else "")


@dataclass(frozen=True)
class Commands:
    """What makes a file.

    Attributes
    ----------
    steps : tuple of Step
        In an order in which they can be run.
    files : mapping of str to str
        What each name stands for.
    """

    steps: tuple[Step, ...]
    files: Mapping[str, str]


def entry(line: str) -> dict[str, Any]:
    """Read a line of a history.

    Raises
    ------
    ValueError
        If it is no JSON object, or names no verb.
    """
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("verb"), str):
        raise ValueError("a line names no verb")
    return found


def commands_of(history: Sequence[str], output: str, tags: Mapping[str, str] | None = None) -> Commands:
    """Turn the history of a file into commands that make it.

    Parameters
    ----------
    history
        Oldest line first.
    output
        What the file is called.
    tags
        Of a result, which its history leaves to it.

    Raises
    ------
    ValueError, TypeError, AttributeError
        If the history is damaged.
    """
    entries = {line_digest(line): entry(line) for line in history}
    names = _names(entries)
    steps: list[Step] = []
    for number, (maker, found) in enumerate(entries.items()):
        made = [name for file, name in names.items() if file[0] == maker]
        made = made or [_guessed(found["verb"], [*entries.values()][number + 1 :], names)]
        steps += [_step(found, names, output) for output in made]
    if steps:
        own = tuple(("--tag", f"{tag}={value}") for tag, value in (tags or {}).items())
        steps[-1] = replace(steps[-1], options=steps[-1].options + own, output=output)
    return Commands(tuple(steps), dict(_described(entries, names)))


def _inputs(found: _Entry) -> Iterator[tuple[str, list[_File]]]:
    """Files of each role."""
    made_by = found.get("made_by") or {}
    for role, given in (found.get("inputs") or {}).items():
        digests, makers = _listed(given), _listed(made_by.get(role, ""))
        yield role, [*zip(makers if len(makers) == len(digests) else [""] * len(digests), digests, strict=True)]


def _listed(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else list(given)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a digest is no text")
    return texts


def _names(entries: Mapping[str, _Entry]) -> dict[_File, str]:
    """Name every file that is read, in the order in which they were made."""
    roles: dict[_File, set[str]] = {}
    for found in entries.values():
        for role, files in _inputs(found):
            for file in files if role in (*_OPTIONS, *_ARGUMENTS) else ():
                roles.setdefault(file, set()).add(role)
    order = [*entries]
    names: dict[_File, str] = {}
    for file in sorted(roles, key=lambda file: order.index(file[0]) if file[0] in entries else -1):
        maker, digest = file
        short = re.sub(r"[^0-9A-Za-z]", "-", digest[:_DIGITS])
        if root := next((root for root in _ROOTS if root in roles[file]), ""):
            several = sum(root in own for own in roles.values()) > 1
            names[file] = f"${_ROOTS[root][0]}" + (f"_{short}" if several else "")
        else:
            kind, suffix = _kind(roles[file], str(entries.get(maker, {}).get("verb")))
            # A selection of all rows has the digest of what they were chosen from.
            each = (
                f"{kind}-{short}{number}{suffix}" for number in ("", *(f"-{n}" for n in range(2, len(roles) + 2)))
            )
            names[file] = next(name for name in each if name not in names.values())
    return names


def _kind(roles: Collection[str], verb: str) -> tuple[str, str]:
    """Say what a file is called, by its roles and what made it, and how its name ends."""
    if of_store := next((role for role in _OF_STORES if role in roles), ""):
        return of_store.removesuffix("s"), ".h5"
    role = min(roles).replace("average", "classifier")
    return "generator" if verb == "train-generator" else role, ".h5" if role == "latents" else ".safetensors"


def _guessed(verb: str, later: Sequence[_Entry], names: Mapping[_File, str]) -> str:
    """Name what a line made that no other line says it reads: as earlier versions wrote them."""
    role = _MODELS.get(verb)
    for found in later:
        for file in dict(_inputs(found)).get(role or "", ()):
            if not file[0]:
                return names[file]
    return "OUT"


def _step(found: _Entry, names: Mapping[_File, str], output: str) -> Step:
    verb, options = found["verb"], dict(found.get("options") or {})
    processes = options.pop("processes", 1)
    words, remark = words_of(verb, options)
    files = dict(_inputs(found))
    for role in _OPTIONS:
        words += [(flag_of(role), names[file]) for file in files.get(role, ())]
    if "seed" in found:
        words.append(("--seed", str(found["seed"])))
    if verb in _ON_A_DEVICE and "made_by" in found and "device" not in options:
        # `auto` would take a GPU where there is one. Earlier versions do not say what they took.
        words.append(("--device", "cpu"))
    arguments = [names[file] for role in _ARGUMENTS for file in files.get(role, ())]
    gone = [(role, digest) for role in files for _, digest in files[role] if role not in (*_OPTIONS, *_ARGUMENTS)]
    if gone:
        unread = ", ".join(f"{role}-{digest[:_DIGITS]}" for role, digest in gone)
        remark = "; ".join(filter(None, (remark, f"no option reads: {unread}")))
    if verb in ("extract", "embed") and not arguments:
        arguments = ["$CORPUS"]
    return Step(verb, tuple(words), tuple(arguments), output, remark, int(processes))


def _described(entries: Mapping[str, _Entry], names: Mapping[_File, str]) -> Iterator[tuple[str, str]]:
    for (maker, digest), name in names.items():
        root = next((what for root, what in _ROOTS.values() if name.startswith(f"${root}")), "")
        origin = f"made by {entries[maker]['verb']}" if maker in entries else "made by a line that is not known"
        yield name.removeprefix("$"), f"{root or origin}, digest {digest}"


def _quoted(word: str) -> str:
    """Quote a word for a shell, so that nothing in it steers a terminal either."""
    if _VARIABLE.fullmatch(word):
        return f'"{word}"'
    if word.isprintable():
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"
