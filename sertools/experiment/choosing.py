"""Which of several classifiers does best on validation rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sertools.errors import SertoolsError

ON_VALIDATION = ".val.json"  # behind a classifier's name without its suffix
CLASSIFIER = ".clf.safetensors"


def best_classifier(results: Sequence[str]) -> str:
    """Name the classifier with the highest UAR; of equals the first.

    Parameters
    ----------
    results
        What `evaluate` says of each on validation rows, under its name with `ON_VALIDATION`.

    Raises
    ------
    SertoolsError
        If one is no result.
    """
    highest = max(results, key=_uar)  # the first of equals
    return f"{highest.removesuffix(ON_VALIDATION)}{CLASSIFIER}\n"


def _uar(path: str) -> float:
    try:
        return float(json.loads(Path(path).read_text(encoding="utf-8"))["metrics"]["uar"])
    except (OSError, ValueError, KeyError, TypeError):
        raise SertoolsError(f"{path}: expected what `sertools evaluate -o` writes") from None
