"""``sertools info``: what a file is and holds."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sertools.cli.donors import donor_rows, print_table
from sertools.cli.options import AsJson, argument
from sertools.cli.progress import voice
from sertools.cli.verbs import verb

_NAMES = (
    *("rows", "utterances", "hours", "method", "vote", "tags", "audio_root", "padded_share"),
    *("layout", "baseline", "n_folds", "n_seeds", "n_speakers", "n_utterances", "compared"),
)


@verb()
def info(
    file: Annotated[Path, argument("FILE", "A store, latents, model, result, score, report or training log.")],
    as_json: AsJson = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare a store with its digests.")] = False,
) -> None:
    """Say what a file is, what it holds, where it comes from and which commands make it again.

    \b
    Example:
      sertools info specs.h5
    """
    from sertools import api

    described = api.info(file, verify=verify)
    if as_json or not sys.stdout.isatty():
        print(json.dumps(described, indent=2, ensure_ascii=False))
    else:
        _page(described)


def _page(described: dict[str, Any]) -> None:
    """Print a page for people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()

    def line(name: str, value: object) -> None:
        if value not in (None, "", [], {}):
            console.print(f"[bold]{name:12}[/] {escape(voice.safe(str(value)))}", highlight=False)

    line(described["kind"], described["file"])
    line("verdict", described.get("verdict"))
    for reason in described.get("why", []):
        line("why", reason)
    for singular, plural in (("class", "classes"), ("method", "methods")):
        members = described.get(plural, [])
        if not isinstance(members, dict):
            line(plural, _some(members))
            continue
        columns = list(dict.fromkeys(key for counts in members.values() for key in counts))
        # Words apart, so that a narrow terminal can break the line between them.
        headers = (column.replace("_", " ") for column in columns)
        table = Table(singular, *headers, box=None, padding=(0, 2, 0, 0))
        for name, counts in members.items():
            cells = (escape(voice.safe(_cell(counts.get(column, "–")))) for column in columns)
            table.add_row(escape(voice.safe(name)), *cells)
        console.print(table)
    for name in ("speakers", "sessions"):
        members = described.get(name, [])
        line(name, f"{len(members)}: {_some(members)}" if members else "")
    for name in _NAMES:
        line(name.removeprefix("n_").replace("_", " "), described.get(name))
    for name in ("corpora", "reduced"):
        line(name, _some(described.get(name, [])))
    line("licences", _pairs(described.get("licences", {})))
    line("files", _pairs(described.get("files", {})))
    if described.get("donors"):
        for donor in described["donors"]:
            line("donor", f"{donor['name']}: {'near' if donor['near'] else 'far'}, {_pairs(donor['matched'])}")
            line("licences", _pairs(donor.get("licences", {})))
        print_table(donor_rows(described["donors"], described["own"]))
    for name in ("verb", "done", "steps"):
        line(name, described.get(name))
    for name in ("note", "remark"):
        for text in described.get(f"{name}s", []):
            line(name, text)
    for warning in described.get("warnings", []):
        line("warning", f"{warning['name']} at step {warning['step']}")
    for name in ("last", "metrics", "facts", "config", "differs_from_paper", "scaler", "front_end"):
        line(name.replace("_", " "), _pairs(described.get(name, {})))
    line("maps to", _some(described.get("virtual", [])))
    line("shard", described.get("shard"))
    line("lineage", _pairs(described.get("lineage", {})))
    line("verified", described.get("verified"))
    for row in described.get("rejected", []):
        line("rejected", f"{row['path']}: {row['reason']}")
    for entry in described.get("history", []):
        seed = f", seed {entry['seed']}" if "seed" in entry else ""
        line("history", f"{entry['verb']} {_pairs(entry.get('options', {}))}{seed}")
    for command in described.get("commands", []):
        # Whole lines, so that they can be copied.
        console.print(voice.safe(command), markup=False, highlight=False, soft_wrap=True)
    for name, what in described.get("names", {}).items():
        line(name, what)


def _cell(value: Any) -> str:
    # The condition of a singular covariance is infinite, which JSON cannot say.
    return "singular" if value is None else str(value)


def _some(values: list[Any]) -> str:
    return ", ".join(map(str, values[:24])) + (f" and {len(values) - 24} more" if len(values) > 24 else "")


def _pairs(values: dict[str, Any]) -> str:
    return "  ".join(f"{name}={_short(value)}" for name, value in values.items() if value not in (None, "", [], {}))


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
