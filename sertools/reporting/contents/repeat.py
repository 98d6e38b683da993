"""How results were made: the history of each as commands, with what its runs differ in.

A history holds no file names, so files are called by what they are and the first digits of their digest, such as
``train-a454cd0d``; settings that come from a preset stand behind ``#``.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sertools.errors import ModelError
from sertools.scoring.results.result import Result

# Verb → option in the history → on the command line.
_AE = {name: f"--{name}" for name in ("steps", "lr")} | {"batch_size": "--batch-size"}
FLAGS: Mapping[str, Mapping[str, str]] = {
    "extract": {
        **{name: f"--{name}" for name in ("sr", "fit", "tail", "pad")},
        **{"segment_seconds": "--seconds", "n_mels": "--mels", "n_frames": "--frames"},
        **{"min_tail_seconds": "--min-tail", "trim_db": "--trim"},
    },
    "select": {**{name: f"--{name}" for name in ("where", "fold", "by", "keep")}, "invert": "-v"},
    "pretrain-ae": {**_AE, "width": "--width", "latent": "--latent", "latent_size": "--latent-size"},
    "fit-latents": {"cov": "--cov"},
    "finetune-gan": {
        **{"steps": "--steps", "batch_size": "--batch-size"},
        **{"lr_g": "--lr-g", "lr_d": "--lr-d", "batches": "--batches"},
    },
    "train-generator": {
        **{name: f"--{name}" for name in ("kind", "width", "sampling", "ema")},
        **_AE,
    },
    "generate": {
        **{"counts": "--count", "paste": "--paste", "within_speaker": "--within-speaker"},
        **{"strength": "--strength", "guidance": "--guidance", "denoise_steps": "--denoise-steps"},
    },
    "augment": {"strategy": "--strategy"},
    "train-clf": {
        **_AE,
        **{name: f"--{name}" for name in ("arch", "width", "loss", "sampling", "mixup")},
        **{"spec_augment": "--spec-augment", "synthetic_share": "--synthetic-share", "cut_paste": "--cut-paste"},
    },
    "evaluate": {"vote": "--vote", "allow_seen": "--allow-seen"},
}
# Files that a verb reads by an option; the others are arguments, in this order.
FILE_FLAGS = {
    **{"val": "--val", "noise": "--noise", "smote": "--smote", "translate": "--translate"},
    **{"init": "--init", "critic": "--critic"},  # of older results: the verb says that they were removed
}
_ARGUMENTS = ("classifier", "gan", "autoencoder", "latents", "store", "stores", "train", "test")
_MADE_BY = {"pretrain-ae": "autoencoder", "fit-latents": "latents", "finetune-gan": "gan", "train-clf": "classifier"}
_DIGITS = 8
_MOST_VALUES = 6


@dataclass(frozen=True)
class Step:
    """One command of a history.

    Attributes
    ----------
    verb : str
        Of `sertools`.
    options : tuple of (str, str)
        On the command line: flag and value; a flag that takes none has an empty value.
    files : tuple of str
        Arguments.
    output : str
        What ``-o`` names.
    settings : str
        What has no flag, as ``name=value``.
    """

    verb: str
    options: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    output: str
    settings: str

    def line(self) -> str:
        """Write it as a line of a shell."""
        words = ["sertools", self.verb, *self.files]
        for flag, value in self.options:
            words += [flag, value] if value else [flag]
        words += ["-o", self.output]
        return shlex.join(words) + (f"  # {self.settings}" if self.settings else "")


@dataclass(frozen=True)
class Recipe:
    """How the runs of one method were made.

    Attributes
    ----------
    method, run : str
        The method, and which of its runs is shown, by its tags.
    n_runs : int
        Runs of the method.
    lines : tuple of str
        Commands of that run.
    differ : tuple of (str, str)
        What the other runs have another value of: verb with flag, and the values.
    n_other : int
        Runs that were made by other commands.
    """

    method: str
    run: str
    n_runs: int
    lines: tuple[str, ...]
    differ: tuple[tuple[str, str], ...]
    n_other: int


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


def recipe(runs: Sequence[Result]) -> Recipe | None:
    """Tell how the runs of a method were made; None where they came from another tool.

    Raises
    ------
    ModelError
        If a history is damaged.
    """
    chains = [steps(run) for run in runs]
    shown = chains[0]
    if not shown:
        return None
    alike = [chain for chain in chains if [step.verb for step in chain] == [step.verb for step in shown]]
    tags = [f"{tag} {value}" for tag, value in runs[0].tags.items() if tag != "method"]
    return Recipe(
        method=runs[0].tags.get("method", ""),
        run=", ".join(tags),
        n_runs=len(runs),
        lines=tuple(step.line() for step in shown),
        differ=tuple(_differences(alike)),
        n_other=len(chains) - len(alike),
    )


def steps(result: Result) -> tuple[Step, ...]:
    """Turn a result's history into commands.

    Raises
    ------
    ModelError
        If the history is damaged.
    """
    try:
        entries = [entry(line) for line in result.history]
        made = [_step(each, entries[number + 1 :]) for number, each in enumerate(entries)]
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{result.source}: damaged history ({error}); evaluate again, or restore a copy") from None
    if made:
        tags = tuple(("--tag", f"{tag}={value}") for tag, value in result.tags.items())
        last = made[-1]
        made[-1] = Step(last.verb, last.options + tags, last.files, "result.json", last.settings)
    return tuple(made)


def _step(found: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> Step:
    verb, inputs = found["verb"], dict(found.get("inputs") or {})
    options, settings = [], []
    for name, value in _flat(found.get("options") or {}):
        flag = FLAGS.get(verb, {}).get(name)
        if flag is None:
            settings.append(f"{name}={_text(value)}")
        else:
            options += [(flag, text) for text in _values(value)]
    for name, flag in FILE_FLAGS.items():
        options += [(flag, text) for text in _names(name, inputs.pop(name, []))]
    if "seed" in found:
        options.append(("--seed", str(found["seed"])))
    order = {name: place for place, name in enumerate(_ARGUMENTS)}
    files = [
        text
        for name in sorted(inputs, key=lambda name: (order.get(name, len(order)), name))
        for text in _names(name, inputs[name])
    ]
    role = _MADE_BY.get(verb, "")
    users = [each["inputs"][role] for each in later if role in (each.get("inputs") or {})]
    output = _names(role, users[0])[0] if users else "OUT"
    return Step(verb, tuple(options), tuple(files or ["SRC"]), output, " ".join(settings))


def _flat(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Options by name, those of a net among them; what is not set is left out."""
    for name, value in options.items():
        if name == "net":
            yield from _flat(value)
        elif value is not None and value is not False and value != []:
            yield name, value


def _values(value: Any) -> list[str]:
    if value is True:
        return [""]
    if isinstance(value, dict):
        return [f"{key}={_text(part)}" for key, part in value.items()]
    return [_text(part) for part in value] if isinstance(value, list) else [_text(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _names(role: str, digests: Any) -> list[str]:
    return [f"{role}-{digest[:_DIGITS]}" for digest in ([digests] if isinstance(digests, str) else digests)]


def _differences(chains: Sequence[tuple[Step, ...]]) -> Iterator[tuple[str, str]]:
    """Flags whose values are not the same in all chains, which have the same verbs."""
    seen: dict[str, dict[str, None]] = {}
    for place, shown in enumerate(chains[0]):
        rows = [dict(_joined(chain[place].options)) for chain in chains]
        for flag in dict.fromkeys(flag for row in rows for flag in row if flag != "--tag" and flag not in _OF_FILES):
            values = dict.fromkeys(row.get(flag, "none") for row in rows)
            if len(values) > 1:
                seen.setdefault(f"{shown.verb} {flag}", {}).update(values)
    for name, values in seen.items():
        listed = list(values)
        more = f" and {len(listed) - _MOST_VALUES} more" if len(listed) > _MOST_VALUES else ""
        yield name, "; ".join(listed[:_MOST_VALUES]) + more


def _joined(options: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    flags = dict.fromkeys(flag for flag, _ in options)
    for flag in flags:
        yield flag, " ".join(value for own, value in options if own == flag)


_OF_FILES = frozenset(FILE_FLAGS.values())
