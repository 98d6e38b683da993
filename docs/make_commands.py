"""Write the reference of the command line from its own help texts.

``python docs/make_commands.py > docs/commands.md`` prints the page, ``--man DIR`` writes manual pages instead
(``sertools.1``, ``sertools-extract.1``, …). Nothing depends on the terminal or the clock. click-man, the usual maker
of manual pages, knows click's own classes alone; typer brings its own copy of them, and every option would be lost.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from sertools.cli import app
from sertools.version import __version__

HEAD = """# Commands

What `sertools VERB --help` says, in the order of the flow. This page is made from it by `make docs`; a test compares
them.

Data go to stdout, words and progress to stderr; `-` stands for stdin or stdout where a text file is meant. `-o` is
written beside its name and renamed when complete. Exit codes: 0 done, 1 could not (one line on stderr says why), 2
wrong usage, 75 stopped by a signal after saving its state (the same line goes on). `--debug` shows an error's
traceback. `sertools --install-completion` teaches your shell the verbs and options; `make man` writes manual pages.
"""

EXIT_STATUS = (
    ("0", "Done."),
    ("1", "Could not; one line on standard error says why."),
    ("2", "Wrong usage."),
    ("75", "Stopped by SIGTERM, SIGINT or SIGUSR1 after saving its state; the same line goes on."),
)


def contexts() -> Iterator[Any]:
    """Yield the context of `sertools` itself, then of each verb in order."""
    group: Any = get_command(app)
    # What a terminal of 100 columns shows.
    top = group.context_class(group, info_name="sertools", terminal_width=98, **group.context_settings)
    yield top
    for name, command in group.commands.items():
        yield command.context_class(command, parent=top, info_name=name)


def markdown() -> str:
    """Return the page docs/commands.md."""
    parts = [HEAD]
    for context in contexts():
        parts.append(f"\n## {context.command_path}\n\n```text\n{context.command.get_help(context).rstrip()}\n```\n")
    return "".join(parts)


def roff(text: str) -> str:
    """Write a text so that troff prints it as it is."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.MULTILINE)


def manual(context: Any) -> str:
    """Return one manual page, for ``man -l``."""
    name = context.command_path.replace(" ", "-")
    text, _, example = (context.command.help or "").partition("\b\nExample:\n")
    first, *others = text.strip().split("\n\n")
    usage = " ".join(context.command.collect_usage_pieces(context))
    lines = [
        f'.TH "{name.upper()}" 1 "" "sertools {__version__}" "sertools"',
        f".SH NAME\n{roff(name)} \\- {roff(first.rstrip('.'))}",
        f".SH SYNOPSIS\n.B {roff(context.command_path)}\n{roff(usage)}",
        ".SH DESCRIPTION\n" + "\n.PP\n".join(roff(" ".join(part.split())) for part in (first, *others)),
    ]
    for title, kind in (("ARGUMENTS", "argument"), ("OPTIONS", "option")):
        params = [param for param in context.command.get_params(context) if param.param_type_name == kind]
        records = [record for param in params if (record := param.get_help_record(context))]
        if records:
            lines += [f".SH {title}", *(f".TP\n.B {roff(names)}\n{roff(help_)}" for names, help_ in records)]
    verbs = getattr(context.command, "commands", {})
    if verbs:
        lines += [".SH VERBS", *(f".TP\n.B {roff(v)}\n{roff(c.get_short_help_str(200))}" for v, c in verbs.items())]
    lines += [".SH EXIT STATUS", *(f".TP\n.B {code}\n{roff(meaning)}" for code, meaning in EXIT_STATUS)]
    lines += [f".SH EXAMPLE\n.nf\n{roff(example)}\n.fi"]
    lines += [".SH SEE ALSO\n" + roff("sertools(1)" if not verbs else ", ".join(f"sertools-{v}(1)" for v in verbs))]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--man", type=Path, metavar="DIR", help="write manual pages there")
    folder: Path | None = parser.parse_args().man
    if folder is None:
        sys.stdout.buffer.write(markdown().encode())
        return
    folder.mkdir(parents=True, exist_ok=True)
    for context in contexts():
        (folder / f"{context.command_path.replace(' ', '-')}.1").write_text(manual(context), encoding="utf-8")


if __name__ == "__main__":
    main()
