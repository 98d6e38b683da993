"""Explicit rules of GNU make: what a file is made of and by which lines, as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import dirname

OUT = "$(OUT)"  # the folder of all files; there before any rule runs, for the rules lie in it


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one file is made.

    Attributes
    ----------
    target : str
        The file.
    needs : tuple of str
        Files that it stems from, in the order of ``$^``.
    lines : tuple of str
        Of the recipe, in make's words.
    first : tuple of str
        Files that must be there before, however old they are.
    """

    target: str
    needs: tuple[str, ...]
    lines: tuple[str, ...]
    first: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The rule as make reads it."""
        head = " ".join([f"{self.target}:", *self.needs, *(("|", *self.first) if self.first else ())])
        return "\n\t".join([head.replace("#", "\\#"), *self.lines]) + "\n"


@dataclass(frozen=True)
class Section:
    """Rules under one title.

    Attributes
    ----------
    title : str
        Of a comment above them.
    rules : tuple of Rule
        At least one.
    variables : dict of str to tuple of str
        Name → files, for rules that share a long list.
    """

    title: str
    rules: tuple[Rule, ...]
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The section as make reads it."""
        lists = [" \\\n    ".join([f"{name} :=", *files]) + "\n" for name, files in self.variables.items()]
        return "\n".join([f"# ---- {self.title} ----\n", *lists, *(rule.text for rule in self.rules)])


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in the places of a template's names; what is empty leaves no space behind."""
    return " ".join(filter(None, (word.format_map(values) for word in template.split())))


def by_tool(target: str, needs: Sequence[str], template: str, values: Mapping[str, str]) -> Rule:
    """Give the rule of a file that one call of a tool makes.

    Parameters
    ----------
    target, needs
        As in `Rule`.
    template
        Verb and options, such as ``select $< --keep {CLASS}={KEEP} -o $@``.
    values
        Name in the template → its value.
    """
    # A folder is made where nothing that is needed lies in it.
    there = {OUT, *map(dirname, needs)}
    folder = () if dirname(target) in there else ("@mkdir -p $(@D)",)
    return Rule(target=target, needs=tuple(needs), lines=(*folder, f"$(SERTOOLS) {fill(template, values)}"))


def needed(sections: Iterable[Section], goals: Iterable[str]) -> list[Section]:
    """Leave out the rules of files that no goal stems from, and sections without a rule.

    Parameters
    ----------
    sections
        All rules; the order stays.
    goals
        Files, also such that no rule makes.
    """
    sections = list(sections)
    rules = {rule.target: rule for section in sections for rule in section.rules}
    wanted: set[str] = set()
    waiting = list(goals)
    while waiting:
        target = waiting.pop()
        if target in rules and target not in wanted:
            wanted.add(target)
            waiting += (*rules[target].needs, *rules[target].first)
    kept = (
        replace(section, rules=tuple(rule for rule in section.rules if rule.target in wanted)) for section in sections
    )
    return [section for section in kept if section.rules]
