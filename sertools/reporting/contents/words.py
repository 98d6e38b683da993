"""From the options of a history back to words of the command line: the nearest preset, and what differs from it.

A history holds every number of a training; a command line has a preset and a few flags. So the preset, and the
architecture of an autoencoder, are those that leave the fewest numbers that no flag sets, and then the fewest flags.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sertools.architectures import GAN_ARCHS
from sertools.config import FrontEnd
from sertools.fields import flag_of, keywords_of
from sertools.keywords import VERBS, configured, flags
from sertools.presets import PRESETS, REMOVED_FIELDS, VECTORS
from sertools.provenance import flat

# A flag and its value, which is empty where it takes none.
Word = tuple[str, str]
_UNKNOWN = object()  # equal to no number
# What a history calls otherwise than Python does.
_NAMES: Mapping[str, Mapping[str, str]] = {"generate": {"counts": "count"}}


@dataclasses.dataclass(frozen=True)
class _Said:
    """What flags say, what no flag sets, and what this version has no more."""

    words: list[Word] = dataclasses.field(default_factory=list)
    unset: dict[str, Any] = dataclasses.field(default_factory=dict)
    gone: dict[str, Any] = dataclasses.field(default_factory=dict)


def words_of(verb: str, options: Mapping[str, Any]) -> tuple[list[Word], str]:
    """Say on the command line what a line of a history has as its options.

    Parameters
    ----------
    verb
        Of `sertools`; the options of one that is not known are called by their names.
    options
        As `provenance.history` was given them.

    Returns
    -------
    words : list of (str, str)
        Flags with their values, which are read back as the same options.
    remark : str
        What no flag and no preset says; empty if that is nothing.
    """
    how, stages = VERBS.get(verb, (None, {}))
    stage = options.get("kind", next(iter(stages), ""))
    if how is None or stage not in stages:
        said = _by_name(verb, options)
        return said.words, _remark(said)
    known = keywords_of(how)
    archs = tuple(GAN_ARCHS) if "arch" in known else ("paper",)
    numbers = {name: value for name, value in options.items() if name not in known}
    best, start = _Said(), dict[str, str]()
    kinds = _vectors(numbers)
    for number, (vectors, preset, arch) in enumerate(itertools.product(kinds, PRESETS, archs)):
        tried = {"kind": stage, "preset": preset, "arch": arch}
        tried = {name: value for name, value in tried.items() if name in known}
        said = _beside(verb, tried, numbers, vectors)
        # `paper` comes first, and stays where others are no nearer.
        if not number or (len(said.unset), len(said.words)) < (len(best.unset), len(best.words)):
            best, start = said, tried
    before = [(flag_of(name), value) for name, value in start.items() if value != "paper"]
    behind = [
        word
        for name in known
        if name in options and name not in start
        for word in _words(flag_of(name), options[name])
    ]
    return [*before, *best.words, *behind], _remark(best)


def _vectors(numbers: Mapping[str, Any]) -> tuple[bool | None, ...]:
    """Say whether a training's rows were vectors: both answers where its numbers will tell, None where none does."""
    answers: dict[Any, tuple[bool | None, ...]] = {"conv": (False,), "dense": (True,), "identity": (True,)}
    answers["pca"] = (None,)
    return answers.get(_by_leaf(numbers).get("latent"), (False, True))


def _beside(verb: str, start: Mapping[str, str], numbers: Mapping[str, Any], vectors: bool | None) -> _Said:
    """Say in what the numbers of a training differ from those of a preset and an architecture."""
    how, stages = VERBS[verb]
    made: Any = how
    stage, config = configured(verb, made(**start), {}, vectors=bool(vectors))
    usual = _by_leaf(dataclasses.asdict(config))
    if vectors is None:
        # Said is what another kind of rows would change.
        usual |= dict.fromkeys(VECTORS.get(stage, {}).keys() & stages[stage].keys(), _UNKNOWN)
    own = dict(numbers)
    if not hasattr(config, "net"):
        # The net is another model's, and so is what this config leaves open.
        inherited = own.pop("net", None) or {}
        usual = {name: inherited.get(name) if value is None else value for name, value in usual.items()}
    said, given = _Said(), _by_leaf(own)
    for name in _in_order(given, usual):
        keyword, value = stages[stage].get(name), given[name]
        if name not in usual:
            if name not in REMOVED_FIELDS or REMOVED_FIELDS[name] != value:
                said.gone[name] = value
        elif value != usual[name]:
            if keyword is None or value is None:
                said.unset[name] = value
            else:
                said.words.extend(_words(keyword.flag, value))
    return said


def _by_leaf(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of a config and its net, none of which share a name."""
    return {path.removeprefix("net."): value for path, value in flat(numbers).items()}


def _by_name(verb: str, options: Mapping[str, Any]) -> _Said:
    """Say options that no preset has."""
    known = flags(verb) if verb in VERBS else None
    said = _Said()
    for name in _in_order(options, known or ()):
        value = options[name]
        keyword = (known or {}).get(_NAMES.get(verb, {}).get(name, name))
        if value == "":
            said.unset[name] = value  # the command line takes no empty word
        elif keyword is None and known is not None:
            (said.unset if name in vars(FrontEnd()) else said.gone)[name] = value
        elif value is not False:
            said.words.extend(_words(keyword.flag if keyword else flag_of(name), value))
    return said


def _in_order(given: Iterable[str], usual: Iterable[str]) -> list[str]:
    """Sort names as a config or a help text has them; JSON has them by the alphabet."""
    names = set(given)
    return [*dict.fromkeys((*(name for name in usual if name in names), *given))]


def _words(flag: str, value: Any) -> Iterator[Word]:
    """Say an option; a list or a table is said by repeating it."""
    if isinstance(value, bool):
        yield flag if value else f"--no-{flag[2:]}", ""
    elif isinstance(value, Mapping):
        yield from ((flag, f"{key}={_text(part)}") for key, part in value.items())
    elif value is not None:
        yield from ((flag, _text(part)) for part in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    # JSON writes a number so that the same one is read back.
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _remark(said: _Said) -> str:
    notes = []
    for head, values in (("no option sets", said.unset), ("gone since", said.gone)):
        if values:
            notes.append(f"{head}: {', '.join(f'{name}={_text(value)}' for name, value in values.items())}")
    return "; ".join(notes)
