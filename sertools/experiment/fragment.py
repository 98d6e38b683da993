"""The rules of the whole experiment as one file for make, with the goals that a user types."""

from __future__ import annotations

import hashlib
import os
import shlex
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from sertools.errors import SertoolsError, UsageError
from sertools.experiment.figures import CONFUSION, ROWS, ablation, figures, pictures
from sertools.experiment.folds import OF_SPEAKERS, corpus_stores, folds, listing
from sertools.experiment.mine import GOALS, own_settings, unlisted
from sertools.experiment.paper_tables import DEMO, demo_report, table2, table3, table_text
from sertools.experiment.rules import OUT, needed
from sertools.experiment.settings import SETTINGS, SPEAKERS, Settings, resolve
from sertools.experiment.steps import command

_HEAD = """\
# Rules of the experiment, written by `python3 -m sertools.experiment`: change its settings, not this file.
# {given}

OUT := {OUT}
"""
# Thin nets gain more from cells side by side than from threads; and the bytes of one thread do not hang on how many
# cores a processor has.
_ONE_THREAD = "OMP_NUM_THREADS=1 "
_BESIDE = "$(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS)) "
_GOALS = """\
# ---- What is typed ----

table2 table3 ablation: {first}
	$(Q){make} $(OUT)/$@.txt
	@cat $(OUT)/$@.txt

demo: {first}
	$(Q){make} $(OUT)/demo.txt pictures
	@echo
	@awk -v RS= -v ORS='\\n\\n' 'NR <= 2' $(OUT)/demo.txt
{words}	@echo 'The whole report, with intervals:  $(OUT)/demo.html'
	@echo '{rows}  $(OUT)/{ROWS}'
	@echo 'What is taken for what:            $(OUT)/{CONFUSION}'
{hint}
pictures: $(OUT)/{ROWS} $(OUT)/{CONFUSION}

{figures}
# For examples/slurm/table2.sh: the stores that all cells share, the cells' folders, and all results of one.
stores2: {stores}

cells2:
	@printf '%s\\n' $(sort $(dir $(results_table2)))

cell: $(filter $(CELL)%,$(results_table2))
"""
# What the demo's own methods are.
_WORDS = """\
	@echo 'full: all recordings. imbalanced: nothing done. posthoc: class shares divided out.'
	@echo 'pot: rows of other classes, moved. gauss: rows drawn from class Gaussians. gan: by the GAN of the paper.'
	@echo
"""
_HINT = """\
	@echo
	@echo 'On the rows of a pretrained encoder (downloaded from the hub): make demo{corpus} ENCODER=whisper-base'
"""
_OF_PICTURES = ("ablation", "fig2", "fig3", "figures")
_CELL_THREAD = "cell: export OMP_NUM_THREADS = 1\n"
_FIGURES = """\
fig2 fig3: {first}
	$(Q){make} $(OUT)/$@.png
	@echo 'picture: $(OUT)/$@.png'
"""
# What has hardly been trained makes no picture: cpu's it is.
_FIGURES_SMOKE = """\
fig2 fig3: figures ; @:
figures:
	@$(MAKE) --no-print-directory $(filter fig2 fig3,$(MAKECMDGOALS)) PROFILE=cpu
"""
# Each speaker is tested in a fold, and how many there are is known when their rows are: make then starts over.
_NOT_YET = """\
# ---- What is typed ----

demo table2 table3 ablation fig2 fig3 figures pictures stores2 cells2 cell {texts}: {first}
	$(if $(findstring n,$(firstword -$(MAKEFLAGS))),# then $@: a fold for each speaker,@$(MAKE) $@)
"""
# Classes and folds are known when the corpus is listed: make then starts over. A list is taken if it
# is another than before.
_MINE = """\
# ---- What is typed ----

mine: $(READY)
	@{list} > $(OUT)/labels.csv.part
	@if cmp -s $(OUT)/labels.csv.part $(OUT)/labels.csv; then rm $(OUT)/labels.csv.part; \\
	else mv $(OUT)/labels.csv.part $(OUT)/labels.csv; fi
	@$(BIN)/python -m sertools.experiment --plan
	@test -e $(OUT)/all.h5 || {rows} --dry-run
	@$(MAKE) --no-print-directory mine-answer

mine-answer:
	$(Q){make} mine-cells
	@cat $(OUT)/mine.txt
	@echo
	@$(BIN)/python -m sertools.experiment --answer

mine-cells:{needs} ; @:
"""


def fragment(given: Mapping[str, str], goals: Sequence[str] = ()) -> str:
    """Write the rules that make includes.

    Parameters
    ----------
    given
        Name → value of the settings that are given; other names are left out.
    goals
        What make was asked for: a file that no table needs gets its rule only if it is among them.

    Returns
    -------
    str
        A makefile without functions of ours: explicit rules, for the variables ``SERTOOLS``, ``BIN``, ``READY`` and
        ``JOBS`` of the file that includes it.

    Raises
    ------
    UsageError
        If a setting is wrong, or a method unknown.
    """
    if {*GOALS} & {*goals}:
        return _mine(given, goals)
    plain = resolve(given)
    settings = {name: value.replace("$", "$$") for name, value in plain.items()}
    head = _head(given, settings["OUT"])
    texts = [f"{OUT}/{name}.txt" for name in ("table2", "table3", "ablation")]
    first = f"$(READY) {OF_SPEAKERS}" if settings["FOLDS"] == SPEAKERS else "$(READY)"
    if not folds(settings):
        return "\n".join([head, corpus_stores(settings).text, _NOT_YET.format(texts=" ".join(texts), first=first)])
    # Table 3 has validation rows of its own; a method that is chosen on them may be none of Table 2.
    third_alone = bool(goals) and {*goals} <= {"table3", f"{plain['OUT']}/table3.txt"}
    second, third = table2({**settings, "METHODS": ""} if third_alone else settings), table3(settings)
    drawn = not settings["ENCODER"]
    if not drawn and (made := [goal for goal in goals if goal in _OF_PICTURES]):
        raise UsageError(f"ENCODER: its rows are vectors, and {made[0]} is of pictures; leave it out, or make table2")
    sections = [
        corpus_stores(settings),
        *second.sections,
        table_text("table2", second, settings),
        demo_report(settings),
        *([pictures(settings, second)] if settings["CLASSES"] else []),
        *third.sections,
        table_text("table3", third, settings),
        *([figures(settings), ablation(settings)] if drawn else []),
    ]
    stores = [store for fold in folds(settings) for store in fold.stores]
    shown = [f"{OUT}/{name}.png" for name in ("fig2", "fig3")] + [f"{OUT}/{ROWS}", f"{OUT}/{CONFUSION}"]
    asked = [goal.replace(f"{plain['OUT']}/", f"{OUT}/", 1) for goal in goals]
    kept = needed(sections, (*stores, *second.results, *third.results, *texts, DEMO, *shown, *asked))
    return "\n".join([head, *(section.text for section in kept), _goals(settings, stores, first)])


def _mine(given: Mapping[str, str], goals: Sequence[str]) -> str:
    listed = "mine" not in goals
    mine = own_settings(given) if listed else unlisted(given)
    settings = {name: value.replace("$", "$$") for name, value in mine.settings.items()}
    head = _head(given, settings["OUT"])
    rows = corpus_stores(settings).rules[1]
    sections = mine.sections() if listed and mine.found else ()
    goals_text = _MINE.format(
        list=listing(settings),
        rows=f"$(SERTOOLS) {command(rows).partition(' ')[2]}",
        make=_make(settings["PROFILE"]),
        needs=f" {OUT}/mine.txt {OUT}/mine.json" if sections else "",
    )
    return "\n".join([head, *(section.text for section in sections), goals_text])


def _head(given: Mapping[str, str], out: str) -> str:
    words = [f"{name}={given[name]}" for name in SETTINGS if name in given]
    return _HEAD.format(
        given=shlex.join(" ".join(word.splitlines()) for word in words) or "No setting is given.",
        OUT=out.replace("#", "\\#"),
    )


def _goals(settings: Settings, stores: Sequence[str], first: str) -> str:
    make = _make(settings["PROFILE"])
    smoke = settings["PROFILE"] == "smoke"
    figures = _FIGURES_SMOKE if smoke else _FIGURES.format(make=make, first=first)
    corpus = f" CORPUS={settings['CORPUS']} READER={settings['READER']}" if settings["CORPUS"] else ""
    text = _GOALS.format(
        make=make,
        figures=figures,
        stores=" ".join(stores),
        first=first,
        rows=f"{'Where the rows lie' if settings['ENCODER'] else 'Spectrograms, real and made'}:".ljust(33),
        words=_WORDS if smoke and not settings["METHODS"] else "",
        hint="" if settings["ENCODER"] else _HINT.format(corpus=corpus),
        ROWS=ROWS,
        CONFUSION=CONFUSION,
    )
    return text if settings["PROFILE"] == "paper" else text + _CELL_THREAD


def _make(profile: str) -> str:
    if profile == "paper":
        return "$(WARM) $(WATCH) $(MAKE)"
    return f"{_ONE_THREAD}$(WARM) $(WATCH) $(MAKE) {_BESIDE}"


def write(text: str, folder: Path) -> Path:
    """Put rules where make finds them: under a name that is theirs alone.

    Jobs of a cluster start with the same rules, or with others, at the same time and in the same folder. So the name
    follows from the text, what is there is left alone, and what is not comes in one step.

    Parameters
    ----------
    text
        What `fragment` gives.
    folder
        Is made if it is missing.

    Returns
    -------
    Path
        ``rules-DIGEST.mk`` in the folder.

    Raises
    ------
    SertoolsError
        If it cannot be written.
    """
    content = os.fsencode(text)
    path = folder / f"rules-{hashlib.blake2b(content, digest_size=6).hexdigest()}.mk"
    part = folder / f".{path.name}.{socket.gethostname()}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            part.write_bytes(content)
            part.replace(path)
    except OSError as error:
        raise SertoolsError(f"{path}: cannot be written ({error.strerror}); name another folder by OUT=") from error
    return path
