"""What lines will need, imported once before they are forked."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from importlib import import_module

from sertools import api


def import_for(verbs: Iterable[str]) -> None:
    """Import what the functions of some verbs import when they are called.

    Nothing is computed: a thread that runs, or a GPU that is in use, would not outlive a fork.
    """
    for module in sorted({module for verb in verbs for module in _imported_by(verb)}):
        import_module(module)


def _imported_by(verb: str) -> set[str]:
    """Name the modules that the API's function of a verb imports within itself."""
    tree = ast.parse(inspect.getsource(getattr(api, verb.replace("-", "_"))))
    return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
